import { expect, test } from "bun:test";
import { keyText } from "../../test/flows/media-ends.ts";
import type { CryptoSuite } from "../rtp/crypto-suite.ts";
import { chooseCrypto, cryptoOfAnswer, OwnKeys } from "./keying.ts";

const C80 = "AES_CM_128_HMAC_SHA1_80";
const C32 = "AES_CM_128_HMAC_SHA1_32";
const BOTH: readonly CryptoSuite[] = [C80, C32];

/** "TAG SUITE" of the line that is taken. */
function check(lines: readonly string[], suites: readonly CryptoSuite[], expected: string | null) {
  const chosen = chooseCrypto(lines, suites);
  expect(chosen === null ? null : `${chosen.tag} ${chosen.peer.suite}`).toBe(expected);
}

test("the offerer's order counts, not ours", () => {
  const lines = [`7 ${C32} inline:${keyText(1)}`, `8 ${C80} inline:${keyText(2)}`];
  check(lines, BOTH, `7 ${C32}`);
  check(lines, [C80], `8 ${C80}`);
  check(lines, [], null);
});

test("unknown suites, wrong key lengths and malformed lines are passed over", () => {
  const short = Buffer.alloc(16, 1).toString("base64");
  check(
    [
      `1 AEAD_AES_256_GCM inline:${keyText(1)}`,
      `2 ${C80} inline:${short}`,
      "nonsense",
      `3 ${C80} inline:${keyText(1)} UNENCRYPTED_SRTP`,
      `4 ${C80} inline:${keyText(1)}|2^31`,
    ],
    BOTH,
    `4 ${C80}`,
  );
});

test("the MKI of the peer is kept as the bytes its packets carry", () => {
  const chosen = chooseCrypto([`1 ${C80} inline:${keyText(1)}|2^20|258:4`], BOTH);
  expect(chosen?.peer.mki).toEqual(new Uint8Array([0, 0, 1, 2]));
});

test("an answer with a suite that was not offered has no key", () => {
  const offered = new OwnKeys((length) => new Uint8Array(length)).offer([C80]);
  expect(cryptoOfAnswer([`1 ${C32} inline:${keyText(1)}`], offered)).toBeNull();
  expect(cryptoOfAnswer([`1 ${C80} inline:${keyText(1)}`], offered)?.tag).toBe(1);
});

test("our keys differ by suite and stay what they are", () => {
  let drawn = 0;
  const keys = new OwnKeys((length) => new Uint8Array(length).fill(++drawn));
  const [first, second] = keys.offer(BOTH);
  expect([first?.tag, first?.suite, first?.key[0]]).toEqual([1, C80, 1]);
  expect([second?.tag, second?.suite, second?.key[0]]).toEqual([2, C32, 2]);
  expect(keys.line(9, C80).key).toBe(first!.key);
  expect(keys.key(C32).key).toBe(second!.key);
});
