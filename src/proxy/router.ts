/**
 * Every new request of either side comes here first: what RFC 3261 §16.3 asks of it, then on to the side
 * it came from.
 */
import type { Flow } from "../sip/flow.ts";
import type { SipRequest } from "../sip/message.ts";
import { SipSyntaxError } from "../sip/syntax-error.ts";
import type { ServerTransaction } from "../sip/transaction-table.ts";
import { type Core, internalError, reply } from "./core.ts";
import { Forwarding } from "./forwarding.ts";
import { FromInstance } from "./from-instance.ts";
import { FromPhone } from "./from-phone.ts";
import { hopsLeft } from "./hops.ts";
import { Registrations } from "./registrations.ts";

export class Router {
  readonly #core: Core;
  readonly #forwarding: Forwarding;
  readonly #fromPhone: FromPhone;
  readonly #fromInstance: FromInstance;

  constructor(core: Core) {
    this.#core = core;
    this.#forwarding = new Forwarding(core);
    this.#fromPhone = new FromPhone(core, this.#forwarding, new Registrations(core));
    this.#fromInstance = new FromInstance(core, this.#forwarding);
  }

  request(transaction: ServerTransaction): void {
    const { request, flow } = transaction;
    if (request.method === "CANCEL") return this.#forwarding.cancel(transaction);
    const refusal = this.#refusal(request);
    if (refusal !== null) return reply(this.#core, transaction, refusal.status, refusal.headers);
    const side = flow.side === "outer" ? this.#fromPhone : this.#fromInstance;
    side.request(transaction).catch((error: unknown) => this.#failed(transaction, error));
  }

  ack(request: SipRequest, flow: Flow): void {
    if (hopsLeft(request) === 0) return this.#core.count("too-many-hops");
    const passed =
      flow.side === "outer"
        ? this.#fromPhone.ack(request, flow)
        : this.#fromInstance.ack(request, flow);
    passed.catch((error: unknown) => {
      this.#core.count("ack-dropped");
      if (!(error instanceof SipSyntaxError)) internalError(this.#core, request, error);
    });
  }

  #refusal(
    request: SipRequest,
  ): { status: number; headers: readonly (readonly [string, string])[] } | null {
    if (hopsLeft(request) === 0) {
      this.#core.count("too-many-hops");
      return { status: 483, headers: [] };
    }
    const required = request.headers.values("proxy-require");
    if (required.length === 0) return null;
    return { status: 420, headers: [["unsupported", required.join(", ")]] };
  }

  #failed(transaction: ServerTransaction, error: unknown): void {
    const isTheirs = error instanceof SipSyntaxError;
    if (isTheirs) this.#core.count("malformed");
    else internalError(this.#core, transaction.request, error);
    if (!transaction.isFinal) reply(this.#core, transaction, isTheirs ? 400 : 500);
  }
}
