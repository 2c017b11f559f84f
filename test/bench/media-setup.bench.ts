/**
 * What a call's media costs to set up and end, all threads together: an offer and its answer through a session
 * on the loop engine, SRTP outside and RTP inside, real sockets.
 */
import { systemClock } from "../../src/io/clock.ts";
import { startThread } from "../../src/io/threads.ts";
import type { Log } from "../../src/io/types.ts";
import { realWorld } from "../../src/io/world.ts";
import { LoopEngine } from "../../src/media/loop-engine.ts";
import { MediaSessions } from "../../src/media/media-sessions.ts";
import { MEDIA_OPTIONS, sdpOf, sessionRequest } from "../flows/media-ends.ts";

const CALLS = 2000;
const AT_ONCE = 50;
const LOOPBACK = "127.0.0.1";
const KEY = Buffer.alloc(30, 7).toString("base64");
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => quiet };

const engine = await LoopEngine.start({
  startThread: (events) =>
    startThread(new URL("../../src/media-worker.ts", import.meta.url), events),
  threads: 1,
  streamsMax: 4 * AT_ONCE,
  trafficClass: 0xb8,
  clock: systemClock,
  relay: { packetsPerSecond: 1000, maxSsrcs: 16 },
  log: quiet,
  count() {},
});
const sessions = new MediaSessions({
  engine,
  clock: systemClock,
  random: realWorld.random,
  log: quiet,
  count() {},
  options: {
    ...MEDIA_OPTIONS,
    ...{ outerAddress: LOOPBACK, innerAddress: LOOPBACK, portRestMs: 0 },
    ...{ outerPorts: { from: 20_000, to: 24_999 }, innerPorts: { from: 25_000, to: 29_999 } },
  },
  onSilent() {},
});

const secured = [`a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${KEY}`];
const offer = sdpOf({ address: LOOPBACK, port: 4000, proto: "RTP/SAVP", lines: secured });
const answer = sdpOf({ address: LOOPBACK, port: 4002 });

async function call(): Promise<void> {
  const session = sessions.create(
    sessionRequest({
      outer: { bindAddress: LOOPBACK, advertise: LOOPBACK, signallingAddress: LOOPBACK },
      inner: { bindAddress: LOOPBACK, addresses: [LOOPBACK] },
    }),
  );
  const offered = await session.offer("outer", offer);
  const answered = session.answer("inner", answer, { branch: "a", final: true });
  if (!offered.ok || !answered.ok) throw new Error(`refused: ${JSON.stringify(offered)}`);
  await new Promise((resolve) => setImmediate(resolve));
  session.release();
}

async function measure(calls: number): Promise<number> {
  const before = process.cpuUsage();
  for (let at = 0; at < calls; at += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, call));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / calls;
}

await measure(CALLS);
const cpuMs = Math.round((await measure(CALLS)) * 1000) / 1000;
console.log(JSON.stringify({ bench: "media-setup", calls: CALLS, cpuMs }));
sessions.close();
