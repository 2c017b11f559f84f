/**
 * Carries the SDP of requests and responses through a call's media session (RFC 3264): an offer in an
 * INVITE or UPDATE and its answer in the response, or the offer in the response and the answer in ACK or
 * PRACK. Everything else in a message stays as it is.
 */
import type { Log } from "../io/types.ts";
import type { LegName } from "../media/engine.ts";
import type { Headers } from "../sip/headers.ts";
import type { SipMessage, SipRequest, SipResponse } from "../sip/message.ts";
import { tagOf } from "../sip/name-addr.ts";
import type { Call, Calls } from "./calls.ts";

/** What one request does to the offer/answer state; kept until its final response. */
export type Exchange = {
  readonly from: LegName;
  readonly method: string;
  role: "none" | "offer" | "answer";
  /** Answers that have passed: a repeated 2xx gets the same again and changes nothing (RFC 3261 §13.3.1.4). */
  readonly answered: Map<string, string>;
};

export type Refusal = { readonly status: 415 | 488 | 503; readonly reason: string };

/** In any other request or its responses SDP only tells what somebody could do (RFC 6337 §2.1). */
const NEGOTIATING = new Set(["INVITE", "UPDATE", "PRACK"]);

/** Branches and provisional answers of one request that are remembered. */
const MOST_ANSWERS = 16;

const other = (side: LegName): LegName => (side === "outer" ? "inner" : "outer");

function contentType(headers: Headers): string {
  return (headers.get("content-type") ?? "").split(";", 1)[0]!.trim().toLowerCase();
}

function hasSdp(message: SipMessage): boolean {
  return message.body.length > 0 && contentType(message.headers) === "application/sdp";
}

/** SDP we could not see would pass with the instance's address in it and without a path for its media. */
function hidesSdp(message: SipMessage): boolean {
  if (message.body.length === 0) return false;
  const type = contentType(message.headers);
  if (type === "application/sdp") {
    const encoding = message.headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
    return encoding !== "identity";
  }
  if (!type.startsWith("multipart/")) return false;
  return Buffer.from(message.body).toString("latin1").toLowerCase().includes("application/sdp");
}

const toTag = (message: SipMessage): string => tagOf(message.headers.get("to") ?? "") ?? "";

const textOf = (message: SipMessage): string => Buffer.from(message.body).toString("latin1");

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
    if (hidesSdp(request)) return { status: 415, reason: "Unsupported Media Type" };
    if (!hasSdp(request)) return null;
    if (call.answerExpectedFrom === exchange.from && exchange.method === "PRACK") {
      this.#answer(call, request, exchange.from, toTag(request), true);
      call.answerExpectedFrom = null;
      exchange.role = "answer";
      return null;
    }
    const result = await this.#offer(call, request, exchange.from);
    if (!result.ok) {
      this.#log.info("offer-refused", { callId: call.callId, reason: result.reason });
      return { status: result.status, reason: "" };
    }
    setBody(request, result.sdp);
    exchange.role = "offer";
    return null;
  }

  /** The answer to an offer that came in the 2xx. An ACK cannot be refused: unusable SDP is dropped. */
  ack(call: Call, request: SipRequest, from: LegName): void {
    if (!hasSdp(request)) return;
    if (call.answerExpectedFrom !== from) return removeBody(request);
    call.answerExpectedFrom = null;
    this.#answer(call, request, from, toTag(request), true);
  }

  /** Rewrites the body of a response on its way back to `exchange.from`. */
  async response(call: Call, response: SipResponse, exchange: Exchange): Promise<void> {
    if (!NEGOTIATING.has(exchange.method)) return;
    if (hidesSdp(response)) removeBody(response);
    if (response.status >= 300) {
      // A body that lists what would be acceptable (RFC 3261 §21.4.26) names inside addresses.
      if (hasSdp(response)) removeBody(response);
      return;
    }
    if (!hasSdp(response)) return;
    const isFinal = response.status >= 200;
    const from = other(exchange.from);
    if (exchange.role === "offer") return this.#answerTo(call, response, exchange, isFinal);
    if (exchange.role === "answer") return removeBody(response);
    const result = await this.#offer(call, response, from);
    if (result.ok) {
      setBody(response, result.sdp);
      call.answerExpectedFrom = exchange.from;
    } else {
      this.#log.warn("offer-dropped", { callId: call.callId, reason: result.reason });
      removeBody(response);
    }
  }

  async #offer(call: Call, message: SipMessage, from: LegName) {
    const session = this.#calls.session(call);
    if (session === null) return { ok: false, status: 503, reason: "call-ended" } as const;
    return session.offer(from, textOf(message));
  }

  #answerTo(call: Call, response: SipResponse, exchange: Exchange, isFinal: boolean): void {
    const branch = toTag(response);
    const key = `${branch} ${isFinal} ${textOf(response)}`;
    const before = exchange.answered.get(key);
    if (before !== undefined) return setBody(response, before);
    this.#answer(call, response, other(exchange.from), branch, isFinal);
    const isNew = response.body.length > 0 && exchange.answered.size < MOST_ANSWERS;
    if (isNew) exchange.answered.set(key, textOf(response));
  }

  /** The request that carried an offer came to nothing: back to what was before. */
  failed(call: Call, exchange: Exchange): void {
    if (exchange.role === "offer") call.session?.offerFailed(exchange.from);
  }

  /** A 2xx cannot be refused on the way; without SDP the caller ends the call by itself. */
  #answer(call: Call, message: SipMessage, from: LegName, branch: string, isFinal: boolean): void {
    const session = call.session;
    const result = session?.answer(from, textOf(message), { branch, final: isFinal });
    if (result?.ok === true) return setBody(message, result.sdp);
    this.#log.warn("answer-dropped", { callId: call.callId, reason: result?.reason ?? "no offer" });
    removeBody(message);
  }
}
