import { expect, test } from "bun:test";
import { FRAME_SAMPLES, measureTone, ToneSource } from "./tone.ts";

function frames(law: "PCMA" | "PCMU", frequencyHz: number, count: number): Uint8Array {
  const source = new ToneSource(law, frequencyHz);
  const audio = new Uint8Array(count * FRAME_SAMPLES);
  for (let at = 0; at < count; at++) audio.set(source.nextFrame(), at * FRAME_SAMPLES);
  return audio;
}

test("a tone is measured to 1 Hz in both laws, across frame borders", () => {
  for (const law of ["PCMA", "PCMU"] as const) {
    for (const frequencyHz of [300, 425, 1000, 3001]) {
      const tone = measureTone(law, frames(law, frequencyHz, 50));
      expect(tone?.frequencyHz).toBe(frequencyHz);
      expect(tone?.share).toBeGreaterThan(0.98);
    }
  }
});

test("silence and a single frame too few are no tone", () => {
  expect(measureTone("PCMU", new Uint8Array(8000).fill(0xff))).toBeNull();
  expect(measureTone("PCMU", new Uint8Array(159))).toBeNull();
});

test("noise has no frequency that stands out", () => {
  let state = 1;
  const noise = Uint8Array.from({ length: 8000 }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state >> 16;
  });
  expect(measureTone("PCMA", noise)?.share).toBeLessThan(0.1);
});

test("the right frequency with every second frame lost stands out less than a whole tone", () => {
  const audio = frames("PCMA", 425, 50);
  for (let at = 0; at < audio.length; at += 2 * FRAME_SAMPLES) {
    audio.fill(0xd5, at, at + FRAME_SAMPLES);
  }
  expect(measureTone("PCMA", audio)?.share).toBeLessThan(0.7);
});
