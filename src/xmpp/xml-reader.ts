/**
 * XML of a stream, as XMPP allows it (RFC 6120 §11): UTF-8, no comments, no processing instructions, no DTD,
 * no entities but the five. Bytes come as they come; tags are told with the place where their bytes stand,
 * so that a stream can be cut exactly there. Each reader takes a fixed number of bytes in all.
 */
import { SaxesParser, type SaxesTagNS } from "saxes";
import type { StreamErrorCondition } from "./stream-errors.ts";

export type Element = {
  readonly name: string;
  readonly namespace: string;
  /** Those without a prefix. */
  readonly attributes: ReadonlyMap<string, string>;
  /** The default namespace declared on it. */
  readonly defaultNamespace: string | undefined;
};

/**
 * `depth` 0 is the stream itself, 1 its stanzas. `at` is where the tag begins and `end` where it is over, in
 * bytes since the beginning of the stream. An empty element has a start and an end of the same place.
 */
export type Token =
  | {
      readonly kind: "start";
      readonly depth: number;
      readonly element: Element;
      readonly at: number;
      readonly end: number;
    }
  | { readonly kind: "end"; readonly depth: number; readonly at: number; readonly end: number }
  | { readonly kind: "text"; readonly depth: number; readonly text: string }
  | { readonly kind: "broken"; readonly condition: StreamErrorCondition };

/**
 * Openings and features have a few levels. The parser looks for each name's namespace through all that are open:
 * twenty thousand of them took seconds.
 */
const DEEPEST = 16;

const OPEN = 0x3c;
const CLOSE = 0x3e;

export class XmlReader {
  readonly #limitBytes: number;
  readonly #parser = new SaxesParser({ xmlns: true });
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #tokens: Token[] = [];
  #bytes = new Uint8Array(0);
  /** In `#bytes`: what is before was read. */
  #read = 0;
  /** In the stream: where `#bytes` begins. */
  #begin = 0;
  #lastOpen = 0;
  #isFirst = true;
  #depth = 0;
  #isBroken = false;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
    const parser = this.#parser;
    parser.on("error", () => this.#break("not-well-formed"));
    parser.on("doctype", () => this.#break("restricted-xml"));
    parser.on("comment", () => this.#break("restricted-xml"));
    parser.on("processinginstruction", () => this.#break("restricted-xml"));
    parser.on("xmldecl", ({ encoding, version }) => {
      if (version !== "1.0") this.#break("not-well-formed");
      else if ((encoding ?? "utf-8").toLowerCase() !== "utf-8") this.#break("unsupported-encoding");
    });
    parser.on("text", (text) => this.#text(text));
    parser.on("cdata", (text) => this.#text(text));
    parser.on("opentag", (tag) => this.#start(tag));
    parser.on("closetag", () => this.#end());
  }

  /** Only when next() has nothing more. */
  push(bytes: Uint8Array<ArrayBuffer>): void {
    this.#begin += this.#bytes.length;
    this.#bytes = bytes;
    this.#read = 0;
  }

  /** What comes next; null = that takes more bytes. After "broken" nothing comes. */
  next(): Token | null {
    while (this.#tokens.length === 0) {
      if (this.#isBroken || this.#read === this.#bytes.length) return null;
      // A ">" byte is never a part of another character, and every tag ends with one.
      const close = this.#bytes.indexOf(CLOSE, this.#read);
      this.#feed(close < 0 ? this.#bytes.length : close + 1);
    }
    return this.#tokens.shift() ?? null;
  }

  /** What was pushed last and comes behind the token that was told last. */
  get rest(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(this.#read);
  }

  get #position(): number {
    return this.#begin + this.#read;
  }

  #feed(end: number): void {
    const piece = this.#bytes.subarray(this.#read, end);
    const open = piece.lastIndexOf(OPEN);
    if (open >= 0) this.#lastOpen = this.#position + open;
    this.#read = end;
    if (this.#position > this.#limitBytes) return this.#break("policy-violation");
    let text: string;
    try {
      text = this.#decoder.decode(piece, { stream: true });
    } catch {
      return this.#break("unsupported-encoding");
    }
    // A byte order mark is none here (RFC 6120 §11.6); the parser would skip it.
    if (this.#isFirst && text.startsWith("\ufeff")) return this.#break("not-well-formed");
    this.#isFirst &&= text === "";
    this.#parser.write(text);
  }

  #start(tag: SaxesTagNS): void {
    if (this.#depth >= DEEPEST) return this.#break("policy-violation");
    const attributes = Object.values(tag.attributes).filter(({ prefix }) => prefix === "");
    this.#tell({
      kind: "start",
      depth: this.#depth,
      element: {
        name: tag.local,
        namespace: tag.uri,
        attributes: new Map(attributes.map(({ local, value }) => [local, value])),
        defaultNamespace: tag.ns[""],
      },
      at: this.#lastOpen,
      end: this.#position,
    });
    this.#depth++;
  }

  #end(): void {
    this.#depth--;
    this.#tell({ kind: "end", depth: this.#depth, at: this.#lastOpen, end: this.#position });
  }

  #text(text: string): void {
    if (this.#depth > 0) this.#tell({ kind: "text", depth: this.#depth, text });
  }

  #tell(token: Token): void {
    if (!this.#isBroken) this.#tokens.push(token);
  }

  #break(condition: StreamErrorCondition): void {
    this.#tell({ kind: "broken", condition });
    this.#isBroken = true;
  }
}
