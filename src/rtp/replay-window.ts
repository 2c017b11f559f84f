/**
 * Remembers which of the last packet indexes of one SSRC were seen (RFC 3711 §3.3.2), as a ring of
 * bits in the manner of RFC 6479: moving forward clears words and shifts nothing. Owned by one SSRC
 * of one context. Accept only after the tag was verified.
 */

/** An index this far or further below the highest is too old to be told from a replay. */
export const REPLAY_WINDOW_PACKETS = 128;

/**
 * 256 bits: the window and more than a word, so that a word being filled never hides one being
 * asked.
 */
const WORDS = 8;

export class ReplayWindow {
  /** The highest index accepted, -1 before the first. Up to 2^48. */
  highest = -1;
  readonly #bits = new Uint32Array(WORDS);

  /** Neither seen nor too old. */
  isNew(index: number): boolean {
    if (index > this.highest) return true;
    if (this.isTooOld(index)) return false;
    return (this.#bits[(index >>> 5) & (WORDS - 1)]! & (1 << (index & 31))) === 0;
  }

  isTooOld(index: number): boolean {
    return this.highest - index >= REPLAY_WINDOW_PACKETS;
  }

  accept(index: number): void {
    if (index > this.highest) this.#advance(index);
    const word = (index >>> 5) & (WORDS - 1);
    this.#bits[word] = this.#bits[word]! | (1 << (index & 31));
  }

  /** Starts again at `index`, for a sender that is known to have restarted. */
  restart(index: number): void {
    this.#bits.fill(0);
    this.highest = index;
    this.accept(index);
  }

  /** Goes on after `index` where nobody knows what of all before it came: nothing is taken twice. */
  resume(index: number): void {
    this.#bits.fill(0xffff_ffff);
    this.#bits[(index >>> 5) & (WORDS - 1)] = 0xffff_ffff >>> (31 - (index & 31));
    this.highest = index;
  }

  #advance(index: number): void {
    const from = Math.floor(this.highest / 32);
    const steps = Math.min(Math.floor(index / 32) - from, WORDS);
    for (let step = 1; step <= steps; step++) this.#bits[(from + step) & (WORDS - 1)] = 0;
    this.highest = index;
  }
}
