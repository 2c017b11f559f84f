import { expect, test } from "bun:test";
import {
  findParam,
  formatParams,
  parseHeaderParams,
  removeParam,
  replaceParam,
} from "./param-list.ts";
import { SipSyntaxError } from "./syntax-error.ts";

function check(text: string, expected: string): void {
  expect(formatParams(parseHeaderParams(text, 0)), text).toBe(expected);
}

test("parameters keep order, case and quotes, and lose white space", () => {
  check("", "");
  check(";a", ";a");
  check(' ; B = c ;\r\n d=\t"e;f = \\"g" ', ';B=c;d="e;f = \\"g"');
  check(";a=;b", ";a=;b");
  check(";a=b;", ";a=b");
  check(";received=2001:db8::1;x=[::1]:5060;y=a=b", ";received=2001:db8::1;x=[::1]:5060;y=a=b");
  expect(parseHeaderParams("value;a=1", 5)).toEqual([{ name: "a", value: "1" }]);
});

test("empty names, open quotes and stray text are refused", () => {
  const wrong = [
    "a",
    ";;",
    ";;a",
    ";a;;b",
    ";=a",
    ";a b",
    ";a=b c",
    ';a="b',
    ';a="b"c',
    ';"a"',
    ";a=b,c",
  ];
  wrong.push(";a=<b>", ";a=b\x01", ';a=b"c"', "; ;");
  for (const text of wrong) {
    expect(() => parseHeaderParams(text, 0), text).toThrow(SipSyntaxError);
  }
});

test("they are found, replaced and removed without regard to case", () => {
  const params = parseHeaderParams(";Tag=x;lr;tag=y", 0);
  expect(findParam(params, "tag")).toBe("x");
  expect(findParam(params, "lr")).toBeNull();
  expect(findParam(params, "ob")).toBeUndefined();
  expect(formatParams(replaceParam(params, "lr", "on"))).toBe(";Tag=x;lr=on;tag=y");
  expect(formatParams(replaceParam(params, "ob", null))).toBe(";Tag=x;lr;tag=y;ob");
  expect(formatParams(removeParam(params, "tag"))).toBe(";lr");
});
