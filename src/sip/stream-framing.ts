/**
 * Finds the Content-Length of a message on a stream without parsing the rest (RFC 3261 §18.3, §20.14).
 * There must be exactly one, of digits only. The head is bytes, ends with its empty line, and is looked
 * through once.
 */
import { parseDecimal, trimLws, unfold } from "./lexical.ts";

/** `problem` null = framing is safe. */
export type Framing = { readonly bodyBytes: number; readonly problem: string | null };

const LF = 0x0a;
const CR = 0x0d;

/** A bare LF is refused as well: it would be a line end to one parser and none to another. */
export function readFraming(head: Buffer): Framing {
  let bodyBytes = -1;
  let at = 0;
  for (let lineEnd = head.indexOf(LF); lineEnd >= 0; lineEnd = head.indexOf(LF, at)) {
    if (lineEnd === 0 || head[lineEnd - 1] !== CR) return broken("bare line feed");
    if (mayBeContentLength(head[at]!) && isContentLength(head, at, lineEnd)) {
      if (bodyBytes >= 0) return broken("second Content-Length");
      bodyBytes = lengthAt(head, at);
      if (bodyBytes < 0) return broken("bad Content-Length");
    }
    at = lineEnd + 1;
  }
  return bodyBytes < 0 ? broken("no Content-Length") : { bodyBytes, problem: null };
}

function broken(problem: string): Framing {
  return { bodyBytes: 0, problem };
}

function mayBeContentLength(first: number): boolean {
  return (first | 0x20) === 0x63 || (first | 0x20) === 0x6c;
}

/** The name before the colon is "Content-Length" or "l" in any case, white space behind it allowed. */
function isContentLength(head: Buffer, from: number, to: number): boolean {
  const colon = head.indexOf(0x3a, from);
  if (colon < 0 || colon > to || colon - from > 64) return false;
  const name = trimLws(head.toString("latin1", from, colon)).toLowerCase();
  return name === "content-length" || name === "l";
}

/** The value of the header that starts at `from`, its folds included; -1 when it is no number. */
function lengthAt(head: Buffer, from: number): number {
  let end = head.indexOf(LF, from);
  while (head[end + 1] === 0x20 || head[end + 1] === 0x09) end = head.indexOf(LF, end + 1);
  const line = head.toString("latin1", from, end);
  return parseDecimal(unfold(trimLws(line, line.indexOf(":") + 1)), Number.MAX_SAFE_INTEGER);
}
