import { expect, test } from "bun:test";
import { splitListValues } from "./list-values.ts";

function check(text: string, expected: string[]): void {
  expect(splitListValues(text), text).toEqual(expected);
}

test("a list is cut at its top-level commas and nowhere else", () => {
  check("", []);
  check("a", ["a"]);
  check(" a , b,c ", ["a", "b", "c"]);
  check("<sip:a,b@c>, <sip:d>", ["<sip:a,b@c>", "<sip:d>"]);
  check('"A, \\"B\\"," <sip:a>, sip:b', ['"A, \\"B\\"," <sip:a>', "sip:b"]);
  check('"<" <sip:a>, "\\\\", c', ['"<" <sip:a>', '"\\\\"', "c"]);
  check('a (one, (two), \\), "three), b', ['a (one, (two), \\), "three)', "b"]);
  check("a,\r\n b,\r\n\tc", ["a", "b", "c"]);
});

test("empty values are left out", () => {
  check(",a,,b , ,", ["a", "b"]);
  check(";;,,;;,;", [";;", ";;", ";"]);
  check(",", []);
});

test("what opens and never closes runs to the end", () => {
  check('a, "b, c', ["a", '"b, c']);
  check("a, <b, c", ["a", "<b, c"]);
  check("a, (b, c", ["a", "(b, c"]);
  check('a, "b\\', ["a", '"b\\']);
});

test("hostile nesting costs no more than its length", () => {
  for (const part of ["(", "(,", '"\\', "<,", ",", "(()", '"",']) {
    const text = part.repeat(65_536 / part.length);
    const start = performance.now();
    splitListValues(text);
    // Quadratic cost would be seconds; the bound only has to tell the two apart.
    expect(performance.now() - start, part).toBeLessThan(500);
  }
});
