/**
 * The response context of one forwarded request (RFC 3261 §16.7 to §16.10): its branches, what came back on
 * them, Timer C, and the one final response (every 2xx for INVITE) that goes to the sender.
 * Owns its branches until the last of them has its final response; the owner decides where to forward.
 */

import type { Clock } from "../io/types.ts";
import { bestResponse } from "./best-response.ts";
import type { Flow } from "./flow.ts";
import { makeResponse } from "./make-message.ts";
import type { SipRequest, SipResponse } from "./message.ts";
import { StateTimer } from "./timers.ts";
import type {
  ClientTransaction,
  ServerTransaction,
  TransactionTable,
} from "./transaction-table.ts";

/** Counts from 0 in each context. */
export type BranchId = number;

/** "timeout" and "transport" responses (408 or 487, 503) are made here, as if they had been received. */
export type ResponseOrigin = "received" | "timeout" | "transport";

export type ResponseContextOptions = {
  readonly table: TransactionTable;
  readonly clock: Clock;
  readonly server: ServerTransaction;
  /** `ms` starts again at each 101-199; a branch never rings longer than `capMs`. */
  readonly timerC: { readonly ms: number; readonly capMs: number };
  /**
   * Each response but 100 that may go to the sender, our Via already taken off, in order of arrival; for
   * INVITE a 2xx comes again when it is repeated. Returns what is to be sent (or to compete as a final
   * response), or null to swallow it; a swallowed final response counts for nothing, so call forward()
   * first to try elsewhere. When it throws or rejects, a final response becomes 500, a provisional one
   * is dropped, and the error goes on to the caller or to rejected().
   */
  response(
    response: SipResponse,
    branch: BranchId,
    origin: ResponseOrigin,
  ): SipResponse | null | Promise<SipResponse | null>;
  /**
   * Exactly once, when the sender has its final response (null: none, RFC 4320). A later 2xx of another
   * fork still passes through response().
   */
  ended(outcome: { readonly status: number | null }): void;
  /** Asked when Timer C fires before the cap: true (early media flows) waits once more. */
  isProgressing?(branch: BranchId): boolean;
  /** Why a promise of response() was rejected. Without it the rejection stays unhandled. */
  rejected?(error: unknown): void;
};

type Branch = {
  readonly id: BranchId;
  readonly startedAtMs: number;
  readonly timerC: StateTimer;
  client: ClientTransaction | null;
  /** No final response yet. */
  isOpen: boolean;
  isCancelled: boolean;
  /** Another one was tried in its place: only a 2xx to INVITE still counts. */
  isAbandoned: boolean;
};

type Arrival = {
  readonly branch: Branch;
  readonly response: SipResponse;
  readonly origin: ResponseOrigin;
};

export class ResponseContext {
  readonly #options: ResponseContextOptions;
  readonly #server: ServerTransaction;
  readonly #branches: Branch[] = [];
  readonly #arrivals: Arrival[] = [];
  readonly #finals: SipResponse[] = [];
  /** The owner has a response in its hands; what arrives meanwhile waits in #arrivals. */
  #isBusy = false;
  /** After CANCEL, 2xx or 6xx no branch may be added (RFC 3261 §16.7 step 10). */
  #isClosed = false;
  #isCancelled = false;
  #isSilent = false;
  #hasEnded = false;

  constructor(options: ResponseContextOptions) {
    this.#options = options;
    this.#server = options.server;
  }

  /** Sends the request on one more branch. Once cancelled or answered nothing is sent any more. */
  forward(request: SipRequest, flow: Flow): BranchId {
    const branch = this.#addBranch();
    if (!branch.isOpen) {
      this.#work();
      return branch.id;
    }
    branch.client = this.#options.table.send(request, flow, {
      response: (response) => this.#receive(branch, response),
      timeout: () => this.#timeout(branch),
      failed: () => {
        if (!branch.isAbandoned) this.#close(branch, this.#local(503), "transport");
      },
    });
    if (!branch.isOpen) return branch.id;
    if (branch.isCancelled) branch.client.cancel();
    else if (this.#server.isInvite) this.#startTimerC(branch);
    return branch.id;
  }

  /** The sender cancelled its INVITE (§16.10). A 2xx that is already on its way still wins. */
  cancel(): void {
    if (this.#server.isFinal || !this.#server.isInvite) return;
    this.#isCancelled = true;
    this.#isClosed = true;
    this.#cancelOpen();
    if (this.#branches.length > 0) return;
    this.#server.respond(this.#local(487));
    this.#end();
  }

  /** The request went out there and nothing has come back, not even a 100. */
  isSilent(id: BranchId): boolean {
    const branch = this.#branches[id];
    const state = branch?.client?.state;
    return branch?.isOpen === true && (state === "calling" || state === "trying");
  }

  /**
   * Waits for this branch no longer, since another has the request. `last`: there is no other, and the
   * branch has failed with a 503 that is made here.
   */
  abandon(id: BranchId, last = false): void {
    const branch = this.#branches[id];
    if (branch === undefined || !branch.isOpen) return;
    branch.isAbandoned = true;
    branch.isCancelled = true;
    branch.timerC.stop();
    branch.client?.abandon();
    if (last) return this.#close(branch, this.#local(503), "timeout");
    branch.isOpen = false;
    this.#work();
  }

  #addBranch(): Branch {
    const branch: Branch = {
      id: this.#branches.length,
      startedAtMs: this.#options.clock.now(),
      timerC: new StateTimer(this.#options.clock),
      client: null,
      isOpen: !this.#isClosed && !this.#server.isFinal,
      isCancelled: false,
      isAbandoned: false,
    };
    this.#branches.push(branch);
    return branch;
  }

  #receive(branch: Branch, response: SipResponse): void {
    if (branch.isAbandoned && (response.status < 200 || response.status >= 300)) return;
    if (response.status >= 200) this.#close(branch, response, "received");
    else if (response.status > 100 && this.#server.isInvite) {
      this.#startTimerC(branch);
      this.#arrivals.push({ branch, response, origin: "received" });
      this.#work();
    }
    // 100 is for one hop; other provisionals of a non-INVITE are forbidden (RFC 4320 §4.1).
  }

  /** To a non-INVITE no 408 is sent: the sender has given up at the same time (RFC 4320 §4.2). */
  #timeout(branch: Branch): void {
    if (branch.isAbandoned) return;
    if (this.#server.isInvite) {
      this.#close(branch, this.#local(this.#isCancelled ? 487 : 408), "timeout");
      return;
    }
    this.#isSilent = true;
    branch.isOpen = false;
    this.#work();
  }

  #close(branch: Branch, response: SipResponse, origin: ResponseOrigin): void {
    branch.isOpen = false;
    branch.timerC.stop();
    const isSuccess = response.status < 300;
    if (response.status >= 600 || (isSuccess && this.#server.isInvite)) {
      this.#isClosed = true;
      this.#cancelOpen();
    }
    this.#arrivals.push({ branch, response, origin });
    this.#work();
  }

  #cancelOpen(): void {
    for (const branch of this.#branches) {
      if (branch.isOpen) this.#cancelBranch(branch);
    }
  }

  #cancelBranch(branch: Branch): void {
    branch.isCancelled = true;
    branch.timerC.stop();
    branch.client?.cancel();
  }

  #startTimerC(branch: Branch): void {
    const { ms, capMs } = this.#options.timerC;
    const leftMs = branch.startedAtMs + capMs - this.#options.clock.now();
    branch.timerC.start(Math.min(ms, leftMs), () => {
      const mayWait = leftMs > ms && this.#options.isProgressing?.(branch.id) === true;
      if (mayWait) this.#startTimerC(branch);
      else this.#cancelBranch(branch);
    });
  }

  /** Hands what arrived to the owner, one after the other, then looks whether all is said. */
  #work(): void {
    let failure: { readonly error: unknown } | null = null;
    while (!this.#isBusy && this.#arrivals.length > 0) {
      try {
        this.#ask(this.#arrivals.shift()!);
      } catch (error) {
        failure ??= { error };
      }
    }
    if (!this.#isBusy) this.#settle();
    if (failure !== null) throw failure.error;
  }

  #ask(arrival: Arrival): void {
    this.#isBusy = true;
    let edited: SipResponse | null | Promise<SipResponse | null> = null;
    try {
      edited = this.#options.response(arrival.response, arrival.branch.id, arrival.origin);
    } catch (error) {
      this.#deliver(this.#substitute(arrival));
      throw error;
    }
    if (edited instanceof Promise) this.#await(arrival, edited);
    else this.#deliver(edited);
  }

  #await(arrival: Arrival, pending: Promise<SipResponse | null>): void {
    const resume = (response: SipResponse | null) => this.#resume(response);
    const substitute = (error: unknown) => {
      this.#resume(this.#substitute(arrival));
      throw error;
    };
    pending.then(resume, substitute).catch((error: unknown) => {
      if (this.#options.rejected === undefined) throw error;
      this.#options.rejected(error);
    });
  }

  #resume(response: SipResponse | null): void {
    try {
      this.#deliver(response);
    } finally {
      this.#work();
    }
  }

  #substitute(arrival: Arrival): SipResponse | null {
    return arrival.response.status < 200 ? null : this.#local(500);
  }

  #deliver(response: SipResponse | null): void {
    this.#isBusy = false;
    if (response === null) return;
    if (response.status >= 300) this.#finals.push(response);
    else if (response.status < 200) {
      if (!this.#server.isFinal) this.#server.respond(response);
    } else {
      if (this.#server.isInvite || !this.#server.isFinal) this.#server.respond(response);
      this.#end();
    }
  }

  #settle(): void {
    const isOpen = this.#branches.some((branch) => branch.isOpen);
    if (this.#hasEnded || isOpen || this.#branches.length === 0) return;
    if (!this.#server.isFinal) this.#answer();
    this.#end();
  }

  #answer(): void {
    const [first, ...others] = this.#finals;
    if (first !== undefined) this.#server.respond(bestResponse([first, ...others]));
    else if (this.#isSilent) this.#server.abandon();
    else this.#server.respond(this.#local(this.#isCancelled ? 487 : 500));
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#options.ended({ status: this.#server.finalStatus });
  }

  #local(status: number): SipResponse {
    const tag = this.#options.table.newTag();
    return makeResponse(this.#server.request, status, undefined, tag);
  }
}
