import { expect, test } from "bun:test";
import { formatHostPort, parseHostPort } from "./host-port.ts";
import { SipSyntaxError } from "./syntax-error.ts";

test("a host is a name, an IPv4 address or an IPv6 address in brackets", () => {
  const check = (text: string, host: string, port: number | null) =>
    expect(parseHostPort(text), text).toEqual({ host, port });
  check("A.Example", "a.example", null);
  check("192.0.2.1:5060", "192.0.2.1", 5060);
  check("[2001:DB8::1]", "[2001:db8::1]", null);
  check("[::]:65535", "[::]", 65535);
  check("a:0001", "a", 1);
  expect(formatHostPort("[::1]", 5060)).toBe("[::1]:5060");
  expect(formatHostPort("a", null)).toBe("a");
});

test("anything else is refused", () => {
  const wrong = [
    "",
    ":",
    ":1",
    "a:",
    "a:0",
    "a:65536",
    "a:1:2",
    "a b",
    "[::1",
    "[]",
    "[1]",
    "[::1]1",
    "[::g]",
  ];
  wrong.push("a%b", "a/b", "-a", ".a", "\xe4", "a,b", "a:-1", "a:1 ", "[::1]:", "[::1%lo]");
  for (const text of wrong) expect(() => parseHostPort(text), text).toThrow(SipSyntaxError);
});
