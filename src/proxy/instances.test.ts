import { expect, test } from "bun:test";
import { checkConfig } from "../config/check.ts";
import type { Log } from "../io/types.ts";
import { Instances } from "./instances.ts";

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => log };

async function instancesAt(address: string): Promise<Instances> {
  const { config, problems } = checkConfig({ version: 1, instances: [{ name: "six", address }] });
  if (config === null) throw new Error(JSON.stringify(problems));
  return await Instances.create({
    world: {
      resolve: async (host) => ({ addresses: [host], ttlSeconds: null }),
      resolveService: async () => [],
      sourceAddressFor: async () => "fd00::1",
      clock: { now: () => 0, after: () => ({ cancel() {} }) },
    },
    log,
    limits: { targets: 16, targetRest: 30, targetRestMax: 300, dnsInterval: 60 },
    insideAddress: null,
    configs: config.instances,
  });
}

test("an instance is known by its IPv6 address, however the configuration spells it", async () => {
  for (const spelling of [
    "fd00::150",
    "FD00:0:0::0150",
    "fd00:0000:0000:0000:0000:0000:0000:0150",
  ]) {
    const instances = await instancesAt(spelling);
    expect(instances.hasAddress("fd00::150")).toBe(true);
    const [speaker] = instances.bySource({ address: "fd00::150", port: 5060 }, "udp");
    expect(speaker?.name).toBe("six");
  }
});

test("from another port by UDP nobody speaks, by TCP the instance may", async () => {
  const instances = await instancesAt("10.0.3.150");
  const source = { address: "10.0.3.150", port: 40_000 };
  expect(instances.bySource(source, "udp")).toEqual([]);
  expect(instances.bySource(source, "tcp").map(({ name }) => name)).toEqual(["six"]);
  expect(instances.hasAddress("10.0.3.151")).toBe(false);
});
