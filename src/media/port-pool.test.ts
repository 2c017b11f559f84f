import { expect, test } from "bun:test";
import { HandClock } from "../../test/flows/hand-clock.ts";
import { PortPool } from "./port-pool.ts";

/** A pool whose draws are `draws`, then 0. */
function pool(from: number, to: number, draws: number[] = []) {
  const clock = new HandClock();
  const random = (lengthBytes: number) => {
    const bytes = new Uint8Array(lengthBytes);
    new DataView(bytes.buffer).setUint32(0, draws.shift() ?? 0);
    return bytes;
  };
  return {
    clock,
    ports: new PortPool({ range: { from, to }, clock, random, restMs: () => 30_000 }),
  };
}

function takeAll(ports: PortPool): number[] {
  const taken: number[] = [];
  for (let port = ports.take(); port !== null; port = ports.take()) taken.push(port);
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
  expect([ports.take(), ports.take(), ports.take()]).toEqual([30_006, 30_000, 30_008]);
});

test("a pair given back counts as free at once and rests 30 s", () => {
  const { ports, clock } = pool(30_000, 30_001);
  expect(ports.take()).toBe(30_000);
  expect([ports.inUse, ports.resting]).toEqual([1, 0]);
  ports.giveBack(30_000, { rests: true });
  expect([ports.inUse, ports.resting]).toEqual([0, 1]);
  clock.advance(29_999);
  expect(ports.take()).toBeNull();
  clock.advance(1);
  expect(ports.resting).toBe(0);
  expect(ports.take()).toBe(30_000);
});

test("giving back twice, or what was never taken, adds no port", () => {
  const { ports, clock } = pool(30_000, 30_003);
  const taken = ports.take()!;
  ports.giveBack(taken, { rests: true });
  ports.giveBack(taken, { rests: true });
  ports.giveBack(40_000, { rests: true });
  clock.advance(30_000);
  expect(takeAll(ports)).toEqual([30_000, 30_002]);
});

test("a pair that nobody was ever told to use with success is free at once, without a rest", () => {
  const { ports } = pool(30_000, 30_001);
  ports.giveBack(ports.take()!, { rests: false });
  expect([ports.inUse, ports.resting]).toEqual([0, 0]);
  expect(ports.take()).toBe(30_000);
});

test("a clock that is set back holds no pair for longer than its rest", () => {
  const { ports, clock } = pool(30_000, 30_003);
  ports.giveBack(ports.take()!, { rests: true });
  clock.jump(-3_600_000);
  ports.giveBack(ports.take()!, { rests: true });
  clock.advance(30_000);
  expect(takeAll(ports)).toEqual([30_000, 30_002]);
});
