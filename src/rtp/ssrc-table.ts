/**
 * What a context knows of each SSRC (RFC 3711 §3.2.3): the highest index, of which ROC and sequence
 * number are parts, and the replay window. An SSRC that was stored is never forgotten while the key
 * lives: it would come back with ROC 0 and its packets could be replayed (or, on the sending side,
 * its keystream used twice). Only the keystream made ahead is limited to the most recently used
 * ones.
 */
import { KeystreamAhead } from "./keystream.ts";
import { ReplayWindow } from "./replay-window.ts";

export class SsrcState {
  readonly window = new ReplayWindow();
  ahead: KeystreamAhead | null = null;
  /** Authenticated packets within which the sender may start again (SrtpContext.expectRestart). */
  restartPackets = 0;
  /** Sending side: what is added to the source's sequence numbers since it started again. */
  sequenceOffset = 0;
  /**
   * Sending side: the sequence number that would prove that the source started again, -1 = none.
   */
  restartSequence = -1;

  /** Sending side: indexes that may have been used beyond the window, left out when the source starts again. */
  skipped = 0;

  constructor(readonly ssrc: number) {}
}

/** How many SSRCs are remembered for each one that has keystream ahead. */
const REMEMBERED_FACTOR = 64;

export class SsrcTable {
  readonly #states = new Map<number, SsrcState>();
  /** Those with keystream ahead, most recently admitted or revived last. */
  readonly #active: SsrcState[] = [];
  readonly #maxActive: number;
  #latest: SsrcState | null = null;

  constructor(maxActive: number) {
    this.#maxActive = maxActive;
  }

  get size(): number {
    return this.#states.size;
  }

  /** Those used last, in that order; as many as have keystream ahead. */
  get recent(): readonly SsrcState[] {
    return this.#active;
  }

  find(ssrc: number): SsrcState | null {
    if (this.#latest !== null && this.#latest.ssrc === ssrc) return this.#latest;
    return this.#states.get(ssrc) ?? null;
  }

  /**
   * The state of this SSRC, made if it is new; null = the table is full. Authenticated packets
   * only.
   */
  admit(ssrc: number): SsrcState | null {
    if (this.#latest !== null && this.#latest.ssrc === ssrc) return this.#latest;
    let state = this.#states.get(ssrc);
    if (state === undefined) {
      if (this.#states.size >= this.#maxActive * REMEMBERED_FACTOR) return null;
      state = new SsrcState(ssrc);
      this.#states.set(ssrc, state);
    }
    this.#activate(state);
    this.#latest = state;
    return state;
  }

  expectRestart(packets: number): void {
    for (const state of this.#states.values()) state.restartPackets = packets;
  }

  #activate(state: SsrcState): void {
    const at = this.#active.indexOf(state);
    if (at >= 0) this.#active.splice(at, 1);
    this.#active.push(state);
    state.ahead ??= new KeystreamAhead();
    if (this.#active.length > this.#maxActive) this.#active.shift()!.ahead = null;
  }
}

/**
 * ROC that a packet of this sequence number most likely has (RFC 3711 §3.3.1); 0 for the first
 * packet.
 */
export function estimateRoc(highestIndex: number, sequenceNumber: number): number {
  if (highestIndex < 0) return 0;
  const roc = Math.floor(highestIndex / 65_536);
  const highest = highestIndex & 0xffff;
  if (highest < 32_768) {
    // There is nothing before ROC 0, so a far jump forward is the only reading left.
    return sequenceNumber - highest > 32_768 && roc > 0 ? roc - 1 : roc;
  }
  return highest - 32_768 > sequenceNumber ? roc + 1 : roc;
}
