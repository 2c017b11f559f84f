import { expect, test } from "bun:test";
import {
  areSessionParamsSupported,
  formatCryptoAttribute,
  mkiBytes,
  parseCryptoAttribute,
} from "./crypto-attribute.ts";

const KEY = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
const SUITE = "AES_CM_128_HMAC_SHA1_80";

test("the example of RFC 4568 §9.1 is read whole", () => {
  const crypto = parseCryptoAttribute(`1 ${SUITE} inline:${KEY}|2^20|1:4 FEC_ORDER=FEC_SRTP`);
  expect(crypto).toEqual({
    tag: 1,
    suite: SUITE,
    key: new Uint8Array(Buffer.from(KEY, "base64")),
    lifetime: "2^20",
    mki: { value: 1n, lengthBytes: 4 },
    sessionParams: ["FEC_ORDER=FEC_SRTP"],
  });
  expect(crypto?.key.length).toBe(30);
});

test("what was read is written again byte for byte", () => {
  for (const value of [
    `1 ${SUITE} inline:${KEY}`,
    `2 ${SUITE} inline:${KEY}|2^31`,
    `10 ${SUITE} inline:${KEY}|1048576`,
    `999999999 AES_CM_128_HMAC_SHA1_32 inline:${KEY}|1066:4`,
    `4 ${SUITE} inline:${KEY}|2^31|1:1 KDR=0 UNENCRYPTED_SRTCP`,
  ]) {
    expect(formatCryptoAttribute(parseCryptoAttribute(value)!)).toBe(value);
  }
});

test("unknown suites and other key lengths are read too; a missing padding is forgiven", () => {
  const aes256 = Buffer.alloc(46, 7).toString("base64");
  const padded = parseCryptoAttribute(`1 AES_256_CM_HMAC_SHA1_80 inline:${aes256}`);
  const bare = parseCryptoAttribute(`1 AES_256_CM_HMAC_SHA1_80 inline:${aes256.slice(0, -2)}`);
  expect(padded?.key.length).toBe(46);
  expect(bare?.key).toEqual(padded!.key);
  expect(parseCryptoAttribute(`1 F8_128_HMAC_SHA1_80 INLINE:${KEY}`)?.suite).toBe(
    "F8_128_HMAC_SHA1_80",
  );
});

test("of several keys the first is taken", () => {
  const value = `1 ${SUITE} inline:${KEY}|2^20|1:4;inline:${KEY.replace("d", "e")}|2^20|2:4`;
  expect(parseCryptoAttribute(value)?.mki).toEqual({ value: 1n, lengthBytes: 4 });
});

test("malformed lines are null", () => {
  for (const value of [
    "",
    "1",
    `1 ${SUITE}`,
    `x ${SUITE} inline:${KEY}`,
    `1234567890 ${SUITE} inline:${KEY}`,
    `1 ${SUITE}! inline:${KEY}`,
    `1 ${SUITE} ${KEY}`,
    `1 ${SUITE} outline:${KEY}`,
    `1 ${SUITE} inline:`,
    `1 ${SUITE} inline:A`,
    `1 ${SUITE} inline:${KEY.slice(0, -1)}==`,
    `1 ${SUITE} inline:${KEY.slice(0, -1)}*`,
    `1 ${SUITE} inline:${KEY}|`,
    `1 ${SUITE} inline:${KEY}|2^`,
    `1 ${SUITE} inline:${KEY}|2^31|1`,
    `1 ${SUITE} inline:${KEY}|2^31|256:1`,
    `1 ${SUITE} inline:${KEY}|2^31|1:0`,
    `1 ${SUITE} inline:${KEY}|2^31|1:129`,
  ]) {
    expect(parseCryptoAttribute(value)).toBeNull();
  }
});

test("session parameters that switch protection off are refused, ignorable ones pass", () => {
  const supported = (params: string): boolean =>
    areSessionParamsSupported(parseCryptoAttribute(`1 ${SUITE} inline:${KEY} ${params}`)!);
  for (const params of ["", "WSH=64", "KDR=0", "-NEW=1", "WSH=128 KDR=0"]) {
    expect(supported(params)).toBe(true);
  }
  for (const params of [
    "UNENCRYPTED_SRTP",
    "UNENCRYPTED_SRTCP",
    "UNAUTHENTICATED_SRTP",
    "KDR=16",
    "FEC_ORDER=SRTP_FEC",
    "WSH=64 NEW=1",
  ]) {
    expect(supported(params)).toBe(false);
  }
});

test("the MKI in a packet is big-endian and has its full length", () => {
  const mki = (text: string) =>
    Array.from(mkiBytes(parseCryptoAttribute(`1 ${SUITE} inline:${KEY}${text}`)!));
  expect(mki("|1066:4")).toEqual([0, 0, 4, 42]);
  expect(mki("|18446744073709551615:8")).toEqual(Array(8).fill(255));
  expect(mki("")).toEqual([]);
});
