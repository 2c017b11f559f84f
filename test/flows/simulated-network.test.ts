import { expect, test } from "bun:test";
import type { Connection, Endpoint, World } from "../../src/io/types.ts";
import { Nat } from "./simulated-nat.ts";
import { SimulatedNetwork } from "./simulated-network.ts";

const PROXY = "203.0.113.5";
const HOME = "192.168.1.10";

type Heard = { text: string; from: string };

async function open(world: World, local: Endpoint) {
  const heard: Heard[] = [];
  const socket = await world.openDatagrams({
    local,
    receive: (bytes, address, port) =>
      heard.push({ text: Buffer.from(bytes).toString(), from: `${address}:${port}` }),
  });
  const send = (text: string, to: string, port: number) => socket.send(Buffer.from(text), to, port);
  return { heard, socket, send };
}

function proxyWorld(network: SimulatedNetwork): World {
  return network.world({ addresses: [PROXY] });
}

function events() {
  const seen: string[] = [];
  return {
    seen,
    data: (bytes: Uint8Array) => void seen.push(Buffer.from(bytes).toString()),
    closed: (reason: string) => void seen.push(`closed: ${reason}`),
  };
}

test("a datagram arrives only when the network settles, and is recorded", async () => {
  const network = new SimulatedNetwork();
  const a = await open(proxyWorld(network), { address: PROXY, port: 5060 });
  const b = await open(network.world({ addresses: ["10.0.3.150"] }), {
    address: "10.0.3.150",
    port: 5060,
  });
  expect(b.send("hello", PROXY, 5060)).toBe(true);
  expect(a.heard).toEqual([]);
  await network.settle();
  expect(a.heard).toEqual([{ text: "hello", from: "10.0.3.150:5060" }]);
  expect(network.sent.map(({ to }) => to)).toEqual([{ address: PROXY, port: 5060 }]);
});

test("the receiver may write into the bytes it got without changing the record", async () => {
  const network = new SimulatedNetwork();
  const world = proxyWorld(network);
  await world.openDatagrams({
    local: { address: PROXY, port: 1 },
    receive: (bytes) => bytes.fill(0),
  });
  const b = await open(world, { address: PROXY, port: 2 });
  b.send("x", PROXY, 1);
  await network.settle();
  expect(network.sent[0]?.bytes).toEqual(new Uint8Array([120]));
});

test("a foreign address and a taken port cannot be bound", async () => {
  const network = new SimulatedNetwork();
  const world = proxyWorld(network);
  await open(world, { address: PROXY, port: 5060 });
  const taken = open(world, { address: PROXY, port: 5060 });
  await expect(taken).rejects.toThrow(
    `cannot listen on UDP ${PROXY}:5060: the port is in use by another program`,
  );
  await expect(open(world, { address: "10.9.9.9", port: 0 })).rejects.toThrow(
    "not on this machine",
  );
});

test("a closed port takes nothing and sends nothing, and is free again", async () => {
  const network = new SimulatedNetwork();
  const world = proxyWorld(network);
  const a = await open(world, { address: PROXY, port: 5060 });
  const b = await open(world, { address: PROXY, port: 5061 });
  a.socket.close();
  b.send("late", PROXY, 5060);
  await network.settle();
  expect(a.heard).toEqual([]);
  expect(network.undelivered).toBe(1);
  expect(a.send("dead", PROXY, 5061)).toBe(false);
  expect((await open(world, { address: PROXY, port: 5060 })).socket.local.port).toBe(5060);
});

test("weather loses, doubles and delays datagrams by the clock", async () => {
  const network = new SimulatedNetwork();
  const world = proxyWorld(network);
  const a = await open(world, { address: PROXY, port: 1 });
  const b = await open(world, { address: PROXY, port: 2 });
  const fates = ["lose", "duplicate", { delayMs: 100 }, "deliver"] as const;
  network.weather = () => fates[network.sent.length - 1] ?? "deliver";
  for (const text of ["lost", "twice", "slow", "fast"]) b.send(text, PROXY, 1);
  await network.settle();
  expect(a.heard.map(({ text }) => text)).toEqual(["twice", "twice", "fast"]);
  await network.elapse(100);
  expect(a.heard.map(({ text }) => text)).toEqual(["twice", "twice", "fast", "slow"]);
});

test("a phone behind a NAT appears with another address and port and can be answered", async () => {
  const network = new SimulatedNetwork();
  const nat = new Nat({ name: "home", publicAddress: "198.51.100.9" });
  const phone = await open(network.world({ addresses: [HOME], nat }), {
    address: HOME,
    port: 5060,
  });
  const proxy = await open(proxyWorld(network), { address: PROXY, port: 5060 });
  phone.send("out", PROXY, 5060);
  await network.settle();
  expect(proxy.heard).toEqual([{ text: "out", from: "198.51.100.9:61008" }]);
  proxy.send("back", "198.51.100.9", 61008);
  await network.settle();
  expect(phone.heard).toEqual([{ text: "back", from: `${PROXY}:5060` }]);
});

test("a NAT lets no stranger in, and not even friends after it forgot its mappings", async () => {
  const network = new SimulatedNetwork();
  const nat = new Nat({ name: "home", publicAddress: "198.51.100.9" });
  const world = network.world({ addresses: [HOME], nat });
  const phone = await open(world, { address: HOME, port: 5060 });
  const proxy = await open(proxyWorld(network), { address: PROXY, port: 5060 });
  const stranger = await open(network.world({ addresses: ["192.0.2.66"] }), {
    address: "192.0.2.66",
    port: 5060,
  });
  phone.send("out", PROXY, 5060);
  await network.settle();
  stranger.send("attack", "198.51.100.9", 61008);
  proxy.send("private", HOME, 5060);
  nat.forgetMappings();
  await network.settle();
  proxy.send("late", "198.51.100.9", 61008);
  await network.settle();
  expect(phone.heard).toEqual([]);
  phone.send("again", PROXY, 5060);
  await network.settle();
  expect(proxy.heard.at(-1)).toEqual({ text: "again", from: "198.51.100.9:61015" });
});

test("a symmetric NAT shows every destination another port", async () => {
  const network = new SimulatedNetwork();
  const nat = new Nat({ name: "home", publicAddress: "198.51.100.9", mapping: "symmetric" });
  const phone = await open(network.world({ addresses: [HOME], nat }), { address: HOME, port: 9 });
  const a = await open(proxyWorld(network), { address: PROXY, port: 1 });
  const b = await open(proxyWorld(network), { address: PROXY, port: 2 });
  phone.send("x", PROXY, 1);
  phone.send("x", PROXY, 2);
  await network.settle();
  expect(a.heard[0]?.from).not.toBe(b.heard[0]?.from);
});

test("two homes may use the same private address", async () => {
  const network = new SimulatedNetwork();
  const proxy = await open(proxyWorld(network), { address: PROXY, port: 5060 });
  const homes = ["198.51.100.9", "198.51.100.10"].map(
    (publicAddress) => new Nat({ name: publicAddress, publicAddress }),
  );
  const phones = await Promise.all(
    homes.map((nat) =>
      open(network.world({ addresses: [HOME], nat }), { address: HOME, port: 5060 }),
    ),
  );
  for (const phone of phones) phone.send("hi", PROXY, 5060);
  await network.settle();
  proxy.send("to the second", "198.51.100.10", 61008);
  await network.settle();
  expect(phones.map(({ heard }) => heard.length)).toEqual([0, 1]);
});

async function connected(options: { nat?: Nat; tls?: boolean } = {}) {
  const network = new SimulatedNetwork();
  const server = events();
  let accepted: Connection | undefined;
  const listener = await proxyWorld(network).listenStream({
    local: { address: PROXY, port: 5061 },
    ...(options.tls === false ? {} : { identity: { certificatePem: "", keyPem: "" } }),
    handshakeTimeoutMs: 1000,
    accept: (connection) => {
      accepted = connection;
      return server;
    },
  });
  const client = events();
  const world = network.world({ addresses: [HOME], ...(options.nat ? { nat: options.nat } : {}) });
  const connection = await world.connectStream({
    local: { address: HOME },
    remote: { address: PROXY, port: 5061 },
    tls: { serverName: PROXY, verify: false, caPem: null },
    timeoutMs: 1000,
    events: client,
  });
  if (accepted === undefined) throw new Error("not accepted");
  return { network, listener, client, server, connection, accepted };
}

test("a TLS connection through a NAT carries bytes both ways in order", async () => {
  const nat = new Nat({ name: "home", publicAddress: "198.51.100.9" });
  const { network, client, server, connection, accepted } = await connected({ nat });
  expect([connection.transport, accepted.transport]).toEqual(["tls", "tls"]);
  expect(accepted.remote.address).toBe("198.51.100.9");
  connection.write(Buffer.from("one"));
  connection.write(Buffer.from("two"));
  accepted.write(Buffer.from("back"));
  await network.settle();
  expect(server.seen).toEqual(["one", "two"]);
  expect(client.seen).toEqual(["back"]);
});

test("plain TCP to a TLS port, and a port nobody listens on, are refused", async () => {
  await expect(connected({ tls: false })).rejects.toThrow("closed by the peer");
  const network = new SimulatedNetwork();
  const attempt = proxyWorld(network).connectStream({
    local: { address: PROXY },
    remote: { address: "10.0.3.150", port: 5060 },
    timeoutMs: 1000,
    events: events(),
  });
  await expect(attempt).rejects.toThrow("connect ECONNREFUSED 10.0.3.150:5060");
});

test("end() lets the bytes before it arrive and both ends hear of it once", async () => {
  const { network, client, server, connection } = await connected();
  connection.write(Buffer.from("last words"));
  connection.end();
  connection.write(Buffer.from("too late"));
  connection.destroy();
  await network.settle();
  expect(server.seen).toEqual(["last words", "closed: closed by the peer"]);
  expect(client.seen).toEqual(["closed: closed"]);
  expect(network.streams.open).toEqual([]);
});

test("a broken line is heard of at both ends, a frozen one at none", async () => {
  const broken = await connected();
  broken.network.streams.break(() => true);
  expect(broken.client.seen).toEqual(["closed: read ECONNRESET"]);
  expect(broken.server.seen).toEqual(["closed: read ECONNRESET"]);
  const frozen = await connected();
  frozen.network.streams.freeze(() => true);
  frozen.accepted.write(Buffer.from("into the void"));
  await frozen.network.settle();
  expect([...frozen.client.seen, ...frozen.server.seen]).toEqual([]);
  expect(frozen.accepted.pendingBytes).toBe(13);
});

test("a closed listener takes no new connection and keeps the old ones", async () => {
  const { network, listener, server, connection } = await connected();
  listener.close();
  connection.write(Buffer.from("still here"));
  await network.settle();
  expect(server.seen).toEqual(["still here"]);
});

test("elapse() fires every timer at its own moment and settles after each", async () => {
  const network = new SimulatedNetwork();
  const a = await open(proxyWorld(network), { address: PROXY, port: 1 });
  const b = await open(proxyWorld(network), { address: PROXY, port: 2 });
  const seen: number[] = [];
  const again = (): void => {
    seen.push(a.heard.length);
    b.send("tick", PROXY, 1);
    network.clock.after(20, again);
  };
  network.clock.after(20, again);
  await network.elapse(60);
  expect(seen).toEqual([0, 1, 2]);
});

test("random bytes differ from call to call and not from run to run", () => {
  const first = proxyWorld(new SimulatedNetwork());
  const second = proxyWorld(new SimulatedNetwork());
  const once = first.random(40);
  expect(once).toEqual(second.random(40));
  expect(first.random(40)).not.toEqual(once);
});

test("names resolve from the table, literals to themselves, unknown ones not at all", async () => {
  const network = new SimulatedNetwork();
  network.names.set("pbx.example", ["10.0.3.150"]);
  const world = proxyWorld(network);
  expect((await world.resolve("pbx.example")).addresses).toEqual(["10.0.3.150"]);
  expect((await world.resolve("10.1.1.1")).addresses).toEqual(["10.1.1.1"]);
  await expect(world.resolve("nowhere.example")).rejects.toThrow("nowhere.example has no address");
});
