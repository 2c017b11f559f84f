/** What is kept of bans and of good addresses, over a restart too. */
import { describe, expect, test } from "bun:test";
import { memoryJournal } from "../../test/flows/place.ts";
import { Bans } from "./bans.ts";
import { KnownSources } from "./known-sources.ts";
import type { StateStore } from "./state.ts";

const DAY_MS = 86_400_000;
const TIMES = { firstMs: 900_000, mostMs: DAY_MS };
const who = (address: string, user: string | null = null) => ({ address, user });

function memory(text: Record<string, string> = {}) {
  const files = new Map(Object.entries(text));
  let writes = 0;
  const store: StateStore = {
    read: (name) => files.get(name) ?? null,
    write(name, one) {
      writes += 1;
      files.set(name, one);
    },
    journal: (name) => memoryJournal(files, name),
  };
  return { files, store, writes: () => writes };
}

const FAR = '[["a",{"reason":"x","sinceMs":0,"untilMs":1e20,"times":1}]]';

describe("bans", () => {
  test("last twice as long each time up to the most, and begin anew after a good day", () => {
    const bans = new Bans(memory().store, () => 10, 0);
    let now = 0;
    const minutes: number[] = [];
    for (let n = 0; n < 9; n += 1) {
      const forMs = bans.add(who("a"), "x", TIMES, now);
      expect(bans.add(who("a"), "x", TIMES, now)).toBe(forMs);
      minutes.push(forMs / 60_000);
      now += forMs;
      expect(bans.leftMs(who("a"), now)).toBe(0);
    }
    expect(minutes).toEqual([15, 30, 60, 120, 240, 480, 960, 1440, 1440]);
    bans.sweep(now + DAY_MS);
    expect(bans.add(who("a"), "x", TIMES, now + DAY_MS)).toBe(900_000);
  });

  test("of an address, of a user there and of a user everywhere are three things", () => {
    const bans = new Bans(memory().store, () => 10, 0);
    bans.add(who("10.0.0.1", "100@a"), "x", TIMES, 0);
    expect(bans.leftMs(who("10.0.0.1"), 0)).toBe(0);
    expect(bans.leftMs(who("*", "100@a"), 0)).toBe(0);
    expect(bans.leftMs(who("10.0.0.1", "100@a"), 0)).toBe(900_000);
    expect(bans.all(0)).toEqual([
      {
        address: "10.0.0.1",
        user: "100@a",
        reason: "x",
        since: "1970-01-01T00:00:00.000Z",
        until: "1970-01-01T00:15:00.000Z",
      },
    ]);
    expect(bans.remove(who("10.0.0.1", "100@a"), 0)).toBe(true);
    expect(bans.remove(who("10.0.0.1", "100@a"), 0)).toBe(false);
    expect(bans.isEmpty).toBe(true);
  });

  test("fill no more than their table: the one that ends first makes room", () => {
    const bans = new Bans(memory().store, () => 3, 0);
    for (const [n, name] of ["a", "b", "c", "d"].entries()) bans.add(who(name), "x", TIMES, n);
    expect(bans.all(4).map(({ address }) => address)).toEqual(["b", "c", "d"]);
  });

  test("come back after a restart with their count; a damaged file costs the bans, not the start", () => {
    const { store, files, writes } = memory();
    const bans = new Bans(store, () => 10, 0);
    bans.add(who("a"), "x", TIMES, 0);
    bans.save();
    bans.save();
    expect(writes()).toBe(1);
    const next = new Bans(store, () => 10, 1000);
    expect(next.leftMs(who("a"), 1000)).toBe(899_000);
    expect(next.add(who("a"), "x", TIMES, 900_000)).toBe(1_800_000);
    for (const text of [
      "{",
      "{}",
      "[[1]]",
      '[["a",{"reason":"x"}]]',
      "[null]",
      '[["a",null]]',
      FAR,
    ]) {
      files.set("bans.json", text);
      expect(new Bans(store, () => 10, 0).all(0)).toEqual([]);
    }
  });
});

describe("known addresses", () => {
  test("hold how many phones there are and were, for seven days and over a restart", () => {
    const { store } = memory();
    const known = new KnownSources(store, () => 10, 0);
    for (let n = 0; n < 3; n += 1) {
      known.changed("a", 1);
      known.good("a", n);
    }
    for (let n = 0; n < 3; n += 1) known.changed("a", -1);
    expect([known.registered("a"), known.phones("a")]).toEqual([0, 3]);
    known.save(0);
    expect(new KnownSources(store, () => 10, 7 * DAY_MS).phones("a")).toBe(3);
    expect(new KnownSources(store, () => 10, 8 * DAY_MS).phones("a")).toBe(0);
  });

  test("are written when a day or a phone is new, not with each refresh", () => {
    const { store, writes } = memory();
    const known = new KnownSources(store, () => 10, 0);
    for (let n = 0; n < 1000; n += 1) {
      known.good("a", n * 1000);
      known.save(n * 1000);
    }
    expect(writes()).toBe(1);
    known.good("a", DAY_MS);
    known.save(DAY_MS);
    expect(writes()).toBe(2);
  });

  test("fill no more than their table: the one not seen for longest goes", () => {
    const known = new KnownSources(memory().store, () => 2, 0);
    for (const [day, name] of ["a", "b", "a", "c"].entries()) known.good(name, day * DAY_MS);
    expect(["a", "b", "c"].map((name) => known.phones(name))).toEqual([1, 0, 1]);
  });

  test.each(["{", "{}", "[1]", '[["a"]]', '[["a","b",1]]'])("%p is no memory", (text) => {
    const { store } = memory({ "known-addresses.json": text });
    expect(new KnownSources(store, () => 2, 0).phones("a")).toBe(0);
  });
});
