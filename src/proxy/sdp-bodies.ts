/**
 * Carries the SDP of requests and responses through a call's media session (RFC 3264): an offer in an
 * INVITE or UPDATE and its answer in the response, or the offer in the response and the answer in ACK or
 * PRACK. Everything else in a message stays as it is, the other parts of its body too.
 */
import type { Log } from "../io/types.ts";
import type { LegName } from "../media/engine.ts";
import type { SipMessage, SipRequest, SipResponse } from "../sip/message.ts";
import { tagOf } from "../sip/name-addr.ts";
import type { Call, Calls } from "./calls.ts";
import { type SdpPart, sdpPartOf } from "./sdp-part.ts";
import { warningFor } from "./sdp-refusals.ts";

/** What one request does to the offer/answer state; kept until its final response. */
export type Exchange = {
  readonly from: LegName;
  readonly method: string;
  role: "none" | "offer" | "answer";
  /** The offer as its sender wrote it. */
  offered: SdpPart | null;
  /** It was made again with the other profile. */
  isRepeated: boolean;
  /** Answers that have passed: a repeated 2xx gets the same again and changes nothing (RFC 3261 §13.3.1.4). */
  readonly answered: Map<string, string>;
};

export function newExchange(from: LegName, method: string): Exchange {
  const answered = new Map<string, string>();
  return { from, method, role: "none", offered: null, isRepeated: false, answered };
}

/** `warning`: what a Warning header says, null = nothing. */
export type Refusal = { readonly status: 415 | 488 | 503; readonly warning: string | null };

/** In any other request or its responses SDP only tells what somebody could do (RFC 6337 §2.1). */
const NEGOTIATING = new Set(["INVITE", "UPDATE", "PRACK"]);

/** Branches and provisional answers of one request that are remembered. */
const MOST_ANSWERS = 16;

const other = (side: LegName): LegName => (side === "outer" ? "inner" : "outer");

const toTag = (message: SipMessage): string => tagOf(message.headers.get("to") ?? "") ?? "";

function setBody(message: SipMessage, text: string): void {
  message.body = Buffer.from(text, "latin1");
}

function removeBody(message: SipMessage): void {
  message.body = new Uint8Array(0);
  message.headers.remove("content-type");
}

export class SdpBodies {
  readonly #calls: Calls;
  readonly #log: Log;

  constructor(calls: Calls, log: Log) {
    this.#calls = calls;
    this.#log = log;
  }

  /** Rewrites the body of a request on its way; a refusal is for the sender. */
  async request(call: Call, request: SipRequest, exchange: Exchange): Promise<Refusal | null> {
    if (!NEGOTIATING.has(exchange.method)) return null;
    const sdp = sdpPartOf(request);
    if (sdp === "none") return null;
    if (sdp === "hidden") return { status: 415, warning: null };
    if (call.answerExpectedFrom === exchange.from && exchange.method === "PRACK") {
      this.#answer(call, request, sdp, { from: exchange.from, isFinal: true });
      call.answerExpectedFrom = null;
      exchange.role = "answer";
      return null;
    }
    const result = await this.#offer(call, sdp, exchange.from);
    if (!result.ok) {
      this.#log.info("offer-refused", { callId: call.callId, reason: result.reason });
      return { status: result.status, warning: warningFor(result.reason) };
    }
    setBody(request, sdp.bodyWith(result.sdp));
    exchange.role = "offer";
    exchange.offered = sdp;
    return null;
  }

  /**
   * The phone has refused what it was offered, SRTP or RTP: whether it may be asked once more with the other.
   * Only for a call that begins; within one both know how they speak.
   */
  mayRepeat(call: Call, exchange: Exchange): boolean {
    const outer = call.session?.request.outer;
    if (exchange.offered === null || exchange.isRepeated || exchange.from !== "inner") return false;
    return call.established.size === 0 && outer?.media === "srtp" && outer.acceptsPlain;
  }

  /** Makes the offer again with the other profile; false = it cannot be made. */
  async repeat(call: Call, request: SipRequest, exchange: Exchange): Promise<boolean> {
    const { offered, from } = exchange;
    const { session } = call;
    if (offered === null || session === null) return false;
    exchange.isRepeated = true;
    exchange.answered.clear();
    session.offerFailed(from);
    session.isPlainOutside = !session.isPlainOutside;
    const result = await this.#offer(call, offered, from);
    if (result.ok) setBody(request, offered.bodyWith(result.sdp));
    return result.ok;
  }

  /** The answer to an offer that came in the 2xx. An ACK cannot be refused: unusable SDP is dropped. */
  ack(call: Call, request: SipRequest, from: LegName): void {
    const sdp = sdpPartOf(request);
    if (sdp === "none") return;
    if (sdp === "hidden" || call.answerExpectedFrom !== from) return removeBody(request);
    call.answerExpectedFrom = null;
    this.#answer(call, request, sdp, { from, isFinal: true });
  }

  /** Rewrites the body of a response on its way back to `exchange.from`. */
  async response(call: Call, response: SipResponse, exchange: Exchange): Promise<void> {
    if (!NEGOTIATING.has(exchange.method)) return;
    const sdp = sdpPartOf(response);
    if (sdp === "none") return;
    // A body that lists what would be acceptable (RFC 3261 §21.4.26) names inside addresses.
    if (sdp === "hidden" || response.status >= 300) return removeBody(response);
    const from = other(exchange.from);
    if (exchange.role === "offer") return this.#answerTo(call, response, exchange, sdp);
    if (exchange.role === "answer") return removeBody(response);
    const result = await this.#offer(call, sdp, from);
    if (result.ok) {
      setBody(response, sdp.bodyWith(result.sdp));
      call.answerExpectedFrom = exchange.from;
    } else {
      this.#log.warn("offer-dropped", { callId: call.callId, reason: result.reason });
      removeBody(response);
    }
  }

  async #offer(call: Call, { text }: SdpPart, from: LegName) {
    const session = this.#calls.session(call);
    if (session === null) return { ok: false, status: 503, reason: "call-ended" } as const;
    return session.offer(from, text);
  }

  #answerTo(call: Call, response: SipResponse, exchange: Exchange, sdp: SdpPart): void {
    const isFinal = response.status >= 200;
    const key = `${toTag(response)} ${isFinal} ${sdp.text}`;
    const before = exchange.answered.get(key);
    if (before !== undefined) return setBody(response, sdp.bodyWith(before));
    const answer = this.#answer(call, response, sdp, { from: other(exchange.from), isFinal });
    const isNew = answer !== null && exchange.answered.size < MOST_ANSWERS;
    if (isNew) exchange.answered.set(key, answer);
  }

  /** The request that carried an offer came to nothing: back to what was before. */
  failed(call: Call, exchange: Exchange): void {
    if (exchange.role === "offer") call.session?.offerFailed(exchange.from);
  }

  /**
   * A 2xx cannot be refused on the way; without SDP the caller ends the call by itself. The answer that went
   * on, null = none.
   */
  #answer(
    call: Call,
    message: SipMessage,
    sdp: SdpPart,
    { from, isFinal }: { readonly from: LegName; readonly isFinal: boolean },
  ): string | null {
    const o = { branch: toTag(message), final: isFinal };
    const result = call.session?.answer(from, sdp.text, o);
    if (result?.ok === true) {
      setBody(message, sdp.bodyWith(result.sdp));
      return result.sdp;
    }
    this.#log.warn("answer-dropped", { callId: call.callId, reason: result?.reason ?? "no offer" });
    removeBody(message);
    return null;
  }
}
