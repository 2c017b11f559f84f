/**
 * The table of all media sessions of one proxy: port pools, limits, silence, status. One shared
 * tick looks after silence; there is no timer a call. Owns the sessions; the engine owns the
 * sockets.
 */
import { canonicalAddress } from "../config/address-class.ts";
import type { Clock, Log, Timer } from "../io/types.ts";
import type { LegName, MediaEngine } from "./engine.ts";
import { MediaSession, type SessionRequest, type SessionTable } from "./media-session.ts";
import { type MediaStream, openStream, type StreamPlaces } from "./media-stream.ts";
import { PortPool, type PortRange } from "./port-pool.ts";

const SILENCE_TICK_MS = 1000;
/** Of the pairs of ports that one of several instances may hold: one call may have as many as it has m= lines. */
const INSTANCE_PART = 0.75;

/** What the configuration says about media; times in milliseconds. */
export type MediaOptions = {
  readonly outerPorts: PortRange;
  readonly innerPorts: PortRange;
  /** Where ports will be opened, so that status can count them before the first call. */
  readonly outerAddress: string;
  readonly innerAddress: string;
  readonly sessionsMax: number;
  /** Of one instance. */
  readonly instanceSessionsMax: number;
  /** How many instances there are; the only one may hold every port. */
  readonly instances: number;
  /** m= lines of one SDP body; more is 488. */
  readonly linesMax: number;
  readonly mediaSilentMs: number;
  readonly mediaTimeoutMs: number;
  /** How long a pair rests after its call. */
  readonly portRestMs: number;
  /** Plain RTP outside is learnt from any source. Hijackable; off by default. */
  readonly learnsAnySource: boolean;
  /**
   * Further addresses that are ours or inside, beside those that each session names: never a
   * phone's.
   */
  readonly forbiddenAddresses: readonly string[];
};

/** Pairs of one side. */
export type PortsStatus = {
  readonly inUse: number;
  readonly resting: number;
  readonly total: number;
};

/** Ports count the pairs of the outer side, which run out first; `inside` those towards instances. */
export type MediaStatus = {
  readonly engine: MediaEngine["name"];
  readonly sessions: number;
  readonly streams: number;
  readonly portsInUse: number;
  readonly portsResting: number;
  readonly portsTotal: number;
  readonly inside: PortsStatus;
  /** Packets dropped since the start, by reason. */
  readonly drops: Readonly<Record<string, number>>;
};

/** `quietMs`: looks without a packet more than the `packets` of before; a clock that is set makes no silence. */
type Watched = { isSilent: boolean; isFlooded: boolean; quietMs: number; packets: number };

export class MediaSessions {
  readonly #engine: MediaEngine;
  readonly #clock: Clock;
  readonly #random: (lengthBytes: number) => Uint8Array;
  readonly #log: Log;
  readonly #count: (reason: string) => void;
  readonly #onSilent: (session: MediaSession) => void;
  #options: MediaOptions;
  readonly #sessions = new Map<MediaSession, Watched>();
  /** How many each instance has. */
  readonly #perInstance = new Map<string, number>();
  /**
   * By leg, address and range: pools of a range that was configured away live until their calls
   * end.
   */
  readonly #pools = new Map<string, PortPool>();
  readonly #holders = new Map<string, string>();
  #streams = 0;
  #timer: Timer | null = null;
  readonly #table: SessionTable;

  constructor(o: {
    engine: MediaEngine;
    clock: Clock;
    random: (lengthBytes: number) => Uint8Array;
    log: Log;
    count: (reason: string) => void;
    options: MediaOptions;
    /** Both ways silent for `mediaSilentMs`; once until packets flow again. */
    onSilent: (session: MediaSession) => void;
  }) {
    this.#engine = o.engine;
    this.#clock = o.clock;
    this.#random = o.random;
    this.#log = o.log;
    this.#count = o.count;
    this.#onSilent = o.onSilent;
    this.#options = o.options;
    this.#table = this.#makeTable();
    this.#openPools();
  }

  create(request: SessionRequest): MediaSession {
    const full = this.#full(request.instance);
    const session = new MediaSession(request, this.#table, full);
    if (full !== null) return session;
    this.#sessions.set(session, { isSilent: false, isFlooded: false, quietMs: 0, packets: 0 });
    this.#countInstance(request.instance, 1);
    this.#timer ??= this.#clock.after(SILENCE_TICK_MS, () => this.#watch());
    return session;
  }

  /** The limit that leaves no room. */
  #full(instance: string): string | null {
    if (this.#sessions.size >= this.#options.sessionsMax) return "media-sessions-full";
    const { instanceSessionsMax } = this.#options;
    return this.#sessionsOf(instance) >= instanceSessionsMax ? "instance-media-sessions" : null;
  }

  #sessionsOf(instance: string): number {
    return this.#perInstance.get(instance) ?? 0;
  }

  #countInstance(instance: string, more: 1 | -1): void {
    const count = this.#sessionsOf(instance) + more;
    if (count === 0) this.#perInstance.delete(instance);
    else this.#perInstance.set(instance, count);
  }

  get sessions(): Iterable<MediaSession> {
    return this.#sessions.keys();
  }

  get status(): MediaStatus {
    const outer = this.#ports("outer");
    return {
      engine: this.#engine.name,
      sessions: this.#sessions.size,
      streams: this.#streams,
      portsInUse: outer.inUse,
      portsResting: outer.resting,
      portsTotal: outer.total,
      inside: this.#ports("inner"),
      drops: this.#engine.drops,
    };
  }

  #ports(leg: LegName): PortsStatus {
    const current = this.#currentKeys();
    const status = { inUse: 0, resting: 0, total: 0 };
    for (const [key, pool] of this.#pools) {
      if (!key.startsWith(`${leg} `)) continue;
      status.inUse += pool.inUse;
      status.resting += pool.resting;
      if (current.has(key)) status.total += pool.total;
    }
    return status;
  }

  /** Counts for new offers; calls keep the ports they have. */
  reload(options: MediaOptions): void {
    this.#options = options;
    this.#openPools();
    const current = this.#currentKeys();
    for (const [key, pool] of this.#pools) {
      if (!current.has(key) && pool.inUse === 0) this.#pools.delete(key);
    }
  }

  /** Ends every session, and the engine. */
  close(): void {
    for (const session of [...this.#sessions.keys()]) session.release();
    this.#engine.stop();
  }

  #makeTable(): SessionTable {
    return {
      rules: () => this.#options,
      openStream: (session, type) => this.#openStream(session, type),
      holderOf: (address, port) => this.#holders.get(holderKey(address, port)) ?? null,
      count: this.#count,
      ended: (session) => this.#ended(session),
    };
  }

  async #openStream(session: MediaSession, type: string): Promise<MediaStream | null> {
    const { outer, inner, instance, callId } = session.request;
    const addresses = { outer: outer.bindAddress, inner: inner.bindAddress };
    const pools = {
      outer: this.#pool("outer", outer.bindAddress),
      inner: this.#pool("inner", inner.bindAddress),
    };
    const closed = (stream: MediaStream): void => {
      this.#streamClosed(stream);
      session.streamClosed(stream);
    };
    const places = {
      engine: this.#engine,
      random: this.#random,
      type,
      pools,
      addresses,
      instance,
      closed,
    };
    try {
      const stream = await openStream(places);
      if (stream !== null) this.#streamOpened(stream, instance);
      else if (this.#options.instances > 1 && isFull(pools, instance)) {
        this.#count("instance-media-ports");
      }
      return stream;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#log.error("media-open-failed", { instance, callId, message });
      return null;
    }
  }

  #streamOpened(stream: MediaStream, instance: string): void {
    this.#streams++;
    for (const key of holderKeys(stream)) this.#holders.set(key, instance);
  }

  #streamClosed(stream: MediaStream): void {
    this.#streams--;
    for (const key of holderKeys(stream)) this.#holders.delete(key);
  }

  #ended(session: MediaSession): void {
    if (this.#sessions.delete(session)) this.#countInstance(session.request.instance, -1);
    if (this.#sessions.size > 0) return;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #watch(): void {
    this.#timer = this.#clock.after(SILENCE_TICK_MS, () => this.#watch());
    for (const [session, watched] of this.#sessions) this.#watchOne(session, watched);
  }

  /** Ringing and hold may be silent for as long as they like. */
  #watchOne(session: MediaSession, watched: Watched): void {
    const { packets, flooding } = session.look();
    if (flooding !== null && !watched.isFlooded) this.#flooded(session, watched, flooding);
    const isQuiet = session.isAnswered && !session.isOnHold && packets === watched.packets;
    watched.quietMs = isQuiet ? watched.quietMs + SILENCE_TICK_MS : 0;
    watched.packets = packets;
    const { quietMs } = watched;
    const { mediaSilentMs, mediaTimeoutMs } = this.#options;
    const { callId, instance } = session.request;
    if (quietMs < mediaSilentMs) {
      watched.isSilent = false;
      return;
    }
    if (!watched.isSilent) {
      watched.isSilent = true;
      this.#count("media-silent");
      this.#log.warn("media-silent", { callId, instance, silentMs: quietMs });
      this.#onSilent(session);
    }
    if (quietMs < mediaTimeoutMs) return;
    this.#count("media-timeout");
    this.#log.warn("media-timeout", { callId, instance, silentMs: quietMs });
    session.giveUpPorts();
  }

  /** Once a call; the packets themselves are counted as they are dropped. */
  #flooded(session: MediaSession, watched: Watched, leg: LegName): void {
    watched.isFlooded = true;
    this.#count("media-flood");
    const { callId, instance } = session.request;
    this.#log.warn("media-flood", { callId, instance, leg });
  }

  #openPools(): void {
    this.#pool("outer", this.#options.outerAddress);
    this.#pool("inner", this.#options.innerAddress);
  }

  #pool(leg: LegName, address: string): PortPool {
    const key = this.#poolKey(leg, address);
    const known = this.#pools.get(key);
    if (known !== undefined) return known;
    const range = this.#range(leg);
    const restMs = (): number => this.#options.portRestMs;
    const instancePart = (): number => (this.#options.instances > 1 ? INSTANCE_PART : 1);
    const clock = this.#clock;
    const random = this.#random;
    const pool = new PortPool({ range, clock, random, restMs, instancePart });
    this.#pools.set(key, pool);
    return pool;
  }

  #range(leg: LegName): PortRange {
    return leg === "outer" ? this.#options.outerPorts : this.#options.innerPorts;
  }

  #poolKey(leg: LegName, address: string): string {
    const { from, to } = this.#range(leg);
    return `${leg} ${from}-${to} ${address}`;
  }

  /** Pools of the ranges that are configured now. */
  #currentKeys(): Set<string> {
    const suffixes = (["outer", "inner"] as const).map((leg) => this.#poolKey(leg, ""));
    const keys = [...this.#pools.keys()];
    return new Set(keys.filter((key) => suffixes.some((suffix) => key.startsWith(suffix))));
  }
}

function isFull(pools: StreamPlaces["pools"], instance: string): boolean {
  return pools.outer.isFull(instance) || pools.inner.isFull(instance);
}

function holderKey(address: string, port: number): string {
  return `${canonicalAddress(address)} ${port - (port % 2)}`;
}

function holderKeys(stream: MediaStream): string[] {
  const { addresses, rtpPorts } = stream;
  return (["outer", "inner"] as const).map((leg) => holderKey(addresses[leg], rtpPorts[leg]));
}
