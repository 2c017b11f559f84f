import { expect, test } from "bun:test";
import { JsonSyntaxError, parseJsonText } from "./json-text.ts";

/** What the operator reads, or the value. */
function read(text: string): unknown {
  try {
    return parseJsonText(text);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    return `${error.line}:${error.column} ${error.message}`;
  }
}

test.each([
  ["{}", {}],
  [" [ ] ", []],
  ["\ufeff{}", {}],
  [
    '{"a":[1,-2.5e3,0,true,false,null,"x\\u00e4\\n"],"b":{"c":{}}}',
    { a: [1, -2500, 0, true, false, null, "xä\n"], b: { c: {} } },
  ],
  ['"ü😀"', "ü😀"],
  ["-0.5", -0.5],
])("%s is read", (text, expected) => {
  expect(read(text)).toEqual(expected);
});

test.each([
  ["", "1:1 expected a value, but the text ends here"],
  ["{", "1:2 expected a key in double quotes, but the text ends here"],
  ['{"a":1,}', "1:8 expected a key in double quotes"],
  ['{"a" 1}', '1:6 expected ":"'],
  ['{\n  "a": 1\n  "b": 2\n}', '3:3 expected "," or "}"'],
  ["[1 2]", '1:4 expected "," or "]"'],
  ["[1,]", "1:4 expected a value"],
  ["{'a': 1}", "1:2 expected a key in double quotes"],
  ["[01]", '1:3 expected "," or "]"'],
  ["[+1]", "1:2 expected a value"],
  ["[NaN]", "1:2 expected a value"],
  ["{} {}", "1:4 expected the end of the text"],
  ['{\r\n"a": // no\r\n1}', "2:6 expected a value"],
  ['["ab\ncd"]', "1:2 this string does not end or holds a character it must not"],
  ['["\\x41"]', "1:2 this string does not end or holds a character it must not"],
  ['{"a":1,\n "a":2}', '2:2 the key "a" stands twice in one object'],
  ['{"a":1,"\\u0061":2}', '1:8 the key "a" stands twice in one object'],
])("%p is told by line and column", (text, expected) => {
  expect(read(text)).toBe(expected);
});

test("a text that nests too deep is refused and does not exhaust the stack", () => {
  expect(read("[".repeat(1_000_000))).toBe("1:66 nested deeper than 64 levels");
});

test("__proto__ is a key like any other", () => {
  const value = parseJsonText('{"__proto__":{"version":1}}');
  expect(Object.keys(value as object)).toEqual(["__proto__"]);
  expect("version" in (value as object)).toBe(false);
});
