/**
 * The pure parts against any bytes: parseMessage and everything that reads single headers may throw
 * SipSyntaxError and nothing else, what was read is written so that it is read the same again, and the
 * stream reader cuts alike however the bytes arrive.
 */
import { parseCSeq } from "../../src/sip/cseq.ts";
import { formatMessage } from "../../src/sip/format-message.ts";
import type { Headers } from "../../src/sip/headers.ts";
import { formatNameAddr, parseNameAddr } from "../../src/sip/name-addr.ts";
import { parseMessage, partialRequest } from "../../src/sip/parse-message.ts";
import { StreamReader } from "../../src/sip/stream-reader.ts";
import { SipSyntaxError } from "../../src/sip/syntax-error.ts";
import { formatSipUri, isSipUri, parseSipUri } from "../../src/sip/uri.ts";
import { formatVia, parseVia } from "../../src/sip/via.ts";
import type { Random } from "./random.ts";

const LIMITS = { headBytes: 65_536, messageBytes: 262_144 };
const MOST_VALUES = 50;
const LISTS = ["via", "route", "record-route", "contact", "path"];

/** undefined = refused with the one error that is allowed. */
function unlessRefused<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SipSyntaxError) return undefined;
    throw error;
  }
}

function check(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
}

/** True when the message was read. */
export function tryMessage(bytes: Uint8Array): boolean {
  const message = unlessRefused(() => parseMessage(bytes));
  if (message === undefined) {
    partialRequest(bytes);
    return false;
  }
  const written = formatMessage(message);
  const again = parseMessage(written);
  check(Buffer.from(formatMessage(again)).equals(written), "written twice, and not the same");
  check(again.headers.all.length >= message.headers.all.length - 1, "a header was lost");
  tryHeaders(message.headers);
  return true;
}

/** Each list header taken apart value by value gives what splitting gives. */
function tryHeaders(headers: Headers): void {
  for (const name of LISTS) {
    const values = headers.values(name);
    if (values.length > MOST_VALUES) continue; // taking them off one by one is their square
    const taken: string[] = [];
    const rest = headers.clone();
    for (let one = rest.shift(name); one !== undefined; one = rest.shift(name)) taken.push(one);
    check(taken.join("\n") === values.join("\n"), `${name} taken apart is not ${name} split`);
    check(!rest.has(name) || values.length === 0, `${name} is left over`);
    for (const value of values) tryValue(name, value);
  }
  for (const name of ["from", "to"]) tryValue(name, headers.get(name) ?? "");
  unlessRefused(() => parseCSeq(headers.get("cseq") ?? ""));
}

/** What is made of a value and written is a value, and written the same again. */
function tryValue(name: string, value: string): void {
  const rewritten = unlessRefused(() => rewrite(name, value));
  if (rewritten !== undefined) {
    check(rewrite(name, rewritten) === rewritten, `${name}: ${value} is not written stably`);
  }
}

function rewrite(name: string, value: string): string {
  if (name === "via") return formatVia(parseVia(value));
  const address = parseNameAddr(value);
  const { uri } = address;
  const parsed = isSipUri(uri) ? unlessRefused(() => parseSipUri(uri)) : undefined;
  return formatNameAddr(parsed === undefined ? address : { ...address, uri: formatSipUri(parsed) });
}

/** What the reader said, and how much it held at most. */
function readStream(chunks: readonly Uint8Array[]): { events: string[]; mostBytes: number } {
  const events: string[] = [];
  let mostBytes = 0;
  const reader = new StreamReader(LIMITS, {
    message(bytes) {
      events.push(`message ${Buffer.from(bytes).toString("latin1")}`);
      tryMessage(bytes);
    },
    keepAlive: () => events.push("keep-alive"),
    broken({ reason, partial }) {
      events.push(`broken ${reason}`);
      if (partial !== null) partialRequest(partial);
    },
  });
  for (const chunk of chunks) {
    reader.push(chunk);
    mostBytes = Math.max(mostBytes, reader.bufferedBytes);
  }
  return { events, mostBytes };
}

function chunksOf(stream: Uint8Array, random: Random): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const most = random.pick([7, 100, 3000, 100_000]);
  for (let at = 0; at < stream.length; ) {
    const end = at + 1 + random.below(most);
    chunks.push(stream.subarray(at, end));
    at = end;
  }
  return chunks;
}

/** Bytes of a connection, whole and in pieces. */
export function tryStream(stream: Uint8Array, random: Random): void {
  const whole = readStream([stream]);
  const pieces = readStream(chunksOf(stream, random));
  // Junk without an end is noticed in the first piece that is too much, so its very bytes may differ.
  check(pieces.events.join("\n") === whole.events.join("\n"), "pieces are read differently");
  const most = LIMITS.messageBytes + stream.length;
  check(pieces.mostBytes <= most, `${pieces.mostBytes} bytes are held`);
}
