import { expect, test } from "bun:test";
import vectors from "../../test/vectors/rfc3711.json";
import { slowKeys } from "../../test/vectors/slow-srtp.ts";
import { deriveSessionKeys } from "./key-derivation.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const { keyDerivation } = vectors;
const master = Buffer.from(keyDerivation.masterKey + keyDerivation.masterSalt, "hex");

test("the session keys of RFC 3711 B.3 are derived", () => {
  const keys = deriveSessionKeys("AES_CM_128_HMAC_SHA1_80", master, "srtp");
  expect(hex(keys.cipherKey)).toBe(keyDerivation.cipherKey);
  expect(hex(keys.salt)).toBe(keyDerivation.salt);
  expect(hex(keys.authKey)).toBe(keyDerivation.authKey.slice(0, 40));
});

test("SRTCP gets keys of its own, by labels 3 to 5", () => {
  const keys = deriveSessionKeys("AES_CM_128_HMAC_SHA1_32", master, "srtcp");
  const expected = slowKeys(master, "srtcp");
  expect(hex(keys.cipherKey)).toBe(hex(expected.cipherKey));
  expect(hex(keys.salt)).toBe(hex(expected.salt));
  expect(hex(keys.authKey)).toBe(hex(expected.authKey));
  expect(hex(keys.cipherKey)).not.toBe(keyDerivation.cipherKey);
});

test("a master key of another length is refused", () => {
  expect(() => deriveSessionKeys("AES_CM_128_HMAC_SHA1_80", master.subarray(1), "srtp")).toThrow(
    RangeError,
  );
});
