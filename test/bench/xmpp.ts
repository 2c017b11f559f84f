/**
 * XMPP clients beside haproxy's TLS and TCP splice. Goals: 2,000 idle clients at most 40 KiB each (PSS), a
 * handshake at most 1.3 times haproxy's CPU, splice throughput at least half of haproxy's. Both take TLS from
 * the first byte, with the same certificate and a full handshake each; client and instance are on the other core.
 */
import { writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import tls from "node:tls";
import type { Identity } from "../../src/io/types.ts";
import { cpuSeconds, median, memoryOf } from "./cost.ts";
import { type Addresses, addresses, INSTANCE, startPequod } from "./pequod.ts";
import { type Child, FOLDER, IN_TREE, start, until } from "./place.ts";
import { row, tell } from "./report.ts";

const SUTS = ["pequod", "haproxy"] as const;
type Sut = (typeof SUTS)[number];

const PORT = 5222;
const AT_A_TIME = 10;
const OPENING = `<?xml version='1.0'?><stream:stream to='${INSTANCE}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`;
const ANSWER = `<?xml version='1.0'?><stream:stream from='${INSTANCE}' id='1' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'><stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1</mechanism></mechanisms></stream:features>`;

type Cost = {
  readonly kibPerClient: number;
  readonly handshakeMs: number;
  readonly mibPerSecond: number;
  readonly cpuPerGib: number;
};

export async function xmppBench(
  identity: Identity,
  o: { readonly clients: number; readonly mib: number; readonly rounds: number },
): Promise<void> {
  const costs: Record<Sut, Cost[]> = { pequod: [], haproxy: [] };
  for (let round = 0; round < o.rounds; round++) {
    const order = round % 2 === 0 ? SUTS : [...SUTS].reverse();
    for (const sut of order) costs[sut].push(await measure(sut, identity, o));
  }
  const of = (sut: Sut, figure: keyof Cost) => median(costs[sut].map((cost) => cost[figure]));
  const line = (what: string, unit: string, figure: keyof Cost) =>
    row(what, unit, of("pequod", figure), of("haproxy", figure));
  line(`memory of an idle XMPP client, ${o.clients} signed in`, "KiB", "kibPerClient");
  line("TLS handshake and opening of an XMPP client, CPU", "ms", "handshakeMs");
  line("XMPP splice, one client", "MiB/s", "mibPerSecond");
  line("XMPP splice, CPU per GiB", "s", "cpuPerGib");
}

async function measure(
  sut: Sut,
  identity: Identity,
  { clients: count, mib }: { readonly clients: number; readonly mib: number },
): Promise<Cost> {
  const place = addresses(80 + SUTS.indexOf(sut));
  const instance = await openInstance(place, mib);
  const { pid, stop } = await raise(sut, place, identity);
  await until("its port", () => isOpen(place));
  const pids = [pid];
  for (const client of await signIn(place, 100)) client.destroy(); // warm
  await delay(1000);
  const idle = memoryOf(pids).pssMib;
  const cpuBefore = cpuSeconds(pids);
  const clients = await signIn(place, count);
  const handshakeMs = ((cpuSeconds(pids) - cpuBefore) * 1000) / count;
  await delay(2000);
  const kibPerClient = ((memoryOf(pids).pssMib - idle) * 1024) / count;
  const splice = await flood(clients[0] as tls.TLSSocket, pids, mib);
  for (const client of clients) client.destroy();
  instance.close();
  await stop();
  const cost = { kibPerClient, handshakeMs, ...splice };
  tell("xmpp", { sut, clients: count, idleMib: idle, ...cost });
  return cost;
}

/** Answers openings; `<go/>` brings so many MiB. */
function openInstance(place: Addresses, mib: number): Promise<net.Server> {
  const chunk = Buffer.alloc(65_536, "x");
  const pour = (socket: net.Socket): void => {
    let left = mib * 16;
    const more = (): void => {
      while (left-- > 0) if (!socket.write(chunk)) return void socket.once("drain", more);
    };
    more();
  };
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => {
      if (bytes.includes("<go/>")) pour(socket);
      else socket.write(ANSWER);
    });
  });
  return new Promise((resolve) => server.listen(PORT, place.instance, 1024, () => resolve(server)));
}

async function raise(sut: Sut, place: Addresses, identity: Identity): Promise<Child> {
  const name = `${sut}-xmpp`;
  if (sut === "pequod") {
    const media = { outerMedia: "srtp", innerMedia: "rtp" } as const;
    return await startPequod({
      ...{ name, addresses: place, identity, sip: "tls", ...media },
      isRealTime: false,
      isXmpp: true,
    });
  }
  writeFileSync(join(FOLDER, `${name}.pem`), identity.certificatePem + identity.keyPem);
  writeFileSync(
    join(FOLDER, `${name}.cfg`),
    `global
  maxconn 9000
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend clients
  bind ${place.outer}:${PORT} ssl crt ${IN_TREE}/${name}.pem
  default_backend instance
backend instance
  server one ${place.instance}:${PORT}
`,
  );
  const argv = ["haproxy", "-db", "-f", `${IN_TREE}/${name}.cfg`];
  return start(argv, { name, core: "test", isRealTime: false, isPeer: true });
}

function isOpen(place: Addresses): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(PORT, place.outer, () => resolve(true));
    socket.on("connect", () => socket.destroy()).on("error", () => resolve(false));
  });
}

async function signIn(place: Addresses, count: number): Promise<tls.TLSSocket[]> {
  const clients: tls.TLSSocket[] = [];
  const some = async (): Promise<void> => {
    while (clients.length < count) {
      const from = { localAddress: place.phone }; // Bun's types of tls.connect leave it out
      const to = { host: place.outer, port: PORT, rejectUnauthorized: false };
      const socket = tls.connect({ ...to, ...from });
      clients.push(socket);
      socket.on("error", () => {});
      await new Promise((resolve) => socket.once("secureConnect", resolve));
      socket.write(OPENING);
      await new Promise((resolve) => socket.once("data", resolve));
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, some));
  return clients;
}

async function flood(socket: tls.TLSSocket, pids: readonly number[], mib: number) {
  const cpuBefore = cpuSeconds(pids);
  const startedMs = performance.now();
  let left = mib << 20;
  const all = new Promise<void>((resolve) => {
    socket.on("data", (bytes: Buffer) => {
      left -= bytes.length;
      if (left <= 0) resolve();
    });
  });
  socket.write("<go/>");
  await all;
  const seconds = (performance.now() - startedMs) / 1000;
  const cpuPerGib = ((cpuSeconds(pids) - cpuBefore) * 1024) / mib;
  return { mibPerSecond: mib / seconds, cpuPerGib };
}
