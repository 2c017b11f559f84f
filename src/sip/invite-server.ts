/**
 * INVITE server transaction: RFC 3261 §17.2.1 with the Accepted state of RFC 6026 §7.1.
 * Proceeding -> Accepted (2xx, timer L) or Completed (300-699, timers G and H) -> Confirmed (ACK, timer I).
 * Owns its last response and its timer; the table owns it.
 */

import type { Flow } from "./flow.ts";
import type { SipRequest, SipResponse } from "./message.ts";
import { StateTimer } from "./timers.ts";
import {
  type InviteServerState,
  isReliable,
  resendResponse,
  type ServerTransaction,
  sendResponse,
  type TransactionHost,
} from "./transaction.ts";

export class InviteServer implements ServerTransaction {
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly isInvite = true;
  readonly matching = null;
  readonly #host: TransactionHost;
  readonly #ended: () => void;
  readonly #timer: StateTimer;
  #state: InviteServerState = "proceeding";
  #finalStatus: number | null = null;
  #lastResponse: Uint8Array | null = null;

  constructor(host: TransactionHost, request: SipRequest, flow: Flow, ended: () => void) {
    this.#host = host;
    this.request = request;
    this.flow = flow;
    this.#ended = ended;
    this.#timer = new StateTimer(host.clock);
  }

  get state(): InviteServerState {
    return this.#state;
  }

  get isFinal(): boolean {
    return this.#state !== "proceeding";
  }

  get finalStatus(): number | null {
    return this.#finalStatus;
  }

  get isAnswered(): boolean {
    return this.#lastResponse !== null || this.#finalStatus !== null;
  }

  respond(response: SipResponse): void {
    if (response.status >= 200 && response.status < 300) this.#respondSuccess(response);
    else if (this.#state !== "proceeding") this.#host.count("response-after-final");
    else if (response.status < 200) this.#lastResponse = this.#send(response);
    else this.#respondFailure(response);
  }

  abandon(): void {
    if (this.#state === "proceeding") this.#terminate();
  }

  /** The same INVITE again: the last response again; nothing once it was accepted or acknowledged. */
  repeated(): void {
    const isWaiting = this.#state === "proceeding" || this.#state === "completed";
    if (isWaiting && this.#lastResponse !== null) {
      resendResponse(this.#host, this.flow, this.#lastResponse);
    }
  }

  /** An ACK that matches. False: it acknowledges a 2xx and belongs to the owner. */
  acknowledged(): boolean {
    if (this.#state === "accepted") return false;
    if (this.#state === "completed") this.#confirm();
    return true;
  }

  /** In Accepted each 2xx goes out once: it is repeated end to end, not by us (RFC 6026 §7.1). */
  #respondSuccess(response: SipResponse): void {
    if (this.#state === "proceeding") {
      this.#state = "accepted";
      this.#finalStatus = response.status;
      this.#lastResponse = null;
      this.#timer.start(this.#host.timers.timerLMs, () => this.#terminate());
    }
    this.#send(response);
  }

  #respondFailure(response: SipResponse): void {
    const { t1Ms, t2Ms, timerHMs } = this.#host.timers;
    const resends = !isReliable(this.flow) && this.#host.mayResend(this.flow);
    this.#state = "completed";
    this.#finalStatus = response.status;
    this.#timer.startResending({
      firstGapMs: resends ? t1Ms : null,
      nextGapMs: (gapMs) => Math.min(gapMs * 2, t2Ms),
      deadlineMs: timerHMs,
      resend: () => this.repeated(),
      expired: () => {
        this.#host.count("ack-missing");
        this.#terminate();
      },
    });
    this.#lastResponse = this.#send(response);
  }

  #confirm(): void {
    this.#state = "confirmed";
    this.#lastResponse = null;
    if (isReliable(this.flow)) this.#terminate();
    else this.#timer.start(this.#host.timers.t4Ms, () => this.#terminate());
  }

  #send(response: SipResponse): Uint8Array {
    return sendResponse(this.#host, this.flow, response);
  }

  #terminate(): void {
    this.#timer.stop();
    this.#state = "terminated";
    this.#lastResponse = null;
    this.#ended();
  }
}
