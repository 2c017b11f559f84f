/**
 * The features of a stream (RFC 6120 §4.3.2): ours, which are STARTTLS and nothing else, and the first ones
 * of an instance. Out of those goes what would break behind a TLS that ends here: a second STARTTLS, and
 * channel binding, which would bind to two different TLS sessions. All other bytes stay as they are.
 */
import { CHANNEL_BINDING, SASL, SASL_2, STREAMS, TLS } from "./names.ts";
import { type Element, type Token, XmlReader } from "./xml-reader.ts";

export const STARTTLS_FEATURES = `<stream:features><starttls xmlns='${TLS}'><required/></starttls></stream:features>`;
export const STARTTLS = `<starttls xmlns='${TLS}'/>`;
export const PROCEED = `<proceed xmlns='${TLS}'/>`;

/** What an instance offers in its first features. */
export type Offer = {
  readonly startTls: "none" | "offered" | "required";
  /** SASL mechanisms, those with channel binding included. */
  readonly mechanisms: readonly string[];
  /** It says which channel bindings it knows (XEP-0440). */
  readonly tellsChannelBinding: boolean;
};

export type Answer =
  /** `bytes` all that has come, without what must not pass. */
  | { readonly kind: "features"; readonly offer: Offer; readonly bytes: Uint8Array<ArrayBuffer> }
  /** Something else, mostly a stream error; `bytes` all that has come. */
  | { readonly kind: "other"; readonly bytes: Uint8Array<ArrayBuffer> }
  /** It speaks no XMPP. */
  | { readonly kind: "broken" };

type Range = { readonly at: number; readonly end: number };

export class InstanceFeatures {
  readonly #reader: XmlReader;
  readonly #pieces: Uint8Array<ArrayBuffer>[] = [];
  readonly #mechanisms: string[] = [];
  readonly #removed: Range[] = [];
  /** The elements that are open, the stream first. */
  readonly #open: { readonly element: Element; readonly at: number; text: string }[] = [];
  #startTls: Offer["startTls"] = "none";
  #tellsChannelBinding = false;

  constructor(limitBytes: number) {
    this.#reader = new XmlReader(limitBytes);
  }

  /** null = it takes more bytes. */
  push(bytes: Uint8Array<ArrayBuffer>): Answer | null {
    this.#pieces.push(bytes);
    this.#reader.push(bytes);
    for (let token = this.#reader.next(); token !== null; token = this.#reader.next()) {
      const answer = this.#take(token);
      if (answer !== null) return answer;
    }
    return null;
  }

  #take(token: Token): Answer | null {
    switch (token.kind) {
      case "broken":
        return { kind: "broken" };
      case "text": {
        const inner = this.#open.at(-1);
        if (inner !== undefined) inner.text += token.text;
        return null;
      }
      case "start":
        this.#open.push({ element: token.element, at: token.at, text: "" });
        return this.#started(token);
      case "end":
        this.#closed(token.end);
        if (token.depth === 0) return { kind: "other", bytes: Buffer.concat(this.#pieces) };
        return token.depth === 1 ? this.#features() : null;
    }
  }

  #started({ depth, element }: Extract<Token, { kind: "start" }>): Answer | null {
    if (depth === 0) return isNamed(element, "stream", STREAMS) ? null : { kind: "broken" };
    if (depth > 1 || isNamed(element, "features", STREAMS)) return null;
    return { kind: "other", bytes: Buffer.concat(this.#pieces) };
  }

  #closed(end: number): void {
    const closed = this.#open.pop();
    const outer = this.#open.at(-1)?.element;
    if (closed === undefined || outer === undefined) return;
    const { element, at, text } = closed;
    const remove = (): void => void this.#removed.push({ at, end });
    if (isNamed(element, "starttls", TLS)) {
      if (this.#startTls === "none") this.#startTls = "offered";
      remove();
    } else if (isNamed(element, "required", TLS) && isNamed(outer, "starttls", TLS)) {
      this.#startTls = "required";
    } else if (isNamed(element, "sasl-channel-binding", CHANNEL_BINDING)) {
      this.#tellsChannelBinding = true;
      remove();
    } else if (isMechanism(element, outer)) {
      this.#mechanisms.push(text.trim());
      if (isBound(text.trim())) remove();
    }
  }

  #features(): Answer {
    const offer: Offer = {
      startTls: this.#startTls,
      mechanisms: this.#mechanisms,
      tellsChannelBinding: this.#tellsChannelBinding,
    };
    return { kind: "features", offer, bytes: without(Buffer.concat(this.#pieces), this.#removed) };
  }
}

/** SCRAM and the like with channel binding (RFC 5802 §4). */
export function isBound(mechanism: string): boolean {
  return mechanism.endsWith("-PLUS");
}

function isNamed(element: Element, name: string, namespace: string): boolean {
  return element.name === name && element.namespace === namespace;
}

function isMechanism(element: Element, outer: Element): boolean {
  if (element.name !== "mechanism") return false;
  return isNamed(outer, "mechanisms", SASL) || isNamed(outer, "authentication", SASL_2);
}

/** Ranges may lie within one another; what a range is told of last ends last. */
function without(bytes: Buffer<ArrayBuffer>, ranges: readonly Range[]): Uint8Array<ArrayBuffer> {
  const kept: Buffer<ArrayBuffer>[] = [];
  let from = 0;
  for (const { at, end } of [...ranges].sort((a, b) => a.at - b.at)) {
    if (at > from) kept.push(bytes.subarray(from, at));
    from = Math.max(from, end);
  }
  kept.push(bytes.subarray(from));
  return Buffer.concat(kept);
}
