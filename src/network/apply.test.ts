/** Plans become the literal command lines; what fails leaves what was. */
import { describe, expect, test } from "bun:test";
import { configOf, manualZone } from "../../test/network/documents.ts";
import { Machine } from "../../test/network/machine.ts";
import { applyPlan, enforcePlan, NetworkError } from "./apply.ts";
import { type NetworkPlan, planNetwork } from "./plan.ts";

const planOf = (...proxies: readonly object[]): NetworkPlan =>
  planNetwork(configOf({ version: 1, proxies }), new Map());

const first = planOf(manualZone("dmz", "eth1", "10.5.6.100"));
const moved = planOf(manualZone("dmz", "eth1", "10.5.6.101"));

const TRIES = [
  "write /run/pequod-network/scratch/run/netplan/90-pequod.yaml",
  "/usr/libexec/netplan/generate --root-dir /run/pequod-network/scratch",
  "write /run/pequod-network/load.nft",
  "nft -c -f /run/pequod-network/load.nft",
];
const FIREWALL = ["nft -f /run/pequod-network/load.nft", "write /run/pequod-network/loaded.nft"];
const NETPLAN = ["write /run/netplan/90-pequod.yaml", "/usr/libexec/netplan/generate"];
const RELOAD = "networkctl reload";

async function machineWith(plan: NetworkPlan): Promise<Machine> {
  const machine = new Machine();
  await applyPlan(machine, plan);
  machine.take();
  return machine;
}

describe("a plan", () => {
  test("is tried whole, then made, the firewall before the addresses", async () => {
    const machine = new Machine();
    expect(await applyPlan(machine, first)).toBe(true);
    expect(machine.take()).toEqual([
      ...TRIES,
      "ip -4 rule add from 10.5.6.100/32 lookup 1001 priority 10010 protocol 201",
      "ip -4 rule add from 10.5.6.100/32 unreachable priority 10011 protocol 201",
      ...FIREWALL,
      ...NETPLAN,
      RELOAD,
    ]);
    expect(machine.read("/run/netplan/90-pequod.yaml")).toBe(first.netplan);
  });

  test("applied twice does nothing the second time", async () => {
    const machine = await machineWith(first);
    expect(await applyPlan(machine, first)).toBe(false);
    expect(machine.take()).toEqual([]);
  });

  test("adds new rules before the addresses and removes old ones after", async () => {
    const machine = await machineWith(first);
    await applyPlan(machine, moved);
    expect(machine.take()).toEqual([
      ...TRIES,
      "ip -4 rule add from 10.5.6.101/32 lookup 1001 priority 10010 protocol 201",
      "ip -4 rule add from 10.5.6.101/32 unreachable priority 10011 protocol 201",
      ...FIREWALL,
      ...NETPLAN,
      RELOAD,
      "ip -4 rule del from 10.5.6.100/32 lookup 1001 priority 10010 protocol 201",
      "ip -4 rule del from 10.5.6.100/32 unreachable priority 10011 protocol 201",
    ]);
  });

  test("takes the addresses off an interface that is not ours any more", async () => {
    const machine = await machineWith(first);
    machine.links.set("eth1", ["10.5.6.100"]).set("eth0", ["10.0.0.1"]).set("eth2", ["10.1.1.1"]);
    await applyPlan(machine, planOf(manualZone("dmz", "eth3", "10.5.6.100")));
    const lines = machine.take();
    expect(lines.filter((line) => line.includes("flush"))).toEqual([
      "ip addr flush dev eth1 scope global",
    ]);
    expect(lines.indexOf("ip addr flush dev eth1 scope global")).toBe(lines.indexOf(RELOAD) + 1);
  });

  test("that only opens a port touches the firewall alone", async () => {
    const machine = await machineWith(first);
    const udp = planOf({ ...manualZone("dmz", "eth1", "10.5.6.100"), voipSip: "udp" });
    await applyPlan(machine, udp);
    expect(machine.take()).toEqual([...TRIES.slice(2), ...FIREWALL]);
  });

  test("clears up after one of an earlier run without remembering it", async () => {
    const machine = new Machine();
    machine.rules[4].push({ priority: 10070, src: "10.9.9.9", table: "1007", protocol: "201" });
    await applyPlan(machine, first);
    expect(machine.take().at(-1)).toBe(
      "ip -4 rule del from 10.9.9.9/32 lookup 1007 priority 10070 protocol 201",
    );
  });

  test("leaves the rules of strangers alone, also in our range", async () => {
    const machine = new Machine();
    const stranger = { priority: 10010, src: "10.9.9.9", table: "1007", protocol: "static" };
    machine.rules[4].push(stranger);
    await applyPlan(machine, first);
    await applyPlan(machine, planOf());
    expect(machine.take().filter((line) => line.includes("10.9.9.9"))).toEqual([]);
    expect(machine.rules[4]).toEqual([stranger]);
  });

  test("puts back a rule that somebody took away", async () => {
    const machine = await machineWith(first);
    machine.rules[4].shift();
    await applyPlan(machine, first);
    expect(machine.take()).toEqual([
      "ip -4 rule add from 10.5.6.100/32 lookup 1001 priority 10010 protocol 201",
    ]);
  });

  test("takes bans along, for the proxies that are still there", async () => {
    const machine = await machineWith(first);
    machine.bans.set("ban4-dmz", [{ val: "203.0.113.9", timeout: 300, expires: 120 }]);
    machine.bans.set("ban4-gone", [{ val: "203.0.113.8", timeout: 300, expires: 120 }]);
    await applyPlan(machine, moved);
    expect(machine.read("/run/pequod-network/load.nft")).toBe(
      `${moved.firewall.text}add element inet pequod ban4-dmz { 203.0.113.9 timeout 300s expires 120s }\n`,
    );
    expect(machine.read("/run/pequod-network/loaded.nft")).toBe(moved.firewall.text);
  });
});

describe("a failure", () => {
  const refused = async (machine: Machine): Promise<string> => {
    try {
      await applyPlan(machine, moved);
    } catch (error) {
      if (error instanceof NetworkError) return error.message;
      throw error;
    }
    throw new Error("the plan was applied");
  };

  /** Everything of the machine but the scratch files. */
  const state = (machine: Machine) => ({
    rules: structuredClone(machine.rules),
    mark: machine.mark,
    netplan: machine.read("/run/netplan/90-pequod.yaml"),
    loaded: machine.read("/run/pequod-network/loaded.nft"),
  });

  test("of a try touches nothing", async () => {
    for (const step of ["/usr/libexec/netplan/generate --root-dir", "nft -c"]) {
      const machine = await machineWith(first);
      const before = state(machine);
      machine.broken.set(step, "line 3: no");
      expect(await refused(machine)).toEndWith(": line 3: no");
      expect(state(machine)).toEqual(before);
      expect(machine.take().filter((line) => /^(ip|nft -f|networkctl)/.test(line))).toEqual([]);
    }
  });

  test("of any step brings back what was", async () => {
    const steps = ["nft -f", "networkctl reload", "ip -4 rule add from 10.5.6.101/32 unreachable"];
    for (const step of steps) {
      const machine = await machineWith(first);
      const before = state(machine);
      machine.broken.set(step, "no");
      expect(await refused(machine)).toStartWith(step);
      machine.broken.clear();
      await applyPlan(machine, first);
      expect(state(machine)).toEqual(before);
    }
  });

  test("of networkd is undone by the reverse commands", async () => {
    const machine = await machineWith(first);
    machine.broken.set("networkctl", "Failed to reload");
    expect(await refused(machine)).toBe(
      "networkctl reload: Failed to reload; going back, additionally: networkctl reload: Failed to reload",
    );
    const lines = machine.take();
    expect(lines.slice(lines.indexOf(RELOAD) + 1)).toEqual([
      "write /run/pequod-network/scratch/run/netplan/90-pequod.yaml",
      "write /run/pequod-network/load.nft",
      ...FIREWALL,
      ...NETPLAN,
      RELOAD,
      "ip -4 rule del from 10.5.6.101/32 lookup 1001 priority 10010 protocol 201",
      "ip -4 rule del from 10.5.6.101/32 unreachable priority 10011 protocol 201",
    ]);
  });

  test("to look is told, and nothing is done", async () => {
    const machine = await machineWith(first);
    machine.broken.set("nft -j", "Operation not permitted");
    expect(await refused(machine)).toEndWith("Operation not permitted");
    expect(machine.take()).toEqual([]);
  });
});

describe("at boot", () => {
  test("nothing is reloaded, since networkd has not started", async () => {
    const machine = new Machine();
    expect(await enforcePlan(machine, first, { isBoot: true })).toEqual([]);
    expect(machine.take()).not.toContain(RELOAD);
    expect(machine.read("/run/netplan/90-pequod.yaml")).toBe(first.netplan);
  });

  test("eth0 comes up although the firewall cannot", async () => {
    const machine = new Machine();
    machine.broken.set("nft", "no such module");
    expect(await enforcePlan(machine, first, { isBoot: true })).toEqual([
      "nft -j list counters: no such module",
      "nft -f /run/pequod-network/load.nft: no such module",
    ]);
    expect(machine.take()).toContain("/usr/libexec/netplan/generate");
    expect(machine.read("/run/netplan/90-pequod.yaml")).toBe(first.netplan);
  });
});
