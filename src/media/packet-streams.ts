/**
 * The streams of one media thread: takes the control side's messages, and between them relays packets in the
 * packet loop. Nothing here waits or allocates a packet; relay.ts decides about every one of them.
 */
import type { LoopSocket, PacketLoop } from "../io/packet-loop.ts";
import { DROP } from "./counters.ts";
import type { StreamHandle } from "./engine.ts";
import { Relay, type RelayOptions } from "./relay.ts";
import { type RelayLeg, RelayStream } from "./relay-leg.ts";
import type { StreamSlab } from "./stream-slab.ts";
import type { FromThread, PairFds, ToThread } from "./thread-messages.ts";

const TICK_MS = 100;
/** Each stream is told outside so often, */
const PUBLISH_MS = 200;
/** and a few of them at a time, so that no packet waits for the numbers of thousands. */
const PUBLISH_STEP_MS = 5;

/** What a socket is for, and where what comes in on it goes out: RTCP may come and go at either port. */
export type PacketPort = {
  readonly leg: RelayLeg;
  readonly isRtcp: boolean;
  far: LoopSocket<PacketPort> | null;
  farRtcp: LoopSocket<PacketPort> | null;
};

type PairOfSockets = readonly [rtp: LoopSocket<PacketPort>, rtcp: LoopSocket<PacketPort>];

type Stream = {
  readonly slot: number;
  /** Its place in the list of those that are told. */
  at: number;
  readonly relay: RelayStream;
  readonly sockets: readonly LoopSocket<PacketPort>[];
};

export class PacketStreams {
  readonly #loop: PacketLoop<PacketPort>;
  readonly #relay: Relay;
  readonly #slab: StreamSlab;
  readonly #owner: number;
  readonly #nowMs: () => number;
  readonly #elapsedMs: () => number;
  readonly #streams = new Map<StreamHandle, Stream>();
  readonly #told: Stream[] = [];
  #nextTold = 0;
  #tickedMs = -Infinity;
  #publishedMs = -Infinity;

  constructor(o: {
    loop: PacketLoop<PacketPort>;
    relay: RelayOptions;
    slab: StreamSlab;
    /** Its number in the slab while it may go on. */
    owner: number;
    nowMs: () => number;
    /** For differences; read once a turn. */
    elapsedMs: () => number;
  }) {
    this.#loop = o.loop;
    this.#relay = new Relay(o.relay);
    this.#slab = o.slab;
    this.#owner = o.owner;
    this.#nowMs = o.nowMs;
    this.#elapsedMs = o.elapsedMs;
  }

  /** The answer, null = none. */
  take(messages: readonly ToThread[]): FromThread | null {
    const handles: StreamHandle[] = [];
    const failed: StreamHandle[] = [];
    for (const message of messages) {
      if (message.do === "open") {
        if (!this.#open(message)) failed.push(message.handle);
      } else if (message.do === "configure") this.#configure(message);
      else if (message.do === "close") {
        this.#close(message.handle);
        handles.push(message.handle);
      }
    }
    return handles.length + failed.length === 0 ? null : { did: "close", handles, failed };
  }

  /**
   * Relays what has come and what comes within `timeoutMs`. False = somebody woke the loop: there are messages.
   * Throws when the control side has given this thread up and another one goes on.
   */
  turn(timeoutMs: number): boolean {
    this.#relay.arrivalMs = -1;
    const isAlone = this.#loop.turn(timeoutMs, this.#ready, this.#unsent);
    if (this.#slab.owner !== this.#owner) throw new Error("this thread was given up");
    this.#slab.countTurn();
    this.#keepTime();
    return isAlone;
  }

  /** As many streams as are due after that time. */
  #publish(passedMs: number): void {
    const all = this.#told;
    const due = Math.min(all.length, Math.ceil((all.length * passedMs) / PUBLISH_MS));
    for (let i = 0; i < due; i++) {
      if (this.#nextTold >= all.length) this.#nextTold = 0;
      const { slot, relay } = all[this.#nextTold++]!;
      this.#slab.write(slot, relay);
    }
    this.#slab.drops.set(this.#relay.drops);
  }

  /** False: not all of its sockets can be watched, and now none is; the control side says so. */
  #open({ handle, slot, fds }: Extract<ToThread, { do: "open" }>): boolean {
    const relay = new RelayStream();
    const outer = this.#watchPair(relay.outer, fds.outer);
    const inner = outer === null ? null : this.#watchPair(relay.inner, fds.inner);
    if (outer === null || inner === null) {
      for (const socket of outer ?? []) this.#loop.forget(socket);
      return false;
    }
    join(outer, inner);
    join(inner, outer);
    const stream = { slot, at: this.#told.length, relay, sockets: [...outer, ...inner] };
    this.#streams.set(handle, stream);
    this.#told.push(stream);
    return true;
  }

  #watchPair(leg: RelayLeg, fds: PairFds): PairOfSockets | null {
    const rtp = this.#loop.watch(fds.rtp, { leg, isRtcp: false, far: null, farRtcp: null });
    const rtcp = this.#loop.watch(fds.rtcp, { leg, isRtcp: true, far: null, farRtcp: null });
    if (rtp !== null && rtcp !== null) return [rtp, rtcp];
    for (const socket of [rtp, rtcp]) if (socket !== null) this.#loop.forget(socket);
    return null;
  }

  #configure(o: Extract<ToThread, { do: "configure" }>): void {
    const stream = this.#streams.get(o.handle);
    if (stream === undefined) return;
    const leg = stream.relay[o.leg];
    this.#relay.tick(this.#nowMs());
    this.#relay.configure(leg, o.settings);
    if (o.positions !== null) {
      leg.inbound?.context.resume(o.positions.inbound);
      leg.outbound?.context.resume(o.positions.outbound);
    }
    // At once: the position of a former key would lock a successor out of this one.
    this.#slab.write(stream.slot, stream.relay);
  }

  #close(handle: StreamHandle): void {
    const stream = this.#streams.get(handle);
    if (stream === undefined) return;
    for (const socket of stream.sockets) this.#loop.forget(socket);
    this.#streams.delete(handle);
    const last = this.#told.pop()!;
    if (last === stream) return;
    this.#told[stream.at] = last;
    last.at = stream.at;
  }

  /** A fault of ours costs one packet, not the thread with all its calls; it is counted and shown. */
  readonly #ready = (socket: LoopSocket<PacketPort>): void => {
    const length = this.#loop.receive(socket);
    if (length < 0) return;
    if (this.#relay.arrivalMs < 0) this.#relay.arrivalMs = this.#elapsedMs();
    try {
      this.#packet(socket, length);
    } catch {
      this.#relay.drop(socket.owner.leg, DROP.fault);
    }
  };

  readonly #unsent = (from: LoopSocket<PacketPort>): void => {
    this.#relay.drop(from.owner.leg, DROP["send-failed"]);
  };

  #packet(socket: LoopSocket<PacketPort>, length: number): void {
    const { leg, isRtcp, far, farRtcp } = socket.owner;
    const { sourceAddress, sourcePort } = socket;
    const { packet } = this.#loop;
    const relay = this.#relay;
    const passed = isRtcp
      ? relay.receiveRtcp(leg, packet, length, sourceAddress, sourcePort)
      : relay.receiveRtp(leg, packet, length, sourceAddress, sourcePort);
    if (passed === 0 || far === null || farRtcp === null) return;
    const { isForRtcpPort } = relay;
    const { latch } = isForRtcpPort ? leg.peer.rtcp : leg.peer.rtp;
    const from = isForRtcpPort ? farRtcp : far;
    if (!this.#loop.send(from, passed, latch.targetAddress, latch.targetPort)) {
      relay.drop(leg.peer, DROP["send-failed"]);
    }
  }

  #keepTime(): void {
    const { arrivalMs } = this.#relay;
    const now = arrivalMs < 0 ? this.#elapsedMs() : arrivalMs;
    const passedMs = now - this.#publishedMs;
    if (passedMs >= PUBLISH_STEP_MS) {
      this.#publishedMs = now;
      this.#publish(passedMs);
    }
    if (now - this.#tickedMs < TICK_MS) return;
    this.#tickedMs = now;
    this.#relay.tick(this.#nowMs());
  }
}

function join(near: PairOfSockets, [rtp, rtcp]: PairOfSockets): void {
  for (const { owner } of near) {
    owner.far = rtp;
    owner.farRtcp = rtcp;
  }
}
