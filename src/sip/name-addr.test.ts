import { describe, expect, test } from "bun:test";
import {
  formatNameAddr,
  getParam,
  parseNameAddr,
  tagOf,
  withoutParam,
  withParam,
} from "./name-addr.ts";
import { SipSyntaxError } from "./syntax-error.ts";

function check(value: string, displayName: string, uri: string, params = ""): void {
  const parsed = parseNameAddr(value);
  const written = parsed.params.map((param) => `${param.name}|${param.value}`).join(" ");
  expect([parsed.displayName, parsed.uri, written], value).toEqual([displayName, uri, params]);
}

describe("an address with parameters", () => {
  test("has a display name, quoted or not", () => {
    check("<sip:a@b>", "", "sip:a@b");
    check("Bob <sip:a@b>;tag=1", "Bob", "sip:a@b", "tag|1");
    check('"Bob"<sip:a@b>', '"Bob"', "sip:a@b");
    check("caller<sip:caller@example.com>;tag=323", "caller", "sip:caller@example.com", "tag|323");
    check('"A, <b>; \\"c\\"" <sip:a@b>', '"A, <b>; \\"c\\""', "sip:a@b");
    check('"\\\\" <sip:a@b>', '"\\\\"', "sip:a@b");
    check("J\xfcrgen P. M\xf6ller <sip:a@b>", "J\xfcrgen P. M\xf6ller", "sip:a@b");
    check("token1~` token2'+_ token3*%!.- <sip:a@b>", "token1~` token2'+_ token3*%!.-", "sip:a@b");
    check('"" <sip:a@b>', '""', "sip:a@b");
  });

  test("keeps the parameters of the URI apart from those of the header", () => {
    check("<sip:a@b;lr;x=y?h=1>;q=0.5", "", "sip:a@b;lr;x=y?h=1", "q|0.5");
    check("<sip:a,b@c>", "", "sip:a,b@c");
    check("sip:a@b;tag=1;x", "", "sip:a@b", "tag|1 x|null");
    check("  sip:a@b  ;  tag  =  1  ", "", "sip:a@b", "tag|1");
    check("< sip:a@b >", "", "sip:a@b");
    check("<tel:+49;phone-context=x>;tag=2", "", "tel:+49;phone-context=x", "tag|2");
    check("<urn:service:sos>", "", "urn:service:sos");
    check(
      '<sip:a@b>;+sip.instance="<urn:uuid:1;2>";q=1',
      "",
      "sip:a@b",
      '+sip.instance|"<urn:uuid:1;2>" q|1',
    );
    check("<sip:a@b>;expires=60;", "", "sip:a@b", "expires|60");
    check('sip:a@b;+sip.instance="<urn:uuid:1>"', "", "sip:a@b", '+sip.instance|"<urn:uuid:1>"');
    check("*", "", "*");
    check("* ;expires=0", "", "*", "expires|0");
  });

  test("is written again, always in <>", () => {
    const written = (value: string) => formatNameAddr(parseNameAddr(value));
    expect(written("sip:a@b;tag=1")).toBe("<sip:a@b>;tag=1");
    expect(written('"B"<sip:a@b>; x')).toBe('"B" <sip:a@b>;x');
    expect(written("*")).toBe("*");
  });

  test("gives and changes its parameters without regard to case", () => {
    const address = parseNameAddr("<sip:a@b;expires=1>;Expires=60;q=1");
    expect(getParam(address, "expires")).toBe("60");
    expect(getParam(address, "tag")).toBeUndefined();
    expect(formatNameAddr(withParam(address, "expires", "30"))).toBe(
      "<sip:a@b;expires=1>;Expires=30;q=1",
    );
    expect(formatNameAddr(withoutParam(address, "expires"))).toBe("<sip:a@b;expires=1>;q=1");
  });

  test("has a tag or none, and a tag inside the URI is none", () => {
    expect(tagOf("<sip:a@b>;x=1;TAG=abc")).toBe("abc");
    expect(tagOf("sip:a@b;tag=abc")).toBe("abc");
    expect(tagOf("<sip:a@b;tag=abc>")).toBeUndefined();
    expect(tagOf('"x;tag=no" <sip:a@b>')).toBeUndefined();
    expect(tagOf("<sip:a@b>;tag")).toBeUndefined();
  });
});

test("a broken address is refused", () => {
  const wrong = [
    "",
    " ",
    "Bob",
    "<>",
    "< >",
    "<sip:>",
    "<sip:a@b",
    "sip:a@b>",
    '"Bob <sip:a@b>',
    '"Bob"',
    '"Bob" sip:a@b',
    'Bob "x" <sip:a@b>',
    "Bell, Alexander <sip:a@b>",
    "sip:x@y;a <sip:a@b>",
    "<sip:a b@c>",
    "<sip:a@b><sip:c@d>",
    "<<sip:a@b>>",
    "<sip:a@b> x",
    "<sip:a@b>,<sip:c@d>",
    "<sip:a@b>;;tag=1",
    "<sip:a@b>;=1",
    '<sip:a@b>;tag="1',
    "<sip:a@b>;tag=1 2",
    "<sip:a@b>;tag=<1>",
    "<1sip:a@b>",
    "<a@b>",
    "sip:a@b,sip:c@d",
  ];
  for (const value of wrong) {
    expect(() => parseNameAddr(value), value).toThrow(SipSyntaxError);
  }
});
