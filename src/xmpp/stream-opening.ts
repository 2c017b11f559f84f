/**
 * The client's part of a stream up to where others take over: its opening (RFC 6120 §4.7), in the clear
 * followed by <starttls/> (§5.4.2.1) and nothing else at all. Bytes may be split anywhere.
 */
import { CLIENT, STREAMS, TLS } from "./names.ts";
import type { StreamErrorCondition } from "./stream-errors.ts";
import { type Element, type Token, XmlReader } from "./xml-reader.ts";

export type Heard =
  /** `to` is as it was written; null = it names nobody. */
  | { readonly kind: "opening"; readonly to: string | null }
  | { readonly kind: "starttls" }
  /** The client ends the stream. */
  | { readonly kind: "end" }
  /** `reason` is for counting. Nothing is told after it. */
  | {
      readonly kind: "refused";
      readonly condition: StreamErrorCondition;
      readonly reason: string;
    };

/** What one server takes at most for a name (RFC 7622 §3.2); of letters, digits and hyphens here. */
const HOST = /^[A-Za-z0-9.-]{1,1023}$/;

export class ClientOpening {
  readonly #reader: XmlReader;
  #isOpen = false;
  #isStartTls = false;
  #isOver = false;

  constructor(limitBytes: number) {
    this.#reader = new XmlReader(limitBytes);
  }

  /** Only when next() has nothing more. */
  push(bytes: Uint8Array<ArrayBuffer>): void {
    this.#reader.push(bytes);
  }

  /** null = it takes more bytes. */
  next(): Heard | null {
    while (!this.#isOver) {
      const token = this.#reader.next();
      if (token === null) return null;
      const heard = this.#isOpen ? this.#behind(token) : this.#opening(token);
      if (heard === null) continue;
      this.#isOver = heard.kind !== "opening";
      return heard;
    }
    return null;
  }

  #opening(token: Token): Heard | null {
    if (token.kind === "broken") return broken(token.condition);
    if (token.kind !== "start") return null;
    const { element } = token;
    if (element.name !== "stream") return refused("bad-format", "no-stream");
    if (element.namespace !== STREAMS || element.defaultNamespace !== CLIENT) {
      return refused("invalid-namespace", "namespace");
    }
    if (!isVersion1(element)) return refused("unsupported-version", "version");
    this.#isOpen = true;
    const to = element.attributes.get("to") ?? null;
    return { kind: "opening", to: to !== null && HOST.test(to) ? to : null };
  }

  #behind(token: Token): Heard | null {
    switch (token.kind) {
      case "broken":
        return broken(token.condition);
      case "text":
        return token.text.trim() === "" && !this.#isStartTls ? null : beforeTls();
      case "start":
        if (token.depth !== 1 || !isStartTls(token.element)) return beforeTls();
        this.#isStartTls = true;
        return null;
      case "end":
        if (token.depth === 0) return { kind: "end" };
        // What was sent in the clear must not be taken for what comes by TLS (CVE-2011-0411 and its kind).
        // White space is not allowed either (RFC 6120 §5.3.3), but go-sendxmpp ends its line: it is thrown away.
        if (!isBlank(this.#reader.rest)) return refused("policy-violation", "starttls-injection");
        return { kind: "starttls" };
    }
  }
}

function isStartTls({ name, namespace }: Element): boolean {
  return name === "starttls" && namespace === TLS;
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09);
}

/** RFC 6120 §4.7.5: a higher minor version is spoken by who knows 1.0, another major one is not. */
function isVersion1({ attributes }: Element): boolean {
  return /^0*1\.\d+$/.test(attributes.get("version") ?? "");
}

function refused(condition: StreamErrorCondition, reason: string): Heard {
  return { kind: "refused", condition, reason };
}

/** Sign-in, compression, a stanza: all that must not be in the clear (RFC 6120 §5.3.1). */
function beforeTls(): Heard {
  return refused("policy-violation", "before-tls");
}

function broken(condition: StreamErrorCondition): Heard {
  return refused(condition, condition === "policy-violation" ? "too-large" : condition);
}
