import { expect, test } from "bun:test";
import { PowerCutStore } from "../../test/flows/power-cut-store.ts";
import { checkConfig } from "../config/check.ts";
import { configSchema } from "../config/config.ts";
import { removeSlice, sliceDocument, slicedNames, writeSlice } from "./slices.ts";

const manual = (number: number) => ({
  mode: "manual",
  interface: `eth${number}`,
  address: `10.5.${number}.100`,
  netmask: "255.255.255.0",
});

const document = configSchema.parse({
  version: 1,
  appliance: { name: "gate", ssh: { enabled: true } },
  instances: [
    { name: "one", address: "10.0.3.1" },
    { name: "two", address: "10.0.3.2", enabled: false },
    { name: "three", address: "10.0.3.3" },
  ],
  proxies: [
    { name: "dmz", fqdn: "dmz.example.com", network: manual(1) },
    { name: "lan", fqdn: "lan.example.com", network: manual(2), instances: ["ONE", "two"] },
  ],
});

test("a slice holds its proxy and the instances it may reach, nothing of others", () => {
  const slice = sliceDocument(document, "lan");
  expect(slice?.proxies.map(({ name }) => name)).toEqual(["lan"]);
  expect(slice?.instances.map(({ name }) => name)).toEqual(["one"]);
  expect(JSON.stringify(slice)).not.toMatch(/dmz|three|"gate"/);
});

test("it is a valid document, and its SIP port is told, since its place in the document is lost", () => {
  for (const [name, sipPort] of [
    ["dmz", 15_060],
    ["lan", 15_062],
  ] as const) {
    const slice = sliceDocument(document, name);
    expect(checkConfig(slice).problems).toEqual([]);
    expect(slice?.proxies[0]?.inside.sipPort).toBe(sipPort);
  }
  expect(sliceDocument(document, "none")).toBeNull();
});

test("it is written when it differs, and only then", () => {
  const store = new PowerCutStore();
  expect(writeSlice(store, document, "lan")).toBe(true);
  expect(writeSlice(store, document, "lan")).toBe(false);
  const other = structuredClone(document);
  other.proxies[0]!.voipSip = "udp";
  expect(writeSlice(store, other, "lan")).toBe(false);
  other.proxies[1]!.voipSip = "udp";
  expect(writeSlice(store, other, "lan")).toBe(true);
  expect(slicedNames(store)).toEqual(["lan"]);
  removeSlice(store, "lan");
  expect(slicedNames(store)).toEqual([]);
});
