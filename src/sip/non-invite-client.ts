/**
 * Non-INVITE client transaction: RFC 3261 §17.1.2. Also carries the CANCEL of an INVITE.
 * Trying -> Proceeding (both under timers E and F) -> Completed (timer K). Owns its timer; the table owns it.
 */

import type { Flow } from "./flow.ts";
import { formatMessage } from "./format-message.ts";
import type { SipRequest, SipResponse } from "./message.ts";
import { StateTimer } from "./timers.ts";
import {
  type ClientEvents,
  type ClientTransaction,
  isReliable,
  type NonInviteClientState,
  type TransactionHost,
} from "./transaction.ts";

export type NonInviteClientOptions = {
  readonly host: TransactionHost;
  readonly request: SipRequest;
  readonly branch: string;
  readonly flow: Flow;
  readonly events: ClientEvents;
  readonly ended: () => void;
  /** False: sent once, and no repeated answer is waited for. */
  readonly repeats: boolean;
};

export class NonInviteClient implements ClientTransaction {
  readonly request: SipRequest;
  readonly branch: string;
  readonly flow: Flow;
  readonly #options: Omit<NonInviteClientOptions, "events">;
  /** Null once it is final: what hangs on it need not wait for timer K. */
  #events: ClientEvents | null;
  readonly #timer: StateTimer;
  #state: NonInviteClientState = "trying";

  constructor(options: NonInviteClientOptions) {
    this.request = options.request;
    this.branch = options.branch;
    this.flow = options.flow;
    const { events, ...others } = options;
    this.#events = events;
    this.#options = others;
    this.#timer = new StateTimer(options.host.clock);
  }

  get state(): NonInviteClientState {
    return this.#state;
  }

  get isFinal(): boolean {
    return this.#state === "completed" || this.#state === "terminated";
  }

  start(): void {
    const { t1Ms, t2Ms, timerFMs } = this.#options.host.timers;
    const bytes = formatMessage(this.request);
    this.#timer.startResending({
      firstGapMs: isReliable(this.flow) || !this.#options.repeats ? null : t1Ms,
      nextGapMs: (gapMs) => (this.#state === "proceeding" ? t2Ms : Math.min(gapMs * 2, t2Ms)),
      deadlineMs: timerFMs,
      resend: () => {
        if (!this.flow.send(bytes)) this.fail("not-sent");
      },
      expired: () => {
        const events = this.#events;
        this.#terminate();
        events?.timeout();
      },
    });
    if (!this.flow.send(bytes)) this.#timer.start(0, () => this.fail("not-sent"));
  }

  /** After the final response repetitions are absorbed. */
  receive(response: SipResponse): void {
    if (this.isFinal) return;
    const events = this.#events;
    if (response.status < 200) this.#state = "proceeding";
    else this.#complete();
    events?.response(response);
  }

  /** Only an INVITE can be cancelled (RFC 3261 §9.1). */
  cancel(): void {}

  abandon(): void {
    if (!this.isFinal) this.#terminate();
  }

  fail(reason: string): void {
    if (this.isFinal) return;
    const events = this.#events;
    this.#terminate();
    events?.failed(reason);
  }

  #complete(): void {
    if (isReliable(this.flow) || !this.#options.repeats) {
      this.#terminate();
      return;
    }
    this.#state = "completed";
    this.#events = null;
    this.#timer.start(this.#options.host.timers.t4Ms, () => this.#terminate());
  }

  #terminate(): void {
    this.#timer.stop();
    this.#state = "terminated";
    this.#events = null;
    this.#options.ended();
  }
}
