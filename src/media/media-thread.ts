/**
 * One media thread as the control side has it: its streams with everything that is needed to make them anew,
 * and the thread itself, which is started again when an error of its script has ended it. The sockets are held
 * here, so that ports, and packets that wait in them, outlive the thread.
 */
import { closePacketSocket, wakePacketLoop } from "../io/packet-sockets.ts";
import type { StartThread, Thread } from "../io/threads.ts";
import type { Clock, Log, Timer } from "../io/types.ts";
import type { StreamCounters } from "./counters.ts";
import type { LegName, LegSettings, StreamHandle } from "./engine.ts";
import type { RelayOptions } from "./relay.ts";
import { StreamSlab } from "./stream-slab.ts";
import type { FromThread, PairFds, ToThread } from "./thread-messages.ts";

/** A thread that dies at once shall not keep the processor busy with being born. */
const RESTART_MS = 1000;
/** Waking the thread costs more than what it is told: all that comes within this time goes at once. */
const GATHER_MS = 5;

type Fds = Readonly<Record<LegName, PairFds>>;
type Held = {
  readonly slot: number;
  readonly fds: Fds;
  readonly settings: Record<LegName, LegSettings | null>;
};

export type MediaThreadOptions = {
  readonly startThread: StartThread;
  readonly relay: RelayOptions;
  readonly streamsMax: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly count: (reason: string) => void;
};

export class MediaThread {
  readonly #o: MediaThreadOptions;
  readonly #slab: StreamSlab;
  readonly #freeSlots: number[];
  readonly #held = new Map<StreamHandle, Held>();
  /** Closed, but the thread may still look at their sockets. */
  readonly #closing = new Map<StreamHandle, Held>();
  readonly #started = Promise.withResolvers<void>();
  #thread: Thread | null = null;
  #wakeFd = -1;
  #ownFds: readonly number[] = [];
  #startedMs = 0;
  #timer: Timer | null = null;
  #outbox: ToThread[] = [];
  #postTimer: Timer | null = null;
  /** A microtask will. */
  #isPosting = false;

  constructor(o: MediaThreadOptions) {
    this.#o = o;
    this.#slab = StreamSlab.create(o.streamsMax);
    this.#freeSlots = Array.from({ length: o.streamsMax }, (_, at) => o.streamsMax - 1 - at);
    this.#start();
  }

  /** Resolves when its packet loop runs for the first time. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  get streams(): number {
    return this.#held.size;
  }

  get drops(): Float64Array {
    return this.#slab.drops;
  }

  /** False when it holds as many as it can. The sockets are its own from now on. */
  open(handle: StreamHandle, fds: Fds): boolean {
    const slot = this.#freeSlots.pop();
    if (slot === undefined) return false;
    this.#slab.clear(slot);
    this.#held.set(handle, { slot, fds, settings: { outer: null, inner: null } });
    this.#post({ do: "open", handle, slot, fds });
    return true;
  }

  configure(handle: StreamHandle, leg: LegName, settings: LegSettings): void {
    const held = this.#held.get(handle);
    if (held === undefined) return;
    held.settings[leg] = settings;
    this.#post({ do: "configure", handle, leg, settings, positions: null });
  }

  /** The ports are free a moment later, when the thread has let go of them. */
  close(handle: StreamHandle): void {
    const held = this.#held.get(handle);
    if (held === undefined) return;
    this.#held.delete(handle);
    if (this.#thread === null) return this.#letGo(handle, held);
    this.#closing.set(handle, held);
    this.#post({ do: "close", handle });
  }

  counters(handle: StreamHandle): StreamCounters | null {
    const held = this.#held.get(handle);
    return held === undefined ? null : this.#slab.read(held.slot);
  }

  /** Ends the thread, and its descriptors after it: the kernel gives their numbers to others. */
  stop(): void {
    this.#timer?.cancel();
    this.#forgetPosts();
    const all = [...this.#held.values(), ...this.#closing.values()];
    const ownFds = this.#ownFds;
    const gone = (): void => {
      for (const { fds } of all) closeAll(fds);
      for (const fd of ownFds) closePacketSocket(fd);
    };
    this.#held.clear();
    this.#closing.clear();
    if (this.#thread === null) return gone();
    this.#thread.end(gone);
    this.#thread = null;
    this.#wake();
    this.#ownFds = [];
    this.#wakeFd = -1;
  }

  #start(): void {
    this.#startedMs = this.#o.clock.now();
    this.#thread = this.#o.startThread({
      message: (message) => this.#heard(message as FromThread),
      ended: (reason) => this.#ended(reason),
    });
    this.#post({ do: "start", memory: this.#slab.memory, relay: this.#o.relay });
  }

  #heard(message: FromThread): void {
    if (message.did === "start") {
      this.#wakeFd = message.wakeFd;
      this.#ownFds = message.ownFds;
      this.#wake();
      this.#started.resolve();
      return;
    }
    for (const handle of message.handles) {
      const held = this.#closing.get(handle);
      if (held !== undefined) this.#letGo(handle, held);
    }
  }

  #letGo(handle: StreamHandle, held: Held): void {
    this.#closing.delete(handle);
    closeAll(held.fds);
    this.#freeSlots.push(held.slot);
  }

  /** Its calls go on in the next one, after a packet or two. */
  #ended(reason: string): void {
    this.#o.log.error("media-thread-ended", { reason, streams: this.streams });
    this.#o.count("media-thread-ended");
    for (const fd of this.#ownFds) closePacketSocket(fd);
    this.#ownFds = [];
    this.#wakeFd = -1;
    this.#thread = null;
    this.#forgetPosts();
    for (const [handle, held] of this.#closing) this.#letGo(handle, held);
    const waitMs = Math.max(0, this.#startedMs + RESTART_MS - this.#o.clock.now());
    this.#timer = this.#o.clock.after(waitMs, () => this.#startAgain());
  }

  #startAgain(): void {
    this.#timer = null;
    this.#start();
    // The slab still says what the last thread told: the new one writes there once it has these messages.
    for (const [handle, { slot, fds, settings }] of this.#held) {
      this.#post({ do: "open", handle, slot, fds });
      for (const leg of ["outer", "inner"] as const) {
        const known = settings[leg];
        if (known === null) continue;
        const positions = this.#slab.positions(slot, leg);
        this.#post({ do: "configure", handle, leg, settings: known, positions });
      }
    }
  }

  /**
   * What an answer says goes at once, before the answer itself: the peer may send as soon as it has it. The rest
   * can wait; a packet that is earlier than its stream waits in the socket.
   */
  #post(message: ToThread): void {
    if (this.#thread === null) return;
    if (this.#outbox.push(message) === 1 && message.do !== "configure") {
      this.#postTimer = this.#o.clock.after(GATHER_MS, () => this.#postAll());
    } else if (message.do === "configure" && !this.#isPosting) {
      this.#isPosting = true;
      queueMicrotask(() => this.#postAll());
    }
  }

  #postAll(): void {
    if (this.#outbox.length === 0) return;
    const messages = this.#outbox;
    this.#forgetPosts();
    this.#thread?.post(messages);
    this.#wake();
  }

  #forgetPosts(): void {
    this.#postTimer?.cancel();
    this.#postTimer = null;
    this.#isPosting = false;
    this.#outbox = [];
  }

  #wake(): void {
    if (this.#wakeFd >= 0) wakePacketLoop(this.#wakeFd);
  }
}

function closeAll(fds: Fds): void {
  for (const { rtp, rtcp } of [fds.outer, fds.inner]) {
    closePacketSocket(rtp);
    closePacketSocket(rtcp);
  }
}
