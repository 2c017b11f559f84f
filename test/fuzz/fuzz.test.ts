/**
 * Mutants of real messages against the parser, the stream reader and a running proxy, from both its sides.
 * `make test` sends 20,000 of one seed; `make fuzz` a million, of the seed in PEQUOD_SEED. A failure names
 * the seed that brings it back.
 */
import { heapStats } from "bun:jsc";
import { beforeAll, describe, expect, test } from "bun:test";
import { type TortureRfc, tortureMessage, tortureNames } from "../vectors/torture.ts";
import { mutant } from "./mutations.ts";
import { tryMessage, tryStream } from "./parsers.ts";
import { Random } from "./random.ts";
import { Storm } from "./storm.ts";
import { type Kind, recordTraces } from "./traces.ts";

const MESSAGES = Number(process.env["PEQUOD_FUZZ"] ?? 20_000);
const SEED = Number(process.env["PEQUOD_SEED"] ?? 1);
const TIMEOUT_MS = Math.max(60_000, MESSAGES * 20);
const KINDS: readonly Kind[] = ["datagrams", "streams"];

const ROUND_MESSAGES = 1000;
/** Objects that all rounds together may add: what the engine keeps of its own, no trace of messages. */
const GROWTH_OBJECTS = 2500;
/** And the bytes, of buffers too: of a million messages less than a hundred each. */
const GROWTH_BYTES = 8 << 20;

const corpus: string[] = [];

beforeAll(async () => {
  for (const rfc of ["rfc4475", "rfc5118"] satisfies TortureRfc[]) {
    for (const name of tortureNames(rfc)) corpus.push(tortureMessage(rfc, name).toString("latin1"));
  }
  for (const kind of KINDS) {
    const { ends, traces } = await recordTraces(kind);
    corpus.push(...traces.fromPhone, ...traces.fromInstance);
    ends.place.proxy.close();
  }
});

const bytesOf = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** Every try has a seed of its own. */
function tries(share: number, one: (random: Random) => void): number {
  const count = Math.round(MESSAGES * share);
  for (let at = 0; at < count; at += 1) {
    const seed = SEED * 100_000_000 + at;
    try {
      one(new Random(seed));
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  return count;
}

test(
  "what is read is written so that it is read the same; the rest is refused with the one error",
  () => {
    let read = 0;
    const count = tries(0.6, (random) => {
      if (tryMessage(bytesOf(mutant(random, corpus)))) read += 1;
    });
    // Mutants that are all refused, or none of them, would try half of the parser.
    expect(read).toBeGreaterThan(count * 0.2);
    expect(read).toBeLessThan(count * 0.8);
  },
  TIMEOUT_MS,
);

test(
  "a stream is cut alike however it arrives, and never held in memory beyond its limit",
  () => {
    tries(0.1, (random) => {
      let stream = "";
      for (let count = 1 + random.below(4); count > 0; count -= 1) {
        stream += random.pick(["", "", "\r\n", "\r\n\r\n", "\0"]);
        stream += random.once(2) ? mutant(random, corpus) : random.pick(corpus);
      }
      tryStream(bytesOf(stream), random);
    });
  },
  TIMEOUT_MS,
);

const NOTHING = {
  transactions: 0,
  dialogs: 0,
  sessions: 0,
  portsInUse: 0,
  portsResting: 0,
  insideInUse: 0,
};

function heap(): { readonly objects: number; readonly bytes: number } {
  Bun.gc(true);
  const { objectCount, heapSize } = heapStats();
  return { objects: objectCount, bytes: heapSize };
}

describe("a running proxy makes no mistake, and a day later nothing is left", () => {
  test.each([...KINDS])(
    "in a storm of %s",
    async (kind) => {
      const storm = await Storm.open(kind, new Random(SEED));
      const rounds = Math.ceil((MESSAGES * 0.15) / ROUND_MESSAGES);
      let before = heap();
      let timers = 0;
      for (let round = 0; round < rounds; round += 1) {
        const what = `PEQUOD_SEED=${SEED}, round ${round}`;
        expect(await storm.round(ROUND_MESSAGES), what).toEqual(NOTHING);
        expect(storm.mistakes, what).toEqual([]);
        expect(storm.drops["internal-error"], what).toBeUndefined();
        // The first round fills what is filled once.
        if (round === 0) [before, timers] = [heap(), storm.timers];
        expect(storm.timers, what).toBeLessThanOrEqual(timers + 2);
      }
      const after = heap();
      expect(after.objects - before.objects).toBeLessThan(GROWTH_OBJECTS);
      expect(after.bytes - before.bytes).toBeLessThan(GROWTH_BYTES);
      // It was a storm: every kind of damage came through to the place that notices it.
      expect(storm.drops["malformed"]).toBeGreaterThan(100);
      expect(storm.drops["stray-response"]).toBeGreaterThan(50);
      storm.close();
    },
    TIMEOUT_MS,
  );
});
