/**
 * The port pairs (even RTP, odd RTCP) of one local address. A pair is drawn at random, since a
 * guessable next port is half of an RTP injection, and rests after a call, so that late packets of
 * the ended call meet nobody. Pairs that another program holds are skipped. Owned by
 * MediaSessions.
 */
import type { Clock } from "../io/types.ts";

/** `from` and `to` are inclusive; a pair counts only when both of its ports lie within. */
export type PortRange = { readonly from: number; readonly to: number };

export class PortPool {
  readonly #clock: Clock;
  readonly #random: (lengthBytes: number) => Uint8Array;
  readonly #restMs: () => number;
  readonly #free: number[] = [];
  /** In the order of going to rest. */
  #resting: { readonly rtpPort: number; readonly freeAtMs: number }[] = [];
  readonly #inUse = new Set<number>();
  readonly total: number;

  constructor(o: {
    range: PortRange;
    clock: Clock;
    random: (lengthBytes: number) => Uint8Array;
    restMs: () => number;
  }) {
    this.#clock = o.clock;
    this.#restMs = o.restMs;
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

  /** The RTP port of a free pair, or null when none is left. */
  take(): number | null {
    this.#wake();
    if (this.#free.length === 0) return null;
    const bytes = this.#random(4);
    const draw = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    const at = draw % this.#free.length;
    const rtpPort = this.#free[at]!;
    this.#free[at] = this.#free[this.#free.length - 1]!;
    this.#free.pop();
    this.#inUse.add(rtpPort);
    return rtpPort;
  }

  /**
   * Back to the pool, after a rest when packets of a call may still come (or another program holds the
   * pair). Nobody ever sent to a pair whose offer was never answered, such as the INVITE before a 401.
   */
  giveBack(rtpPort: number, o: { readonly rests: boolean }): void {
    if (!this.#inUse.delete(rtpPort)) return;
    const restMs = this.#restMs();
    if (!o.rests || restMs === 0) this.#free.push(rtpPort);
    else this.#resting.push({ rtpPort, freeAtMs: this.#clock.now() + restMs });
  }

  #wake(): void {
    const now = this.#clock.now();
    // One that would rest for longer went to rest before the clock was set back.
    const latestMs = now + this.#restMs();
    let awake = 0;
    for (; awake < this.#resting.length; awake++) {
      const { rtpPort, freeAtMs } = this.#resting[awake]!;
      if (freeAtMs > now && freeAtMs <= latestMs) break;
      this.#free.push(rtpPort);
    }
    if (awake > 0) this.#resting = this.#resting.slice(awake);
  }
}
