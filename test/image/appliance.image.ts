/**
 * The image as a customer gets it, from the first boot on: set-up, two proxies, calls, an apply that nobody
 * confirms, a power cut in mid-save, a reboot. One guest goes through all of it, in this order.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Socket } from "node:dgram";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TelephoneSystem } from "../peers/telephone-system.ts";
import { AdminClient, eventually } from "./admin-client.ts";
import { callsThrough, openTelephoneSystem } from "./call.ts";
import { serveDhcp } from "./dhcp.ts";
import { Machine } from "./machine.ts";

const ETH0 = "10.77.0.77";
const LAN = "10.5.6.100";
const OPERATOR = { username: "admin", password: "correct horse battery" };

const folder = mkdtempSync(join(tmpdir(), "pequod-image-"));
const admin = new AdminClient(ETH0);
let machine: Machine;
let dhcp: Socket;
let system: TelephoneSystem;

beforeAll(async () => {
  const [server, broadcast, netmask] = ["10.77.0.1", "10.77.0.255", "255.255.255.0"];
  dhcp = await serveDhcp({ server, broadcast, netmask, address: ETH0 });
  system = await openTelephoneSystem("mycompany", "10.77.0.10");
  machine = await Machine.create(folder, process.env["PEQUOD_IMAGE_FILE"] ?? "");
  await machine.boots();
});

afterAll(async () => {
  await machine.close();
  system.close();
  dhcp.close();
  rmSync(folder, { recursive: true });
});

/** Nothing failed, nothing was started in vain, the root cannot be written. */
async function expectHealthy(): Promise<void> {
  await eventually(async () => {
    expect(await machine.run("systemctl is-system-running || true")).toBe("running\n");
  });
  expect(await machine.run("systemctl --failed --no-legend --plain")).toBe("");
  expect(await machine.run("awk '$2 == \"/\" {print $3, $4}' /proc/mounts")).toMatch(/^ext4 ro,/);
  expect(await machine.run("cat /proc/sys/kernel/tainted")).toBe("0\n");
}

const lanProxy = (address: string) => ({
  name: "lan",
  fqdn: "lan.example.com",
  network: {
    mode: "manual",
    interface: "eth1",
    address,
    netmask: "255.255.255.0",
    gateway: "10.5.6.254",
  },
  phoneProvisioning: "off",
  allowXmpp: false,
  manageInstances: "off",
});

/** What must be the same after a reboot. */
const KEPT =
  "cd /var/lib/pequod && sha256sum config/active.json admin/* proxies/*/config.json; cat /etc/machine-id";

const NFT = "nft list table inet pequod";

/** Literally what the kernel has of a zone at that address. */
async function expectNetwork(lan: string): Promise<void> {
  expect(await machine.run("ip -4 rule show")).toBe(`0:\tfrom all lookup local
10010:\tfrom ${lan} lookup 1001 proto 201
10011:\tfrom ${lan} unreachable proto 201
32766:\tfrom all lookup main
32767:\tfrom all lookup default
`);
  expect(await machine.run("ip -4 route show table 1001")).toBe(`x`);
  expect(await machine.run("ip -4 route show")).not.toContain("eth1");
}

/** Those of the TCP ports that answer. */
async function openPorts(host: string, ports: readonly number[]): Promise<number[]> {
  const tried = ports.map((port) => {
    return new Promise<number | null>((resolve) => {
      const socket = connect({ host, port, timeout: 3000 });
      const end = (found: number | null) => {
        socket.destroy();
        resolve(found);
      };
      socket.once("connect", () => end(port));
      socket.once("error", () => end(null));
      socket.once("timeout", () => end(null));
    });
  });
  return (await Promise.all(tried)).filter((port) => port !== null);
}

test("the first boot ends with nothing failed", async () => {
  await expectHealthy();
  console.log(await machine.run("systemd-analyze time | head -n 1; df -h / /var | tail -n 2"));
});

test("the console tells the address, the certificate's fingerprint and the set-up code", async () => {
  await machine.shows(/Set-up code/);
  const shown = machine.consoleText;
  expect(shown).toContain(`Web interface  https://${ETH0}:8443\n`);
  expect(shown).toContain(`Fingerprint    SHA-256 ${await admin.fingerprint()}\n`);
});

test("a wrong set-up code is refused, the shown one makes the first account, once", async () => {
  const [, code] = await machine.shows(/Set-up code {4}(\S+)/);
  const wrong = await admin.asks("POST", "setup", { code: "0000-0000", ...OPERATOR });
  expect(wrong.status).toBeGreaterThanOrEqual(400);
  expect((await admin.asks("GET", "proxies")).body?.["type"]).toContain("setup-required");
  await admin.signsIn("setup", { code, ...OPERATOR });
  expect((await admin.asks("POST", "setup", { code, ...OPERATOR })).status).toBe(409);
});

test("one proxy on eth0 and one on an interface of its own run after apply and confirm", async () => {
  const off = { phoneProvisioning: "off", allowXmpp: false, manageInstances: "off" };
  await admin.does("POST", "instances", { name: "mycompany", address: system.options.address });
  await admin.does("POST", "proxies", { name: "dmz", fqdn: ETH0, ...off });
  await admin.does("POST", "proxies", lanProxy(LAN));
  await admin.applies();
  await Promise.all([admin.proxyIs("dmz", "running"), admin.proxyIs("lan", "running")]);
  await expectHealthy();
});

test("rules, routes and firewall are exactly the plan's", async () => {
  await expectNetwork(LAN);
  const users = await machine.run("ps -o user= -C pequod 2>/dev/null || true");
  console.log(users, await machine.run(NFT));
});

test("a call goes through each proxy, in its zone also from behind the gateway", async () => {
  expect(await callsThrough(ETH0, "10.77.0.20", system)).toBe(ETH0);
  expect(await callsThrough(LAN, "10.5.6.20", system)).toBe(ETH0);
  expect(await callsThrough(LAN, "198.51.100.7", system)).toBe(ETH0);
});

test("nothing of the admin is reachable in the zone, nothing of one zone in the other", async () => {
  const open = await openPorts(LAN, [22, 53, 5060, 5061, 5355, 8443, 15062]);
  expect(open).toEqual([5061]);
});

test("an apply that nobody confirms comes back by itself, and is told", async () => {
  await admin.does("PUT", "proxies/lan", lanProxy("10.5.6.101"));
  const { confirmBefore } = await admin.does("POST", "apply", {});
  expect(confirmBefore).toBeString();
  await expectNetwork("10.5.6.101");
  await eventually(() => expectNetwork(LAN), 150_000);
  await admin.proxyIs("lan", "running");
  expect((await admin.does("GET", "proxies/lan?state=active"))["network"]).toMatchObject({
    address: LAN,
  });
  await callsThrough(LAN, "10.5.6.20", system);
  await admin.does("PUT", "proxies/lan", lanProxy(LAN));
});

test("power lost in mid-save: the last good revision is there, and everything runs", async () => {
  let isOn = true;
  let saved = 0;
  const saves = (async () => {
    while (isOn) {
      saved += 1;
      await admin.asks("PUT", "appliance", { name: `pequod-${saved}` });
      await admin.asks("POST", "apply", { note: `number ${saved}` });
    }
  })().catch(() => undefined);
  await eventually(async () => expect(saved).toBeGreaterThan(8));
  await machine.losesPower();
  isOn = false;
  await machine.boots();
  await saves;
  await expectHealthy();
  await admin.signsIn("session", OPERATOR);
  const { name } = await admin.does("GET", "appliance?state=active");
  const number = Number(/^pequod-([0-9]+)$/.exec(String(name))?.[1]);
  expect([saved - 2, saved - 1, saved]).toContain(number);
  await Promise.all([admin.proxyIs("dmz", "running"), admin.proxyIs("lan", "running")]);
  await expectNetwork(LAN);
});

test("a reboot keeps all", async () => {
  const before = await machine.run(KEPT);
  await machine.reboots();
  await expectHealthy();
  console.log(
    await machine.run("systemd-analyze time | head -n 1; free -m || head -3 /proc/meminfo"),
  );
  expect(await machine.run(KEPT)).toBe(before);
  await admin.signsIn("session", OPERATOR);
  await Promise.all([admin.proxyIs("dmz", "running"), admin.proxyIs("lan", "running")]);
  await expectNetwork(LAN);
  expect(machine.consoleText).not.toContain("Set-up code");
  await callsThrough(ETH0, "10.77.0.20", system);
  await callsThrough(LAN, "198.51.100.7", system);
});
