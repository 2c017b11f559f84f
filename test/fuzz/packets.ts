/**
 * Broken datagrams for media ports: what a radio, a stranger or another protocol makes of real packets. Each
 * mutator gets a packet that was really sent (RTP, RTCP or one of them sealed) and gives another one.
 */
import type { Random } from "./random.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Mutator = (random: Random, packet: Bytes, recent: readonly Bytes[]) => Bytes;

/** More than the relay takes (1500), less than a socket's. */
const LONGEST = 1700;
const STUN_COOKIE = [0x21, 0x12, 0xa4, 0x42];

function noise(random: Random, length: number): Bytes {
  return Uint8Array.from({ length }, () => random.below(256));
}

function joined(...parts: readonly Uint8Array[]): Bytes {
  return new Uint8Array(Buffer.concat(parts));
}

/** A copy with some bytes of `from` to `to` changed, surely. */
function changed(random: Random, packet: Bytes, from: number, to: number): Bytes {
  const copy = packet.slice();
  const end = Math.min(to, copy.length);
  if (end <= from) return copy;
  for (let count = 1 + random.below(4); count > 0; count -= 1) {
    const at = from + random.below(end - from);
    copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
  }
  return copy;
}

const MUTATORS: readonly Mutator[] = [
  (random, packet) => changed(random, packet, 0, packet.length),
  (random, packet) => changed(random, packet, 0, 2),
  (random, packet) => changed(random, packet, 2, 8),
  // The tag of SRTP, the E bit and the index of SRTCP (RFC 3711 §3.1, §3.4).
  (random, packet) => changed(random, packet, Math.max(0, packet.length - 16), packet.length),
  (random, packet) => packet.slice(0, random.below(packet.length)),
  (random, packet) => packet.slice(0, Math.max(0, packet.length - 1 - random.below(20))),
  (random, packet) => joined(packet, noise(random, 1 + random.below(40))),
  (random, packet) => joined(packet, noise(random, LONGEST - packet.length)),
  // A replay, as it was.
  (random, _packet, recent) => random.pick(recent).slice(),
  // Another source with the same tag.
  (random, packet) => joined(packet.subarray(0, 8), noise(random, 4), packet.subarray(12)),
  // The head of one packet on the body of another.
  (random, packet, recent) =>
    joined(packet.subarray(0, 12), random.pick(recent).subarray(Math.min(12, packet.length))),
  // CSRCs and extensions that go beyond the end (RFC 3550 §5.3.1).
  (random, packet) => packet.with(0, 0x80 | random.below(64)),
  (random, packet) =>
    joined(
      packet.subarray(0, 12).with(0, 0x90),
      noise(random, 2),
      Uint8Array.of(0xff, 0xff),
      noise(random, 9),
    ),
  // Another protocol (RFC 7983): STUN, DTLS, ZRTP, TURN channels.
  (random) => joined(Uint8Array.of(0, 1, 0, 0, ...STUN_COOKIE), noise(random, 12)),
  (random) => joined(Uint8Array.of(22, 0xfe, 0xfd), noise(random, 40)),
  (random) => joined(Uint8Array.of(0x10, 0), noise(random, 30)),
  (random) => joined(Uint8Array.of(0x40 + random.below(0x40)), noise(random, 60)),
  // Every type of RTCP and of RTP on either port.
  (random, packet) => packet.with(1, random.below(256)),
  (random) => noise(random, random.below(64)),
  (random) => noise(random, random.below(LONGEST)),
  (random) => joined(Uint8Array.of(0x80), noise(random, 11 + random.below(200))),
  (_random, packet) => new Uint8Array(packet.length),
];

/** One of these, sometimes one upon another. `recent`: what was sent; not empty, its packets not either. */
export function brokenPacket(random: Random, recent: readonly Bytes[]): Bytes {
  const first = random.pick(MUTATORS)(random, random.pick(recent), recent);
  if (first.length < 2 || !random.once(5)) return first;
  return random.pick(MUTATORS)(random, first, recent);
}
