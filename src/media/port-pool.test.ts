import { expect, test } from "bun:test";
import { HandClock } from "../../test/flows/hand-clock.ts";
import { PortPool } from "./port-pool.ts";

/** A pool whose draws are `draws`, then 0. */
function pool(from: number, to: number, draws: number[] = [], part = 1) {
  const clock = new HandClock();
  const random = (lengthBytes: number) => {
    const bytes = new Uint8Array(lengthBytes);
    new DataView(bytes.buffer).setUint32(0, draws.shift() ?? 0);
    return bytes;
  };
  return {
    clock,
    ports: new PortPool({
      range: { from, to },
      clock,
      random,
      restMs: () => 30_000,
      instancePart: () => part,
    }),
  };
}

function takeAll(ports: PortPool): number[] {
  const taken: number[] = [];
  for (let port = ports.take("a"); port !== null; port = ports.take("a")) taken.push(port);
  return taken.sort((a, b) => a - b);
}

test("only pairs of an even and the next odd port, wholly inside", () => {
  expect(takeAll(pool(30_000, 30_005).ports)).toEqual([30_000, 30_002, 30_004]);
  expect(takeAll(pool(30_000, 30_004).ports)).toEqual([30_000, 30_002]);
  expect(takeAll(pool(30_001, 30_005).ports)).toEqual([30_002, 30_004]);
  expect(pool(30_000, 35_000).ports.total).toBe(2500);
});

test("the draw decides which pair comes next", () => {
  const { ports } = pool(30_000, 30_009, [3, 0, 9]);
  expect([ports.take("a"), ports.take("a"), ports.take("a")]).toEqual([30_006, 30_000, 30_008]);
});

test("a pair given back counts as free at once and rests 30 s", () => {
  const { ports, clock } = pool(30_000, 30_001);
  expect(ports.take("a")).toBe(30_000);
  expect([ports.inUse, ports.resting]).toEqual([1, 0]);
  ports.giveBack(30_000, { rests: true });
  expect([ports.inUse, ports.resting]).toEqual([0, 1]);
  clock.advance(29_999);
  expect(ports.take("a")).toBeNull();
  clock.advance(1);
  expect(ports.resting).toBe(0);
  expect(ports.take("a")).toBe(30_000);
});

test("giving back twice, or what was never taken, adds no port", () => {
  const { ports, clock } = pool(30_000, 30_003);
  const taken = ports.take("a")!;
  ports.giveBack(taken, { rests: true });
  ports.giveBack(taken, { rests: true });
  ports.giveBack(40_000, { rests: true });
  clock.advance(30_000);
  expect(takeAll(ports)).toEqual([30_000, 30_002]);
});

test("a pair that nobody was ever told to use with success is free at once, without a rest", () => {
  const { ports } = pool(30_000, 30_001);
  ports.giveBack(ports.take("a")!, { rests: false });
  expect([ports.inUse, ports.resting]).toEqual([0, 0]);
  expect(ports.take("a")).toBe(30_000);
});

test("a clock that is set back holds no pair for longer than its rest", () => {
  const { ports, clock } = pool(30_000, 30_003);
  ports.giveBack(ports.take("a")!, { rests: true });
  clock.jump(-3_600_000);
  ports.giveBack(ports.take("a")!, { rests: true });
  clock.advance(30_000);
  expect(takeAll(ports)).toEqual([30_000, 30_002]);
});

test("one instance holds a part at most, those that rest included; the others have theirs", () => {
  const { ports, clock } = pool(30_000, 30_007, [], 0.75);
  const taken = takeAll(ports);
  expect([taken.length, ports.isFull("a"), ports.isFull("b")]).toEqual([3, true, false]);
  for (const port of taken) ports.giveBack(port, { rests: true });
  expect(ports.take("a")).toBeNull();
  expect(ports.take("b")).not.toBeNull();
  expect(ports.take("b")).toBeNull();
  clock.advance(30_000);
  expect(takeAll(ports)).toHaveLength(3);
});
