import { describe, expect, test } from "bun:test";
import { crc32 } from "node:zlib";
import { HandClock } from "../../test/flows/hand-clock.ts";
import { memoryJournal } from "../../test/flows/place.ts";
import type { JournalFile } from "../io/journal-file.ts";
import { Journal } from "./journal.ts";

const NAME = "j";

/** A journal over a map of what is true now, and a file in memory. */
function make(files = new Map<string, string>()) {
  const clock = new HandClock();
  const live = new Map<string, unknown>();
  const failures: (string | null)[] = [];
  const writes = { append: 0, replace: 0 };
  const memory = memoryJournal(files, NAME);
  const file: JournalFile = {
    read: memory.read,
    append: (text) => {
      writes.append++;
      return memory.append(text);
    },
    replace: (pieces) => {
      writes.replace++;
      return memory.replace(pieces);
    },
  };
  const journal = new Journal({
    file,
    clock,
    keys: () => live.keys(),
    valueOf: (key) => live.get(key) ?? null,
    failed: (reason) => void failures.push(reason),
  });
  const set = (key: string, value: unknown): void => {
    if (value === null) live.delete(key);
    else live.set(key, value);
    journal.changed(key);
  };
  const passes = async (ms: number): Promise<void> => {
    clock.advance(ms);
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  return {
    journal,
    file,
    files,
    live,
    set,
    passes,
    writes,
    failures,
    text: () => files.get(NAME) ?? "",
  };
}

const loaded = async (files: Map<string, string>) => {
  const { values, damaged } = await make(files).journal.load();
  return { values: Object.fromEntries(values), damaged };
};

describe("the journal", () => {
  test("writes what changed in one batch within half a second, the last value of a key", async () => {
    const { set, passes, writes, files, text } = make();
    for (let i = 0; i < 50; i++) set("a", { n: i });
    set("b", "täg\n");
    await passes(400);
    expect(text()).toBe("");
    await passes(100);
    expect(writes).toEqual({ append: 1, replace: 0 });
    expect(text().split("\n").length).toBe(3);
    expect(await loaded(files)).toEqual({ values: { a: { n: 49 }, b: "täg\n" }, damaged: 0 });
    set("a", null);
    await passes(500);
    expect(await loaded(files)).toEqual({ values: { b: "täg\n" }, damaged: 0 });
  });

  test("is written anew once most of it is old, and takes what changes meanwhile", async () => {
    const { set, passes, writes, files, text } = make();
    for (let round = 0; round < 30; round++) {
      for (let key = 0; key < 100; key++) set(`k${key}`, round);
      await passes(500);
    }
    expect(writes.replace).toBe(1);
    expect(text().split("\n").length).toBeLessThan(2001);
    const { values } = await loaded(files);
    expect(Object.values(values)).toEqual(Array.from({ length: 100 }, () => 29));
  });

  test("a cut or spoilt line is left out, and nothing is appended to it", async () => {
    const first = make();
    for (const key of ["a", "b", "c"]) first.set(key, key);
    await first.passes(500);
    const lines = first.text().split("\n");
    for (const [spoilt, left] of [
      [[lines[0], lines[1], lines[2]?.slice(0, -3)].join("\n"), { a: "a", b: "b" }],
      [[lines[0], lines[1]?.replace('"b"]', '"x"]'), lines[2], ""].join("\n"), { a: "a", c: "c" }],
      [["nonsense", lines[0], "00000000 [", ""].join("\n"), { a: "a" }],
    ] as const) {
      const files = new Map([[NAME, spoilt]]);
      const next = make(files);
      const { values, damaged } = await next.journal.load();
      expect(Object.fromEntries(values)).toEqual(left);
      expect(damaged).toBeGreaterThan(0);
      for (const [key, value] of values) next.live.set(key, value);
      next.set("new", 1);
      await next.passes(500);
      expect(await loaded(files)).toEqual({ values: { ...left, new: 1 }, damaged: 0 });
    }
  });

  test("a last line that only lacks its end is kept, and nothing is glued to it", async () => {
    const first = make();
    first.set("a", 1);
    await first.passes(500);
    const next = make(new Map([[NAME, first.text().trimEnd()]]));
    expect(await next.journal.load()).toEqual({ values: new Map([["a", 1]]), damaged: 0 });
    next.live.set("a", 1);
    next.set("b", 2);
    await next.passes(500);
    expect(await loaded(next.files)).toEqual({ values: { a: 1, b: 2 }, damaged: 0 });
  });

  test("a sum that fits what is no entry brings nothing down", async () => {
    const texts = ["null", "7", "[1,2]", "[", '{"0":"a"}'];
    const lines = texts.map((text) => `${crc32(text).toString(16).padStart(8, "0")} ${text}\n`);
    expect(await loaded(new Map([[NAME, lines.join("")]]))).toEqual({ values: {}, damaged: 5 });
  });

  test("a file that cannot be read counts as none and is told; then all is written anew", async () => {
    const j = make();
    j.file.read = () => Promise.reject(new Error("input/output error"));
    expect((await j.journal.load()).values.size).toBe(0);
    expect(j.failures).toEqual(["input/output error"]);
    j.set("a", 1);
    await j.passes(500);
    expect(j.failures).toEqual(["input/output error", null]);
    expect(j.writes).toEqual({ append: 0, replace: 1 });
  });

  test("a slow disk is asked for one thing at a time", async () => {
    const j = make();
    const waiting: (() => void)[] = [];
    j.file.append = () => new Promise((resolve) => waiting.push(resolve));
    for (const value of [1, 2, 3, 4]) {
      j.set("a", value);
      await j.passes(1000);
    }
    expect(waiting.length).toBe(1);
    waiting[0]?.();
    await j.passes(0);
    await j.passes(500);
    expect(waiting.length).toBe(2);
  });

  test("after close() nothing that ends is written any more", async () => {
    const { journal, set, files } = make();
    set("a", 1);
    await journal.close();
    set("a", null);
    await journal.close();
    expect(await loaded(files)).toEqual({ values: { a: 1 }, damaged: 0 });
  });
});
