import { expect, test } from "bun:test";
import { SlowSrtp } from "./slow-srtp.ts";

/** RFC 3711 B.3: session keys of this master key; checked here through what they encrypt. */
const KEY = Buffer.from("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6", "hex");

/** A packet, its SRTP form, as published with libsrtp's test driver (srtp_validate). */
const PLAIN = Buffer.from("800f1234decafbadcafebabeabababababababababababababababab", "hex");
const SEALED = Buffer.from(
  "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
  "hex",
);

test("a packet is sealed to the bytes other implementations make of it", () => {
  const sealed = new SlowSrtp("AES_CM_128_HMAC_SHA1_80", KEY).protect(PLAIN);
  expect(Buffer.from(sealed).toString("hex")).toBe(SEALED.toString("hex"));
  const opened = new SlowSrtp("AES_CM_128_HMAC_SHA1_80", KEY).unprotect(SEALED);
  expect(Buffer.from(opened ?? []).toString("hex")).toBe(PLAIN.toString("hex"));
});

test("a wrong bit anywhere is refused, and so is a packet shorter than its tag", () => {
  for (let at = 0; at < SEALED.length; at += 1) {
    const broken = Buffer.from(SEALED);
    broken[at] = (broken[at] ?? 0) ^ 1;
    expect(new SlowSrtp("AES_CM_128_HMAC_SHA1_80", KEY).unprotect(broken)).toBeNull();
  }
  const short = SEALED.subarray(0, 15);
  expect(new SlowSrtp("AES_CM_128_HMAC_SHA1_80", KEY).unprotect(short)).toBeNull();
});

test("the rollover counter goes on past sequence number 65535", () => {
  const near = new SlowSrtp("AES_CM_128_HMAC_SHA1_32", KEY);
  const far = new SlowSrtp("AES_CM_128_HMAC_SHA1_32", KEY);
  for (const sequence of [65534, 65535, 0, 1]) {
    const packet = Buffer.from(PLAIN);
    packet.writeUInt16BE(sequence, 2);
    expect(far.unprotect(near.protect(packet))).toEqual(new Uint8Array(packet));
  }
});

test("RTCP goes both ways and a wrong bit is refused", () => {
  const report = Buffer.from("81c8000bcafebabe000102030405060708090a0b", "hex");
  const near = new SlowSrtp("AES_CM_128_HMAC_SHA1_32", KEY);
  const far = new SlowSrtp("AES_CM_128_HMAC_SHA1_32", KEY);
  const sealed = near.protectRtcp(report);
  expect(sealed.length).toBe(report.length + 14);
  expect(far.unprotectRtcp(sealed)).toEqual(new Uint8Array(report));
  sealed[9] = (sealed[9] ?? 0) ^ 1;
  expect(far.unprotectRtcp(sealed)).toBeNull();
});
