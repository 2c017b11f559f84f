/**
 * The media engine on receive loops in threads (packet-loop.ts): a third cheaper a packet than the native one,
 * and deaf to what the rest of the process does. Linux only. Control side: makes the sockets, gives each stream
 * to the thread with the fewest. A stream stays with its thread.
 */
import {
  closePacketSocket,
  openPacketSocket,
  type PacketSocketOptions,
} from "../io/packet-sockets.ts";
import type { Clock, Endpoint } from "../io/types.ts";
import { DROP_REASONS, dropsByReason, type StreamCounters } from "./counters.ts";
import {
  isAddressMissing,
  type LegName,
  type LegSettings,
  type LocalPair,
  type MediaEngine,
  PortTaken,
  RECEIVE_BUFFER_BYTES,
  type StreamHandle,
} from "./engine.ts";
import { MediaThread, type MediaThreadOptions } from "./media-thread.ts";
import type { PairFds } from "./thread-messages.ts";

/** To start a thread and its packet loop. */
const START_MS = 5000;

export type LoopEngineOptions = MediaThreadOptions & {
  readonly threads: number;
  /** The whole byte: DSCP << 2. */
  readonly trafficClass: number;
};

export class LoopEngine implements MediaEngine {
  readonly name = "loop";
  readonly #threads: readonly MediaThread[];
  readonly #byHandle = new Map<StreamHandle, MediaThread>();
  readonly #trafficClass: number;
  #nextHandle: StreamHandle = 1;

  private constructor(threads: readonly MediaThread[], trafficClass: number) {
    this.#threads = threads;
    this.#trafficClass = trafficClass;
  }

  /** Resolves when all threads run. Rejects with one clear line, nothing left running. */
  static async start(o: LoopEngineOptions): Promise<LoopEngine> {
    const threads = Array.from({ length: o.threads }, () => new MediaThread(o));
    const engine = new LoopEngine(threads, o.trafficClass);
    try {
      await within(o.clock, START_MS, Promise.all(threads.map(({ started }) => started)));
      return engine;
    } catch (error) {
      engine.stop();
      throw error;
    }
  }

  get drops(): Record<string, number> {
    const sum = new Float64Array(DROP_REASONS.length);
    for (const { drops } of this.#threads) {
      for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + drops[i]!;
    }
    return dropsByReason(sum);
  }

  async open(pairs: Readonly<Record<LegName, LocalPair>>): Promise<StreamHandle> {
    const outer = openPair("outer", pairs.outer, this.#trafficClass);
    let inner: PairFds;
    try {
      inner = openPair("inner", pairs.inner, this.#trafficClass);
    } catch (error) {
      closePair(outer);
      throw error;
    }
    const thread = this.#threads.reduce((a, b) => (b.streams < a.streams ? b : a));
    const handle = this.#nextHandle++;
    if (!thread.open(handle, { outer, inner })) {
      closePair(outer);
      closePair(inner);
      throw new Error("no media thread takes more streams");
    }
    this.#byHandle.set(handle, thread);
    return handle;
  }

  configure(handle: StreamHandle, leg: LegName, settings: LegSettings): void {
    this.#byHandle.get(handle)?.configure(handle, leg, settings);
  }

  close(handle: StreamHandle): void {
    this.#byHandle.get(handle)?.close(handle);
    this.#byHandle.delete(handle);
  }

  counters(handle: StreamHandle): StreamCounters | null {
    return this.#byHandle.get(handle)?.counters(handle) ?? null;
  }

  stop(): void {
    for (const thread of this.#threads) thread.stop();
    this.#byHandle.clear();
  }
}

function openPair(leg: LegName, { address, rtpPort }: LocalPair, trafficClass: number): PairFds {
  const bound = { trafficClass, receiveBufferBytes: RECEIVE_BUFFER_BYTES };
  const rtp = bind(leg, { address, port: rtpPort }, bound);
  try {
    const rtcp = bind(leg, { address, port: rtpPort + 1 }, { ...bound, receiveBufferBytes: null });
    return { rtp, rtcp };
  } catch (error) {
    closePacketSocket(rtp);
    throw error;
  }
}

function bind(leg: LegName, local: Endpoint, options: PacketSocketOptions): number {
  try {
    return openPacketSocket(local, options);
  } catch (error) {
    throw isAddressMissing(error) ? error : new PortTaken(leg, error);
  }
}

function closePair({ rtp, rtcp }: PairFds): void {
  closePacketSocket(rtp);
  closePacketSocket(rtcp);
}

function within<T>(clock: Clock, ms: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => reject(new Error("a media thread did not start")));
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}
