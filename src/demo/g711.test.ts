import { expect, test } from "bun:test";
import { decodeG711, encodeG711, type G711Law } from "./g711.ts";

const LAWS: G711Law[] = ["PCMA", "PCMU"];

test("silence and full scale have the codes the standard gives them", () => {
  expect([...encodeG711("PCMU", Int16Array.of(2, 32_767, -32_768))]).toEqual([0xff, 0x80, 0x00]);
  expect([...encodeG711("PCMA", Int16Array.of(2, 32_767, -32_768))]).toEqual([0xd5, 0xaa, 0x2a]);
  expect([...decodeG711("PCMU", Uint8Array.of(0xff, 0x80, 0x00))]).toEqual([0, 32_124, -32_124]);
  expect([...decodeG711("PCMA", Uint8Array.of(0xd5, 0xaa, 0x2a))]).toEqual([8, 32_256, -32_256]);
});

test("every code survives decoding and encoding, but for µ-law's second zero", () => {
  for (const law of LAWS) {
    for (let code = 0; code < 256; code++) {
      const samples = decodeG711(law, Uint8Array.of(code));
      const again = decodeG711(law, encodeG711(law, samples));
      expect(again).toEqual(samples);
    }
  }
});

test("a sample is off by less than a sixteenth of its size after a round trip", () => {
  for (const law of LAWS) {
    for (let sample = -32_000; sample <= 32_000; sample += 37) {
      const [heard = 0] = decodeG711(law, encodeG711(law, Int16Array.of(sample)));
      expect(Math.abs(heard - sample)).toBeLessThanOrEqual(Math.abs(sample) / 16 + 16);
    }
  }
});
