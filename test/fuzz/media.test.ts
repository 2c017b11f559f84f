/**
 * Broken packets against a call that goes on meanwhile, in each way media is carried: from both of its ends,
 * from others at their addresses and from strangers. `make test` sends 20,000 of one seed, `make fuzz` a
 * million. Nothing that was not authentic comes out, what is dropped is counted under one reason, and nothing
 * is kept.
 */
import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { LiveCall, type Mode } from "./live-call.ts";
import { Random } from "./random.ts";

const PACKETS = Number(process.env["PEQUOD_FUZZ"] ?? 20_000);
const SEED = Number(process.env["PEQUOD_SEED"] ?? 1);
const TIMEOUT_MS = Math.max(60_000, PACKETS);

/** Of which each of the three kinds of sources sends a third: strangers have 100 a second on an SRTP leg. */
const ROUND_PACKETS = 160;
/** What the engine keeps of its own over all rounds, no trace of packets. */
const GROWTH_OBJECTS = 2500;
const GROWTH_BYTES = 4 << 20;

const CM = "AES_CM_128_HMAC_SHA1_80";
const GCM = "AEAD_AES_256_GCM";
const MODES: readonly (Mode & { readonly name: string; readonly reasons: readonly string[] })[] = [
  { name: "RTP-RTP", outer: null, inner: null, reasons: ["foreign-source", "malformed"] },
  { name: "SRTP-RTP", outer: CM, inner: null, reasons: ["auth", "replay", "foreign-source"] },
  { name: "SRTP-SRTP", outer: CM, inner: CM, reasons: ["auth", "replay", "foreign-source"] },
  { name: "GCM-GCM", outer: GCM, inner: GCM, reasons: ["auth", "replay", "foreign-source"] },
];

function heap(): { readonly objects: number; readonly bytes: number } {
  Bun.gc(true);
  const { objectCount, heapSize } = heapStats();
  return { objects: objectCount, bytes: heapSize };
}

test.each([...MODES])(
  "$name: nothing but the call's own packets comes out",
  async (mode) => {
    const call = await LiveCall.open(mode, new Random(SEED));
    const rounds = Math.ceil(PACKETS / MODES.length / ROUND_PACKETS);
    let before = heap();
    for (let round = 0; round < rounds; round += 1) {
      try {
        await call.round(ROUND_PACKETS);
      } catch (error) {
        throw new Error(`PEQUOD_SEED=${SEED}, round ${round}`, { cause: error });
      }
      // The first rounds fill what is filled once.
      if (round === 9) before = heap();
    }
    const after = heap();
    expect(after.objects - before.objects).toBeLessThan(GROWTH_OBJECTS);
    expect(after.bytes - before.bytes).toBeLessThan(GROWTH_BYTES);
    for (const reason of ["not-rtp", "oversize", ...mode.reasons]) {
      expect(call.drops[reason] ?? 0, reason).toBeGreaterThan(PACKETS / 10_000);
    }
    expect(call.drops["fault"]).toBeUndefined();
    expect(call.lab.counted).toEqual([]);
  },
  TIMEOUT_MS,
);
