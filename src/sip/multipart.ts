/**
 * The parts of a multipart body (RFC 2046 §5.1, RFC 5621), as places in the text: nothing is copied, so that
 * one part can be exchanged and every other byte stays. Strict: what could be read in two ways is not read.
 *
 *   preamble CRLF --boundary CRLF headers CRLF CRLF content CRLF --boundary-- epilogue
 */
import { parseHeaderParams } from "./param-list.ts";
import { SipSyntaxError } from "./syntax-error.ts";

const PARTS_MAX = 16;
/** A multipart within a multipart, and so on. */
const DEPTH_MAX = 3;
const BOUNDARY = /^[A-Za-z0-9'()+_,./:=? -]{0,69}[A-Za-z0-9'()+_,./:=?-]$/;
const HEADER_LINE = /^([!#$%&'*+.^_`|~A-Za-z0-9-]+)[ \t]*:(.*)$/s;

/** Places in the whole text: `start` to `end` is the content, before it are the headers. */
export type BodyPart = {
  /** Lower case, without parameters; "text/plain" where nothing is said. */
  readonly type: string;
  /** By lower-case name, unfolded and trimmed. */
  readonly headers: ReadonlyMap<string, string>;
  readonly headersStart: number;
  readonly start: number;
  readonly end: number;
};

/** Lower case, without parameters and without the white space that may stand around "/" (RFC 3261 §25.1). */
export function mediaTypeOf(contentType: string): string {
  return contentType.split(";", 1)[0]!.replace(/\s+/g, "").toLowerCase();
}

/** Every part that is no multipart itself, in order. Null: malformed, too many or too deep. */
export function bodyParts(text: string, contentType: string): BodyPart[] | null {
  return partsWithin(text, { start: 0, end: text.length }, contentType, 1);
}

type Range = { readonly start: number; readonly end: number };

function partsWithin(
  text: string,
  range: Range,
  contentType: string,
  depth: number,
): BodyPart[] | null {
  const boundary = boundaryOf(contentType);
  if (boundary === null || depth > DEPTH_MAX) return null;
  const contents = split(text, range, boundary);
  const parts: BodyPart[] = [];
  for (const content of contents ?? []) {
    const part = readPart(text, content);
    if (part === null) return null;
    const isNested = part.type.startsWith("multipart/");
    const own = part.headers.get("content-type") ?? "";
    const inner = isNested ? partsWithin(text, part, own, depth + 1) : [part];
    if (inner === null) return null;
    parts.push(...inner);
    if (parts.length > PARTS_MAX) return null;
  }
  return contents === null ? null : parts;
}

function boundaryOf(contentType: string): string | null {
  const at = contentType.indexOf(";");
  if (at < 0) return null;
  try {
    const all = parseHeaderParams(contentType, at).filter(
      ({ name }) => name.toLowerCase() === "boundary",
    );
    const value = all.length === 1 ? (all[0]!.value ?? "") : "";
    const boundary = value.startsWith('"') ? value.slice(1, -1) : value;
    return BOUNDARY.test(boundary) ? boundary : null;
  } catch (error) {
    if (error instanceof SipSyntaxError) return null;
    throw error;
  }
}

/** What stands between the delimiters. Null without a first and a last one. */
function split(text: string, range: Range, boundary: string): Range[] | null {
  const contents: Range[] = [];
  let from: number | null = null;
  for (let at = range.start; at < range.end; ) {
    const found = text.indexOf("\n", at);
    const end = found < 0 || found >= range.end ? range.end : found + 1;
    const line = text.slice(at, end).trimEnd();
    if (line === `--${boundary}` || line === `--${boundary}--`) {
      // The line end before a delimiter is the delimiter's own.
      if (from !== null) contents.push({ start: from, end: withoutLineEnd(text, from, at) });
      if (line.length > boundary.length + 2) return from === null ? null : contents;
      if (contents.length >= PARTS_MAX) return null;
      from = end;
    }
    at = end;
  }
  return null;
}

function withoutLineEnd(text: string, from: number, at: number): number {
  if (at > from && text[at - 1] === "\n") at--;
  return at > from && text[at - 1] === "\r" ? at - 1 : at;
}

function readPart(text: string, { start, end }: Range): BodyPart | null {
  const headers = new Map<string, string>();
  let at = start;
  let name = "";
  while (at < end) {
    const found = text.indexOf("\n", at);
    const next = found < 0 || found >= end ? end : found + 1;
    const line = text.slice(at, next).replace(/\r?\n$/, "");
    at = next;
    if (line === "") return partOf(headers, { headersStart: start, start: at, end });
    if (/^[ \t]/.test(line) && name !== "") {
      headers.set(name, `${headers.get(name)} ${line.trim()}`.trim());
      continue;
    }
    const match = HEADER_LINE.exec(line);
    name = match?.[1]?.toLowerCase() ?? "";
    // One of two lines would be somebody else's reading of the part.
    if (match === null || headers.has(name)) return null;
    headers.set(name, match[2]!.trim());
  }
  // Headers only: an empty part.
  return headers.size > 0 ? null : partOf(headers, { headersStart: start, start: end, end });
}

function partOf(
  headers: ReadonlyMap<string, string>,
  place: Pick<BodyPart, "headersStart" | "start" | "end">,
): BodyPart {
  return { type: mediaTypeOf(headers.get("content-type") ?? "text/plain"), headers, ...place };
}
