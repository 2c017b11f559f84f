/**
 * The streams of one media thread: takes the control side's messages, and between them relays packets in the
 * packet loop. Nothing here waits or allocates a packet; relay.ts decides about every one of them.
 */
import type { LoopSocket, PacketLoop } from "../io/packet-loop.ts";
import { DROP } from "./counters.ts";
import type { LegName, StreamHandle } from "./engine.ts";
import { Relay, type RelayOptions } from "./relay.ts";
import { type RelayLeg, RelayStream } from "./relay-leg.ts";
import type { StreamSlab } from "./stream-slab.ts";
import type { FromThread, PairFds, ToThread } from "./thread-messages.ts";

const TICK_MS = 100;
const PUBLISH_MS = 200;

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
  readonly relay: RelayStream;
  readonly sockets: readonly LoopSocket<PacketPort>[];
};

export class PacketStreams {
  readonly #loop: PacketLoop<PacketPort>;
  readonly #relay: Relay;
  readonly #slab: StreamSlab;
  readonly #nowMs: () => number;
  readonly #streams = new Map<StreamHandle, Stream>();
  #tickedMs = 0;
  #publishedMs = 0;

  constructor(o: {
    loop: PacketLoop<PacketPort>;
    relay: RelayOptions;
    slab: StreamSlab;
    nowMs: () => number;
  }) {
    this.#loop = o.loop;
    this.#relay = new Relay(o.relay);
    this.#slab = o.slab;
    this.#nowMs = o.nowMs;
  }

  /** The answer, null = none. */
  take(messages: readonly ToThread[]): FromThread | null {
    const handles: StreamHandle[] = [];
    for (const message of messages) {
      if (message.do === "open") this.#open(message);
      else if (message.do === "configure") this.#configure(message);
      else if (message.do === "close") {
        this.#close(message.handle);
        handles.push(message.handle);
      }
    }
    return handles.length === 0 ? null : { did: "close", handles };
  }

  /** Relays what has come and what comes within `timeoutMs`; returns early when somebody wakes the loop. */
  turn(timeoutMs: number): void {
    this.#loop.turn(timeoutMs, this.#ready);
    this.#keepTime();
  }

  /** For readers that cannot wait for the next turn. */
  publish(): void {
    for (const { slot, relay } of this.#streams.values()) this.#slab.write(slot, relay);
    this.#slab.drops.set(this.#relay.drops);
  }

  #open({ handle, slot, fds }: Extract<ToThread, { do: "open" }>): void {
    const relay = new RelayStream();
    const watch = (leg: LegName): PairOfSockets => this.#watchPair(relay[leg], fds[leg]);
    const outer = watch("outer");
    const inner = watch("inner");
    join(outer, inner);
    join(inner, outer);
    const sockets = [...outer, ...inner];
    // Not cleared here: after another thread's death its numbers are all there is, until this one publishes.
    this.#streams.set(handle, { slot, relay, sockets });
  }

  /** A socket that cannot be watched would make a call silent without a word. */
  #watchPair(leg: RelayLeg, fds: PairFds): PairOfSockets {
    const rtp = this.#loop.watch(fds.rtp, { leg, isRtcp: false, far: null, farRtcp: null });
    const rtcp = this.#loop.watch(fds.rtcp, { leg, isRtcp: true, far: null, farRtcp: null });
    if (rtp === null || rtcp === null) throw new Error("a media socket cannot be watched");
    return [rtp, rtcp];
  }

  #configure(o: Extract<ToThread, { do: "configure" }>): void {
    const stream = this.#streams.get(o.handle);
    if (stream === undefined) return;
    const leg = stream.relay[o.leg];
    this.#relay.tick(this.#nowMs());
    this.#relay.configure(leg, o.settings);
    if (o.positions === null) return;
    leg.inbound?.context.resume(o.positions.inbound);
    leg.outbound?.context.resume(o.positions.outbound);
  }

  #close(handle: StreamHandle): void {
    for (const socket of this.#streams.get(handle)?.sockets ?? []) this.#loop.forget(socket);
    this.#streams.delete(handle);
  }

  /** A fault of ours costs one packet, not the thread with all its calls; it is counted and shown. */
  readonly #ready = (socket: LoopSocket<PacketPort>): void => {
    const length = this.#loop.receive(socket);
    if (length < 0) return;
    try {
      this.#packet(socket, length);
    } catch {
      this.#relay.drop(socket.owner.leg, DROP.fault);
    }
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
    const now = this.#nowMs();
    // The clock may be set back.
    if (Math.abs(now - this.#tickedMs) < TICK_MS) return;
    this.#tickedMs = now;
    this.#relay.tick(now);
    if (Math.abs(now - this.#publishedMs) < PUBLISH_MS) return;
    this.#publishedMs = now;
    this.publish();
  }
}

function join(near: PairOfSockets, [rtp, rtcp]: PairOfSockets): void {
  for (const { owner } of near) {
    owner.far = rtp;
    owner.farRtcp = rtcp;
  }
}
