import { expect, test } from "bun:test";
import { writeUint32 } from "./packet.ts";
import { Reception } from "./reception.ts";

const MS_PER_TICK = 1 / 8;
const packet = new Uint8Array(12);

type Sent = { sequence: number; ssrc?: number; atMs?: number; time?: number };

function note(reception: Reception, { sequence, ssrc = 1, atMs, time }: Sent): void {
  packet.set([0x80, 0, (sequence >> 8) & 255, sequence & 255]);
  writeUint32(packet, 4, (time ?? sequence * 160) >>> 0);
  writeUint32(packet, 8, ssrc);
  reception.note(packet, atMs ?? sequence * 20, MS_PER_TICK);
}

function after(sent: readonly (number | Sent)[]): Reception {
  const reception = new Reception();
  for (const one of sent) note(reception, typeof one === "number" ? { sequence: one } : one);
  return reception;
}

const check = (sent: readonly (number | Sent)[], expected: Partial<Reception>): void =>
  expect(after(sent)).toMatchObject({ lost: 0, duplicates: 0, reordered: 0, ...expected });

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

test("packets in order are none lost, from any first number and over the wrap", () => {
  check(range(1, 100), { received: 100, expected: 100 });
  check(range(65_000, 66_000), { received: 1001, expected: 1001 });
  check([0], { received: 1, expected: 1 });
});

test("gaps are lost, one at the wrap and a long one too", () => {
  check([1, 2, 5], { received: 3, lost: 2 });
  check([65_534, 65_535, 65_538, 65_539], { lost: 2 });
  check([1, 3000], { lost: 2998 });
});

test("a late packet is not lost, and is out of order", () => {
  check([1, 2, 4, 3, 5], { received: 5, expected: 5, reordered: 1 });
  check([65_534, 65_536, 65_535], { expected: 3, reordered: 1 });
  check([1, 100, 50], { received: 3, expected: 100, reordered: 1, lost: 97 });
});

test("packets that were sent before the first one count from their own number on", () => {
  check([10, 8], { received: 2, expected: 3, lost: 1, reordered: 1 });
  check([10, 9, 8], { received: 3, expected: 3, reordered: 2 });
});

test("a packet that comes twice hides no loss", () => {
  check([1, 1, 2, 2], { received: 2, duplicates: 2 });
  check([1, 4, 4, 4], { received: 2, lost: 2, duplicates: 2 });
  check([1, 3, 2, 2], { received: 3, duplicates: 1, reordered: 1 });
  check([65_535, 65_536, 65_535], { duplicates: 1 });
});

test("a source that starts again loses nothing by it, one stray packet is not believed", () => {
  check([...range(1, 50), ...range(30_000, 30_010)], { lost: 0, received: 60, expected: 60 });
  check([...range(1, 50), 30_000, ...range(51, 60)], { lost: 0, received: 60, expected: 60 });
  check([...range(5000, 5050), ...range(1, 10)], { lost: 0, reordered: 0 });
});

test("another SSRC begins anew, and what the first one lost stays", () => {
  const second = range(40_000, 40_009).map((sequence) => ({ sequence, ssrc: 2, atMs: 5000 }));
  check([1, 4, ...second], { received: 12, lost: 2 });
});

test("two sources side by side are counted each for itself", () => {
  const sent = range(1, 100).flatMap((at): Sent[] => [
    { sequence: at, atMs: 20 * at },
    ...(at % 10 === 0 ? [] : [{ sequence: 20_000 + at, ssrc: 2, atMs: 20 * at }]),
  ]);
  check(sent, { received: 190, expected: 199, lost: 9 });
});

test("a source that comes back after a second begins anew", () => {
  const talk = (from: number, ssrc: number, atMs: number): Sent[] =>
    range(from, from + 9).map((sequence) => ({ sequence, ssrc, atMs }));
  check([...talk(1, 1, 0), ...talk(1, 2, 500), ...talk(900, 1, 5000)], { received: 30, lost: 0 });
});

test("jitter is that of RFC 3550 §A.8 in ms", () => {
  expect(after(range(1, 500)).jitterMs).toBe(0);
  const shaken = (ms: number): number =>
    after(
      range(1, 500).map((sequence) => ({ sequence, atMs: sequence * 20 + (sequence % 2) * ms })),
    ).jitterMs;
  // Every packet 10 ms earlier or later against the one before: |D| is 10 throughout.
  expect(shaken(10)).toBeCloseTo(10, 5);
  const once = after([1, 2, { sequence: 3, atMs: 76 }]);
  expect(once.jitterMs).toBe(1);
});

test("jitter is not disturbed by wraps, pauses, frames of many packets or jumps of the clock", () => {
  const wrap = range(1, 50).map((sequence) => ({
    sequence,
    time: 2 ** 32 - 3000 + sequence * 160,
  }));
  expect(after(wrap).jitterMs).toBe(0);
  const frame = range(1, 50).map((sequence) => ({ sequence, time: 7, atMs: sequence * 3 }));
  expect(after(frame).jitterMs).toBe(0);
  const pause = [1, 2, { sequence: 3, time: 480 + 80_000, atMs: 60 + 10_000 }];
  expect(after(pause).jitterMs).toBe(0);
  const jump = [1, 2, { sequence: 3, time: 123_456_789 }, { sequence: 4, time: 123_456_949 }];
  expect(after(jump).jitterMs).toBe(0);
});

test("without a clock rate there is no jitter", () => {
  const reception = new Reception();
  packet.set([0x80, 0, 0, 1]);
  for (const at of [0, 500, 510]) {
    packet[3]!++;
    writeUint32(packet, 4, at * 7);
    reception.note(packet, at, 0);
  }
  expect(reception.jitterMs).toBe(0);
});
