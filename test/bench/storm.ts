/**
 * After a power cut: 10,000 phones connect at once, each over a new TLS connection, and register. Every one of
 * them must be served; what it takes is the proxy's core, for the handshakes.
 */
import type { Identity } from "../../src/io/types.ts";
import { realWorld } from "../../src/io/world.ts";
import { onRealSockets } from "../peers/outside.ts";
import { TelephoneSystem } from "../peers/telephone-system.ts";
import { cpuSeconds, memoryOf } from "./cost.ts";
import { type Addresses, addresses, INSTANCE, startPequod, statusOf } from "./pequod.ts";
import { row, tell } from "./report.ts";

/** They come from several addresses, since one has no more ports than 28,000. */
const SOURCES = 4;
const NAME = "pequod-storm";
const PATIENCE_MS = 120_000;

export async function stormBench(identity: Identity, phones: number): Promise<void> {
  const place = addresses(64);
  const media = { outerMedia: "srtp", innerMedia: "rtp", isRealTime: false } as const;
  const pequod = await startPequod({
    ...{ name: NAME, addresses: place, identity, sip: "tls", ...media },
  });
  const system = new TelephoneSystem(onRealSockets(realWorld), {
    name: INSTANCE,
    address: place.instance,
  });
  await system.opens();
  system.registersPhones();
  const pids = [pequod.pid];
  const idle = memoryOf(pids);
  const cpuBefore = cpuSeconds(pids);
  const start = performance.now();
  const answers = await Promise.all(
    Array.from({ length: phones }, (_, at) => registerOne(place, at)),
  );
  const seconds = Math.round(performance.now() - start) / 1000;
  const served = answers.filter((answer) => answer === 200).length;
  const cpuMs = Math.round(((cpuSeconds(pids) - cpuBefore) * 1e5) / phones) / 100;
  const held = memoryOf(pids);
  const { drops } = (await statusOf(NAME)) as { drops: object };
  tell("storm", { phones, served, seconds, cpuMs, idle, held, drops });
  row(`${phones} phones at once, a TLS connection each: served`, "", served, null);
  row("the last of them was served after", "s", seconds, null);
  row("CPU of one of them", "ms", cpuMs, null);
  system.close();
  await pequod.stop();
}

/** The status of the answer; 0 when none came. The connection stays open, as a phone's does. */
async function registerOne(place: Addresses, at: number): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const late = setTimeout(() => resolve(0), PATIENCE_MS);
  const address = place.phone.replace(/\d+$/, (host) => String(Number(host) * 10 + (at % SOURCES)));
  try {
    const connection = await realWorld.connectStream({
      local: { address },
      remote: { address: place.outer, port: 5061 },
      tls: { serverName: place.outer, verify: false, caPem: null },
      timeoutMs: PATIENCE_MS,
      events: {
        data: (bytes) => {
          const status = /^SIP\/2\.0 ([2-6]\d\d)/.exec(Buffer.from(bytes).toString("latin1"))?.[1];
          if (status !== undefined) resolve(Number(status));
        },
        closed: () => resolve(0),
      },
    });
    connection.write(Buffer.from(register(address, connection.local.port, at)));
  } catch {
    resolve(0);
  }
  return await promise.finally(() => clearTimeout(late));
}

function register(address: string, port: number, at: number): string {
  const user = `<sip:${10_000 + at}@${INSTANCE}>`;
  return [
    `REGISTER sip:${INSTANCE} SIP/2.0`,
    `Via: SIP/2.0/TLS ${address}:${port};branch=z9hG4bK-storm-${at};rport`,
    "Max-Forwards: 70",
    `From: ${user};tag=storm-${at}`,
    `To: ${user}`,
    `Call-ID: storm-${at}@${address}`,
    "CSeq: 1 REGISTER",
    `Contact: <sip:${10_000 + at}@${address}:${port};transport=tls>`,
    "Expires: 3600",
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n");
}
