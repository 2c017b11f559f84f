/** What every media engine does alike, on real sockets of the loopback interface. */
import { afterEach, describe, expect, test } from "bun:test";
import { fstatSync } from "node:fs";
import { rtcpPacket, rtpPacket } from "../../test/flows/media-ends.ts";
import { systemClock } from "../io/clock.ts";
import { openPacketSocket } from "../io/packet-sockets.ts";
import { startThread, type Thread, type ThreadEvents } from "../io/threads.ts";
import type { Log } from "../io/types.ts";
import { openDatagrams } from "../io/udp.ts";
import { SrtpContext } from "../rtp/srtp-context.ts";
import { type MediaEngine, PortTaken, type StreamHandle } from "./engine.ts";
import { innerSettings, type LegKeys, outerSettings } from "./leg-settings.ts";
import { LoopEngine } from "./loop-engine.ts";
import { NativeEngine } from "./native-engine.ts";
import type { PairFds } from "./thread-messages.ts";

const RELAY = { packetsPerSecond: 1000, maxSsrcs: 16 };
const LOOPBACK = "127.0.0.1";
const PLAIN: LegKeys = { inbound: null, outbound: null };
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => quiet };
const SCRIPT = new URL("../media-worker.ts", import.meta.url);

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const LOOP_OPTIONS = {
  startThread: (events: ThreadEvents) => startThread(SCRIPT, events),
  streamsMax: 64,
  clock: systemClock,
  relay: RELAY,
  log: quiet,
  count() {},
};
/** No thread survives it: such a socket cannot be watched. */
const POISON = {
  do: "open",
  handle: 0,
  slot: 63,
  fds: { outer: { rtp: -1, rtcp: -1 }, inner: { rtp: -1, rtcp: -1 } },
};

const engines: Record<string, () => Promise<MediaEngine>> = {
  native: async () => new NativeEngine({ clock: systemClock, openDatagrams, relay: RELAY }),
  loop: () => LoopEngine.start({ ...LOOP_OPTIONS, threads: 2 }),
};

function remote(port: number, rtcpPort = port + 1) {
  return {
    address: LOOPBACK,
    rtpPort: port,
    rtcpPort,
    rtcpAddress: null,
    carries: "rtp",
    isHeld: false,
    direction: "sendrecv",
  } as const;
}

/** A real socket whose packets can be waited for, in order. */
async function peer(port = 0) {
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
async function openAnywhere(engine: MediaEngine) {
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

/** Any descriptor. */
function openLoose(): number {
  return openPacketSocket(
    { address: LOOPBACK, port: 0 },
    { trafficClass: 0, receiveBufferBytes: null },
  );
}

/** A call between a phone and an instance on loopback. */
async function call(engine: MediaEngine, phoneKeys: LegKeys = PLAIN) {
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

const key = (fill: number) => ({
  suite: "AES_CM_128_HMAC_SHA1_80" as const,
  key: new Uint8Array(30).fill(fill),
  mki: new Uint8Array(0),
});

function seal(sender: SrtpContext, sequence: number): Uint8Array {
  const room = new Uint8Array(1500);
  const plain = rtpPacket(sequence);
  room.set(plain);
  return room.slice(0, sender.protect(room, plain.length));
}

/** Counters come from another thread a moment later: asks until they are so, or the test's time is over. */
async function counted(
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

const drop = async (engine: MediaEngine, reason: string, times: number): Promise<void> => {
  while ((engine.drops[reason] ?? 0) < times) await new Promise((resolve) => setImmediate(resolve));
  expect(engine.drops[reason]).toBe(times);
};

describe.each(Object.keys(engines))("%s", (name) => {
  async function start(): Promise<MediaEngine> {
    const engine = await engines[name]!();
    closers.push(() => engine.stop());
    return engine;
  }

  test("packets and reports go through both ways, are counted, and the ports are free after close", async () => {
    const engine = await start();
    const { handle, outer, inner, pairs, phone, instance, reports } = await call(engine);
    phone.send(rtpPacket(1), outer);
    expect(await instance.next()).toEqual(rtpPacket(1));
    instance.send(rtpPacket(2), inner);
    expect(await phone.next()).toEqual(rtpPacket(2));
    phone.send(rtcpPacket(), outer + 1);
    expect(await reports.next()).toEqual(rtcpPacket());
    const latched = { address: LOOPBACK, port: phone.port };
    await counted(engine, handle, "outer", { packets: 1, rtcpPackets: 1, latched });
    await counted(engine, handle, "inner", { packets: 1, rtcpPackets: 0 });
    engine.close(handle);
    expect(engine.counters(handle)).toBeNull();
    for (;;) {
      const again = await engine.open(pairs).catch((error: unknown) => error);
      if (typeof again === "number") break;
      expect(again).toBeInstanceOf(PortTaken);
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  test("RTCP on the port of RTP goes to two ports and back, a fax goes through as it is", async () => {
    const engine = await start();
    const { handle, outer, inner, phone, instance, reports, settings } = await call(engine);
    engine.configure(handle, "outer", { ...settings.outer, carries: "rtp-mux" });
    phone.send(rtcpPacket(), outer);
    expect(await reports.next()).toEqual(rtcpPacket());
    reports.send(rtcpPacket({ ssrc: 7 }), inner + 1);
    expect(await phone.next()).toEqual(rtcpPacket({ ssrc: 7 }));
    engine.configure(handle, "outer", { ...settings.outer, carries: "udptl" });
    engine.configure(handle, "inner", { ...settings.inner, carries: "udptl" });
    const fax = new Uint8Array([0x80, 200, 1, 6, 0, 0]);
    phone.send(fax, outer);
    expect(await instance.next()).toEqual(fax);
    instance.send(fax, inner);
    expect(await phone.next()).toEqual(fax);
  });

  test("many calls at once do not mix", async () => {
    const engine = await start();
    const calls = [];
    for (let at = 0; at < 8; at++) calls.push(await call(engine));
    for (const [at, { phone, outer }] of calls.entries()) phone.send(rtpPacket(at), outer);
    for (const [at, { instance }] of calls.entries()) {
      expect(await instance.next()).toEqual(rtpPacket(at));
    }
  });

  test("SRTP outside is taken off and put on, a wrong key is dropped and counted", async () => {
    const engine = await start();
    const { handle, outer, inner, phone, instance } = await call(engine, {
      inbound: key(1),
      outbound: key(2),
    });
    phone.send(seal(new SrtpContext(key(3)), 7), outer);
    await drop(engine, "auth", 1);
    phone.send(seal(new SrtpContext(key(1)), 8), outer);
    expect(await instance.next()).toEqual(rtpPacket(8));
    instance.send(rtpPacket(9), inner);
    const sealed = await phone.next();
    const length = new SrtpContext(key(2)).unprotect(sealed, sealed.length);
    expect(sealed.subarray(0, length)).toEqual(rtpPacket(9));
    await counted(engine, handle, "outer", { packets: 1 });
  });

  test("what is no packet, too long or from a stranger goes nowhere", async () => {
    const engine = await start();
    const { outer, phone, instance } = await call(engine);
    phone.send(rtpPacket(1), outer);
    expect(await instance.next()).toEqual(rtpPacket(1));
    phone.send(new Uint8Array(0), outer);
    phone.send(Buffer.from("hello, world!"), outer);
    await drop(engine, "not-rtp", 2);
    const long = new Uint8Array(1600);
    long.set(rtpPacket(2));
    phone.send(long, outer);
    await drop(engine, "oversize", 1);
    (await peer()).send(rtpPacket(3), outer);
    await drop(engine, "foreign-source", 1);
    phone.send(rtpPacket(4), outer);
    expect(await instance.next()).toEqual(rtpPacket(4));
  });

  test("a taken port names its leg and leaves nothing open", async () => {
    const engine = await start();
    const { pairs } = await openAnywhere(engine);
    const error = await engine.open(pairs).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PortTaken);
    expect((error as PortTaken).leg).toBe("outer");
  });

  test("an address that this machine has not is told as such", async () => {
    const engine = await start();
    const pairs = {
      outer: { address: "192.0.2.1", rtpPort: 30_000 },
      inner: { address: LOOPBACK, rtpPort: 30_000 },
    };
    expect(engine.open(pairs)).rejects.toThrow("the address is not on this machine");
  });
});

test("what a stopped engine had open is closed when its thread is gone, not before", async () => {
  const isOpen = (fd: number): boolean => {
    try {
      fstatSync(fd);
      return true;
    } catch {
      return false;
    }
  };
  const own = openLoose();
  const streamFds: number[] = [];
  let gone = (): void => expect.unreachable();
  const engine = await LoopEngine.start({
    ...LOOP_OPTIONS,
    startThread: (events) => {
      queueMicrotask(() => events.message({ did: "start", wakeFd: -1, ownFds: [own] }));
      return {
        post(messages) {
          for (const { do: what, fds } of messages as {
            do: string;
            fds: Record<string, PairFds>;
          }[]) {
            if (what !== "open") continue;
            for (const { rtp, rtcp } of Object.values(fds)) streamFds.push(rtp, rtcp);
          }
        },
        end(whenGone) {
          gone = whenGone;
        },
      };
    },
    threads: 1,
  });
  await openAnywhere(engine);
  while (streamFds.length < 4) await new Promise((resolve) => setImmediate(resolve));
  engine.stop();
  expect([own, ...streamFds].map(isOpen)).toEqual([true, true, true, true, true]);
  gone();
  expect([own, ...streamFds].map(isOpen)).toEqual([false, false, false, false, false]);
});

test("a thread that dies is started again: its calls go on, and nothing is taken twice", async () => {
  const threads: Thread[] = [];
  const events: string[] = [];
  const reasons: unknown[] = [];
  const log: Log = {
    ...quiet,
    error: (event, fields) => {
      events.push(event);
      reasons.push(fields?.["reason"]);
    },
  };
  const engine = await LoopEngine.start({
    startThread: (listeners) => {
      const thread = startThread(SCRIPT, listeners);
      threads.push(thread);
      return thread;
    },
    threads: 1,
    streamsMax: 64,
    clock: systemClock,
    relay: RELAY,
    log,
    count: (reason) => void events.push(reason),
  });
  closers.push(() => engine.stop());
  const { handle, outer, inner, phone, instance } = await call(engine, {
    inbound: key(1),
    outbound: key(2),
  });
  const sender = new SrtpContext(key(1));
  const first = seal(sender, 10);
  phone.send(first, outer);
  expect(await instance.next()).toEqual(rtpPacket(10));
  await counted(engine, handle, "outer", { packets: 1 });
  threads[0]!.post([POISON]);
  while (threads.length < 2) await new Promise((resolve) => setImmediate(resolve));
  expect(events).toEqual(["media-thread-ended", "media-thread-ended"]);
  expect(reasons).toEqual(["error: a media socket cannot be watched"]);
  phone.send(first, outer);
  phone.send(seal(sender, 11), outer);
  expect(await instance.next()).toEqual(rtpPacket(11));
  await drop(engine, "replay", 1);
  instance.send(rtpPacket(12), inner);
  const sealed = await phone.next();
  const length = new SrtpContext(key(2)).unprotect(sealed, sealed.length);
  expect(sealed.subarray(0, length)).toEqual(rtpPacket(12));
});

test("what SRTP has come to outlives a thread that dies before it has told anything", async () => {
  const threads: Thread[] = [];
  const engine = await LoopEngine.start({
    ...LOOP_OPTIONS,
    startThread: (listeners) => {
      const thread = startThread(SCRIPT, listeners);
      // With the first messages of the second thread comes one that it dies of.
      const isSecond = threads.push(thread) === 2;
      return {
        ...thread,
        post: (messages) => thread.post(isSecond ? [...(messages as unknown[]), POISON] : messages),
      };
    },
    threads: 1,
  });
  closers.push(() => engine.stop());
  const { handle, outer, phone, instance } = await call(engine, {
    inbound: key(1),
    outbound: key(2),
  });
  const sender = new SrtpContext(key(1));
  const first = seal(sender, 10);
  phone.send(first, outer);
  expect(await instance.next()).toEqual(rtpPacket(10));
  await counted(engine, handle, "outer", { packets: 1 });
  threads[0]!.post([POISON]);
  while (threads.length < 3) await new Promise((resolve) => setImmediate(resolve));
  phone.send(first, outer);
  phone.send(seal(sender, 11), outer);
  expect(await instance.next()).toEqual(rtpPacket(11));
});
