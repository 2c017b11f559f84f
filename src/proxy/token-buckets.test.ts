import { describe, expect, test } from "bun:test";
import { Failures } from "./failures.ts";
import { Recent } from "./recent.ts";
import { TokenBuckets } from "./token-buckets.ts";

const RATE = { perSecond: 2, burst: 4 };
const takes = (buckets: TokenBuckets, count: number, atMs: number): number =>
  Array.from({ length: count }, () => buckets.take("a", atMs, RATE)).filter((one) => one).length;

describe("a bucket", () => {
  test("gives its burst at once, then what comes with time, never more than the burst", () => {
    const buckets = new TokenBuckets(() => 10);
    expect(takes(buckets, 10, 0)).toBe(4);
    expect(takes(buckets, 10, 499)).toBe(0);
    expect(takes(buckets, 10, 500)).toBe(1);
    expect(takes(buckets, 10, 1500)).toBe(2);
    expect(takes(buckets, 10, 60_000)).toBe(4);
    expect(buckets.take("b", 60_000, RATE)).toBe(true);
  });

  test("takes back what proved to be good", () => {
    const buckets = new TokenBuckets(() => 10);
    expect(takes(buckets, 10, 0)).toBe(4);
    buckets.giveBack("a", 3, 0);
    expect(takes(buckets, 10, 0)).toBe(3);
    buckets.giveBack("a", 1000, 0);
    expect(takes(buckets, 10, 0)).toBe(4);
  });

  test("of a million sources fills no more than its table", () => {
    const buckets = new TokenBuckets(() => 100);
    for (let n = 0; n < 10_000; n += 1) buckets.take(`source ${n}`, n, RATE);
    expect(buckets.size).toBeLessThanOrEqual(101);
  });
});

describe("what was met lately", () => {
  test("stays while it is asked for, whatever else comes", () => {
    const recent = new Recent<number>(() => 10, 1000);
    recent.set("mine", 1, 0);
    for (let n = 0; n < 100; n += 1) {
      recent.set(`other ${n}`, n, 0);
      if (n % 4 === 0) expect(recent.get("mine", 0)).toBe(1);
    }
    expect(recent.get("other 0", 0)).toBeUndefined();
    expect(recent.size).toBeLessThanOrEqual(11);
  });

  test("lives for its age and is gone after twice of it", () => {
    const recent = new Recent<number>(() => 10, 1000);
    recent.set("a", 1, 5000);
    expect(recent.get("a", 5999)).toBe(1);
    expect(recent.get("a", 8000)).toBeUndefined();
    recent.set("b", 2, 8000);
    recent.delete("b");
    expect(recent.get("b", 8000)).toBeUndefined();
  });
});

test("failures count together within their window, from the first", () => {
  const failures = new Failures(
    () => 10,
    () => 600,
  );
  expect([0, 100, 599].map((at) => failures.add("a", at))).toEqual([1, 2, 3]);
  expect(failures.add("a", 600)).toBe(1);
  failures.forget("a");
  expect(failures.add("a", 601)).toBe(1);
  expect(failures.add("b", 601)).toBe(1);
});
