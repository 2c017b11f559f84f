/**
 * The SIP end point under both the demonstration instance and its phone: one TransactionTable, dialogs, 2xx
 * that are repeated until the ACK comes (RFC 3261 §13.3.1.4), ACKs that are repeated for repeated 2xx.
 */
import type { Clock, Timer } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";
import { formatMessage } from "../sip/format-message.ts";
import { makeResponse } from "../sip/make-message.ts";
import type { SipRequest, SipResponse } from "../sip/message.ts";
import { tagOf } from "../sip/name-addr.ts";
import { parseMessage } from "../sip/parse-message.ts";
import { SipSyntaxError } from "../sip/syntax-error.ts";
import type { ClientEvents, ClientTransaction, ServerTransaction } from "../sip/transaction.ts";
import { TransactionTable } from "../sip/transaction-table.ts";
import {
  acceptNumber,
  type DialogState,
  dialogRequest,
  type ExtraHeaders,
  refreshTarget,
  SDP_TYPE,
} from "./dialog.ts";

/** What a call wants to hear of its dialog. */
export type DialogEvents = {
  /** A request inside the dialog: re-INVITE, BYE, INFO and so on. */
  request(transaction: ServerTransaction): void;
  /** The ACK of our 2xx, with the answer in it when our 2xx carried the offer. */
  acknowledged(body: string): void;
  /** No ACK came within 64*T1: the call is dead. */
  unacknowledged(): void;
};

export type UserAgentOptions = {
  readonly clock: Clock;
  random(lengthBytes: number): Uint8Array;
  readonly maxTransactions: number;
  /** Product name in User-Agent and Server. */
  readonly product: string;
  /** A request outside any dialog. CANCELs are answered here; `cancelled` tells the INVITE's owner. */
  request(transaction: ServerTransaction): void;
  cancelled(invite: ServerTransaction): void;
  /** The flow to the first Route or the Request-URI of a request of ours. */
  flowFor(request: SipRequest): Flow | null;
  count(reason: string): void;
};

const T1_MS = 500;
const T2_MS = 4000;
const ACK_WAIT_MS = 64 * T1_MS;
export const ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO";

type Open = {
  readonly dialog: DialogState;
  readonly on: DialogEvents;
  /** Stops repeating the 2xx. */
  repeating: Timer | null;
  /** Our ACK, to be sent again for a repeated 2xx. */
  ack: SipRequest | null;
};

export class UserAgent {
  readonly table: TransactionTable;
  readonly #o: UserAgentOptions;
  readonly #open = new Map<string, Open>();

  constructor(options: UserAgentOptions) {
    this.#o = options;
    this.table = new TransactionTable({
      clock: options.clock,
      maxTransactions: options.maxTransactions,
      randomId: () => this.newId(),
      request: (transaction) => this.#checked(transaction),
      ack: (request) => this.#ack(request),
      strayResponse: () => options.count("stray-response"),
      count: options.count,
    });
  }

  /** Dialogs that are open. */
  get dialogCount(): number {
    return this.#open.size;
  }

  /** A tag, Call-ID or branch. */
  newId(): string {
    return Buffer.from(this.#o.random(9)).toString("base64url");
  }

  /** One whole message from a peer; malformed requests get a 400 where one can be built. */
  receive(bytes: Uint8Array, flow: Flow): void {
    try {
      this.table.receive(parseMessage(bytes), flow);
    } catch (error) {
      if (!(error instanceof SipSyntaxError)) throw error;
      this.#o.count("malformed");
      if (error.partial !== null && error.partial.method !== "ACK") {
        const response = makeResponse(error.partial, error.status, undefined, this.newId());
        flow.send(formatMessage(response));
      }
    }
  }

  /** Sends a request outside a dialog or one made by dialogRequest(). False = no way there. */
  send(request: SipRequest, events: ClientEvents): ClientTransaction | null {
    const flow = this.#o.flowFor(request);
    if (flow === null) return null;
    request.headers.set("user-agent", this.#o.product);
    return this.table.send(request, flow, events);
  }

  /** A response with what §8.2.6 asks for, our name, and Record-Route and Contact where they belong. */
  respond(transaction: ServerTransaction, status: number, parts: ResponseParts = {}): void {
    const { request } = transaction;
    const response = makeResponse(request, status, parts.reason, parts.tag ?? this.newId());
    const makesDialog = transaction.isInvite && status > 100 && status < 300;
    if (makesDialog) response.headers.copyFrom(request.headers, "record-route");
    if (parts.contact !== undefined) response.headers.append("contact", `<${parts.contact}>`);
    for (const [name, value] of parts.headers ?? []) response.headers.append(name, value);
    if (makesDialog || status === 405) response.headers.append("allow", ALLOW);
    response.headers.append("server", this.#o.product);
    if (parts.body !== undefined) {
      response.headers.append(...SDP_TYPE);
      response.body = Buffer.from(parts.body, "latin1");
    }
    transaction.respond(response);
    if (transaction.isInvite && status >= 200 && status < 300) this.#repeat(transaction, response);
  }

  open(dialog: DialogState, on: DialogEvents): void {
    this.#open.set(keyOf(dialog.callId, dialog.localTag), {
      dialog,
      on,
      repeating: null,
      ack: null,
    });
  }

  close(dialog: DialogState): void {
    const key = keyOf(dialog.callId, dialog.localTag);
    this.#open.get(key)?.repeating?.cancel();
    this.#open.delete(key);
  }

  /** A request inside a dialog; BYE and the like. */
  sendIn(
    dialog: DialogState,
    method: string,
    parts: { readonly headers?: ExtraHeaders; readonly body?: string },
    events: ClientEvents,
  ): ClientTransaction | null {
    return this.send(dialogRequest(dialog, method, parts.headers ?? [], parts.body), events);
  }

  /** The ACK of a 2xx; goes out again by itself when the 2xx is repeated (acknowledgeAgain). */
  acknowledge(dialog: DialogState, response: SipResponse, body?: string): void {
    refreshTarget(dialog, response);
    const ack = dialogRequest(dialog, "ACK", [], body);
    const number = Number.parseInt(response.headers.get("cseq") ?? "0", 10);
    ack.headers.set("cseq", `${number} ACK`);
    const open = this.#open.get(keyOf(dialog.callId, dialog.localTag));
    if (open !== undefined) open.ack = ack;
    this.#sendAck(ack);
  }

  /** For a 2xx that came once more. */
  acknowledgeAgain(dialog: DialogState): void {
    const ack = this.#open.get(keyOf(dialog.callId, dialog.localTag))?.ack;
    if (ack !== null && ack !== undefined) this.#sendAck(ack);
  }

  #sendAck(ack: SipRequest): void {
    const flow = this.#o.flowFor(ack);
    if (flow === null || !this.table.sendStateless(ack, flow)) this.#o.count("ack-not-sent");
  }

  #find(request: SipRequest): Open | null | undefined {
    const tag = tagOf(request.headers.get("to") ?? "");
    if (tag === undefined) return null;
    const open = this.#open.get(keyOf(request.headers.get("call-id") ?? "", tag));
    const isTheirs = open?.dialog.remoteTag === tagOf(request.headers.get("from") ?? "");
    return isTheirs ? open : undefined;
  }

  /** A header that only its reader looks at may be malformed still. */
  #checked(transaction: ServerTransaction): void {
    try {
      this.#request(transaction);
    } catch (error) {
      if (!(error instanceof SipSyntaxError)) throw error;
      this.#o.count("malformed");
      if (!transaction.isFinal) this.respond(transaction, 400);
    }
  }

  #request(transaction: ServerTransaction): void {
    const { request } = transaction;
    if (request.method === "CANCEL") {
      this.#cancel(transaction);
      return;
    }
    const open = this.#find(request);
    if (open === null) this.#o.request(transaction);
    else if (open === undefined) this.respond(transaction, 481);
    else if (!acceptNumber(open.dialog, request)) this.respond(transaction, 500);
    else open.on.request(transaction);
  }

  /** §9.2: 200 to the CANCEL, 487 to an INVITE that was not answered yet. */
  #cancel(transaction: ServerTransaction): void {
    const invite = transaction.matching;
    this.respond(transaction, invite === null ? 481 : 200);
    if (invite === null || invite.isFinal) return;
    this.respond(invite, 487);
    this.#o.cancelled(invite);
  }

  #ack(request: SipRequest): void {
    const open = this.#find(request);
    if (open === null || open === undefined || open.repeating === null) return;
    open.repeating.cancel();
    open.repeating = null;
    open.on.acknowledged(Buffer.from(request.body).toString("latin1"));
  }

  /** §13.3.1.4, on every transport. Without a dialog (it is gone already) there is nobody to repeat for. */
  #repeat(transaction: ServerTransaction, response: SipResponse): void {
    const tag = tagOf(response.headers.get("to") ?? "") ?? "";
    const open = this.#open.get(keyOf(response.headers.get("call-id") ?? "", tag));
    if (open === undefined) return;
    open.repeating?.cancel();
    const deadlineMs = this.#o.clock.now() + ACK_WAIT_MS;
    const again = (gapMs: number): void => {
      open.repeating = this.#o.clock.after(gapMs, () => {
        if (this.#o.clock.now() >= deadlineMs) {
          open.repeating = null;
          open.on.unacknowledged();
          return;
        }
        transaction.respond(response);
        again(Math.min(2 * gapMs, T2_MS));
      });
    };
    again(T1_MS);
  }
}

export type ResponseParts = {
  readonly tag?: string;
  readonly reason?: string;
  readonly contact?: string;
  readonly headers?: ExtraHeaders;
  readonly body?: string;
};

function keyOf(callId: string, localTag: string): string {
  return `${localTag} ${callId}`;
}
