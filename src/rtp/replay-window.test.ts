import { expect, test } from "bun:test";
import { ReplayWindow } from "./replay-window.ts";

function windowAt(...indexes: number[]): ReplayWindow {
  const window = new ReplayWindow();
  for (const index of indexes) window.accept(index);
  return window;
}

test("an index is new once", () => {
  const window = windowAt(5);
  expect(window.isNew(5)).toBe(false);
  expect(window.isNew(6)).toBe(true);
  expect(window.isNew(4)).toBe(true);
});

test("the oldest index that counts lies 127 below the highest", () => {
  const window = windowAt(1000);
  expect(window.isNew(873)).toBe(true);
  expect(window.isNew(872)).toBe(false);
  expect(window.isTooOld(872)).toBe(true);
});

test("moving forward forgets what the same bit meant before", () => {
  const window = windowAt(3, 3 + 256);
  expect(window.isNew(3 + 256)).toBe(false);
  expect(window.isNew(3 + 255)).toBe(true);
  const far = windowAt(3, 2 ** 40);
  expect(far.isNew(2 ** 40)).toBe(false);
  expect(far.isNew(2 ** 40 - 127)).toBe(true);
});

test("a restart accepts lower indexes and forgets the higher ones", () => {
  const window = windowAt(70_000);
  window.restart(10);
  expect(window.highest).toBe(10);
  expect(window.isNew(10)).toBe(false);
  expect(window.isNew(70_000)).toBe(true);
});

test("it agrees with a plain set of numbers over 50,000 random steps", () => {
  const window = new ReplayWindow();
  const seen = new Set<number>();
  let highest = -1;
  let seed = 1;
  for (let step = 0; step < 50_000; step++) {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    const reach = step % 100 === 0 ? 700 : 140;
    const index = Math.max(0, highest + 3 - (seed % reach) + (step % 100 === 0 ? 600 : 0));
    const isNew = index > highest || (highest - index < 128 && !seen.has(index));
    expect(window.isNew(index)).toBe(isNew);
    if (!isNew || seed % 7 === 0) continue;
    window.accept(index);
    seen.add(index);
    highest = Math.max(highest, index);
  }
  expect(highest).toBeGreaterThan(100_000);
});

test("resumed after 100 it takes nothing of what came before, and all that comes after in any order", () => {
  for (const highest of [100, 31, 32, 0, 65_535 * 65_536 + 7]) {
    const window = new ReplayWindow();
    window.resume(highest);
    for (let back = 0; back <= Math.min(highest, 300); back++) {
      expect(window.isNew(highest - back)).toBe(false);
    }
    for (const ahead of [3, 1, 2, 70, 40, 300, 250]) {
      expect(window.isNew(highest + ahead)).toBe(true);
      window.accept(highest + ahead);
      expect(window.isNew(highest + ahead)).toBe(false);
    }
  }
});
