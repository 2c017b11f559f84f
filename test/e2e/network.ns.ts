/**
 * The network plan on a real kernel: real `ip rule` and nft in namespaces that the test makes (root only).
 *
 *   phone-a 192.168.1.50 -- eth1 \                  eth0 10.0.3.1 -- 10.0.3.150 pbx, 10.0.3.77 stranger
 *   phone-b 192.168.1.50 -- eth2 / box (192.168.1.10 on eth1, 192.168.1.20 on eth2: the same subnet twice)
 *
 * Addresses and routes are set here as netplan would from the same plan; networkd itself runs in the image
 * test.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type CommandError, runCommand } from "../../src/io/command.ts";
import { applyPlan } from "../../src/network/apply.ts";
import { type NetworkPlan, planNetwork } from "../../src/network/plan.ts";
import type { NetworkSystem } from "../../src/network/system.ts";
import { configOf } from "../network/documents.ts";

const PREFIX = `pqn${process.pid}`;
const BOX = `${PREFIX}-box`;
const SPACES = ["box", "a", "b", "in"] as const;
const space = (name: (typeof SPACES)[number]): string => `${PREFIX}-${name}`;
const inside = (name: (typeof SPACES)[number], ...argv: string[]): Promise<string> =>
  runCommand(["ip", "netns", "exec", space(name), ...argv]);

const zone = (name: string, eth: string, address: string, gateway: string): object => ({
  name,
  fqdn: `${name}.example.com`,
  network: { mode: "manual", interface: eth, address, netmask: "255.255.255.0", gateway },
});
const document = {
  version: 1,
  appliance: {
    eth0: { mode: "static", address: "10.0.3.1", netmask: "255.255.255.0", gateway: "10.0.3.254" },
    admin: { allowedNetworks: ["10.0.3.150/32"] },
  },
  instances: [{ name: "pbx", address: "10.0.3.150" }],
  proxies: [
    zone("dmz", "eth1", "192.168.1.10", "192.168.1.1"),
    { ...zone("lan", "eth2", "192.168.1.20", "192.168.1.1"), voipSip: "udp" },
  ],
};
const plan = planNetwork(configOf(document), new Map());

/** The box as the helper sees it; netplan and networkd are not there, their commands do nothing. */
const files = new Map<string, string>();
const system: NetworkSystem = {
  async run(argv) {
    if (argv[0]?.includes("netplan") || argv[0] === "networkctl") return "";
    if (argv[0] === "nft" && argv.includes("-f")) return loadRules(argv);
    return inside("box", ...argv);
  },
  read: (path) => files.get(path) ?? null,
  write: (path, text) => void files.set(path, text),
  remove: (path) => void files.delete(path),
};

async function loadRules(argv: readonly string[]): Promise<string> {
  const path = `/tmp/${PREFIX}.nft`;
  await Bun.write(path, files.get(argv.at(-1) ?? "") ?? "");
  return inside("box", ...argv.slice(0, -1), path);
}

async function cable(name: "a" | "b" | "in", eth: string, addresses: readonly string[]) {
  await runCommand([
    ...["ip", "-n", BOX, "link", "add", eth, "type", "veth"],
    ...["peer", "name", "eth0", "netns", space(name)],
  ]);
  await runCommand(["ip", "-n", BOX, "link", "set", eth, "up"]);
  for (const address of addresses) {
    await runCommand(["ip", "-n", space(name), "addr", "add", address, "dev", "eth0"]);
  }
  await runCommand(["ip", "-n", space(name), "link", "set", "eth0", "up"]);
}

/** What networkd makes of the zone's part of the netplan text. */
async function addZone(eth: string, address: string, table: string): Promise<void> {
  await runCommand(["ip", "-n", BOX, "addr", "add", `${address}/32`, "dev", eth]);
  await addRoutes(eth, address, table);
}

async function addRoutes(eth: string, address: string, table: string): Promise<void> {
  const add = (...argv: string[]) =>
    runCommand(["ip", "-n", BOX, "route", "add", ...argv, "table", table]);
  await add("192.168.1.0/24", "dev", eth, "scope", "link", "src", address);
  await add("unreachable", "default", "metric", "2147483647");
}

beforeAll(async () => {
  for (const name of SPACES) {
    await runCommand(["ip", "netns", "add", space(name)]);
    await runCommand(["ip", "-n", space(name), "link", "set", "lo", "up"]);
  }
  await cable("in", "eth0", ["10.0.3.150/24", "10.0.3.77/24"]);
  await cable("a", "eth1", ["192.168.1.50/24"]);
  await cable("b", "eth2", ["192.168.1.50/24"]);
  await runCommand(["ip", "-n", BOX, "addr", "add", "10.0.3.1/24", "dev", "eth0"]);
  await applyPlan(system, plan);
  await addZone("eth1", "192.168.1.10", "1001");
  await addZone("eth2", "192.168.1.20", "1002");
}, 60_000);

afterAll(async () => {
  for (const child of listeners) child.kill();
  for (const name of SPACES) await runCommand(["ip", "netns", "del", space(name)]);
  await Bun.file(`/tmp/${PREFIX}.nft`).delete();
}, 60_000);

/** Echo servers on every address of the box. Each runs until the end. */
const listeners: Bun.Subprocess[] = [];
const SERVER = `
import socket, sys, threading
kind, port = sys.argv[1], int(sys.argv[2])
for address in sys.argv[3:]:
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    def tcp(s=s):
        s.listen(16)
        while True: s.accept()[0].sendall(address_of(s))
    def udp(s=s):
        while True: s.sendto(address_of(s), s.recvfrom(100)[1])
    def address_of(s): return s.getsockname()[0].encode()
    threading.Thread(target=tcp if kind == "tcp" else udp, daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
`;
const CLIENT = `
import socket, sys
kind, source, address, port = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.settimeout(float(sys.argv[5]))
s.bind((source, 0))
try:
    s.connect((address, port))
    if kind == "udp": s.send(b"x")
    print(s.recv(100).decode(), end="")
except TimeoutError: print("silence", end="")
except OSError as e: print(e.strerror, end="")
`;

async function listen(kind: "tcp" | "udp", port: number, ...addresses: string[]): Promise<void> {
  const argv = ["ip", "netns", "exec", BOX, "python3", "-c", SERVER, kind, String(port)];
  const child = Bun.spawn([...argv, ...addresses], { stdout: "pipe" });
  listeners.push(child);
  await child.stdout.getReader().read();
}

/** What comes back from there: the address that answers, "silence" (dropped) or an error. */
function from(
  name: "a" | "b" | "in",
  source: string,
): (kind: "tcp" | "udp", address: string, port: number, patience?: string) => Promise<string> {
  return (kind, address, port, patience = "0.7") =>
    inside(name, "python3", "-c", CLIENT, kind, source, address, String(port), patience);
}

const ZONES = ["192.168.1.10", "192.168.1.20"] as const;
const phoneA = from("a", "192.168.1.50");
const phoneB = from("b", "192.168.1.50");
const pbx = from("in", "10.0.3.150");
const stranger = from("in", "10.0.3.77");
const PATIENT = "5";

describe("two zones with the same subnet", () => {
  test("have the rules of the plan, and a second apply does nothing", async () => {
    expect(await inside("box", "ip", "-4", "rule", "show")).toBe(
      [
        "0:\tfrom all lookup local",
        "10010:\tfrom 192.168.1.10 lookup 1001 proto 201",
        "10011:\tfrom 192.168.1.10 unreachable proto 201",
        "10020:\tfrom 192.168.1.20 lookup 1002 proto 201",
        "10021:\tfrom 192.168.1.20 unreachable proto 201",
        "32766:\tfrom all lookup main",
        "32767:\tfrom all lookup default",
        "",
      ].join("\n"),
    );
    expect(await applyPlan(system, plan)).toBe(false);
  });

  test("answer each on its own interface, though both peers have one address", async () => {
    await listen("tcp", 5061, ...ZONES);
    await listen("udp", 5060, ...ZONES);
    await listen("udp", 30_000, ...ZONES);
    expect(await phoneA("tcp", "192.168.1.10", 5061, PATIENT)).toBe("192.168.1.10");
    expect(await phoneA("udp", "192.168.1.10", 30_000, PATIENT)).toBe("192.168.1.10");
    expect(await phoneB("udp", "192.168.1.20", 5060, PATIENT)).toBe("192.168.1.20");
    expect(await phoneB("udp", "192.168.1.20", 30_000, PATIENT)).toBe("192.168.1.20");
  });

  test("have closed what is switched off", async () => {
    expect(await phoneA("udp", "192.168.1.10", 5060)).toBe("silence");
    expect(await phoneB("tcp", "192.168.1.20", 5061)).toBe("silence");
    expect(await phoneA("tcp", "192.168.1.10", 5222)).toBe("Connection refused");
    expect(await phoneA("tcp", "192.168.1.10", 22)).toBe("silence");
  });

  test("cannot be reached through each other's interface, nor the inside through one", async () => {
    await inside("a", "ip", "route", "add", "default", "via", "192.168.1.10");
    expect(await phoneA("udp", "192.168.1.20", 5060)).toBe("silence");
    expect(await phoneA("tcp", "10.0.3.1", 8443)).toBe("silence");
    expect(await phoneA("tcp", "10.0.3.150", 80)).toBe("silence");
  });

  test("send nothing by the main table, also while their own is empty", async () => {
    const route = (...argv: string[]) => inside("box", "ip", "route", "get", ...argv);
    expect(await route("192.168.1.50", "from", "192.168.1.20")).toContain("dev eth2 table 1002");
    await runCommand(["ip", "-n", BOX, "route", "add", "default", "via", "10.0.3.254"]);
    const refused = async (): Promise<string> =>
      route("203.0.113.1", "from", "192.168.1.20").catch((error) => (error as CommandError).stderr);
    expect(await refused()).toContain("No route to host");
    await inside("box", "ip", "route", "flush", "table", "1002");
    const whileEmpty = await refused();
    await addRoutes("eth2", "192.168.1.20", "1002");
    expect(whileEmpty).toContain("Network is unreachable");
    expect(await route("203.0.113.1", "from", "10.0.3.1")).toContain("dev eth0");
  });
});

describe("the inside", () => {
  test("is open to instances alone", async () => {
    await listen("tcp", 15_060, "10.0.3.1");
    await listen("udp", 15_060, "10.0.3.1");
    await listen("udp", 16_384, "10.0.3.1");
    expect(await pbx("tcp", "10.0.3.1", 15_060, PATIENT)).toBe("10.0.3.1");
    expect(await pbx("udp", "10.0.3.1", 15_060, PATIENT)).toBe("10.0.3.1");
    expect(await pbx("udp", "10.0.3.1", 16_384, PATIENT)).toBe("10.0.3.1");
    expect(await stranger("tcp", "10.0.3.1", 15_060)).toBe("silence");
    expect(await stranger("udp", "10.0.3.1", 15_060)).toBe("silence");
    expect(await stranger("udp", "10.0.3.1", 16_384)).toBe("silence");
  });

  test("shows the admin pages to the allowed networks alone", async () => {
    await listen("tcp", 8443, "10.0.3.1");
    expect(await pbx("tcp", "10.0.3.1", 8443, PATIENT)).toBe("10.0.3.1");
    expect(await stranger("tcp", "10.0.3.1", 8443)).toBe("silence");
  });

  test("what was dropped is counted", async () => {
    const counted = await inside("box", "nft", "list", "counter", "inet", "pequod", "dropped");
    expect(Number(/packets ([0-9]+)/.exec(counted)?.[1])).toBeGreaterThan(3);
  });

  test("media and UDP of phones take no place in the connection table", async () => {
    const table = await inside("box", "nft", "list", "chain", "inet", "pequod", "arriving");
    expect(table).toContain('iifname "eth2" ip daddr 192.168.1.20 udp dport { 5060, 30000-35000 }');
    const tracked = await inside("box", "cat", "/proc/net/nf_conntrack").catch(() => "");
    expect(tracked).not.toContain("dport=30000");
  });
});

describe("a ban", () => {
  const element = "{ 192.168.1.50 timeout 60s }";

  test("ends what a banned phone gets, and outlives another plan", async () => {
    await inside("box", "nft", "add", "element", "inet", "pequod", "ban4-dmz", element);
    expect(await phoneA("tcp", "192.168.1.10", 5061)).toBe("silence");
    expect(await phoneB("udp", "192.168.1.20", 5060, PATIENT)).toBe("192.168.1.20");
    const closed = { ...document, proxies: document.proxies.slice(0, 1) };
    await applyPlan(system, planNetwork(configOf(closed), new Map()));
    expect(await phoneA("tcp", "192.168.1.10", 5061)).toBe("silence");
    expect(await phoneB("udp", "192.168.1.20", 5060)).toBe("silence");
    await applyPlan(system, plan);
    expect(await phoneA("tcp", "192.168.1.10", 5061)).toBe("silence");
    const bans = await inside("box", "nft", "list", "set", "inet", "pequod", "ban4-dmz");
    expect(bans).toContain("192.168.1.50 timeout 1m expires");
    await inside("box", "nft", "flush", "set", "inet", "pequod", "ban4-dmz");
    expect(await phoneA("tcp", "192.168.1.10", 5061, PATIENT)).toBe("192.168.1.10");
  });
});

describe("going from one plan to another", () => {
  const state = async (): Promise<string> =>
    (await inside("box", "ip", "rule", "show")) +
    (await inside("box", "nft", "list", "table", "inet", "pequod")).replace(/packets.*/g, "");

  const other: NetworkPlan = planNetwork(
    configOf({ ...document, proxies: [zone("dmz", "eth1", "192.168.1.11", "192.168.1.1")] }),
    new Map(),
  );

  test("and back leaves everything as it was, a stranger's rule too", async () => {
    await inside(
      "box",
      "ip",
      "rule",
      "add",
      "from",
      "10.9.9.9",
      "lookup",
      "77",
      "priority",
      "10500",
    );
    const before = await state();
    expect(await applyPlan(system, other)).toBe(true);
    const between = await state();
    expect(between).toContain("from 192.168.1.11 lookup 1001 proto 201");
    expect(between).toContain("from 10.9.9.9 lookup 77");
    expect(between).not.toContain("192.168.1.20");
    expect(await applyPlan(system, plan)).toBe(true);
    expect((await state()).split("\n").sort()).toEqual(before.split("\n").sort());
  });

  test("that the kernel refuses touches nothing", async () => {
    const before = await state();
    const text = other.firewall.text.replace("chain forward", "chain forward }");
    const bad = { ...other, firewall: { ...other.firewall, text, mark: "0000000000000000" } };
    await expect(applyPlan(system, bad)).rejects.toThrow("nft -c -f");
    expect(await state()).toBe(before);
  });

  test("whose table is not what was loaded in the end is undone", async () => {
    const before = await state();
    const wrong = { ...other, firewall: { ...other.firewall, mark: "0000000000000000" } };
    await expect(applyPlan(system, wrong)).rejects.toThrow("did not stay as it was made");
    expect((await state()).split("\n").sort()).toEqual(before.split("\n").sort());
  });
});

describe("a proxy on eth0 whose address comes by DHCP", () => {
  const auto = planNetwork(
    configOf({ version: 1, proxies: [{ name: "office", fqdn: "o.example.com" }] }),
    new Map(),
  );

  test("is open at the address that eth0 has, and at no other", async () => {
    await listen("tcp", 5222, "10.0.3.1", "192.168.1.10");
    await applyPlan(system, auto);
    expect(await stranger("tcp", "10.0.3.1", 5222, PATIENT)).toBe("10.0.3.1");
    expect(await stranger("tcp", "10.0.3.1", 8443, PATIENT)).toBe("10.0.3.1");
    await inside("in", "ip", "route", "add", "192.168.1.10", "via", "10.0.3.1");
    expect(await stranger("tcp", "192.168.1.10", 5222)).toBe("silence");
    expect(await phoneA("tcp", "192.168.1.10", 5222)).toBe("silence");
  });

  test("a ban keeps a peer off the proxy, not off the admin pages", async () => {
    const element = "{ 10.0.3.77 timeout 60s }";
    await inside("box", "nft", "add", "element", "inet", "pequod", "ban4-office", element);
    expect(await stranger("tcp", "10.0.3.1", 5222)).toBe("silence");
    expect(await stranger("tcp", "10.0.3.1", 8443, PATIENT)).toBe("10.0.3.1");
  });
});
