/** Long streams over a bad network, against a model that knows the true index of every packet. */

import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { slowKeys, slowProtect } from "../../test/vectors/slow-srtp.ts";
import { SrtpContext } from "./srtp-context.ts";

const key = randomBytes(30);
const PACKETS = 100_000;
const SSRC = 0x01020304;
const PAYLOADS = [160, 160, 160, 160, 33, 160, 20, 240, 1];

type Sent = { readonly index: number; readonly plain: Uint8Array; readonly wire: Uint8Array };

/** Deterministic, so that a failure can be looked at again. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function makePacket(index: number, payloadBytes: number): Uint8Array {
  const packet = Buffer.alloc(12 + payloadBytes, index & 0xff);
  packet.set([0x80, 8, (index >> 8) & 0xff, index & 0xff]);
  packet.writeUInt32BE(Math.imul(index, 160) >>> 0, 4);
  packet.writeUInt32BE(SSRC, 8);
  return packet;
}

/** Indexes from 65,000 with gaps, so that 100,000 packets make several wraps. */
function makeStream(random: (below: number) => number): Sent[] {
  const sender = new SrtpContext({ suite: "AES_CM_128_HMAC_SHA1_80", key });
  const keys = slowKeys(key, "srtp");
  const sent: Sent[] = [];
  for (let index = 65_000, n = 0; n < PACKETS; n++) {
    index += 1 + (random(50) === 0 ? random(200) : 0);
    const plain = makePacket(index, PAYLOADS[random(PAYLOADS.length)] ?? 160);
    const wire = new Uint8Array(plain.length + sender.overheadBytes);
    wire.set(plain);
    const length = sender.protect(wire, plain.length);
    expect(length).toBe(wire.length);
    if (n % 50 === 0) {
      const reference = slowProtect(keys, plain, Math.floor(index / 65_536), 10);
      expect(reference.equals(wire)).toBe(true);
    }
    sent.push({ index, plain, wire });
  }
  return sent;
}

/** 2 % lost, the rest moved by up to 100 places, and behind one in five a replay of any age. */
function overBadNetwork(sent: readonly Sent[], random: (below: number) => number): Sent[] {
  const moved = sent
    .filter(() => random(50) !== 0)
    .map((packet, place) => ({ packet, place: place + (random(10) === 0 ? random(100) : 0) }))
    .sort((a, b) => a.place - b.place)
    .map(({ packet }) => packet);
  return moved.flatMap((packet, place) =>
    random(5) === 0 ? [packet, moved[random(place + 1)] ?? packet] : [packet],
  );
}

test("100,000 packets with loss, reordering, wraps, replays, tampering: no wrong one passes", () => {
  const random = numbers(3711);
  const sent = makeStream(random);
  expect((sent.at(-1)?.index ?? 0) / 65_536).toBeGreaterThan(3);
  const receiver = new SrtpContext({ suite: "AES_CM_128_HMAC_SHA1_80", key });
  const seen = new Set<number>();
  let highest = -1;
  const wrong = { tampered: 0, replayed: 0, lost: 0, decrypted: 0 };
  let replays = 0;
  // The receiver starts where the sender does, so that its first ROC is 0.
  for (const { index, plain, wire } of overBadNetwork(sent, random)) {
    const copy = wire.slice();
    if (random(4) === 0) {
      const at = random(copy.length);
      copy[at] = copy[at]! ^ (1 << random(8));
      const before = copy.slice();
      if (receiver.unprotect(copy, copy.length) !== 0) wrong.tampered++;
      expect(Buffer.compare(copy, before)).toBe(0);
      copy.set(wire);
    }
    const isNew = index > highest || (highest - index < 128 && !seen.has(index));
    const length = receiver.unprotect(copy, copy.length);
    if (!isNew) replays++;
    if (!isNew && length !== 0) wrong.replayed++;
    if (isNew && length === 0) wrong.lost++;
    if (length === 0) continue;
    if (Buffer.compare(copy.subarray(0, length), plain) !== 0) wrong.decrypted++;
    seen.add(index);
    highest = Math.max(highest, index);
  }
  expect(wrong).toEqual({ tampered: 0, replayed: 0, lost: 0, decrypted: 0 });
  expect(replays).toBeGreaterThan(15_000);
  expect(seen.size).toBeGreaterThan(90_000);
  expect(receiver.ssrcCount).toBe(1);
});

test("50,000 random packets of every length are refused and leave no trace", () => {
  const receiver = new SrtpContext({ suite: "AES_CM_128_HMAC_SHA1_80", key });
  const random = numbers(5764);
  const noise = randomBytes(70_000);
  for (let round = 0; round < 50_000; round++) {
    const start = random(60_000);
    const packet = noise.subarray(start, start + (round % 100 === 0 ? random(4000) : random(80)));
    if (packet.length > 2) packet.set([0x80 | random(64), round % 2 === 0 ? 200 : 8]);
    const length = random(2) === 0 ? packet.length : random(packet.length + 1);
    expect(receiver.unprotect(packet, length)).toBe(0);
    expect(receiver.unprotectRtcp(packet, length)).toBe(0);
  }
  expect(receiver.ssrcCount).toBe(0);
  expect(receiver.recovered).toBe(0);
});

test("10,000 packets there and back keep nothing", () => {
  const sender = new SrtpContext({ suite: "AES_CM_128_HMAC_SHA1_80", key });
  const receiver = new SrtpContext({ suite: "AES_CM_128_HMAC_SHA1_80", key });
  const packet = new Uint8Array(200);
  const run = (from: number, count: number): void => {
    for (let index = from; index < from + count; index++) {
      packet.set(makePacket(index, 160));
      receiver.unprotect(packet, sender.protect(packet, 172));
    }
  };
  const heap = (): { objectCount: number; heapSize: number } => {
    Bun.gc(true);
    return heapStats();
  };
  run(0, 1000);
  const before = heap();
  run(1000, 10_000);
  const after = heap();
  expect(after.objectCount - before.objectCount).toBeLessThan(1000);
  expect(after.heapSize - before.heapSize).toBeLessThan(200_000);
  expect(receiver.refusal).toBeNull();
});
