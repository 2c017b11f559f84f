/**
 * Non-INVITE server transaction: RFC 3261 §17.2.2 with RFC 4320.
 * Trying -> Proceeding -> Completed (timer J). Owns its last response and its timer; the table owns it.
 * An answer that comes after the peer's timer F is of no use to anybody, so an owner that never answers
 * leaves nothing behind: some time later (T4) the transaction ends by itself, unanswered.
 */

import type { Flow } from "./flow.ts";
import type { SipRequest, SipResponse } from "./message.ts";
import { StateTimer } from "./timers.ts";
import {
  isReliable,
  type NonInviteServerState,
  resendResponse,
  type ServerTransaction,
  sendResponse,
  type TransactionHost,
} from "./transaction.ts";

export class NonInviteServer implements ServerTransaction {
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly isInvite = false;
  readonly matching: ServerTransaction | null;
  readonly #host: TransactionHost;
  readonly #ended: () => void;
  readonly #timer: StateTimer;
  #state: NonInviteServerState = "trying";
  #finalStatus: number | null = null;
  #lastResponse: Uint8Array | null = null;

  constructor(
    host: TransactionHost,
    request: SipRequest,
    flow: Flow,
    matching: ServerTransaction | null,
    ended: () => void,
  ) {
    this.#host = host;
    this.request = request;
    this.flow = flow;
    this.matching = matching;
    this.#ended = ended;
    this.#timer = new StateTimer(host.clock);
    this.#timer.start(host.timers.timerFMs + host.timers.t4Ms, () => {
      host.count("request-unanswered");
      this.#terminate();
    });
  }

  get state(): NonInviteServerState {
    return this.#state;
  }

  get isFinal(): boolean {
    return this.#state === "completed" || this.#state === "terminated";
  }

  get finalStatus(): number | null {
    return this.#finalStatus;
  }

  get isAnswered(): boolean {
    return this.#state === "proceeding" || this.#finalStatus !== null;
  }

  respond(response: SipResponse): void {
    if (this.isFinal) this.#host.count("response-after-final");
    else if (response.status >= 200) this.#respondFinal(response);
    else {
      this.#state = "proceeding";
      this.#lastResponse = sendResponse(this.#host, this.flow, response);
    }
  }

  abandon(): void {
    if (!this.isFinal) this.#terminate();
  }

  /** The same request again: the last response again, if there is one. */
  repeated(): void {
    if (this.#lastResponse !== null) resendResponse(this.#host, this.flow, this.#lastResponse);
  }

  #respondFinal(response: SipResponse): void {
    this.#finalStatus = response.status;
    if (isReliable(this.flow)) this.#terminate();
    else {
      this.#state = "completed";
      this.#timer.start(this.#host.timers.timerJMs, () => this.#terminate());
    }
    const bytes = sendResponse(this.#host, this.flow, response);
    if (this.#state === "completed") this.#lastResponse = bytes;
  }

  #terminate(): void {
    this.#timer.stop();
    this.#state = "terminated";
    this.#lastResponse = null;
    this.#ended();
  }
}
