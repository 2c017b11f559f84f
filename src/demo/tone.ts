/**
 * A tone to send and the measuring of one that came back. The proof that audio went through is the
 * frequency heard, not the number of packets.
 */
import { decodeG711, encodeG711, type G711Law, SAMPLE_RATE_HZ } from "./g711.ts";

/** 20 ms, what every phone sends in one packet. */
export const FRAME_SAMPLES = 160;
export const FRAME_MS = 20;

const AMPLITUDE = 8000;

/** Frames of an endless sine, each going on where the last one ended. */
export class ToneSource {
  readonly #law: G711Law;
  readonly #stepRadians: number;
  #sample = 0;

  constructor(law: G711Law, frequencyHz: number) {
    this.#law = law;
    this.#stepRadians = (2 * Math.PI * frequencyHz) / SAMPLE_RATE_HZ;
  }

  nextFrame(): Uint8Array {
    const samples = new Int16Array(FRAME_SAMPLES);
    for (let at = 0; at < FRAME_SAMPLES; at++, this.#sample++) {
      samples[at] = Math.round(AMPLITUDE * Math.sin(this.#sample * this.#stepRadians));
    }
    return encodeG711(this.#law, samples);
  }
}

export type MeasuredTone = {
  readonly frequencyHz: number;
  /** Share of the whole power that this frequency has, 0 to 1; noise and speech are far below 0.5. */
  readonly share: number;
};

const LOWEST_HZ = 200;
const HIGHEST_HZ = 3400;
const MIN_POWER = 100;
const COARSE_SAMPLES = 1600;

/** The strongest frequency, to 1 Hz with a second of audio; null when there is (almost) nothing to hear. */
export function measureTone(law: G711Law, audio: Uint8Array): MeasuredTone | null {
  const samples = decodeG711(law, audio);
  let power = 0;
  for (const sample of samples) power += sample * sample;
  if (samples.length < FRAME_SAMPLES || power / samples.length < MIN_POWER) return null;
  // A short stretch has wide peaks, so that steps of 5 Hz cannot step over one.
  const start = Math.max(0, (samples.length - COARSE_SAMPLES) >> 1);
  const stretch = samples.subarray(start, start + COARSE_SAMPLES);
  const near = strongest(stretch, LOWEST_HZ, HIGHEST_HZ, 5).frequencyHz;
  const { frequencyHz, energy } = strongest(samples, near - 10, near + 10, 1);
  return { frequencyHz, share: Math.min(1, (2 * energy) / (samples.length * power)) };
}

type Peak = { readonly frequencyHz: number; readonly energy: number };

function strongest(samples: Int16Array, fromHz: number, toHz: number, stepHz: number): Peak {
  let best: Peak = { frequencyHz: fromHz, energy: -1 };
  for (let frequencyHz = fromHz; frequencyHz <= toHz; frequencyHz += stepHz) {
    const energy = goertzel(samples, frequencyHz);
    if (energy > best.energy) best = { frequencyHz, energy };
  }
  return best;
}

/** Squared magnitude of one frequency (Goertzel's algorithm). */
function goertzel(samples: Int16Array, frequencyHz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * frequencyHz) / SAMPLE_RATE_HZ);
  let last = 0;
  let beforeLast = 0;
  for (let at = 0; at < samples.length; at++) {
    const next = samples[at]! + coefficient * last - beforeLast;
    beforeLast = last;
    last = next;
  }
  return last * last + beforeLast * beforeLast - coefficient * last * beforeLast;
}
