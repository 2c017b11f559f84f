/**
 * The last results for texts that are asked for again and again: one message asks for the same From, Via and
 * URI many times, and the next one for the same Request-URI. Tables of fixed size, so that no peer can make
 * them grow; long texts stay out.
 */

const LONGEST = 256;
/** Characters of a text that choose its place: enough to tell two headers of a call apart. */
const SAMPLES = 16;

export class LastResults<T> {
  readonly #known: ({ readonly text: string; readonly result: T } | null)[];

  constructor(slots = 128) {
    this.#known = Array(slots).fill(null);
  }

  get(text: string): T | undefined {
    const last = this.#known[this.#slotOf(text)];
    return last?.text === text ? last.result : undefined;
  }

  set(text: string, result: T): void {
    if (text.length <= LONGEST) this.#known[this.#slotOf(text)] = { text, result };
  }

  #slotOf(text: string): number {
    const step = 1 + Math.floor(text.length / SAMPLES);
    let sum = text.length;
    for (let at = text.length - 1; at >= 0; at -= step) sum = (sum * 31 + text.charCodeAt(at)) | 0;
    return (sum >>> 0) % this.#known.length;
  }
}

/** `parse` must give the same for the same text, and what it gives must not be changed. Its errors are not kept. */
export function remembered<T extends object>(parse: (text: string) => T): (text: string) => T {
  const last = new LastResults<T>();
  return (text) => {
    const known = last.get(text);
    if (known !== undefined) return known;
    const result = parse(text);
    last.set(text, result);
    return result;
  };
}
