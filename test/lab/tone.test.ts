import { expect, test } from "bun:test";
import {
  describeTones,
  endsWithTone,
  isSound,
  measureSamples,
  measureWav,
  toneWav,
} from "./tone.ts";

/** Deterministic noise: a linear congruential generator, scaled to 16 bits. */
function noise(count: number): Int16Array {
  let state = 1;
  return Int16Array.from({ length: count }, () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return (state / 2147483648 - 0.5) * 30000;
  });
}

test("every tone of the lab is measured within 1 Hz and as pure", () => {
  for (const hz of [450, 500, 550, 800, 1000, 1200]) {
    const windows = measureWav(toneWav(hz, 1));
    expect(windows).toHaveLength(10);
    for (const window of windows) expect(Math.abs((window.hz ?? 0) - hz)).toBeLessThanOrEqual(1);
  }
});

test("noise is no tone, and silence is neither", () => {
  expect(measureSamples(noise(800))[0]?.hz).toBeNull();
  expect(measureSamples(noise(8000)).every(isSound)).toBe(true);
  expect(measureSamples(new Int16Array(800))).toEqual([{ hz: null, rms: 0 }]);
  expect(measureSamples(new Int16Array(8000)).some(isSound)).toBe(false);
});

test("a tone with another one over it is not pure", () => {
  const mixed = Int16Array.from(
    { length: 800 },
    (_, i) => 4000 * Math.sin(i * 0.35) + 4000 * Math.sin(i * 0.9),
  );
  expect(measureSamples(mixed)[0]?.hz).toBeNull();
});

test("the end of a recording decides: too short or another tone is not enough", () => {
  const tone = measureWav(toneWav(500, 2));
  expect(endsWithTone(tone, 500, 2)).toBe(true);
  expect(endsWithTone(tone, 500, 2.1)).toBe(false);
  expect(endsWithTone(tone, 450, 1)).toBe(false);
  expect(endsWithTone([...measureWav(toneWav(800, 1)), ...tone], 500, 2)).toBe(true);
  expect(endsWithTone([...tone, { hz: 800, rms: 5000 }], 500, 2)).toBe(false);
});

test("flaws of a busy machine pass, noise and silence do not", () => {
  const tone = measureWav(toneWav(500, 1));
  const flaw = { hz: null, rms: 4000 };
  expect(endsWithTone([...tone, flaw, flaw, ...tone], 500, 2)).toBe(true);
  expect(endsWithTone(new Array(20).fill(flaw), 500, 2)).toBe(false);
  expect(endsWithTone([...tone.slice(1), ...new Array(11).fill(flaw)], 500, 2)).toBe(false);
  expect(endsWithTone(measureSamples(new Int16Array(16000)), 500, 2)).toBe(false);
});

test("a recording is told in words", () => {
  const windows = [
    { hz: null, rms: 0 },
    { hz: 500, rms: 5000 },
    { hz: 500, rms: 5000 },
    { hz: null, rms: 5000 },
  ];
  expect(describeTones(windows)).toBe("0.0 s silence, 0.1 s 500 Hz, 0.3 s noise");
  expect(describeTones([])).toBe("nothing recorded");
});

test("an empty or cut file measures as nothing", () => {
  expect(measureWav(new Uint8Array(0))).toEqual([]);
  expect(measureWav(toneWav(500, 1).subarray(0, 44 + 1599))).toEqual([]);
});
