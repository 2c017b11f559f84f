import { expect, test } from "bun:test";
import {
  hasLws,
  hasNonUriChar,
  isAbsoluteUri,
  isToken,
  parseDecimal,
  quotedStringEnd,
  skipLws,
  trimLws,
  unfold,
  unquote,
} from "./lexical.ts";

test("tokens hold what RFC 3261 §25.1 lists, and something", () => {
  expect(isToken("aZ09-.!%*_+`'~")).toBe(true);
  for (const text of ["", " ", "a b", "a:", "a/", "a;", 'a"', "a(", "a@", "\xe4", "\0"]) {
    expect(isToken(text), text).toBe(false);
  }
});

test("white space is SP, HTAB and line ends, never a byte above 127", () => {
  expect(trimLws(" \t\r\na b \xa0 ")).toBe("a b \xa0");
  expect(trimLws("[ x ]", 1, 4)).toBe("x");
  expect(trimLws("   ")).toBe("");
  expect(skipLws(" \r\n\tx", 0)).toBe(4);
  expect(skipLws("  ", 0)).toBe(2);
  expect(hasLws("a\tb")).toBe(true);
  expect(hasLws("a\xa0b")).toBe(false);
  expect(hasNonUriChar("sip:a@b")).toBe(false);
  for (const text of ["a b", "<", ">", '"', "\0", "\x7f", "a\r\n"])
    expect(hasNonUriChar(text)).toBe(true);
});

test("a fold becomes one space", () => {
  expect(unfold("a\r\n \t b\r\n\tc")).toBe("a b c");
  expect(unfold("a  b")).toBe("a  b");
});

test("a quoted string ends at the quote that is not escaped", () => {
  expect(quotedStringEnd('"a" b', 0)).toBe(3);
  expect(quotedStringEnd('x"\\"\\\\"y', 1)).toBe(7);
  expect(quotedStringEnd('"a', 0)).toBe(-1);
  expect(quotedStringEnd('"a\\"', 0)).toBe(-1);
  expect(quotedStringEnd('"', 0)).toBe(-1);
  expect(unquote('"a \\"b\\" \\\\"')).toBe('a "b" \\');
  expect(unquote("a")).toBe("a");
  expect(unquote('"')).toBe('"');
});

test("decimals have digits only and a limit", () => {
  expect(parseDecimal("0", 10)).toBe(0);
  expect(parseDecimal("0010", 10)).toBe(10);
  for (const text of ["", "11", "-1", "+1", " 1", "1 ", "1.0", "0x1", "\xb2", "9".repeat(400)]) {
    expect(parseDecimal(text, 10), text).toBe(-1);
  }
});

test("an absolute URI has a scheme and no white space", () => {
  for (const text of ["sip:a", "tel:+49", "x+y.z-1:*"])
    expect(isAbsoluteUri(text), text).toBe(true);
  for (const text of [
    "",
    "a",
    ":a",
    "sip:",
    "1x:a",
    "a b:c",
    "sip:a b",
    "sip:<a>",
    `${"s".repeat(40)}:a`,
  ]) {
    expect(isAbsoluteUri(text), text).toBe(false);
  }
});
