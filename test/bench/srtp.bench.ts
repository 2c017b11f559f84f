/**
 * Cost of SRTP for 160-byte payloads (G.711, 20 ms), as one JSON object: nanoseconds a packet, the median of
 * the rounds. "scratch" is a packet that lies in the thread's packet scratch, "array" any other.
 * Run: bun test/bench/srtp.bench.ts [rounds]
 */
import { randomBytes } from "node:crypto";
import type { CryptoSuite } from "../../src/rtp/crypto-suite.ts";
import { packetScratch } from "../../src/rtp/packet-scratch.ts";
import { SrtpContext } from "../../src/rtp/srtp-context.ts";

const PACKETS = 20_000;
const PLAIN_BYTES = 172;
const ROUNDS = Number(process.argv[2] ?? 15);

function setSequence(packet: Uint8Array, index: number): void {
  packet[0] = 0x80;
  packet[2] = index >> 8;
  packet[3] = index;
}

/** Nanoseconds a packet for each direction of one round. */
function measure(suite: CryptoSuite, packet: Uint8Array, key: Uint8Array, round: number) {
  const sender = new SrtpContext({ suite, key });
  const receiver = new SrtpContext({ suite, key });
  const wire = Array.from({ length: PACKETS }, () => new Uint8Array(PLAIN_BYTES + 10));
  packet.fill(round, 0, PLAIN_BYTES);
  let length = 0;
  const protectStart = Bun.nanoseconds();
  for (let index = 0; index < PACKETS; index++) {
    setSequence(packet, index);
    length = sender.protect(packet, PLAIN_BYTES);
  }
  const protectNs = (Bun.nanoseconds() - protectStart) / PACKETS;
  const signer = new SrtpContext({ suite, key });
  for (const [index, one] of wire.entries()) {
    setSequence(one, index);
    signer.protect(one, PLAIN_BYTES);
  }
  let accepted = 0;
  const copyStart = Bun.nanoseconds();
  for (const one of wire) packet.set(one);
  const copyNs = (Bun.nanoseconds() - copyStart) / PACKETS;
  const unprotectStart = Bun.nanoseconds();
  for (const one of wire) {
    packet.set(one);
    if (receiver.unprotect(packet, length) === PLAIN_BYTES) accepted++;
  }
  const unprotectNs = (Bun.nanoseconds() - unprotectStart) / PACKETS - copyNs;
  if (accepted !== PACKETS) throw new Error(`only ${accepted} of ${PACKETS} packets came back`);
  return { protectNs, unprotectNs };
}

function median(values: number[]): number {
  return Math.round(values.sort((a, b) => a - b)[values.length >> 1] ?? 0);
}

const results: Record<string, number> = {};
for (const suite of ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"] as const) {
  for (const [place, packet] of [
    ["scratch", packetScratch.bytes],
    ["array", new Uint8Array(256)],
  ] as const) {
    const rounds = Array.from({ length: ROUNDS }, (_, round) =>
      measure(suite, packet, randomBytes(30), round),
    );
    results[`${suite}/${place}/protectNs`] = median(rounds.map((one) => one.protectNs));
    results[`${suite}/${place}/unprotectNs`] = median(rounds.map((one) => one.unprotectNs));
  }
}
console.log(JSON.stringify({ payloadBytes: PLAIN_BYTES - 12, ...results }));
