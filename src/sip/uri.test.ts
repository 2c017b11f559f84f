import { describe, expect, test } from "bun:test";
import { SipSyntaxError } from "./syntax-error.ts";
import {
  formatSipUri,
  isSipUri,
  parseSipUri,
  type SipUri,
  uriParam,
  withoutUriParam,
  withUriParam,
} from "./uri.ts";

const bare: SipUri = {
  scheme: "sip",
  user: null,
  host: "a.example",
  port: null,
  params: [],
  headers: null,
};

function check(text: string, expected: Partial<SipUri>): void {
  expect(parseSipUri(text), text).toEqual({ ...bare, ...expected });
}

describe("a SIP URI", () => {
  test("has a scheme, a user, a host and a port", () => {
    check("sip:a.example", {});
    check("SIPS:A.Example:5061", { scheme: "sips", port: 5061 });
    check("sip:101@a.example", { user: "101" });
    check("sip:101:secret@a.example:1", { user: "101:secret", port: 1 });
    check("sip:[2001:DB8::A]:5060", { host: "[2001:db8::a]", port: 5060 });
    check("sip:u@[::ffff:192.0.2.1]", { user: "u", host: "[::ffff:192.0.2.1]" });
    check("sip:a_b.example.", { host: "a_b.example." });
  });

  test("keeps an odd user part as it is", () => {
    check("sip:sip%3Auser%40example.com@a.example", { user: "sip%3Auser%40example.com" });
    check("sip:null-%00-null@a.example", { user: "null-%00-null" });
    check("sip:user;par=u%40example.net@a.example", { user: "user;par=u%40example.net" });
    check("sip:user?x=y@a.example", { user: "user?x=y" });
    check("sip:*98#@a.example", { user: "*98#" });
    check("sip:M\xc3\xbcller@a.example", { user: "M\xc3\xbcller" });
    const unusual =
      "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)";
    check(`sip:${unusual}@a.example`, { user: unusual });
  });

  test("has parameters in order, and headers", () => {
    check("sip:a.example;lr;Transport=tcp;x=", {
      params: [
        { name: "lr", value: null },
        { name: "Transport", value: "tcp" },
        { name: "x", value: "" },
      ],
    });
    check("sip:a.example?Route=%3Csip:b%3E", { headers: "Route=%3Csip:b%3E" });
    check("sip:101@a.example;lr?Replaces=1;2", {
      user: "101",
      params: [{ name: "lr", value: null }],
      headers: "Replaces=1;2",
    });
    check("sip:101@a.example?Replaces=call@host", { user: "101", headers: "Replaces=call@host" });
    check("sip:a.example;", {});
  });

  test("is written as it was read", () => {
    const texts = [
      "sip:a.example",
      "sips:101:pw@a.example:5061;lr;ob;transport=tls?Subject=x&a=b",
      "sip:user;par=u%40example.net@[2001:db8::1]:5060;maddr=239.255.255.1;ttl=15",
    ];
    for (const text of texts) expect(formatSipUri(parseSipUri(text))).toBe(text);
  });

  test("gives and changes parameters without regard to case", () => {
    const uri = parseSipUri("sip:101@a.example;Transport=UDP;lr");
    expect(uriParam(uri, "transport")).toBe("UDP");
    expect(uriParam(uri, "lr")).toBeNull();
    expect(uriParam(uri, "ob")).toBeUndefined();
    expect(formatSipUri(withUriParam(uri, "transport", "tcp"))).toBe(
      "sip:101@a.example;Transport=tcp;lr",
    );
    expect(formatSipUri(withUriParam(uri, "ob", null))).toBe(
      "sip:101@a.example;Transport=UDP;lr;ob",
    );
    expect(formatSipUri(withoutUriParam(uri, "transport"))).toBe("sip:101@a.example;lr");
  });
});

test("other schemes are told apart", () => {
  expect(isSipUri("SIP:a")).toBe(true);
  expect(isSipUri("sips:a")).toBe(true);
  expect(isSipUri("tel:+4930123456")).toBe(false);
  expect(isSipUri("sipx:a")).toBe(false);
  expect(isSipUri("")).toBe(false);
});

test("a broken URI is refused", () => {
  const wrong = [
    "",
    "a.example",
    "tel:+4930123456",
    "sip:",
    "sip:@a.example",
    "sip:101@",
    "sip:101@;lr",
    "sip:a@b@c.example",
    "sip:a@b.example;x=y@c.example",
    "sip:a.example:",
    "sip:a.example:0",
    "sip:a.example:70000",
    "sip:a.example:5o60",
    "sip:2001:db8::1",
    "sip:[2001:db8::1",
    "sip:[2001:db8::1]x",
    "sip:[fe80::1%eth0]",
    "sip:[1234]",
    "sip:-a.example",
    "sip:.a",
    "sip:b\xfccher.example",
    `sip:${"a".repeat(256)}`,
    "sip:a b@c.example",
    "sip:a@c.example;=1",
    "sip:<a@c.example>",
    'sip:"a"@c.example',
    "sip:a@c.example\r\nX: y",
    "sip:a\0@c.example",
    "sip:a@c.example; lr",
  ];
  for (const text of wrong) expect(() => parseSipUri(text), text).toThrow(SipSyntaxError);
});
