/**
 * Both media engines on real sockets of the loopback interface, with a phone and an instance on sockets of their
 * own: for tests of what every engine does alike.
 */
import { expect } from "bun:test";
import { systemClock } from "../../src/io/clock.ts";
import { openPacketSocket } from "../../src/io/packet-sockets.ts";
import { startThread, type ThreadEvents } from "../../src/io/threads.ts";
import type { Log } from "../../src/io/types.ts";
import { openDatagrams } from "../../src/io/udp.ts";
import type { MediaEngine, StreamHandle } from "../../src/media/engine.ts";
import { innerSettings, type LegKeys, outerSettings } from "../../src/media/leg-settings.ts";
import { LoopEngine } from "../../src/media/loop-engine.ts";
import { NativeEngine } from "../../src/media/native-engine.ts";
import type { SrtpContext } from "../../src/rtp/srtp-context.ts";
import { rtpPacket } from "./media-ends.ts";

export const RELAY = { packetsPerSecond: 1000, maxSsrcs: 16 };
/** DSCP AF41, which is nobody's default. */
export const TRAFFIC_CLASS = 0x88;
export const LOOPBACK = "127.0.0.1";
export const PLAIN: LegKeys = { inbound: null, outbound: null };
export const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => quiet };
export const SCRIPT = new URL("../../src/media-worker.ts", import.meta.url);

export const closers: (() => void)[] = [];
/** After each test. */
export function closeAll(): void {
  for (const close of closers.splice(0)) close();
}

export const LOOP_OPTIONS = {
  startThread: (events: ThreadEvents) => startThread(SCRIPT, events),
  streamsMax: 64,
  clock: systemClock,
  relay: RELAY,
  trafficClass: TRAFFIC_CLASS,
  log: quiet,
  count() {},
};
/** A message that no thread survives. */
export const POISON = null;

export const engines: Record<string, () => Promise<MediaEngine>> = {
  native: async () =>
    new NativeEngine({
      clock: systemClock,
      openDatagrams,
      relay: RELAY,
      trafficClass: TRAFFIC_CLASS,
    }),
  loop: () => LoopEngine.start({ ...LOOP_OPTIONS, threads: 2 }),
};

export function remote(port: number, rtcpPort = port + 1) {
  return {
    address: LOOPBACK,
    rtpPort: port,
    rtcpPort,
    rtcpAddress: null,
    carries: "rtp",
    codecs: [{ payloadType: 0, name: "PCMU", clockRate: 8000 }],
    isHeld: false,
    direction: "sendrecv",
  } as const;
}

/** A real socket whose packets can be waited for, in order. */
export async function peer(port = 0) {
  const heard: Uint8Array[] = [];
  const waiting: ((packet: Uint8Array) => void)[] = [];
  const socket = await openDatagrams({
    local: { address: LOOPBACK, port },
    receive: (bytes) => {
      const next = waiting.shift();
      if (next === undefined) heard.push(new Uint8Array(bytes));
      else next(new Uint8Array(bytes));
    },
  });
  closers.push(() => socket.close());
  return {
    port: socket.local.port,
    send: (bytes: Uint8Array, to: number) => socket.send(bytes, LOOPBACK, to),
    next: (): Promise<Uint8Array> => {
      const first = heard.shift();
      return first === undefined
        ? new Promise((resolve) => waiting.push(resolve))
        : Promise.resolve(first);
    },
  };
}

/** An engine's stream on ports that nobody held at that moment. */
export async function openAnywhere(engine: MediaEngine) {
  for (;;) {
    const free = await Promise.all(
      [0, 0].map((port) => openDatagrams({ local: { address: LOOPBACK, port }, receive() {} })),
    );
    const [outer = 0, inner = 0] = free.map(({ local }) => local.port & ~1);
    for (const socket of free) socket.close();
    const pairs = {
      outer: { address: LOOPBACK, rtpPort: outer },
      inner: { address: LOOPBACK, rtpPort: inner },
    };
    const handle = await engine.open(pairs).catch(() => null);
    if (handle !== null) return { handle, outer, inner, pairs };
  }
}

/** A thread is told in a microtask, and what it is told comes before packets that are sent after it. */
export const told = (): Promise<void> => Promise.resolve();

/** Any descriptor. */
export function openLoose(): number {
  return openPacketSocket(
    { address: LOOPBACK, port: 0 },
    { trafficClass: 0, receiveBufferBytes: null },
  );
}

/** A call between a phone and an instance on loopback. */
export async function call(engine: MediaEngine, phoneKeys: LegKeys = PLAIN) {
  const stream = await openAnywhere(engine);
  const [phone, instance, reports] = [await peer(), await peer(), await peer()];
  const place = { bindAddress: LOOPBACK, signallingAddress: LOOPBACK, learnsAnySource: false };
  const outer = outerSettings({ ...place, forbiddenAddresses: [] }, remote(phone.port), phoneKeys);
  const allowed = { bindAddress: LOOPBACK, allowedNetworks: [LOOPBACK] };
  const inner = innerSettings(allowed, remote(instance.port, reports.port), PLAIN);
  engine.configure(stream.handle, "outer", outer);
  engine.configure(stream.handle, "inner", inner);
  return { ...stream, phone, instance, reports, settings: { outer, inner } };
}

export const key = (fill: number) => ({
  suite: "AES_CM_128_HMAC_SHA1_80" as const,
  key: new Uint8Array(30).fill(fill),
  mki: new Uint8Array(0),
});

export function seal(sender: SrtpContext, sequence: number): Uint8Array {
  const room = new Uint8Array(1500);
  const plain = rtpPacket(sequence);
  room.set(plain);
  return room.slice(0, sender.protect(room, plain.length));
}

/** Counters come from another thread a moment later: asks until they are so, or the test's time is over. */
export async function counted(
  engine: MediaEngine,
  handle: StreamHandle,
  leg: "outer" | "inner",
  wanted: object,
): Promise<void> {
  for (;;) {
    const view = engine.counters(handle)?.[leg];
    const isSo = Object.entries(wanted).every(([name, value]) =>
      Bun.deepEquals(view?.[name as keyof typeof view], value),
    );
    if (isSo) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export const drop = async (engine: MediaEngine, reason: string, times: number): Promise<void> => {
  while ((engine.drops[reason] ?? 0) < times) await new Promise((resolve) => setImmediate(resolve));
  expect(engine.drops[reason]).toBe(times);
};
