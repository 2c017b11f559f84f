/** Whose rule is whose: read from what iproute2 prints, told apart, added before removed. */
import { describe, expect, test } from "bun:test";
import { type PolicyRule, readRules, ruleChanges } from "./rules.ts";
import { zoneNumbers } from "./zone-table.ts";

const rule = (from: string, priority: number, table: number | null): PolicyRule => ({
  family: 4,
  from,
  priority,
  table,
});

test("only rules with our protocol and of our form are ours", () => {
  const listed = [
    { priority: 0, src: "all", table: "local", protocol: "kernel" },
    { priority: 10010, src: "10.5.6.100", table: "1001", protocol: "201" },
    { priority: 10011, src: "10.5.6.100", action: "unreachable", protocol: "201" },
    { priority: 10012, src: "10.5.0.0", srclen: 16, table: "1002", protocol: "201" },
    { priority: 10500, src: "10.0.0.0", srclen: 8, table: "1001", protocol: "static" },
    { priority: 10501, src: "10.0.0.0", srclen: 8, table: "1001" },
    { priority: 10502, src: "10.0.0.1", iif: "eth7", table: "1001", protocol: "201" },
    { priority: 10503, src: "10.0.0.1", not: null, table: "1001", protocol: "201" },
    { priority: 10504, src: "10.0.0.1", table: "main", protocol: "201" },
    { priority: 10505, src: "10.0.0.1", action: "blackhole", protocol: "201" },
    { priority: 32766, src: "all", table: "main", protocol: "kernel" },
  ];
  expect(readRules(4, JSON.stringify(listed))).toEqual([
    rule("10.5.6.100/32", 10010, 1001),
    rule("10.5.6.100/32", 10011, null),
    rule("10.5.0.0/16", 10012, 1002),
  ]);
  expect(readRules(6, "")).toEqual([]);
});

test("what is there stays, what is missing is added, what is too much is removed", () => {
  const stays = rule("10.5.6.100/32", 10010, 1001);
  const old = rule("10.5.6.99/32", 10010, 1001);
  const fresh = rule("10.5.6.100/32", 10011, null);
  expect(ruleChanges([stays, old, stays], [stays, fresh])).toEqual({
    add: [fresh],
    remove: [old, stays],
  });
  expect(ruleChanges([stays, fresh], [fresh, stays])).toEqual({ add: [], remove: [] });
});

describe("the number of a zone", () => {
  test("is that of its interface", () => {
    const numbers = zoneNumbers(["eth10", "eth1", "eth0"]);
    expect(numbers.get("eth1")).toEqual({ table: 1001, priority: 10_010 });
    expect(numbers.get("eth10")).toEqual({ table: 1010, priority: 10_100 });
  });

  test("stays when other zones come, go or change places", () => {
    const names = ["ens18", "eth499", "eth500", "lan.100"];
    const all = zoneNumbers(names);
    expect(zoneNumbers([...names].reverse())).toEqual(all);
    for (const name of names) expect(zoneNumbers([name]).get(name)).toEqual(all.get(name)!);
  });

  test("is never one of another zone, nor out of the range", () => {
    const names = Array.from({ length: 200 }, (_, index) => `vlan${index}`);
    const numbers = [...zoneNumbers(names).values()];
    expect(new Set(numbers.map(({ table }) => table)).size).toBe(200);
    expect(numbers.every(({ table }) => table >= 1500 && table <= 1999)).toBe(true);
    expect(numbers.every(({ priority }) => priority >= 15_000 && priority < 20_000)).toBe(true);
  });
});
