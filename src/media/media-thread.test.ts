/** What the control side does when a media thread dies, hangs, or cannot take a stream. */
import { afterEach, expect, test } from "bun:test";
import { fstatSync } from "node:fs";
import {
  call,
  closeAll,
  closers,
  counted,
  drop,
  key,
  LOOP_OPTIONS,
  LOOPBACK,
  openAnywhere,
  openLoose,
  POISON,
  quiet,
  SCRIPT,
  seal,
  told,
} from "../../test/flows/engine-ends.ts";
import { rtpPacket } from "../../test/flows/media-ends.ts";
import { systemClock } from "../io/clock.ts";
import { addressOf, libc } from "../io/libc.ts";
import { closePacketSocket, openPacketSocket } from "../io/packet-sockets.ts";
import { SOCKET_ADDRESS_BYTES, writeSocketAddress } from "../io/socket-address.ts";
import { startThread, type Thread, type ThreadEvents } from "../io/threads.ts";
import type { Clock, Log } from "../io/types.ts";
import { SrtpContext } from "../rtp/srtp-context.ts";
import { LoopEngine } from "./loop-engine.ts";
import type { PairFds, ToThread } from "./thread-messages.ts";

afterEach(closeAll);

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
    ...LOOP_OPTIONS,
    startThread: (listeners) => {
      const thread = startThread(SCRIPT, listeners);
      threads.push(thread);
      return thread;
    },
    threads: 1,
    log,
    count: (reason) => void events.push(reason),
  });
  closers.push(() => engine.stop());
  const { handle, outer, inner, phone, instance, settings } = await call(engine, {
    inbound: key(1),
    outbound: key(2),
  });
  const sender = new SrtpContext(key(1));
  const first = seal(sender, 10);
  phone.send(first, outer);
  expect(await instance.next()).toEqual(rtpPacket(10));
  phone.send(first, outer);
  await counted(engine, handle, "outer", { packets: 1 });
  await drop(engine, "replay", 1);
  threads[0]!.post([POISON]);
  engine.configure(handle, "inner", settings.inner); // wakes it
  while (threads.length < 2) await new Promise((resolve) => setImmediate(resolve));
  expect(events).toEqual(["media-thread-ended", "media-thread-ended"]);
  expect(reasons).toEqual([expect.stringContaining("TypeError")]);
  phone.send(first, outer);
  phone.send(seal(sender, 11), outer);
  expect(await instance.next()).toEqual(rtpPacket(11));
  // Both count on from what they were.
  await drop(engine, "replay", 2);
  await counted(engine, handle, "outer", { packets: 2 });
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
  const { handle, outer, phone, instance, settings } = await call(engine, {
    inbound: key(1),
    outbound: key(2),
  });
  const sender = new SrtpContext(key(1));
  const first = seal(sender, 10);
  phone.send(first, outer);
  expect(await instance.next()).toEqual(rtpPacket(10));
  await counted(engine, handle, "outer", { packets: 1 });
  threads[0]!.post([POISON]);
  engine.configure(handle, "inner", settings.inner); // wakes it
  while (threads.length < 3) await new Promise((resolve) => setImmediate(resolve));
  phone.send(first, outer);
  phone.send(seal(sender, 11), outer);
  expect(await instance.next()).toEqual(rtpPacket(11));
});

test("a stream whose sockets cannot be watched is given up alone, and said", async () => {
  const events: string[] = [];
  let isBroken = true;
  const engine = await LoopEngine.start({
    ...LOOP_OPTIONS,
    threads: 1,
    log: { ...quiet, error: (event) => void events.push(event) },
    count: (reason) => void events.push(reason),
    startThread: (listeners) => {
      const thread = startThread(SCRIPT, listeners);
      return {
        ...thread,
        post: (messages) =>
          thread.post(isBroken ? (messages as ToThread[]).map(withoutRtcpPort) : messages),
      };
    },
  });
  closers.push(() => engine.stop());
  const { handle } = await openAnywhere(engine);
  while (engine.counters(handle) !== null) await new Promise((resolve) => setImmediate(resolve));
  expect(events).toEqual(["media-stream-unwatched", "media-stream-unwatched"]);
  engine.close(handle);
  isBroken = false;
  const { outer, phone, instance } = await call(engine);
  phone.send(rtpPacket(1), outer);
  expect(await instance.next()).toEqual(rtpPacket(1));
});

/** The last of its four sockets is none. */
function withoutRtcpPort(message: ToThread): ToThread {
  if (message.do !== "open") return message;
  const inner = { ...message.fds.inner, rtcp: -1 };
  return { ...message, fds: { ...message.fds, inner } };
}

/** What is looked at each second is looked at four times as often. */
const FAST: Clock = {
  now: systemClock.now,
  after: (ms, fire) => systemClock.after(ms === 1000 ? ms / 4 : ms, fire),
};

/** The real script, in a thread that falls into an endless loop when it is told to. */
function startThreadThatMayHang(events: ThreadEvents): Thread {
  const script = `
    import ${JSON.stringify(SCRIPT.href)};
    const take = self.onmessage;
    self.onmessage = (event) => {
      while (event.data === "hang");
      take(event);
    };`;
  const file = new File([script], "hangs.ts", { type: "text/typescript" });
  return startThread(URL.createObjectURL(file), events);
}

test("a thread that hangs is ended and started again: its calls go on", async () => {
  const threads: Thread[] = [];
  const events: string[] = [];
  const engine = await LoopEngine.start({
    ...LOOP_OPTIONS,
    threads: 1,
    clock: FAST,
    log: { ...quiet, error: (event) => void events.push(event) },
    count: (reason) => void events.push(reason),
    startThread: (listeners) => {
      const thread = startThreadThatMayHang(listeners);
      threads.push(thread);
      return thread;
    },
  });
  closers.push(() => engine.stop());
  const { handle, outer, phone, instance, settings } = await call(engine);
  phone.send(rtpPacket(1), outer);
  expect(await instance.next()).toEqual(rtpPacket(1));
  threads[0]!.post("hang");
  engine.configure(handle, "inner", settings.inner); // wakes it
  while (threads.length < 2) await new Promise((resolve) => setImmediate(resolve));
  expect(events).toEqual(["media-thread-hung", "media-thread-hung"]);
  phone.send(rtpPacket(2), outer);
  expect(await instance.next()).toEqual(rtpPacket(2));
});

test("a thread that cannot even be ended is left behind, and ends when it comes to itself", async () => {
  const timers: (() => void)[] = [];
  const clock: Clock = {
    now: () => 0,
    after: (_ms, fire) => {
      timers.push(fire);
      return { cancel: () => void timers.splice(timers.indexOf(fire), 1) };
    },
  };
  const owners: { readonly memory: SharedArrayBuffer; readonly owner: number }[] = [];
  const engine = LoopEngine.start({
    ...LOOP_OPTIONS,
    threads: 1,
    clock,
    startThread: (events) => {
      queueMicrotask(() => events.message({ did: "start", wakeFd: -1, ownFds: [] }));
      return {
        post: (messages) => {
          for (const message of messages as ToThread[]) {
            if (message.do === "start") owners.push(message);
          }
        },
        end() {},
      };
    },
  });
  const runs = await engine;
  for (let looks = 0; looks < 20 && owners.length < 2; looks++)
    for (const fire of timers.splice(0)) fire();
  const [first, second] = owners;
  const now = new Int32Array(first!.memory)[1];
  expect(now).toBe(second!.owner);
  expect(now).not.toBe(first!.owner);
  runs.stop();
});

test("a thread that is not the owner of its streams any more ends by itself", async () => {
  let memory: SharedArrayBuffer | null = null;
  const reasons: unknown[] = [];
  const engine = await LoopEngine.start({
    ...LOOP_OPTIONS,
    threads: 1,
    log: { ...quiet, error: (_event, fields) => void reasons.push(fields?.["reason"]) },
    startThread: (events) => {
      const thread = startThread(SCRIPT, events);
      return {
        ...thread,
        post: (messages) => {
          for (const one of messages as ToThread[]) if (one.do === "start") memory = one.memory;
          thread.post(messages);
        },
      };
    },
  });
  closers.push(() => engine.stop());
  Atomics.add(new Int32Array(memory!), 1, 1);
  while (reasons.length === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(reasons).toEqual([expect.stringContaining("this thread was given up")]);
});

/** A bare socket; its port is tried for, since the kernel does not tell which one 0 became. */
function openSomewhere(): { readonly fd: number; readonly port: number } {
  for (let port = 21_000; ; port++) {
    try {
      const options = { trafficClass: 0, receiveBufferBytes: null };
      const fd = openPacketSocket({ address: LOOPBACK, port }, options);
      closers.push(() => closePacketSocket(fd));
      return { fd, port };
    } catch (error) {
      if (port > 29_000) throw error;
    }
  }
}

/** Sends on one socket and hears on another, and never gives way to this thread's own loop meanwhile. */
function passes(from: number, to: number, port: number): boolean {
  const place = new Uint8Array(new ArrayBuffer(SOCKET_ADDRESS_BYTES));
  const placeBytes = writeSocketAddress(place, 0, LOOPBACK, port);
  const sent = rtpPacket(1);
  const heard = new Uint8Array(new ArrayBuffer(2048));
  libc().sendto(from, addressOf(sent), sent.length, 0, addressOf(place), placeBytes);
  const end = performance.now() + 10_000;
  let received = -1;
  while (received < 0 && performance.now() < end) {
    received = libc().recvfrom(to, addressOf(heard), heard.length, 0, 0, 0);
  }
  return Buffer.compare(heard.subarray(0, Math.max(0, received)), sent) === 0;
}

test("a burst of SIP, however long it keeps its thread busy, delays no packet", async () => {
  const engine = await LoopEngine.start({ ...LOOP_OPTIONS, threads: 1 });
  closers.push(() => engine.stop());
  const { outer, inner, handle, settings } = await call(engine);
  const [phone, instance] = [openSomewhere(), openSomewhere()];
  const towards = ({ port }: { port: number }) => {
    const place = { address: LOOPBACK, port };
    return { signalled: place, early: place };
  };
  engine.configure(handle, "outer", { ...settings.outer, ...towards(phone) });
  engine.configure(handle, "inner", { ...settings.inner, ...towards(instance) });
  await told();
  expect(passes(phone.fd, instance.fd, outer)).toBe(true);
  expect(passes(instance.fd, phone.fd, inner)).toBe(true);
});
