import { describe, expect, test } from "bun:test";
import { memoryJournal } from "../../test/flows/place.ts";
import { checkConfig } from "../config/check.ts";
import type { ProxyConfig } from "../config/config.ts";
import { makeRequest } from "../sip/make-message.ts";
import { advertisedTo, hostPort, plainHost } from "./addresses.ts";
import { countHop, hopsLeft } from "./hops.ts";
import { flowKeys, identityOf, provisioningKey, type StateStore } from "./state.ts";

function proxyConfig(more: Record<string, unknown> = {}): ProxyConfig {
  const proxy = { name: "dmz", fqdn: "mobydick.example.com", bindAddress: "10.1.1.5", ...more };
  const { config, problems } = checkConfig({ version: 1, proxies: [proxy] });
  if (config === null) throw new Error(JSON.stringify(problems));
  return config.proxies[0]!;
}

function memoryStore() {
  const files = new Map<string, string>();
  const store: StateStore = {
    read: (name) => files.get(name) ?? null,
    write: (name, text) => void files.set(name, text),
    journal: (name) => memoryJournal(files, name),
  };
  return { files, store };
}

const random = (lengthBytes: number) => new Uint8Array(lengthBytes).fill(7);

describe("addresses", () => {
  test("IPv6 stands in brackets", () => {
    expect(hostPort("10.0.0.1", 5060)).toBe("10.0.0.1:5060");
    expect(hostPort("fd00::1", 5060)).toBe("[fd00::1]:5060");
    expect(plainHost("[FD00::1]")).toBe("fd00::1");
  });

  test("phones outside get the public address, those in local networks the bound one", () => {
    const config = proxyConfig({ publicAddress: "198.51.100.1" });
    expect(advertisedTo("203.0.113.77", config, "10.1.1.5")).toBe("198.51.100.1");
    expect(advertisedTo("192.168.3.4", config, "10.1.1.5")).toBe("10.1.1.5");
    const own = proxyConfig({ publicAddress: "198.51.100.1", localNetworks: ["203.0.113.0/24"] });
    expect(advertisedTo("203.0.113.77", own, "10.1.1.5")).toBe("10.1.1.5");
    expect(advertisedTo("192.168.3.4", own, "10.1.1.5")).toBe("198.51.100.1");
    expect(advertisedTo("203.0.113.77", proxyConfig(), "10.1.1.5")).toBe("10.1.1.5");
  });
});

describe("Max-Forwards", () => {
  const request = (value?: string) =>
    makeRequest({
      method: "INVITE",
      uri: "sip:a@b",
      headers: value === undefined ? [] : [["Max-Forwards", value]],
    });

  test.each([
    ["70", "69"],
    ["1", "0"],
    ["255", "69"],
    [undefined, "69"],
  ])("%p becomes %p", (before, after) => {
    const message = request(before);
    countHop(message);
    expect(message.headers.get("max-forwards")).toBe(after);
  });

  test("0 is the end", () => {
    expect(hopsLeft(request("0"))).toBe(0);
  });
});

describe("state", () => {
  test("the token key is made once and read again", () => {
    const { files, store } = memoryStore();
    const [made] = flowKeys(store, random);
    expect(flowKeys(store, () => new Uint8Array(32).fill(9))).toEqual([
      { number: 1, secret: Buffer.from(made!.secret) },
    ]);
    expect(files.size).toBe(1);
  });

  test.each([
    "",
    "{}",
    "[]",
    "[null]",
    '[{"number":1,"secret":"AAAA"}]',
    '[{"secret":1}]',
    '[{"number":16}]',
  ])(
    "a damaged key file (%p) ends the start, since a new key would cut off every phone",
    (text) => {
      const { files, store } = memoryStore();
      files.set("flow-keys.json", text);
      expect(() => flowKeys(store, random)).toThrow("flow-keys.json is damaged");
    },
  );

  test("the key of provisioning URLs is made once and read again; a configured one wins", () => {
    const { files, store } = memoryStore();
    const made = provisioningKey(proxyConfig(), store, random);
    const otherRandom = () => new Uint8Array(32).fill(9);
    expect(provisioningKey(proxyConfig(), store, otherRandom)).toEqual(Buffer.from(made));
    const own = Buffer.alloc(32, 5);
    const config = proxyConfig({ provisioningKey: own.toString("base64") });
    expect(provisioningKey(config, store, random)).toEqual(own);
    files.set("provisioning-key", "AAAA");
    expect(() => provisioningKey(proxyConfig(), store, random)).toThrow("is damaged");
  });

  test("a self-signed certificate is kept while the name stays, and made anew for another", async () => {
    const { store } = memoryStore();
    const o = { random, nowMs: Date.parse("2026-11-24") };
    const first = await identityOf(proxyConfig(), store, o);
    expect(await identityOf(proxyConfig(), store, o)).toEqual(first);
    const other = await identityOf(proxyConfig({ fqdn: "other.example.com" }), store, o);
    expect(other.certificatePem).not.toBe(first.certificatePem);
  });
});
