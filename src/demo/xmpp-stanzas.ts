/** Whole stanzas out of the bytes of one stream; the demonstration's XMPP server reads them so. */
import { type Element, XmlReader } from "../xmpp/xml-reader.ts";

export type Stanza = Element & { readonly children: readonly Stanza[]; readonly text: string };

export type StanzaEvents = {
  opened(to: string): void;
  stanza(stanza: Stanza): void;
  /** The stream ends, or is no XMPP. */
  ended(): void;
};

type Growing = Element & { readonly children: Growing[]; text: string };

/** Bytes of one stream; a demonstration needs no more. */
const MOST_BYTES = 4 << 20;

export class StanzaReader {
  readonly #reader = new XmlReader(MOST_BYTES);
  readonly #events: StanzaEvents;
  readonly #open: Growing[] = [];

  constructor(events: StanzaEvents) {
    this.#events = events;
  }

  push(bytes: Uint8Array): void {
    this.#reader.push(new Uint8Array(bytes));
    for (let token = this.#reader.next(); token !== null; token = this.#reader.next()) {
      const inner = this.#open.at(-1);
      if (token.kind === "broken") return this.#events.ended();
      if (token.kind === "text") {
        if (inner !== undefined) inner.text += token.text;
      } else if (token.kind === "start") {
        if (token.depth === 0) this.#events.opened(token.element.attributes.get("to") ?? "");
        else this.#open.push({ ...token.element, children: [], text: "" });
      } else if (token.depth === 0) this.#events.ended();
      else this.#closed();
    }
  }

  #closed(): void {
    const closed = this.#open.pop();
    if (closed === undefined) return;
    const outer = this.#open.at(-1);
    if (outer === undefined) this.#events.stanza(closed);
    else outer.children.push(closed);
  }
}

export function childOf(stanza: Stanza, name: string): Stanza | undefined {
  return stanza.children.find((one) => one.name === name);
}
