import { expect, test } from "bun:test";
import { SipSyntaxError } from "./syntax-error.ts";
import { formatVia, parseVia, viaParam, withViaParam } from "./via.ts";

function check(value: string, expected: string): void {
  expect(formatVia(parseVia(value)), value).toBe(expected);
}

test("a Via is read with white space, any case, IPv6 and unknown transports", () => {
  check("SIP/2.0/UDP a.example", "SIP/2.0/UDP a.example");
  check("SIP/2.0/TLS 192.0.2.1:5061;branch=z9hG4bK1", "SIP/2.0/TLS 192.0.2.1:5061;branch=z9hG4bK1");
  check("sip / 2.0 / udp   A.Example ; branch = x", "SIP/2.0/udp a.example;branch=x");
  check("SIP\t/ 2.0/\tTCP\t[2001:DB8::1]:5060;rport", "SIP/2.0/TCP [2001:db8::1]:5060;rport");
  check("SIP/2.0/UDP [2001:db8::1];received=[::1]", "SIP/2.0/UDP [2001:db8::1];received=[::1]");
  check("SIP/2.0/UDP 192.0.2.1 : 5060 ;a", "SIP/2.0/UDP 192.0.2.1:5060;a");
  check("SIP/2.0/UNKNOWN t1.example;branch=b", "SIP/2.0/UNKNOWN t1.example;branch=b");
  check('SIP/2.0/UDP h;x="a;b=\\"c"', 'SIP/2.0/UDP h;x="a;b=\\"c"');
  check("SIP/2.0/UDP h;branch=b;", "SIP/2.0/UDP h;branch=b");
  check(
    "SIP/2.0/UDP h;received=2001:db8::9;rport=40000",
    "SIP/2.0/UDP h;received=2001:db8::9;rport=40000",
  );
});

test("parameters are found without case and replaced where they stand", () => {
  const via = parseVia("SIP/2.0/UDP 10.0.0.1:5060;RPORT;branch=z9hG4bK7");
  expect(viaParam(via, "rport")).toBeNull();
  expect(viaParam(via, "branch")).toBe("z9hG4bK7");
  expect(viaParam(via, "received")).toBeUndefined();
  const answered = withViaParam(withViaParam(via, "rport", "4711"), "received", "192.0.2.1");
  expect(formatVia(answered)).toBe(
    "SIP/2.0/UDP 10.0.0.1:5060;RPORT=4711;branch=z9hG4bK7;received=192.0.2.1",
  );
});

test("a broken Via is refused", () => {
  const wrong = [
    "",
    "SIP/2.0",
    "SIP/2.0/",
    "SIP/2.0/UDP",
    "SIP/2.0/UDP ",
    "SIP/7.0/UDP a",
    "HTTP/2.0/UDP a",
    "/2.0/UDP a",
    "//UDP a",
    "SIP/2.0/U(P a",
    "SIP/2.0/UDP a b",
    "SIP/2.0/UDP a:",
    "SIP/2.0/UDP a:0",
    "SIP/2.0/UDP a:65536",
    "SIP/2.0/UDP a:+5",
    "SIP/2.0/UDP a:99999999999999999999",
    "SIP/2.0/UDP :5060",
    "SIP/2.0/UDP [::1",
    "SIP/2.0/UDP [x]",
    "SIP/2.0/UDP ::1",
    "SIP/2.0/UDP a@b",
    "SIP/2.0/UDP a;;branch=b",
    "SIP/2.0/UDP 192.0.2.15;;,;,,",
    "SIP/2.0/UDP a;=b",
    "SIP/2.0/UDP a;b c=d",
    'SIP/2.0/UDP a;b="open',
    'SIP/2.0/UDP a;b="c"d',
    "SIP/2.0/UDP a;b=c d",
    "SIP/2.0/UDP a;b=c,d",
  ];
  for (const value of wrong) expect(() => parseVia(value), value).toThrow(SipSyntaxError);
});
