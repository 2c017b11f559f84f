/** Hardware addresses of phones (EUI-48), as people, phones and file names write them. */

const MAC = "[0-9a-f]{2}(?:[:.-]?[0-9a-f]{2}){5}";
const WHOLE = new RegExp(`^${MAC}$`, "i");
/**
 * As part of a file name: `08c25a4f0321.cfg`, `snomD375-08C25A4F0321.htm`, and behind the words that some
 * makers glue to it (`cfg...xml`, `SEP....cnf.xml`, `spa....cfg`). Part of a longer word or number it is none:
 * `y000000000066.cfg` is one file for all phones of a model.
 */
const WITHIN = new RegExp(`(?:^|[^0-9a-z]|cfg|sep|spa)(${MAC})(?![0-9a-z])`, "i");

/** 12 upper-case hex digits: the one form inside; null = it is none. */
export function canonicalMac(text: string): string | null {
  return WHOLE.test(text) ? text.replace(/[:.-]/g, "").toUpperCase() : null;
}

/** The one that a file name holds, canonical. */
export function macWithin(fileName: string): string | null {
  const found = WITHIN.exec(fileName)?.[1];
  return found === undefined ? null : canonicalMac(found);
}
