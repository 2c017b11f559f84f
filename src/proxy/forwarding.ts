/**
 * Sends a request on and brings its responses back (RFC 3261 §16.6, §16.7), with its SDP carried through
 * the call's media session and the call ended when it proves over. The same for both directions.
 */
import type { LegName } from "../media/engine.ts";
import type { Flow } from "../sip/flow.ts";
import { cloneRequest, type SipRequest, type SipResponse } from "../sip/message.ts";
import { tagOf } from "../sip/name-addr.ts";
import { reasonPhrase } from "../sip/reason-phrase.ts";
import { ResponseContext } from "../sip/response-context.ts";
import type { ServerTransaction } from "../sip/transaction-table.ts";
import { Attempts, NoWayOn } from "./attempts.ts";
import type { WayBack } from "./border.ts";
import type { Call } from "./calls.ts";
import { type Core, internalError, reply } from "./core.ts";
import { refuseChallenge } from "./phone-answers.ts";
import { type Exchange, newExchange, type Refusal } from "./sdp-bodies.ts";

export type Forwarded = {
  readonly transaction: ServerTransaction;
  /** The copy that goes out. */
  readonly request: SipRequest;
  readonly from: LegName;
  readonly instance: string;
  /** Where the phone's end of this request is. */
  readonly phoneAddress: string;
  readonly call: Call | null;
  /** The way on: a phone's flow, or the targets of an instance. */
  readonly onward: Flow | Attempts;
  /** Sets right what comes back. */
  readonly wayBack: WayBack;
  /** The far end has answered 2xx. */
  readonly accepted?: (() => void) | null;
};

type Answer = SipResponse | Promise<SipResponse>;

/** Early media (a queue's announcement before the answer) keeps an INVITE alive while it flows. */
const FLOWING_MS = 5000;

const ends = (request: SipRequest): boolean => request.method === "BYE";
/** RFC 3261 §12.2.1.2 and RFC 5057: after these the dialog is gone, for requests that renew it. */
const provesDead = (request: SipRequest, status: number): boolean =>
  (status === 481 || status === 408) && ["INVITE", "UPDATE", "BYE"].includes(request.method);

export class Forwarding {
  readonly #core: Core;
  /** INVITEs under way, for CANCEL. */
  readonly #contexts = new Map<ServerTransaction, ResponseContext>();

  constructor(core: Core) {
    this.#core = core;
  }

  /** 200 to the CANCEL when its INVITE is known, else 481 (RFC 3261 §16.10). */
  cancel(cancel: ServerTransaction): void {
    const invite = cancel.matching;
    if (invite === null) return reply(this.#core, cancel, 481);
    reply(this.#core, cancel, 200);
    this.#contexts.get(invite)?.cancel();
  }

  async forward(o: Forwarded): Promise<void> {
    const { transaction, call } = o;
    const { method } = o.request;
    const exchange = newExchange(o.from, method);
    if (this.#isLoop(o)) return this.#refuse(o, 482, exchange);
    const context = this.#contextFor(o, exchange);
    if (transaction.isInvite) this.#contexts.set(transaction, context);
    if (!this.#core.requests.enter(transaction, o.instance)) {
      this.#core.count("instance-requests");
      return this.#refuse(o, 503, exchange);
    }
    try {
      if (call !== null) {
        const refusal = await this.#core.sdpBodies.request(call, o.request, exchange);
        if (refusal !== null) return this.#refuse(o, refusal.status, exchange, refusal);
      }
      // Sends nothing when a CANCEL has ended it while ports were opened.
      if (o.onward instanceof Attempts) await o.onward.start(context);
      else context.forward(o.request, o.onward);
    } catch (error) {
      if (!(error instanceof NoWayOn)) internalError(this.#core, o.request, error);
      this.#core.count("no-way-on");
      this.#refuse(o, 503, exchange);
    }
  }

  #contextFor(o: Forwarded, exchange: Exchange): ResponseContext {
    const { limits, clock, table } = this.#core;
    const targets = o.onward instanceof Attempts ? o.onward : null;
    const context: ResponseContext = new ResponseContext({
      table,
      clock,
      server: o.transaction,
      timerC: { ms: limits().timerC * 1000, capMs: limits().timerCMax * 1000 },
      isProgressing: () => clock.now() - (o.call?.session?.lastSeenMs ?? 0) < FLOWING_MS,
      response: (response, branch, origin) => {
        const isPhones = targets === null && origin === "received";
        const next = isPhones
          ? this.#otherProfile(o, context, response, exchange)
          : (targets?.judge(response, branch, origin) ?? null);
        if (origin !== "received") this.#unanswered(o, response, origin);
        const answer = (): Answer =>
          origin === "received"
            ? this.#received(o, response, exchange)
            : this.#response(o, response, exchange);
        return next === null ? answer() : next.then((isSent) => (isSent ? null : answer()));
      },
      ended: ({ status }) => {
        targets?.stop();
        this.#ended(o, exchange, status);
      },
      rejected: (error) => internalError(this.#core, o.request, error),
    });
    return context;
  }

  /**
   * A phone that refuses SRTP is asked once more with RTP where its instance allows that; one that took RTP
   * before, with SRTP. Null: the response is for the sender.
   */
  #otherProfile(
    o: Forwarded,
    context: ResponseContext,
    response: SipResponse,
    exchange: Exchange,
  ): Promise<boolean> | null {
    const { call, onward, transaction } = o;
    if (call === null || onward instanceof Attempts || !transaction.isInvite) return null;
    if (exchange.isRepeated) this.#learnMedia(call, response.status);
    if (response.status !== 488 || !this.#core.sdpBodies.mayRepeat(call, exchange)) return null;
    return this.#repeat(o, call, context, { exchange, onward });
  }

  async #repeat(
    o: Forwarded,
    call: Call,
    context: ResponseContext,
    { exchange, onward }: { readonly exchange: Exchange; readonly onward: Flow },
  ): Promise<boolean> {
    const request = cloneRequest(o.request);
    if (!(await this.#core.sdpBodies.repeat(call, request, exchange))) return false;
    const profile = call.session?.isPlainOutside === true ? "rtp" : "srtp";
    this.#core.count("media-profile-changed");
    this.#core.log.warn("media-profile-changed", {
      instance: o.instance,
      callId: call.callId,
      profile,
    });
    context.forward(request, onward);
    return true;
  }

  /**
   * What the phone has taken is offered to it first from now on. Some call the second request a loop of the
   * first (RFC 3261 §8.2.2.2): then the next call is the one that works.
   */
  #learnMedia({ phone, session }: Call, status: number): void {
    const isTaken = (status >= 200 && status < 300) || status === 482;
    if (!isTaken || phone.kind !== "binding" || session === null) return;
    this.#core.bindings.learnMedia(phone.id, session.isPlainOutside);
  }

  /** Every way round leads to a phone, so that there is where a loop shows (RFC 3261 §16.3 step 4). */
  #isLoop({ transaction, request, onward }: Forwarded): boolean {
    if (onward instanceof Attempts) return false;
    const isLoop = this.#core.table.isLoop(transaction.request, request.uri, onward);
    if (isLoop) this.#core.count("loop");
    return isLoop;
  }

  #received(o: Forwarded, response: SipResponse, exchange: Exchange): Answer {
    const answer = this.#response(o, response, exchange);
    return answer instanceof Promise ? answer.then(o.wayBack) : o.wayBack(answer);
  }

  /** The way to a phone was lost under way: its flow is gone (RFC 5626 §5.3.1). */
  #unanswered(o: Forwarded, response: SipResponse, origin: "timeout" | "transport"): void {
    if (o.from === "outer" || origin !== "transport") return;
    this.#core.count("flow-failed");
    response.status = 430;
    response.reason = reasonPhrase(430);
  }

  async #carry(call: Call, response: SipResponse, exchange: Exchange): Promise<SipResponse> {
    await this.#core.sdpBodies.response(call, response, exchange);
    return response;
  }

  #response(o: Forwarded, response: SipResponse, exchange: Exchange): Answer {
    const { call, onward, transaction } = o;
    if (o.from === "inner" && refuseChallenge(o.request, response)) {
      this.#core.count("challenge-from-phone");
    }
    this.#core.admission.answered(transaction.request, transaction.flow, o.instance, response);
    if (response.status >= 200 && response.status < 300) o.accepted?.();
    if (call === null) return response;
    if (o.transaction.isInvite && onward instanceof Attempts && response.status < 300) {
      call.target = onward.answeredBy;
    }
    if (response.status >= 200 && response.status < 300 && this.#core.calls.isAlive(call)) {
      // Both ends are who they say: the phone may have come back from another address since.
      call.session?.setSignallingAddress(o.phoneAddress);
      if (o.transaction.isInvite) this.#established(call, response);
    }
    return response.body.length === 0 ? response : this.#carry(call, response, exchange);
  }

  #established(call: Call, response: SipResponse): void {
    if (call.established.size >= this.#core.limits().forks) {
      return this.#core.count("forks-too-many");
    }
    if (call.established.size === 0) {
      const { instance, callId, callerSide } = call;
      this.#core.callLimits.answered(call);
      this.#core.log.info("call-established", { instance, callId, from: callerSide });
    }
    this.#core.calls.established(call, tagOf(response.headers.get("to") ?? "") ?? "");
  }

  #refuse(o: Forwarded, status: number, exchange: Exchange, refusal: Refusal | null = null): void {
    if (!o.transaction.isFinal) {
      const headers: [string, string][] = status === 503 ? [["retry-after", "10"]] : [];
      if (refusal !== null && refusal.warning !== null) headers.push(["warning", refusal.warning]);
      reply(this.#core, o.transaction, status, headers);
    }
    this.#ended(o, exchange, o.transaction.finalStatus);
  }

  /** Whatever ends a call gives its ports back. */
  #ended(o: Forwarded, exchange: Exchange, status: number | null): void {
    this.#contexts.delete(o.transaction);
    this.#core.requests.leave(o.transaction);
    const { call, request } = o;
    if (call === null) return;
    const isSuccess = status !== null && status < 300;
    if (!isSuccess) this.#core.sdpBodies.failed(call, exchange);
    const isChallenge = status === 401 || status === 407;
    if (ends(request)) {
      if (!isChallenge) this.#core.calls.dialogEnded(call, request, "bye");
    } else if (status !== null && provesDead(request, status) && call.established.size > 0) {
      this.#core.calls.dialogEnded(call, request, "dead-dialog");
    } else if (o.transaction.isInvite && !isSuccess && call.established.size === 0) {
      this.#core.calls.end(call, `not-established-${status ?? "timeout"}`);
    }
  }
}
