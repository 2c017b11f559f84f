/**
 * The last results of a parser: one message asks for the same From, Via and URI again and again, and the next
 * one for the same Request-URI. A table of fixed size, so that no peer can make it grow; long texts stay out.
 */

const SLOTS = 128;
const LONGEST = 256;
/** Characters of a text that choose its place: enough to tell two headers of a call apart. */
const SAMPLES = 16;

/** `parse` must give the same for the same text, and what it gives must not be changed. Its errors are not kept. */
export function remembered<T>(parse: (text: string) => T): (text: string) => T {
  const known: ({ readonly text: string; readonly result: T } | null)[] = Array(SLOTS).fill(null);
  return (text) => {
    if (text.length > LONGEST) return parse(text);
    const slot = slotOf(text);
    const last = known[slot];
    if (last != null && last.text === text) return last.result;
    const result = parse(text);
    known[slot] = { text, result };
    return result;
  };
}

function slotOf(text: string): number {
  const step = 1 + Math.floor(text.length / SAMPLES);
  let sum = text.length;
  for (let at = text.length - 1; at >= 0; at -= step) sum = (sum * 31 + text.charCodeAt(at)) | 0;
  return sum & (SLOTS - 1);
}
