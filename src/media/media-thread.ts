/**
 * One media thread as the control side has it: its streams with everything that is needed to make them anew,
 * and the thread itself, which is started again when an error of its script has ended it. The sockets are held
 * here, so that ports, and packets that wait in them, outlive the thread.
 */
import { LOOP_SOCKETS_MAX } from "../io/packet-loop.ts";
import { closePacketSocket, wakePacketLoop } from "../io/packet-sockets.ts";
import type { StartThread, Thread } from "../io/threads.ts";
import type { Clock, Log, Timer } from "../io/types.ts";
import { addCounters, DROP_REASONS, type StreamCounters } from "./counters.ts";
import type { LegName, LegSettings, StreamHandle } from "./engine.ts";
import type { RelayOptions } from "./relay.ts";
import { StreamSlab } from "./stream-slab.ts";
import type { FromThread, PairFds, ToThread } from "./thread-messages.ts";
import { ThreadWatch } from "./thread-watch.ts";

/** A thread that dies at once shall not keep the processor busy with being born. */
const RESTART_MS = 1000;
/** To end a thread that hangs; one that cannot be ended is left behind. */
const GONE_MS = 2000;
/** Waking the thread costs more than what it is told: all that comes within this time goes at once. */
const GATHER_MS = 5;

const STREAM_SOCKETS = 4;

type Fds = Readonly<Record<LegName, PairFds>>;
type Held = {
  readonly slot: number;
  readonly fds: Fds;
  readonly settings: Record<LegName, LegSettings | null>;
  /** What it counted in threads that have died. */
  before: StreamCounters | null;
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
  readonly #watch: ThreadWatch;
  /** Drops in threads that have died. */
  readonly #dropsBefore = new Float64Array(DROP_REASONS.length);
  #thread: Thread | null = null;
  #wakeFd = -1;
  #ownFds: readonly number[] = [];
  #startedMs = 0;
  #hasStarted = false;
  #isStopped = false;
  #timer: Timer | null = null;
  #outbox: ToThread[] = [];
  #postTimer: Timer | null = null;
  /** A microtask will. */
  #isPosting = false;

  constructor(o: MediaThreadOptions) {
    this.#o = o;
    const slots = Math.min(o.streamsMax, LOOP_SOCKETS_MAX / STREAM_SOCKETS);
    this.#slab = StreamSlab.create(slots);
    this.#freeSlots = Array.from({ length: slots }, (_, at) => slots - 1 - at);
    this.#watch = new ThreadWatch({
      clock: o.clock,
      turns: () => this.#slab.turns,
      hung: () => this.#giveUp(),
    });
    this.#start();
  }

  /** Resolves when its packet loop runs for the first time; rejects with one line of why it cannot. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  get streams(): number {
    return this.#held.size;
  }

  /** Since the first thread began. */
  get drops(): Float64Array {
    return this.#dropsBefore.map((before, at) => before + this.#slab.drops[at]!);
  }

  /** False when it holds as many as it can. The sockets are its own from now on. */
  open(handle: StreamHandle, fds: Fds): boolean {
    const slot = this.#freeSlots.pop();
    if (slot === undefined) return false;
    this.#slab.clear(slot);
    this.#held.set(handle, { slot, fds, settings: { outer: null, inner: null }, before: null });
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
    if (held === undefined) return null;
    const now = this.#slab.read(held.slot);
    return held.before === null ? now : addCounters(held.before, now);
  }

  /** Ends the thread, and its descriptors after it: the kernel gives their numbers to others. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#watch.stop();
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
    const owner = ++this.#slab.owner;
    this.#post({ do: "start", memory: this.#slab.memory, owner, relay: this.#o.relay });
    this.#watch.begin({ isRunning: false });
  }

  #heard(message: FromThread): void {
    if (message.did === "start") {
      this.#wakeFd = message.wakeFd;
      this.#ownFds = message.ownFds;
      this.#wake();
      this.#hasStarted = true;
      this.#watch.begin({ isRunning: true });
      this.#started.resolve();
      return;
    }
    for (const handle of message.handles) {
      const held = this.#closing.get(handle);
      if (held !== undefined) this.#letGo(handle, held);
    }
    for (const handle of message.failed) this.#failed(handle);
  }

  /** Its call stays without a sound, and its ports closed: no peer shall believe that somebody listens. */
  #failed(handle: StreamHandle): void {
    const held = this.#held.get(handle);
    if (held === undefined) return;
    this.#held.delete(handle);
    this.#letGo(handle, held);
    this.#o.log.error("media-stream-unwatched", { streams: this.streams });
    this.#o.count("media-stream-unwatched");
  }

  #letGo(handle: StreamHandle, held: Held): void {
    this.#closing.delete(handle);
    closeAll(held.fds);
    this.#freeSlots.push(held.slot);
  }

  #ended(reason: string): void {
    if (!this.#hasStarted) {
      this.#forgetThread();
      return this.#started.reject(new Error(reason));
    }
    this.#o.log.error("media-thread-ended", { reason, streams: this.streams });
    this.#o.count("media-thread-ended");
    for (const fd of this.#ownFds) closePacketSocket(fd);
    this.#forgetThread();
    this.#succeed();
  }

  /** It hangs. Whatever it does when it comes to itself, it finds that it is not the owner any more. */
  #giveUp(): void {
    this.#o.log.error("media-thread-hung", { streams: this.streams });
    this.#o.count("media-thread-hung");
    const [thread, ownFds] = [this.#thread, this.#ownFds];
    this.#slab.owner++;
    this.#wake();
    this.#forgetThread();
    let isSucceeded = false;
    const succeed = (): void => {
      if (isSucceeded || this.#isStopped) return;
      isSucceeded = true;
      this.#timer?.cancel();
      this.#succeed();
    };
    this.#timer = this.#o.clock.after(GONE_MS, succeed);
    thread?.end(() => {
      for (const fd of ownFds) closePacketSocket(fd);
      succeed();
    });
  }

  #forgetThread(): void {
    this.#watch.stop();
    this.#thread = null;
    this.#ownFds = [];
    this.#wakeFd = -1;
    this.#forgetPosts();
  }

  /** Its calls go on in the next one, after a packet or two. */
  #succeed(): void {
    for (const [handle, held] of this.#closing) this.#letGo(handle, held);
    this.#dropsBefore.set(this.drops);
    this.#slab.drops.fill(0);
    for (const [handle, held] of this.#held) {
      held.before = this.counters(handle);
      this.#slab.clearCounts(held.slot);
    }
    const waitMs = Math.max(0, this.#startedMs + RESTART_MS - this.#o.clock.now());
    this.#timer = this.#o.clock.after(waitMs, () => this.#startAgain());
  }

  #startAgain(): void {
    this.#timer = null;
    this.#start();
    // The slab still says where the last thread was: the new one writes there once it has these messages.
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
