/**
 * Cuts the value of a list header at its top-level commas (RFC 3261 §7.3.1). A comma inside a quoted
 * string, <...> or a comment does not cut. What opens and never closes runs to the end of the text, so
 * that one pass is always enough.
 */
import { quotedStringEnd, skipLws, trimLws } from "./lexical.ts";

/** Index of the top-level comma that ends the value starting at `from`, or the text's length. */
export function listValueEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x2c) return at;
    let end = at + 1;
    if (code === 0x22) end = quotedStringEnd(text, at);
    else if (code === 0x3c) end = text.indexOf(">", at) + 1 || -1;
    else if (code === 0x28) end = commentEnd(text, at);
    if (end < 0) return text.length;
    at = end - 1;
  }
  return text.length;
}

/** Comments nest and have quoted pairs (RFC 3261 §25.1). -1 when it never closes. */
function commentEnd(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5c) at++;
    else if (code === 0x28) depth++;
    else if (code === 0x29 && --depth === 0) return at + 1;
  }
  return -1;
}

/** Start of the next value that is not empty, at or after `at`; the text's length when there is none. */
export function nextListValue(text: string, at: number): number {
  at = skipLws(text, at);
  while (at < text.length && text.charCodeAt(at) === 0x2c) at = skipLws(text, at + 1);
  return at;
}

/** All values, trimmed, empty ones left out. */
export function splitListValues(text: string): string[] {
  const values: string[] = [];
  let start = nextListValue(text, 0);
  while (start < text.length) {
    const end = listValueEnd(text, start);
    values.push(trimLws(text, start, end));
    start = nextListValue(text, end);
  }
  return values;
}
