/**
 * Bytes from a peer become a message for the transaction table. A peer that is wrong gets 400 where an
 * answer can be built, is counted otherwise, and never ends anything but its own framing.
 */
import type { Log } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";
import { formatMessage } from "../sip/format-message.ts";
import { makeResponse } from "../sip/make-message.ts";
import type { SipRequest } from "../sip/message.ts";
import { parseMessage, partialRequest, type SipSizeLimits } from "../sip/parse-message.ts";
import { SipSyntaxError } from "../sip/syntax-error.ts";
import type { TransactionTable } from "../sip/transaction-table.ts";
import { type Admission, RETRY_AFTER_SECONDS } from "./admission.ts";

/** RFC 5626 keep-alives and what NATs' helpers send: CRLF, one or four NULs. */
const KEEP_ALIVE_BYTES = 4;

export type ReceiverOptions = {
  readonly table: () => TransactionTable;
  readonly log: Log;
  readonly admission: Admission;
  limits(): SipSizeLimits;
  /** Where the sender of a request wants its answers, mostly the flow it came on. */
  replyFlow(request: SipRequest, flow: Flow): Flow;
  count(reason: string): void;
};

export class Receiver {
  readonly #o: ReceiverOptions;

  constructor(o: ReceiverOptions) {
    this.#o = o;
  }

  /** One whole message, or a datagram that may be anything. */
  message(bytes: Uint8Array, flow: Flow): void {
    if (flow.transport === "udp" && bytes.length <= KEEP_ALIVE_BYTES) return;
    const entry = this.#o.admission.takes(bytes, flow);
    if (entry === "silence") return;
    try {
      const message = parseMessage(bytes, this.#o.limits());
      if (message.kind === "request") this.#request(message, flow, entry);
      else if (entry === "pass") this.#o.table().receive(message, flow);
    } catch (error) {
      if (error instanceof SipSyntaxError) return this.#malformed(error, flow);
      // Our own mistake with this one message: said loudly, and everybody else goes on.
      const stack = error instanceof Error ? error.stack : String(error);
      this.#o.count("internal-error");
      this.#o.log.error("internal-error", { remote: flow.remote.address, stack });
    }
  }

  #request(request: SipRequest, flow: Flow, entry: "pass" | "busy"): void {
    const reply = this.#o.replyFlow(request, flow);
    if (entry === "busy") this.#o.table().refuse(request, reply, RETRY_AFTER_SECONDS);
    else if (this.#o.admission.request(request, reply)) this.#o.table().receive(request, reply);
  }

  /** What a stream broke off with: a 400 when so much of the request can be read. */
  broken(reason: string, partial: Uint8Array | null, flow: Flow): void {
    this.#o.log.info("framing-lost", { remote: flow.remote.address, reason });
    const request = partial === null ? null : partialRequest(partial, this.#o.limits());
    if (request !== null) this.#answer(request, 400, flow);
  }

  #malformed(error: SipSyntaxError, flow: Flow): void {
    this.#o.count("malformed");
    this.#o.log.debug("malformed", { remote: flow.remote.address, reason: error.message });
    if (error.partial !== null) this.#answer(error.partial, error.status, flow);
  }

  #answer(request: SipRequest, status: number, flow: Flow): void {
    if (request.method === "ACK") return;
    const tag = this.#o.table().newTag();
    flow.send(formatMessage(makeResponse(request, status, undefined, tag)), true);
  }
}
