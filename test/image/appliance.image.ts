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
import {
  type Customer,
  fetchesConfiguration,
  Inside,
  opensPage,
  signsInToChat,
} from "./services.ts";

const ETH0 = "10.77.0.77";
const LAN = "10.5.6.100";
const OPERATOR = { username: "admin", password: "correct horse battery" };

const folder = mkdtempSync(join(tmpdir(), "pequod-image-"));
const admin = new AdminClient(ETH0);
let machine: Machine;
let dhcp: Socket;
let system: TelephoneSystem;
let inside: Inside;

beforeAll(async () => {
  const [server, broadcast, netmask] = ["10.77.0.1", "10.77.0.255", "255.255.255.0"];
  dhcp = await serveDhcp({ server, broadcast, netmask, address: ETH0 });
  system = await openTelephoneSystem("mycompany", "10.77.0.10");
  inside = await Inside.open(system.options.address);
  machine = await Machine.create(folder, process.env["PEQUOD_IMAGE_FILE"] ?? "");
  await machine.boots();
});

afterAll(async () => {
  await machine.close();
  inside.close();
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
});

/** What must be the same after a reboot; a copy that is being made (.new) is not there yet. */
const KEPT =
  "cd /var/lib/pequod && find config/active.json admin proxies -type f ! -name '*.new' | sort | xargs sha256sum; cat /etc/machine-id";

/** What may come in, as the kernel has it: the operator and DHCP, phones by zone, instances inside. */
const firewallInput = (lan: string) => `table inet pequod {
	chain input {
		type filter hook input priority filter; policy drop;
		iifname "lo" accept
		iifname "eth0" fib daddr . iif type local ip saddr @ban4-dmz tcp dport 5061 counter name "banned" drop
		iifname "eth0" fib daddr . iif type local ip saddr @ban4-dmz udp dport 30000-35000 counter name "banned" drop
		iifname "eth1" ip daddr ${lan} ip saddr @ban4-lan counter name "banned" drop
		ct state established,related accept
		ct state invalid counter name "dropped" drop
		icmp type { destination-unreachable, echo-request, time-exceeded, parameter-problem } accept
		icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, echo-request } accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept
		iifname "eth0" udp sport 67 udp dport 68 accept
		iifname "eth0" fib daddr . iif type local tcp dport 8443 accept
		iifname "eth0" fib daddr . iif type local tcp dport 5061 accept
		iifname "eth0" fib daddr . iif type local udp dport 30000-35000 accept
		iifname "eth1" ip daddr ${lan} tcp dport { 80, 443, 5061, 5222, 8884 } accept
		iifname "eth1" ip daddr ${lan} udp dport 30000-35000 accept
		iifname "eth0" ip saddr @instances4-dmz tcp dport { 15060, 15061 } accept
		iifname "eth0" ip saddr @instances4-dmz udp dport 15060 accept
		iifname "eth0" ip saddr @media4-dmz udp dport 16384-29998 accept
		iifname "eth0" ip saddr @instances4-lan tcp dport { 15062, 15063 } accept
		iifname "eth0" ip saddr @instances4-lan udp dport 15062 accept
		iifname "eth0" ip saddr @media4-lan udp dport 16384-29998 accept
		counter name "dropped"
	}
}
`;

/** Literally what the kernel has of a zone at that address. */
async function expectNetwork(lan: string): Promise<void> {
  expect(await machine.run("ip -4 rule show")).toBe(`0:\tfrom all lookup local
10010:\tfrom ${lan} lookup 1001 proto 201
10011:\tfrom ${lan} unreachable proto 201
32766:\tfrom all lookup main
32767:\tfrom all lookup default
`);
  expect(
    await machine.run("ip -4 route show table 1001"),
  ).toBe(`default via 10.5.6.254 dev eth1 proto static src ${lan} onlink 
unreachable default proto static metric 2147483647 
10.5.6.0/24 dev eth1 proto static scope link src ${lan} 
`);
  expect(await machine.run("ip -4 route show")).not.toContain("eth1");
  expect(await machine.run("nft list chain inet pequod input")).toBe(firewallInput(lan));
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
  const fingerprint = await eventually(() => admin.fingerprint(), 120_000);
  await machine.shows(new RegExp(`Fingerprint {4}SHA-256 ${fingerprint}\\r?\n.*Set-up code`));
});

test("a wrong set-up code is refused, the shown one makes the first account, once", async () => {
  const [, code] = await machine.shows(/Set-up code {4}(\S+)/);
  const wrong = await admin.asks("POST", "setup", { code: "0000-0000", ...OPERATOR });
  expect(wrong.body).toMatchObject({ status: 403, type: "wrong-code" });
  const early = await admin.asks("GET", "proxies");
  expect(early.body).toMatchObject({ status: 403, type: "setup-required" });
  await admin.signsIn("setup", { code, ...OPERATOR });
  expect((await admin.asks("POST", "setup", { code, ...OPERATOR })).status).toBe(409);
});

test("one proxy on eth0 and one on an interface of its own run after apply and confirm", async () => {
  const off = { phoneProvisioning: "off", allowXmpp: false, manageInstances: "off" };
  await admin.does("POST", "instances", { name: "mycompany", address: system.options.address });
  await admin.does("POST", "proxies", { name: "dmz", fqdn: ETH0, ...off });
  await admin.does("POST", "proxies", lanProxy(LAN));
  await admin.applies();
  await admin.proxyIs("dmz", "running");
  await admin.proxyIs("lan", "running");
  await expectHealthy();
});

test("rules, routes and firewall are exactly the plan's", async () => {
  await expectNetwork(LAN);
});

test("each zone is a user of its own, who reads neither the other's keys nor the admin's", async () => {
  const pid = (name: string) =>
    machine.run(`systemctl show -P MainPID pequod-proxy@${name}`).then((text) => text.trim());
  const [dmz, lan] = [await pid("dmz"), await pid("lan")];
  const uid = (process: string) => machine.run(`stat -c %u /proc/${process}`);
  const [dmzUser, lanUser] = [await uid(dmz), await uid(lan)];
  expect(new Set([dmzUser, lanUser, "0\n", "900\n"]).size).toBe(4);
  const asDmz = `setpriv --reuid=${dmzUser.trim()} --clear-groups`;
  const tried = ["config/lan.json", "proxy/lan/status.sock", "helper.sock"].map((path) =>
    machine.run(`${asDmz} test -r /run/pequod/${path} && echo readable || echo refused`),
  );
  expect(await Promise.all(tried)).toEqual(["refused\n", "refused\n", "refused\n"]);
  expect(await machine.run(`${asDmz} ls /var/lib/pequod/config 2>&1 || true`)).toContain("denied");
});

test("a call goes through each proxy, in its zone also from behind the gateway", async () => {
  expect(await callsThrough(ETH0, "10.77.0.20", system)).toBe(ETH0);
  expect(await callsThrough(LAN, "10.5.6.20", system)).toBe(ETH0);
  expect(await callsThrough(LAN, "198.51.100.7", system)).toBe(ETH0);
});

test("phones are provisioned, pages and REST open, a chat client signs in, from behind the gateway too", async () => {
  const { certificatePem, fqdn } = await admin.does("GET", "proxies/lan?state=active");
  const mac = "00:04:13:aa:bb:cc";
  const asked = await admin.asks("GET", `provisioning-urls?instance=mycompany&mac=${mac}`);
  const urls = [asked.body].flat().flatMap((one) => (one?.["urls"] as string[] | undefined) ?? []);
  expect(urls).toEqual([expect.stringMatching(/^https:\/\/lan\.example\.com:8884\/p\/[\w-]+$/)]);
  for (const from of ["10.5.6.20", "198.51.100.7"]) {
    const who: Customer = { proxy: LAN, from, fqdn: String(fqdn), ca: String(certificatePem) };
    const path = "/p/mycompany/000413AABBCC";
    expect(await fetchesConfiguration(who, urls[0]!)).toBe(`configuration of ${path}\n`);
    expect(await opensPage(who, "/mycompany/a?b")).toBe("200 configuration of /a?b\n");
    expect(await opensPage(who, "/mycompany/services/x")).toBe(
      "200 configuration of /services/x\n",
    );
    await signsInToChat(who, "mycompany", inside);
  }
});

test("nothing of the admin is reachable in the zone, nothing of one zone in the other", async () => {
  const asked = [22, 53, 80, 443, 5060, 5061, 5222, 5355, 8443, 8880, 8884, 15062];
  expect(await openPorts(LAN, asked)).toEqual([80, 443, 5061, 5222, 8884]);
  expect(await openPorts(ETH0, [80, 443, 5060, 5222, 8880, 8884])).toEqual([]);
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
  await eventually(async () => expect(await openPorts(LAN, [5061])).toEqual([5061]));
  await callsThrough(LAN, "10.5.6.20", system);
  await admin.does("DELETE", "changes");
});

/** Saves and applies names with rising numbers until it is stopped by the end of the machine. */
function keepsSaving(): { readonly done: number; readonly ended: Promise<void> } {
  const progress = { done: 0, ended: Promise.resolve() };
  const save = async (): Promise<void> => {
    const appliance = await admin.does("GET", "appliance");
    for (;;) {
      await admin.does("PUT", "appliance", { ...appliance, name: `pequod-${progress.done + 1}` });
      await admin.applies();
      progress.done += 1;
    }
  };
  progress.ended = save().catch(() => undefined);
  return progress;
}

test("power lost in mid-save: no confirmed revision is lost, none is half, everything runs", async () => {
  const saving = keepsSaving();
  await eventually(async () => expect(saving.done).toBeGreaterThan(1), 240_000);
  await machine.run("sleep 1");
  await machine.losesPower();
  await machine.boots();
  await saving.ended;
  await expectHealthy();
  await eventually(() => admin.signsIn("session", OPERATOR), 120_000);
  const { name } = await admin.does("GET", "appliance?state=active");
  const names = [saving.done, saving.done + 1].map((number) => `pequod-${number}`);
  expect(names).toContain(String(name));
  await admin.proxyIs("dmz", "running");
  await admin.proxyIs("lan", "running");
  await expectNetwork(LAN);
});

test("a reboot keeps all", async () => {
  const before = await machine.run(KEPT);
  await machine.reboots();
  await expectHealthy();
  console.log(await machine.run("systemd-analyze time | head -n 1; head -3 /proc/meminfo"));
  expect(await machine.run(KEPT)).toBe(before);
  await eventually(() => admin.signsIn("session", OPERATOR), 120_000);
  await Promise.all([admin.proxyIs("dmz", "running"), admin.proxyIs("lan", "running")]);
  await expectNetwork(LAN);
  expect(machine.consoleText).not.toContain("Set-up code");
  await callsThrough(ETH0, "10.77.0.20", system);
  await callsThrough(LAN, "198.51.100.7", system);
});
