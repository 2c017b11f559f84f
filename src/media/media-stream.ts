/**
 * One m= line of a call while it has ports: a port pair and own keys on each leg, and what was last
 * agreed. Owned by its MediaSession. The ports and keys stay as they are from the first offer to
 * the end, whatever re-INVITEs come (a changed port or key is what makes calls go silent).
 */
import type { StreamCounters } from "./counters.ts";
import {
  type LegName,
  type LegSettings,
  type MediaEngine,
  PortTaken,
  type StreamHandle,
} from "./engine.ts";
import { OwnKeys } from "./keying.ts";
import type { RemoteMedia } from "./offer-answer.ts";
import type { PortPool } from "./port-pool.ts";

/**
 * Ports that other programs hold are passed over; this many in a row means that something is wrong.
 */
const ATTEMPTS_MAX = 32;

export type ByLeg<T> = Record<LegName, T>;

/** How a leg agreed to speak RTP; later offers to it are made the same way. */
export type AgreedProfile = {
  readonly isSecure: boolean;
  readonly proto: string;
  readonly isMux: boolean;
};

/** What one answer set on one leg. */
export type AppliedLeg = {
  readonly settings: LegSettings;
  readonly remote: RemoteMedia;
  /** Of the m= line: a fax takes the place of audio, and gives it back. */
  readonly type: string;
  /** Null: it has carried no RTP so far. */
  readonly profile: AgreedProfile | null;
};

export type StreamPlaces = {
  /** Of the m= line that opened it: audio, video, ... */
  readonly type: string;
  /** Whose call it is. */
  readonly instance: string;
  readonly engine: MediaEngine;
  readonly random: (lengthBytes: number) => Uint8Array;
  readonly pools: Readonly<ByLeg<PortPool>>;
  /** Our address on each leg. */
  readonly addresses: Readonly<ByLeg<string>>;
  /** The stream has given its ports back. */
  readonly closed: (stream: MediaStream) => void;
};

export class MediaStream {
  readonly handle: StreamHandle;
  readonly rtpPorts: Readonly<ByLeg<number>>;
  readonly keys: Readonly<ByLeg<OwnKeys>>;
  readonly #places: StreamPlaces;
  readonly #applied: ByLeg<AppliedLeg | null> = { outer: null, inner: null };
  #isOpen = true;
  /** When it was closed. */
  #last: StreamCounters | null = null;

  constructor(places: StreamPlaces, handle: StreamHandle, rtpPorts: ByLeg<number>) {
    this.#places = places;
    this.handle = handle;
    this.rtpPorts = rtpPorts;
    this.keys = { outer: new OwnKeys(places.random), inner: new OwnKeys(places.random) };
  }

  get type(): string {
    return this.#applied.outer?.type ?? this.#places.type;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get addresses(): Readonly<ByLeg<string>> {
    return this.#places.addresses;
  }

  get counters(): StreamCounters | null {
    return this.#isOpen ? this.#places.engine.counters(this.handle) : this.#last;
  }

  /** Either side has asked the other to be quiet. */
  get isOnHold(): boolean {
    const { outer, inner } = this.#applied;
    return [outer, inner].some((one) => one !== null && one.remote.direction !== "sendrecv");
  }

  applied(leg: LegName): AppliedLeg | null {
    return this.#applied[leg];
  }

  /** Opens learning and sending on this leg, or changes it. */
  apply(leg: LegName, next: AppliedLeg): void {
    this.#applied[leg] = next;
    if (this.#isOpen) this.#places.engine.configure(this.handle, leg, next.settings);
  }

  /** The ports go back to their pools; an engine may free them a moment later. Idempotent. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { engine, pools, closed } = this.#places;
    // From another thread a fifth of a second old.
    this.#last = engine.counters(this.handle);
    engine.close(this.handle);
    const rests = this.#applied.outer !== null || this.#applied.inner !== null;
    pools.outer.giveBack(this.rtpPorts.outer, { rests });
    pools.inner.giveBack(this.rtpPorts.inner, { rests });
    closed(this);
  }
}

/** Null when a pool is empty. Rejects when an address is not there; nothing is held then. */
export async function openStream(places: StreamPlaces): Promise<MediaStream | null> {
  const { engine, pools, addresses, instance } = places;
  const held: ByLeg<number | null> = { outer: null, inner: null };
  const giveBack = (leg: LegName, rests: boolean): void => {
    const port = held[leg];
    if (port !== null) pools[leg].giveBack(port, { rests });
    held[leg] = null;
  };
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const outer = held.outer ?? pools.outer.take(instance);
    held.outer = outer;
    const inner = held.inner ?? pools.inner.take(instance);
    held.inner = inner;
    if (outer === null || inner === null) break;
    try {
      const handle = await engine.open({
        outer: { address: addresses.outer, rtpPort: outer },
        inner: { address: addresses.inner, rtpPort: inner },
      });
      return new MediaStream(places, handle, { outer, inner });
    } catch (error) {
      if (error instanceof PortTaken) {
        giveBack(error.leg, true);
        continue;
      }
      giveBack("outer", false);
      giveBack("inner", false);
      throw error;
    }
  }
  giveBack("outer", false);
  giveBack("inner", false);
  return null;
}
