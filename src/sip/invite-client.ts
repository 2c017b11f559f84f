/**
 * INVITE client transaction: RFC 3261 §17.1.1 with the Accepted state of RFC 6026 §7.2 and CANCEL (§9.1).
 * Calling (timers A and B) -> Proceeding -> Accepted (2xx, timer M) or Completed (300-699, timer D).
 * Proceeding has no end of its own: the owner's timer C cancels. Owns its timer; the table owns it.
 */

import { makeAck, makeCancel } from "./ack-and-cancel.ts";
import type { Flow } from "./flow.ts";
import { formatMessage } from "./format-message.ts";
import type { SipRequest, SipResponse } from "./message.ts";
import { doubled, StateTimer } from "./timers.ts";
import {
  type ClientEvents,
  type ClientTransaction,
  type InviteClientState,
  isReliable,
  type TransactionHost,
} from "./transaction.ts";

export type InviteClientOptions = {
  readonly host: TransactionHost;
  readonly request: SipRequest;
  readonly branch: string;
  readonly flow: Flow;
  readonly events: ClientEvents;
  /** Sends the CANCEL in a transaction of its own. */
  readonly sendCancel: (cancel: SipRequest) => void;
  readonly ended: () => void;
};

export class InviteClient implements ClientTransaction {
  readonly request: SipRequest;
  readonly branch: string;
  readonly flow: Flow;
  readonly #options: InviteClientOptions;
  readonly #timer: StateTimer;
  #state: InviteClientState = "calling";
  #cancel: "no" | "waiting" | "sent" = "no";
  #ack: Uint8Array | null = null;

  constructor(options: InviteClientOptions) {
    this.request = options.request;
    this.branch = options.branch;
    this.flow = options.flow;
    this.#options = options;
    this.#timer = new StateTimer(options.host.clock);
  }

  get state(): InviteClientState {
    return this.#state;
  }

  get isFinal(): boolean {
    return this.#state !== "calling" && this.#state !== "proceeding";
  }

  start(): void {
    const { host } = this.#options;
    const bytes = formatMessage(this.request);
    this.#timer.startResending({
      firstGapMs: isReliable(this.flow) ? null : host.timers.t1Ms,
      nextGapMs: doubled,
      deadlineMs: host.timers.timerBMs,
      resend: () => {
        if (!this.flow.send(bytes)) this.fail("not-sent");
      },
      expired: () => this.#expire(),
    });
    if (!this.flow.send(bytes)) this.#timer.start(0, () => this.fail("not-sent"));
  }

  receive(response: SipResponse): void {
    if (response.status < 200) this.#receiveProvisional(response);
    else if (response.status < 300) this.#receiveSuccess(response);
    else this.#receiveFailure(response);
  }

  cancel(): void {
    if (this.#cancel !== "no" || this.isFinal) return;
    this.#cancel = "waiting";
    if (this.#state === "proceeding") this.#sendCancel();
  }

  abandon(): void {
    if (this.#state === "calling") {
      this.#timer.start(this.#options.host.timers.timerBMs, () => this.#expire());
    }
    this.cancel();
  }

  /** The transport is gone. After the final response that concerns nobody. */
  fail(reason: string): void {
    if (this.isFinal) return;
    this.#terminate();
    this.#options.events.failed(reason);
  }

  #receiveProvisional(response: SipResponse): void {
    if (this.isFinal) return;
    if (this.#state === "calling") {
      this.#state = "proceeding";
      this.#timer.stop();
      if (this.#cancel === "waiting") this.#sendCancel();
    }
    this.#options.events.response(response);
  }

  /**
   * Every 2xx goes up: it may be another fork's, or the first one's repetition because the ACK was lost.
   * After a 300-699 too: a proxy behind us that gave up must still pass a late 2xx on (§16.7 step 5).
   */
  #receiveSuccess(response: SipResponse): void {
    if (!this.isFinal) {
      this.#state = "accepted";
      this.#timer.start(this.#options.host.timers.timerMMs, () => this.#terminate());
    }
    this.#options.events.response(response);
  }

  #receiveFailure(response: SipResponse): void {
    if (this.#state === "completed") this.#sendAck();
    if (this.isFinal) return;
    this.#state = "completed";
    this.#ack = formatMessage(makeAck(this.request, response));
    this.#sendAck();
    if (isReliable(this.flow)) this.#terminate();
    else this.#timer.start(this.#options.host.timers.timerDMs, () => this.#terminate());
    this.#options.events.response(response);
  }

  #sendAck(): void {
    if (this.#ack !== null && !this.flow.send(this.#ack)) this.#options.host.count("ack-not-sent");
  }

  /** An answer must follow within 64*T1, else the call counts as cancelled without one (§9.1). */
  #sendCancel(): void {
    this.#cancel = "sent";
    this.#timer.start(this.#options.host.timers.timerFMs, () => this.#expire());
    this.#options.sendCancel(makeCancel(this.request));
  }

  #expire(): void {
    this.#terminate();
    this.#options.events.timeout();
  }

  #terminate(): void {
    this.#timer.stop();
    this.#state = "terminated";
    this.#ack = null;
    this.#options.ended();
  }
}
