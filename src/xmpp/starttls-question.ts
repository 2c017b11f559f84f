/**
 * STARTTLS as the side that connects (RFC 6120 §5.4): after our opening come the instance's features, then
 * our <starttls/>, then its <proceed/> and no byte behind it, since that would not be protected.
 */
import { STREAMS, TLS } from "./names.ts";
import { type Token, XmlReader } from "./xml-reader.ts";

export type StartTlsStep = "ask" | "proceed" | { readonly failed: string };

const NOT_XMPP: StartTlsStep = { failed: "it speaks no XMPP" };

export class StartTlsQuestion {
  readonly #reader: XmlReader;
  #stage: "features" | "asked" = "features";
  #isOffered = false;

  constructor(limitBytes: number) {
    this.#reader = new XmlReader(limitBytes);
  }

  /** "ask": <starttls/> shall be sent. "proceed": TLS begins. null = it takes more bytes. */
  push(bytes: Uint8Array<ArrayBuffer>): StartTlsStep | null {
    this.#reader.push(bytes);
    let step: StartTlsStep | null = null;
    for (let token = this.#reader.next(); token !== null; token = this.#reader.next()) {
      step = this.#take(token) ?? step;
      if (step !== null && step !== "ask") return step;
    }
    return step;
  }

  #take(token: Token): StartTlsStep | null {
    if (token.kind === "broken") return NOT_XMPP;
    if (token.kind === "start") return this.#start(token);
    if (token.kind !== "end" || token.depth !== 1) return null;
    if (this.#stage === "features") {
      if (!this.#isOffered) return { failed: "it offers no STARTTLS" };
      this.#stage = "asked";
      return "ask";
    }
    if (this.#reader.rest.length > 0) return { failed: "it says more than <proceed/>" };
    return "proceed";
  }

  #start({ depth, element }: Extract<Token, { kind: "start" }>): StartTlsStep | null {
    const { name, namespace } = element;
    if (depth === 0) return name === "stream" && namespace === STREAMS ? null : NOT_XMPP;
    if (namespace === TLS && name === "starttls") this.#isOffered = true;
    if (depth !== 1) return null;
    if (this.#stage === "features") {
      if (namespace === STREAMS && name === "features") return null;
      return { failed: `it answers with <${name}/>` };
    }
    return namespace === TLS && name === "proceed"
      ? null
      : { failed: `it answers with <${name}/>` };
  }
}
