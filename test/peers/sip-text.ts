/**
 * SIP for the scripted peers of the tests, at text level and on purpose not the parser of src/sip: a
 * fault there must not be mirrored here. Latin-1 throughout, one character a byte.
 */
import type { Endpoint } from "../../src/io/types.ts";

const COMPACT: Readonly<Record<string, string>> = {
  v: "via",
  f: "from",
  t: "to",
  i: "call-id",
  m: "contact",
  l: "content-length",
  c: "content-type",
  k: "supported",
  s: "subject",
  e: "content-encoding",
  o: "event",
  u: "allow-events",
  r: "refer-to",
};

function longName(name: string): string {
  const lower = name.trim().toLowerCase();
  return COMPACT[lower] ?? lower;
}

/** One SIP message as it arrived. */
export class SipText {
  readonly text: string;
  readonly startLine: string;
  readonly body: string;
  /** Where it came from, as the receiver saw it. */
  readonly from: Endpoint;
  readonly #headers: (readonly [string, string])[] = [];

  constructor(text: string, from: Endpoint) {
    const end = text.indexOf("\r\n\r\n");
    const head = (end < 0 ? text : text.slice(0, end)).replace(/\r\n[ \t]+/g, " ");
    const [startLine = "", ...lines] = head.split("\r\n");
    this.text = text;
    this.from = from;
    this.startLine = startLine;
    this.body = end < 0 ? "" : text.slice(end + 4);
    for (const line of lines) {
      const colon = line.indexOf(":");
      this.#headers.push([longName(line.slice(0, colon)), line.slice(colon + 1).trim()]);
    }
  }

  /** 0 for a request. */
  get status(): number {
    return this.startLine.startsWith("SIP/2.0 ") ? Number(this.startLine.slice(8, 11)) : 0;
  }

  /** Of a response: the method it answers. */
  get method(): string {
    if (this.status > 0) return this.header("CSeq").split(/\s+/)[1] ?? "";
    return this.startLine.split(" ")[0] ?? "";
  }

  get uri(): string {
    return this.status > 0 ? "" : (this.startLine.split(" ")[1] ?? "");
  }

  has(name: string): boolean {
    return this.lines(name).length > 0;
  }

  /** The first line of that name; a test that reads a header that is not there has failed. */
  header(name: string): string {
    const value = this.lines(name)[0];
    if (value === undefined) throw new Error(`no ${name} in\n${this.text}`);
    return value;
  }

  lines(name: string): string[] {
    return this.#headers.filter(([known]) => known === longName(name)).map(([, value]) => value);
  }

  /** Every value, shared lines taken apart. */
  values(name: string): string[] {
    return this.lines(name).flatMap((line) => splitAtCommas(line));
  }

  /** "200 REGISTER" or "INVITE", the short form receives() understands. */
  get summary(): string {
    return this.status > 0 ? `${this.status} ${this.method}` : this.method;
  }
}

function splitAtCommas(line: string): string[] {
  const values: string[] = [];
  let value = "";
  let isQuoted = false;
  let depth = 0;
  for (const char of line) {
    if (char === '"') isQuoted = !isQuoted;
    if (!isQuoted && char === "<") depth += 1;
    if (!isQuoted && char === ">") depth -= 1;
    if (char === "," && !isQuoted && depth === 0) {
      values.push(value.trim());
      value = "";
    } else value += char;
  }
  return [...values, value.trim()];
}

/** The URI inside <> or before the first ; of a name-addr. */
export function uriOf(value: string): string {
  return /<([^>]*)>/.exec(value)?.[1] ?? value.split(";")[0]?.trim() ?? "";
}

export function tagOf(value: string): string | undefined {
  return /;\s*tag=([^;\s>]+)/i.exec(value.replace(/<[^>]*>/, ""))?.[1];
}

/**
 * A message from a template: line ends become CRLF, indentation goes, and `Content-Length: *` gets the
 * length of the body. A template without Content-Length gets one, unless `raw`.
 */
export function sipText(template: string): string {
  const lines = template.replace(/\r\n/g, "\n").replace(/^\n/, "").split("\n");
  const empty = lines.findIndex((line) => line.trim() === "");
  const headLines = (empty < 0 ? lines : lines.slice(0, empty)).map((line) => line.trim());
  const bodyLines = empty < 0 ? [] : lines.slice(empty + 1).map((line) => line.trim());
  while (bodyLines.at(-1) === "") bodyLines.pop();
  const body = bodyLines.map((line) => `${line}\r\n`).join("");
  const length = `Content-Length: ${body.length}`;
  const hasLength = headLines.some((line) => /^(content-length|l)\s*:/i.test(line));
  const head = headLines.map((line) => (line === "Content-Length: *" ? length : line));
  return `${[...head, ...(hasLength ? [] : [length])].join("\r\n")}\r\n\r\n${body}`;
}

export function hostPort({ address, port }: Endpoint): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

export function latin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

/** Cuts messages out of a stream; `keepAlives` counts CRLFs between them. */
export class SipTextReader {
  keepAlives = 0;
  #rest = "";

  push(bytes: Uint8Array): string[] {
    this.#rest += Buffer.from(bytes).toString("latin1");
    const messages: string[] = [];
    for (let message = this.#next(); message !== null; message = this.#next()) {
      messages.push(message);
    }
    return messages;
  }

  #next(): string | null {
    while (this.#rest.startsWith("\r\n")) {
      this.keepAlives += 1;
      this.#rest = this.#rest.slice(2);
    }
    const end = this.#rest.indexOf("\r\n\r\n");
    if (end < 0) return null;
    const head = this.#rest.slice(0, end);
    const length = Number(/^(?:content-length|l)\s*:\s*(\d+)\s*$/im.exec(head)?.[1] ?? 0);
    if (this.#rest.length < end + 4 + length) return null;
    const message = this.#rest.slice(0, end + 4 + length);
    this.#rest = this.#rest.slice(end + 4 + length);
    return message;
  }
}
