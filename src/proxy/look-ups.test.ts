/** What tries too many different things by HTTP is kept out; what is only mistaken is not. */
import { describe, expect, test } from "bun:test";
import { limitsSchema } from "../config/limits.ts";
import type { Log } from "../io/types.ts";
import { KnownSources } from "./known-sources.ts";
import { LookUps } from "./look-ups.ts";
import { Trusted } from "./sources.ts";

const ATTACKER = "203.0.113.5";

function place(neverBan: readonly string[] = []) {
  let nowMs = 1_000_000_000_000;
  const bans: string[] = [];
  const counts: string[] = [];
  const lines: string[] = [];
  const known = new KnownSources(
    { read: () => null, write() {}, journal: never },
    () => 100,
    nowMs,
  );
  const lookUps = new LookUps({
    clock: { now: () => nowMs, after: never },
    log: {
      ...quiet,
      info: (event, fields) => void lines.push(`${event} ${JSON.stringify(fields)}`),
    },
    known,
    trusted: new Trusted(() => neverBan),
    limits: () => limitsSchema.parse({}),
    count: (reason) => void counts.push(reason),
    ban: (source, reason) => void bans.push(`${source} ${reason}`),
  });
  const tries = (count: number, what = "thing"): string[] =>
    Array.from({ length: count }, (_, n) => lookUps.failed(ATTACKER, `${what} ${n}`));
  const later = (seconds: number): void => {
    nowMs += seconds * 1000;
  };
  return { lookUps, known, bans, counts, lines, tries, later };
}

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => quiet };

function never(): never {
  throw new Error("is not used here");
}

describe("failed look-ups", () => {
  test("of 50 different things ban an address, fewer do not", () => {
    const { tries, bans, counts } = place();
    tries(49);
    expect(bans).toEqual([]);
    tries(1, "one more");
    expect(bans).toEqual([`${ATTACKER} failed-look-ups`]);
    expect(counts.length).toBe(50);
  });

  test("of one and the same thing never do, however often", () => {
    const { lookUps, bans, lines } = place();
    for (let n = 0; n < 1000; n++) expect(lookUps.failed(ATTACKER, "old token")).toBe("now");
    expect(bans).toEqual([]);
    expect(lines).toEqual([`look_up_failed {"ip":"${ATTACKER}"}`]);
  });

  test("are forgotten after the window, and when the operator says so", () => {
    const { lookUps, tries, bans, later } = place();
    tries(49);
    later(600);
    tries(49, "others");
    lookUps.forget(ATTACKER);
    tries(49, "still others");
    expect(bans).toEqual([]);
  });

  test("of a phone that gets something else weigh nothing", () => {
    const { lookUps, tries, bans } = place();
    tries(45);
    for (let phone = 0; phone < 100; phone++) {
      lookUps.failed(ATTACKER, `phone ${phone}`);
      lookUps.found(ATTACKER, `phone ${phone}`);
      lookUps.failed(ATTACKER, `phone ${phone}`);
    }
    expect(bans).toEqual([]);
    tries(5, "others");
    expect(bans).toHaveLength(1);
  });

  test("only slow an address down where a phone is registered, and weigh less where many are", () => {
    const { known, tries, bans } = place();
    known.changed(ATTACKER, 1);
    expect(new Set(tries(99))).toEqual(new Set(["now"]));
    expect(tries(2, "others")).toEqual(["slowly", "slowly"]);
    expect(bans).toEqual([]);
  });

  test("of an IPv6 network count together, of a trusted one not at all", () => {
    const { lookUps, bans } = place();
    for (let n = 0; n < 50; n++) lookUps.failed(`2001:db8::${n + 1}`, `thing ${n}`);
    expect(bans).toEqual(["2001:db8::/64 failed-look-ups"]);
    const trusting = place(["203.0.113.0/24"]);
    trusting.tries(1000);
    expect(trusting.bans).toEqual([]);
  });
});
