/**
 * The port pairs (even RTP, odd RTCP) of one local address. A pair is drawn at random, since a
 * guessable next port is half of an RTP injection, and rests after a call, so that late packets of
 * the ended call meet nobody. Pairs that another program holds are skipped. No instance may hold them all. Owned by
 * MediaSessions.
 */
import type { Clock } from "../io/types.ts";

/** `from` and `to` are inclusive; a pair counts only when both of its ports lie within. */
export type PortRange = { readonly from: number; readonly to: number };

type Resting = { readonly rtpPort: number; readonly instance: string; readonly freeAtMs: number };

export class PortPool {
  readonly #clock: Clock;
  readonly #random: (lengthBytes: number) => Uint8Array;
  readonly #restMs: () => number;
  readonly #instancePart: () => number;
  readonly #free: number[] = [];
  /** In the order of going to rest. */
  #resting: Resting[] = [];
  /** By port, whose it is. */
  readonly #inUse = new Map<number, string>();
  /** Of each instance, those that rest included. */
  readonly #held = new Map<string, number>();
  readonly total: number;

  constructor(o: {
    range: PortRange;
    clock: Clock;
    random: (lengthBytes: number) => Uint8Array;
    restMs: () => number;
    /** Of all pairs, how much one instance may hold: 0..1. */
    instancePart: () => number;
  }) {
    this.#clock = o.clock;
    this.#restMs = o.restMs;
    this.#instancePart = o.instancePart;
    this.#random = o.random;
    for (let port = o.range.from + (o.range.from % 2); port < o.range.to; port += 2) {
      this.#free.push(port);
    }
    this.total = this.#free.length;
  }

  get inUse(): number {
    return this.#inUse.size;
  }

  get resting(): number {
    this.#wake();
    return this.#resting.length;
  }

  /** The instance holds as much as one may. */
  isFull(instance: string): boolean {
    this.#wake();
    return this.#heldBy(instance) >= Math.max(1, Math.floor(this.total * this.#instancePart()));
  }

  /** The RTP port of a free pair, or null when none is left for this instance. */
  take(instance: string): number | null {
    if (this.isFull(instance) || this.#free.length === 0) return null;
    const bytes = this.#random(4);
    const draw = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    const at = draw % this.#free.length;
    const rtpPort = this.#free[at]!;
    this.#free[at] = this.#free[this.#free.length - 1]!;
    this.#free.pop();
    this.#inUse.set(rtpPort, instance);
    this.#hold(instance, 1);
    return rtpPort;
  }

  /**
   * Back to the pool, after a rest when packets of a call may still come (or another program holds the
   * pair). Nobody ever sent to a pair whose offer was never answered, such as the INVITE before a 401.
   */
  giveBack(rtpPort: number, o: { readonly rests: boolean }): void {
    const instance = this.#inUse.get(rtpPort);
    if (instance === undefined) return;
    this.#inUse.delete(rtpPort);
    const restMs = this.#restMs();
    const back = { rtpPort, instance, freeAtMs: this.#clock.now() + restMs };
    if (!o.rests || restMs === 0) this.#isFree(back);
    else this.#resting.push(back);
  }

  #isFree({ rtpPort, instance }: Resting): void {
    this.#free.push(rtpPort);
    this.#hold(instance, -1);
  }

  #heldBy(instance: string): number {
    return this.#held.get(instance) ?? 0;
  }

  #hold(instance: string, more: 1 | -1): void {
    const held = this.#heldBy(instance) + more;
    if (held === 0) this.#held.delete(instance);
    else this.#held.set(instance, held);
  }

  #wake(): void {
    const now = this.#clock.now();
    // One that would rest for longer went to rest before the clock was set back.
    const latestMs = now + this.#restMs();
    let awake = 0;
    for (; awake < this.#resting.length; awake++) {
      const resting = this.#resting[awake]!;
      if (resting.freeAtMs > now && resting.freeAtMs <= latestMs) break;
      this.#isFree(resting);
    }
    if (awake > 0) this.#resting = this.#resting.slice(awake);
  }
}
