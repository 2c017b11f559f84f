/** Apply, confirm and undo as stories: what is on the machine and on the disk after each of their turns. */
import { describe, expect, test } from "bun:test";
import { Box, START_MS } from "../../test/network/box.ts";
import { manualZone } from "../../test/network/documents.ts";
import { NetworkError } from "./apply.ts";
import { StateError } from "./confirmed-apply.ts";
import { DocumentError } from "./revision-files.ts";

const first = { version: 1, proxies: [manualZone("dmz", "eth1", "10.5.6.100")] };
const moved = { version: 1, proxies: [manualZone("dmz", "eth1", "10.5.6.101")] };
const opened = {
  version: 1,
  proxies: [{ ...manualZone("dmz", "eth1", "10.5.6.100"), voipSip: "udp" }],
};

/** A box on which `first` was confirmed and `moved` waits as candidate, recorded by the admin. */
async function boxWithCandidate(candidate: object = moved): Promise<Box> {
  const box = new Box();
  box.folder.put("candidate.json", first);
  await box.apply.apply();
  await box.apply.confirm();
  box.folder.put("candidate.json", candidate);
  const entry = { number: 2, time: "", user: "anna", note: "", document: candidate };
  box.folder.put("history/000002.json", entry);
  box.machine.take();
  return box;
}

const addresses = (box: Box): unknown[] =>
  box.machine.rules[4].filter(({ table }) => table !== undefined).map(({ src }) => src);

describe("an apply that may cut the operator off", () => {
  test("runs at once and is active when it is confirmed", async () => {
    const box = await boxWithCandidate();
    expect(await box.apply.apply()).toEqual({
      revision: 2,
      confirmBefore: "2026-01-01T00:02:00.000Z",
      unresolved: [],
      missing: ["10.5.6.101 on eth1: there is no such interface"],
    });
    expect(addresses(box)).toEqual(["10.5.6.101"]);
    expect(box.folder.value("active.json")).toEqual(first);
    expect(box.folder.value("pending.json")).toEqual({
      revision: 2,
      confirmBefore: "2026-01-01T00:02:00.000Z",
    });
    expect(box.apply.isBusy).toBe(true);
    box.clock.advance(119_999);
    expect(await box.apply.confirm()).toEqual({ revision: 2 });
    expect(box.folder.value("active.json")).toEqual(moved);
    expect(box.folder.names).toEqual(["active.json", "history/000001.json", "history/000002.json"]);
    expect(box.clock.pending).toBe(0);
    expect(box.apply.isBusy).toBe(false);
  });

  test("is undone when no confirmation comes, the candidate kept and the reason told", async () => {
    const box = await boxWithCandidate();
    await box.apply.apply();
    box.machine.take();
    box.clock.advance(120_000);
    await box.settle();
    expect(addresses(box)).toEqual(["10.5.6.100"]);
    expect(box.machine.take()).toEqual([
      "write /run/pequod-network/scratch/run/netplan/90-pequod.yaml",
      "write /run/pequod-network/load.nft",
      "ip -4 rule add from 10.5.6.100/32 lookup 1001 priority 10010 protocol 201",
      "ip -4 rule add from 10.5.6.100/32 unreachable priority 10011 protocol 201",
      "nft -f /run/pequod-network/load.nft",
      "write /run/pequod-network/loaded.nft",
      "write /run/netplan/90-pequod.yaml",
      "/usr/libexec/netplan/generate",
      "networkctl reload",
      "ip -4 rule del from 10.5.6.101/32 lookup 1001 priority 10010 protocol 201",
      "ip -4 rule del from 10.5.6.101/32 unreachable priority 10011 protocol 201",
      "remove /run/pequod-network/waiting.json",
    ]);
    expect(box.folder.value("active.json")).toEqual(first);
    expect(box.folder.value("candidate.json")).toEqual(moved);
    expect(box.folder.value("pending.json")).toBeNull();
    expect(box.folder.value("undone.json")).toEqual({
      revision: 2,
      time: "2026-01-01T00:02:00.000Z",
      reason: "no confirmation came in time",
    });
    expect(box.apply.isBusy).toBe(false);
  });

  test("keeps its process until the undo is through", async () => {
    const box = await boxWithCandidate();
    await box.apply.apply();
    const wasBusy: boolean[] = [];
    const { remove } = box.machine;
    box.machine.remove = (path) => {
      wasBusy.push(box.apply.isBusy);
      remove.call(box.machine, path);
    };
    box.clock.advance(120_000);
    await box.settle();
    expect(wasBusy).toEqual([true]);
    expect(box.apply.isBusy).toBe(false);
  });

  test("that was undone cannot be confirmed any more", async () => {
    const box = await boxWithCandidate();
    await box.apply.apply();
    box.clock.advance(120_000);
    await expect(box.apply.confirm()).rejects.toThrow(StateError);
    await box.settle();
    expect(box.folder.value("active.json")).toEqual(first);
  });

  test("is what becomes active, whatever the candidate is by then", async () => {
    const box = await boxWithCandidate();
    await box.apply.apply();
    box.folder.put("candidate.json", opened);
    await box.apply.confirm();
    expect(box.folder.value("active.json")).toEqual(moved);
    expect(box.folder.value("candidate.json")).toEqual(opened);
  });

  test("keeps a second one out until it is decided", async () => {
    const box = await boxWithCandidate();
    await box.apply.apply();
    box.machine.take();
    await expect(box.apply.apply()).rejects.toThrow("an earlier change waits");
    await box.settle();
    expect(box.machine.take()).toEqual([]);
  });

  test("can be tried again after it was undone", async () => {
    const box = await boxWithCandidate();
    await box.apply.apply();
    box.clock.advance(120_000);
    await box.apply.apply();
    await box.apply.confirm();
    expect(box.folder.value("active.json")).toEqual(moved);
    expect(box.folder.value("undone.json")).toBeNull();
  });

  test("that the machine refuses changes nothing and waits for nothing", async () => {
    const box = await boxWithCandidate();
    box.machine.broken.set("/usr/libexec/netplan/generate --root-dir", "line 7: no");
    await expect(box.apply.apply()).rejects.toThrow(NetworkError);
    await box.settle();
    expect(box.folder.value("pending.json")).toBeNull();
    expect(box.machine.read("/run/pequod-network/waiting.json")).toBeNull();
    expect(addresses(box)).toEqual(["10.5.6.100"]);
    expect(box.clock.pending).toBe(0);
  });
});

describe("an apply whose addresses take their time", () => {
  test("is answered when they are there", async () => {
    const box = await boxWithCandidate();
    box.machine.links.set("eth1", ["10.5.6.100"]);
    const answer = box.apply.apply();
    await box.untilTimers(2);
    box.machine.links.set("eth1", ["10.5.6.101"]);
    box.clock.advance(250);
    expect((await answer).missing).toEqual([]);
    expect(box.clock.now()).toBe(START_MS + 250);
  });

  test("is answered with what is missing when they do not come", async () => {
    const box = await boxWithCandidate();
    box.machine.links.set("eth1", ["10.5.6.100"]);
    const answer = box.apply.apply();
    for (let turn = 0; turn < 40; turn += 1) {
      await box.untilTimers(2);
      box.clock.advance(250);
    }
    expect((await answer).missing).toEqual(["10.5.6.101 on eth1: not set yet"]);
  });
});

describe("an apply that cannot cut anybody off", () => {
  test("is active at once", async () => {
    const box = await boxWithCandidate(opened);
    expect(await box.apply.apply()).toEqual({
      revision: 2,
      confirmBefore: null,
      unresolved: [],
      missing: [],
    });
    expect(box.folder.value("active.json")).toEqual(opened);
    expect(box.folder.value("candidate.json")).toBeNull();
    expect(box.machine.take()).toEqual([
      "write /run/pequod-network/load.nft",
      "nft -c -f /run/pequod-network/load.nft",
      "nft -f /run/pequod-network/load.nft",
      "write /run/pequod-network/loaded.nft",
    ]);
    expect(box.clock.pending).toBe(0);
    await expect(box.apply.confirm()).rejects.toThrow("no change waits for a confirmation");
  });

  test("gets an entry in the history where the admin wrote none", async () => {
    const box = await boxWithCandidate(opened);
    box.folder.remove("history/000002.json");
    expect((await box.apply.apply()).revision).toBe(2);
    expect(box.folder.value("history/000002.json")).toEqual({
      number: 2,
      time: "2026-01-01T00:00:00.000Z",
      user: "helper",
      note: "",
      document: opened,
    });
  });
});

describe("a candidate that cannot be used", () => {
  test("is refused with every problem, and nothing is touched", async () => {
    const box = await boxWithCandidate({ version: 1, proxies: [{ name: "DMZ", odd: 1 }] });
    await expect(box.apply.apply()).rejects.toThrow(
      "candidate.json: proxies[0].name: must be 1 to 32 lower-case letters, digits or hyphens; " +
        "proxies[0].fqdn: is required; proxies[0].odd: unknown field",
    );
    await box.settle();
    expect(box.machine.take()).toEqual([]);
  });

  test("may be no JSON, or not there", async () => {
    const box = await boxWithCandidate();
    box.folder.write("candidate.json", "{");
    await expect(box.apply.apply()).rejects.toThrow(DocumentError);
    box.folder.remove("candidate.json");
    await expect(box.apply.apply()).rejects.toThrow("there is nothing to apply");
    await box.settle();
    expect(box.machine.take()).toEqual([]);
  });
});

describe("when the helper dies", () => {
  test("while an apply waits, the next one undoes it at once", async () => {
    const box = await boxWithCandidate();
    await box.apply.apply();
    box.restartHelper();
    await box.apply.recover();
    expect(addresses(box)).toEqual(["10.5.6.100"]);
    expect(box.folder.value("undone.json")).toMatchObject({
      revision: 2,
      reason: "the helper ended before the confirmation",
    });
    expect(box.folder.value("pending.json")).toBeNull();
  });

  test("just before active.json is written, the change is undone", async () => {
    const box = await boxWithCandidate();
    await box.apply.apply();
    box.folder.failing = "active.json";
    await expect(box.apply.confirm()).rejects.toThrow("no power");
    await box.settle();
    box.folder.failing = null;
    box.restartHelper();
    await box.apply.recover();
    expect(addresses(box)).toEqual(["10.5.6.100"]);
    expect(box.folder.value("active.json")).toEqual(first);
  });

  test("just after active.json was written, the change stays", async () => {
    const box = await boxWithCandidate();
    await box.apply.apply();
    box.folder.put("active.json", moved);
    box.restartHelper();
    await box.apply.recover();
    expect(addresses(box)).toEqual(["10.5.6.101"]);
    expect(box.folder.value("undone.json")).toBeNull();
    expect(box.machine.read("/run/pequod-network/waiting.json")).toBeNull();
    expect(box.files.pending()).toBeNull();
  });

  test("with nothing waiting, the next one does nothing", async () => {
    const box = await boxWithCandidate();
    box.folder.put("pending.json", { revision: 2, confirmBefore: "2026-01-01T00:02:00.000Z" });
    box.restartHelper();
    await box.apply.recover();
    expect(box.machine.take()).toEqual([]);
    expect(box.folder.value("undone.json")).toBeNull();
  });
});

test("an undo that does not come through is tried until it does", async () => {
  const box = await boxWithCandidate();
  await box.apply.apply();
  box.machine.broken.set("networkctl", "no bus");
  box.clock.advance(120_000);
  await box.settle();
  expect(box.apply.isBusy).toBe(true);
  expect(box.folder.value("undone.json")).toBeNull();
  box.machine.broken.clear();
  box.clock.advance(10_000);
  await box.settle();
  expect(box.apply.isBusy).toBe(false);
  expect(addresses(box)).toEqual(["10.5.6.100"]);
  expect(box.folder.value("undone.json")).toMatchObject({ revision: 2 });
});

test("an active.json that cannot be read leaves eth0 and the admin", async () => {
  const box = await boxWithCandidate();
  box.folder.write("active.json", "{ damaged");
  await box.apply.apply();
  box.clock.advance(120_000);
  await box.settle();
  expect(addresses(box)).toEqual([]);
  expect(box.machine.read("/run/netplan/90-pequod.yaml")).toContain('"eth0":\n      dhcp4: true');
  expect(box.logged.some((line) => line.startsWith("error active-unreadable"))).toBe(true);
});

test("a refresh lets in an instance whose name has another address now", async () => {
  const box = new Box();
  const instances = [{ name: "pbx", address: "pbx.example.com" }];
  box.folder.put("candidate.json", { ...first, instances });
  expect((await box.apply.apply()).unresolved).toEqual(["pbx.example.com"]);
  await box.apply.confirm();
  box.machine.take();
  box.names.set("pbx.example.com", ["10.0.3.7"]);
  await box.apply.refresh();
  expect(box.machine.take()).toContain("nft -f /run/pequod-network/load.nft");
  expect(box.machine.read("/run/pequod-network/loaded.nft")).toContain("elements = { 10.0.3.7 }");
  await box.apply.refresh();
  expect(box.machine.take()).toEqual([]);
});
