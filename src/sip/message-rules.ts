/**
 * What must hold for the headers of every message before anybody works with it: the headers that may
 * stand only once (RFC 3261 §8.1.1, §20), and their values. A second From, To, Call-ID, CSeq,
 * Max-Forwards, Content-Length or Content-Type is refused even when it is equal: two parsers could take
 * different ones.
 */
import { parseCSeq } from "./cseq.ts";
import type { HeaderLine } from "./headers.ts";
import { hasLws, parseDecimal } from "./lexical.ts";
import { listValueEnd, nextListValue } from "./list-values.ts";
import { parseNameAddr } from "./name-addr.ts";
import { SipSyntaxError } from "./syntax-error.ts";
import { parseVia } from "./via.ts";

/** The first line of each, or null; `problem` names one that came twice. */
export type SingleLines = {
  via: HeaderLine | null;
  from: HeaderLine | null;
  to: HeaderLine | null;
  callId: HeaderLine | null;
  cseq: HeaderLine | null;
  maxForwards: HeaderLine | null;
  contentLength: HeaderLine | null;
  contentType: HeaderLine | null;
  problem: string | null;
};

const MAX_FORWARDS_LIMIT = 255;

/** One pass over the headers. Only Via may come again. */
export function singleLines(lines: readonly HeaderLine[]): SingleLines {
  const found: SingleLines = {
    via: null,
    from: null,
    to: null,
    callId: null,
    cseq: null,
    maxForwards: null,
    contentLength: null,
    contentType: null,
    problem: null,
  };
  for (const line of lines) {
    const field = fieldOf(line.name);
    if (field === null) continue;
    if (found[field] === null) found[field] = line;
    else if (field !== "via") found.problem ??= `second ${line.name}`;
  }
  return found;
}

function fieldOf(name: string): Exclude<keyof SingleLines, "problem"> | null {
  switch (name) {
    case "via":
    case "from":
    case "to":
    case "cseq":
      return name;
    case "call-id":
      return "callId";
    case "max-forwards":
      return "maxForwards";
    case "content-length":
      return "contentLength";
    case "content-type":
      return "contentType";
    default:
      return null;
  }
}

/** What is missing or wrong, or null. `method` is the request's, null for a response. */
export function valuesProblem(found: SingleLines, method: string | null): string | null {
  const { via, from, to, callId, cseq, maxForwards } = found;
  if (via === null) return "no Via";
  if (from === null) return "no From";
  if (to === null) return "no To";
  if (callId === null) return "no Call-ID";
  if (cseq === null) return "no CSeq";
  if (!isCallId(callId.value)) return "bad Call-ID";
  if (maxForwards !== null && !isMaxForwards(maxForwards.value)) return "bad Max-Forwards";
  try {
    parseVia(topValue(via));
    parseNameAddr(from.value);
    parseNameAddr(to.value);
    const parsed = parseCSeq(cseq.value);
    return method === null || parsed.method === method ? null : "CSeq of another method";
  } catch (error) {
    if (error instanceof SipSyntaxError) return error.message;
    throw error;
  }
}

function topValue(line: HeaderLine): string {
  const value = line.value;
  const start = nextListValue(value, 0);
  return value.slice(start, listValueEnd(value, start));
}

function isCallId(value: string): boolean {
  return value.length > 0 && !hasLws(value);
}

function isMaxForwards(value: string): boolean {
  return parseDecimal(value, MAX_FORWARDS_LIMIT) >= 0;
}

/**
 * Bytes of body among the `available` ones behind the head, or what is wrong. Without a Content-Length
 * all of them (a datagram, RFC 3261 §18.3); a shorter one cuts, a longer one is an error.
 */
export function bodyLength(line: HeaderLine | null, available: number): number | string {
  if (line === null) return available;
  const length = parseDecimal(line.value, Number.MAX_SAFE_INTEGER);
  if (length < 0) return "bad Content-Length";
  return length > available ? "Content-Length beyond the end" : length;
}
