/**
 * A meter for what a phone heard: 16-bit mono WAV at 8 kHz in, per 100 ms the frequency (from the zero
 * crossings) and how much of the power is that frequency (Goertzel). Noise, e.g. SRTP that nobody
 * decrypted, has a frequency too but no purity. Pure; owns nothing.
 */

export const SAMPLE_RATE = 8000;
export const WINDOW_SAMPLES = 800;
const HEADER_BYTES = 44;
const QUIET_RMS = 200;
const PURE = 0.9;

/** `hz` null = silence or noise; `rms` tells which. */
export type ToneWindow = { readonly hz: number | null; readonly rms: number };

/** One measurement for each whole 100 ms of a recording (WAV bytes as baresip's aufile writes them). */
export function measureWav(wav: Uint8Array): ToneWindow[] {
  const count = Math.max(0, (wav.length - HEADER_BYTES) >> 1);
  const samples = new Int16Array(count);
  const view = new DataView(wav.buffer, wav.byteOffset, wav.byteLength);
  for (let i = 0; i < count; i++) samples[i] = view.getInt16(HEADER_BYTES + 2 * i, true);
  return measureSamples(samples);
}

export function measureSamples(samples: Int16Array): ToneWindow[] {
  const windows: ToneWindow[] = [];
  for (let at = 0; at + WINDOW_SAMPLES <= samples.length; at += WINDOW_SAMPLES) {
    windows.push(measureWindow(samples.subarray(at, at + WINDOW_SAMPLES)));
  }
  return windows;
}

function measureWindow(samples: Int16Array): ToneWindow {
  const power = meanPower(samples);
  const rms = Math.round(Math.sqrt(power));
  if (rms < QUIET_RMS) return { hz: null, rms };
  const hz = frequency(samples);
  if (hz === null || goertzelPower(samples, hz) / power < PURE) return { hz: null, rms };
  return { hz: Math.round(hz), rms };
}

function meanPower(samples: Int16Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return sum / samples.length;
}

/** Mean distance of the upward zero crossings, each interpolated between its two samples. */
function frequency(samples: Int16Array): number | null {
  let first = -1;
  let last = -1;
  let periods = -1;
  for (let i = 1; i < samples.length; i++) {
    const before = samples[i - 1] ?? 0;
    const after = samples[i] ?? 0;
    if (before >= 0 || after < 0) continue;
    last = i - 1 + before / (before - after);
    if (first < 0) first = last;
    periods++;
  }
  return periods < 1 ? null : (SAMPLE_RATE * periods) / (last - first);
}

/** Mean power of the sine of frequency `hz` in the window (the Goertzel recurrence). */
function goertzelPower(samples: Int16Array, hz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * hz) / SAMPLE_RATE);
  let one = 0;
  let two = 0;
  for (const sample of samples) {
    const next = sample + coefficient * one - two;
    two = one;
    one = next;
  }
  const magnitude = one * one + two * two - coefficient * one * two;
  return (2 * magnitude) / (samples.length * samples.length);
}

/** "0.0 s silence, 0.4 s 400 Hz, 3.1 s noise": for messages of failing tests. */
export function describeTones(windows: readonly ToneWindow[]): string {
  const parts: string[] = [];
  let previous = "";
  windows.forEach((window, i) => {
    const name = window.hz !== null ? `${window.hz} Hz` : isSound(window) ? "noise" : "silence";
    if (name !== previous) parts.push(`${(i / 10).toFixed(1)} s ${name}`);
    previous = name;
  });
  return parts.length === 0 ? "nothing recorded" : parts.join(", ");
}

/**
 * True when the recording ends in that tone (`hz` +-3 %): `seconds` of it, at least half of them without a
 * flaw, and nothing else that is steady. The flaws are what a busy machine does to a softphone's timing; two
 * tones at once or noise are never half flawless.
 */
export function endsWithTone(windows: readonly ToneWindow[], hz: number, seconds: number): boolean {
  const wanted = Math.round(seconds * 10);
  const tail = windows.slice(-wanted);
  const tones = tail.filter((window) => window.hz !== null);
  const isTone = (window: ToneWindow) => Math.abs((window.hz ?? 0) - hz) <= hz * 0.03;
  return tail.length === wanted && tones.every(isTone) && tones.length * 2 >= wanted;
}

/** Neither silence nor so quiet that nobody would hear it. */
export function isSound(window: ToneWindow): boolean {
  return window.rms >= QUIET_RMS;
}

/** A WAV file with one steady sine, what a phone of the lab "says". */
export function toneWav(hz: number, seconds: number): Uint8Array {
  const count = SAMPLE_RATE * seconds;
  const bytes = new Uint8Array(HEADER_BYTES + 2 * count);
  const view = new DataView(bytes.buffer);
  const text = (at: number, value: string) => bytes.set(new TextEncoder().encode(value), at);
  text(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, SAMPLE_RATE, true);
  view.setUint32(28, 2 * SAMPLE_RATE, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * count, true);
  for (let i = 0; i < count; i++) {
    view.setInt16(
      HEADER_BYTES + 2 * i,
      8000 * Math.sin((2 * Math.PI * hz * i) / SAMPLE_RATE),
      true,
    );
  }
  return bytes;
}
