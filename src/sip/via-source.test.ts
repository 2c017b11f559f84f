import { expect, test } from "bun:test";
import { phoneRequest, requestOf } from "../../test/flows/transaction-ladder.ts";
import { parseVia } from "./via.ts";
import { stampSource } from "./via-source.ts";

function check(via: string, expected: string, address = "203.0.113.9", port = 40_000): void {
  const request = requestOf(phoneRequest({ method: "OPTIONS", via }));
  stampSource(request, parseVia(request.headers.firstValue("via") ?? ""), { address, port });
  expect(request.headers.all[0]?.raw).toBe(expected);
}

test("a phone behind NAT that asks with rport learns its address and port", () => {
  check(
    "Via: SIP/2.0/UDP 192.168.1.10:5060;branch=z9hG4bK1;rport",
    "Via: SIP/2.0/UDP 192.168.1.10:5060;branch=z9hG4bK1;rport=40000;received=203.0.113.9",
  );
});

test("a phone that asks with rport gets received even when its address is right (RFC 3581)", () => {
  check(
    "Via: SIP/2.0/UDP 203.0.113.9:5060;rport;branch=z9hG4bK1",
    "Via: SIP/2.0/UDP 203.0.113.9:5060;rport=40000;branch=z9hG4bK1;received=203.0.113.9",
  );
});

test("without rport only a wrong address is corrected, a host name counts as wrong", () => {
  check(
    "Via: SIP/2.0/TLS phone.example.com;branch=z9hG4bK1",
    "Via: SIP/2.0/TLS phone.example.com;branch=z9hG4bK1;received=203.0.113.9",
  );
});

test("a Via that is right keeps its bytes, odd spacing and compact form included", () => {
  const via = "v:   SIP / 2.0 / UDP  203.0.113.9 : 5060 ; branch=z9hG4bK1";
  check(via, via);
});

test("an IPv6 source is compared without its brackets and written without them", () => {
  const right = "Via: SIP/2.0/UDP [2001:db8::9]:5060;branch=z9hG4bK1";
  check(right, right, "2001:db8::9");
  check(
    "Via: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK1",
    "Via: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK1;received=2001:db8::9",
    "2001:db8::9",
  );
});

test("what the sender claims about its source is overwritten", () => {
  check(
    "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=192.0.2.66;rport=666",
    "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=203.0.113.9;rport=40000",
  );
});

test("of several values on one line only the first is touched", () => {
  check(
    "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1, SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK2;rport",
    "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1;received=203.0.113.9, SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK2;rport",
  );
});
