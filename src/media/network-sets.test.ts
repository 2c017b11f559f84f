import { expect, test } from "bun:test";
import { isInNetworks } from "../config/address-class.ts";
import { knownNetworkSet } from "./network-sets.ts";

test("the same list gives the same set, another list another", () => {
  const set = knownNetworkSet(["10.0.0.0/8", "192.0.2.1/32"]);
  expect(knownNetworkSet(["10.0.0.0/8", "192.0.2.1/32"])).toBe(set);
  expect(isInNetworks("192.0.2.1", set)).toBe(true);
  expect(isInNetworks("192.0.2.1", knownNetworkSet(["10.0.0.0/8"]))).toBe(false);
  expect(isInNetworks("10.1.2.3", knownNetworkSet([]))).toBe(false);
});

test("more lists than are remembered stay right", () => {
  for (let at = 0; at < 1000; at++) {
    const address = `10.9.${at >> 8}.${at & 255}`;
    expect(isInNetworks(address, knownNetworkSet([`${address}/32`]))).toBe(true);
    expect(isInNetworks("10.8.0.1", knownNetworkSet([`${address}/32`]))).toBe(false);
  }
});

test("a list that is none throws each time", () => {
  expect(() => knownNetworkSet(["10.0.0.0"])).toThrow("not a CIDR");
  expect(() => knownNetworkSet(["10.0.0.0"])).toThrow("not a CIDR");
});
