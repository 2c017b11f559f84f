/**
 * How long the loop that carries SIP is held up while media runs: a phone's keep-alive (CRLF CRLF over TLS) is
 * answered by that loop at once, so the time of its answer is the stall and a little more.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Identity } from "../../src/io/types.ts";
import { realWorld } from "../../src/io/world.ts";
import { type Addresses, addresses } from "./pequod.ts";
import { placeCalls } from "./relay-calls.ts";
import { row, tell } from "./report.ts";
import { RtpLoad } from "./rtp-load.ts";

const CALLS = 200;
const PACKETS_PER_SECOND = 20_000;
const PING_MS = 5;
const KEEP_ALIVE = Buffer.from("\r\n\r\n");

export async function stallBench(identity: Identity, seconds: number): Promise<void> {
  const place = addresses(66);
  const name = "pequod-stall";
  const calls = await placeCalls({
    ...{ name, mode: "srtp-rtp", addresses: place, count: CALLS, identity },
    mediaEngine: "loop",
  });
  const load = await RtpLoad.start(name, calls.sessions, [calls.pequod.pid]);
  await load.probe(PACKETS_PER_SECOND, 2);
  const [probe, answers] = await Promise.all([
    load.probe(PACKETS_PER_SECOND, seconds),
    pingFor(place, seconds * 1000),
  ]);
  const at = (share: number): number =>
    Math.round((answers[Math.floor(share * (answers.length - 1))] ?? 0) * 100) / 100;
  const figures = { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
  tell("stall", { pings: answers.length, ...figures, media: probe });
  row(
    `stall of the SIP loop, ${PACKETS_PER_SECOND} SRTP packets/s, p99`,
    "ms",
    figures.p99Ms,
    null,
  );
  await load.stop();
  await calls.stop();
}

/** Milliseconds that each answer took, in order of size. */
async function pingFor(place: Addresses, durationMs: number): Promise<number[]> {
  const answers: number[] = [];
  let answered: (() => void) | null = null;
  const connection = await realWorld.connectStream({
    local: { address: place.phone },
    remote: { address: place.outer, port: 5061 },
    tls: { serverName: place.outer, verify: false, caPem: null },
    timeoutMs: 5000,
    events: { data: () => answered?.(), closed() {} },
  });
  const end = performance.now() + durationMs;
  while (performance.now() < end) {
    const sentAt = performance.now();
    await new Promise<void>((resolve) => {
      answered = resolve;
      connection.write(KEEP_ALIVE);
    });
    answers.push(performance.now() - sentAt);
    await delay(PING_MS);
  }
  connection.destroy();
  return answers.sort((a, b) => a - b);
}
