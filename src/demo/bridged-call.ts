/**
 * A call between two phones of the demonstration instance: two dialogs (a back-to-back user agent, as real
 * telephone systems are), all bindings of the called user ring, the first to answer has it. Media is anchored
 * here, packet by packet, so that each leg looks to the proxy like any other call of the instance.
 */
import { makeRequest } from "../sip/make-message.ts";
import type { SipRequest, SipResponse } from "../sip/message.ts";
import { tagOf } from "../sip/name-addr.ts";
import type { ClientTransaction, ServerTransaction } from "../sip/transaction.ts";
import { bodyOf } from "./answering-call.ts";
import { withAudioAt } from "./audio-sdp.ts";
import type { CallLeg } from "./call-leg.ts";
import { callerDialog, refreshTarget, SDP_TYPE } from "./dialog.ts";
import type { Binding } from "./registrar.ts";

export type BridgedOptions = {
  readonly caller: CallLeg;
  readonly called: CallLeg;
  readonly invite: ServerTransaction;
  readonly from: string;
  readonly to: string;
  readonly domain: string;
  readonly bindings: readonly Binding[];
  ended(): void;
};

export class BridgedCall {
  readonly invite: ServerTransaction;
  readonly #o: BridgedOptions;
  readonly #tag: string;
  readonly #ringing = new Set<ClientTransaction>();
  #worst = 0;
  #isEnded = false;
  #isAnswered = false;

  constructor(options: BridgedOptions) {
    this.invite = options.invite;
    this.#o = options;
    this.#tag = options.caller.place.agent.newId();
  }

  /** Rings every binding of the called user. */
  start(): void {
    const { caller, called, invite, bindings } = this.#o;
    const offer = withAudioAt(bodyOf(invite), called.port.local);
    if (offer === null || !caller.follow(bodyOf(invite))) {
      this.#refuse(488);
      return;
    }
    for (const binding of bindings) this.#ring(binding, offer);
    if (this.#ringing.size === 0) this.#refuse(480);
  }

  /** A packet that one leg received goes out at the other as it is. */
  received(from: "caller" | "called", packet: Uint8Array): void {
    const to = from === "caller" ? this.#o.called : this.#o.caller;
    if (to.isWanted) to.port.send(packet);
  }

  /** The caller gave up before an answer. */
  cancelled(): void {
    this.#cancelRinging();
    this.#end();
  }

  /** Both legs go. */
  hangUp(): void {
    if (!this.#o.invite.isFinal) this.#refuse(503);
    this.#cancelRinging();
    this.#o.caller.hangUp();
    this.#o.called.hangUp();
    this.#end();
  }

  #ring(binding: Binding, offer: string): void {
    const { called } = this.#o;
    const { agent } = called.place;
    const request = this.#inviteFor(binding, offer);
    const client = agent.send(request, {
      response: (response) => this.#answered(client, response),
      timeout: () => this.#failed(client, 408),
      failed: () => this.#failed(client, 503),
    });
    if (client !== null) this.#ringing.add(client);
  }

  #inviteFor(binding: Binding, offer: string): SipRequest {
    const { called, from, to, domain } = this.#o;
    const { agent, contact } = called.place;
    return makeRequest({
      method: "INVITE",
      uri: binding.contact,
      headers: [
        ["Max-Forwards", "70"],
        ...binding.path.map((value) => ["Route", value] as const),
        ["From", `"${from}" <sip:${from}@${domain}>;tag=${agent.newId()}`],
        ["To", `<sip:${to}@${domain}>`],
        ["Call-ID", agent.newId()],
        ["CSeq", "1 INVITE"],
        ["Contact", `<${contact}>`],
        SDP_TYPE,
      ],
      body: Buffer.from(offer, "latin1"),
    });
  }

  #answered(client: ClientTransaction | null, response: SipResponse): void {
    if (response.status < 200) this.#rings(response);
    else if (response.status >= 300) this.#failed(client, response.status);
    else this.#pickedUp(client, response);
  }

  /** 180 and 183, with early media when there is any. */
  #rings(response: SipResponse): void {
    const { caller, called, invite } = this.#o;
    if (response.status === 100 || invite.isFinal) return;
    const sdp = Buffer.from(response.body).toString("latin1");
    const body = sdp === "" || !called.follow(sdp) ? null : withAudioAt(sdp, caller.port.local);
    const { agent, contact } = caller.place;
    const early = body === null ? {} : { body };
    agent.respond(invite, response.status, { tag: this.#tag, contact, ...early });
  }

  #pickedUp(client: ClientTransaction | null, response: SipResponse): void {
    const { caller, called, invite } = this.#o;
    const { agent, contact } = caller.place;
    const isAgain = this.#isAnswered && called.dialog?.remoteTag === toTag(response);
    if (isAgain && called.dialog !== null) {
      agent.acknowledgeAgain(called.dialog);
      return;
    }
    const sdp = Buffer.from(response.body).toString("latin1");
    const body = withAudioAt(sdp, caller.port.local);
    const dialog = callerDialog(response);
    if (this.#isAnswered || this.#isEnded || invite.isFinal || body === null) {
      this.#hangUpOn(dialog, response);
      if (body === null) this.#failed(client, 488);
      return;
    }
    this.#isAnswered = true;
    if (client !== null) this.#ringing.delete(client);
    this.#cancelRinging();
    called.dialog = dialog;
    agent.open(dialog, this.#events(called, caller));
    agent.acknowledge(dialog, response);
    called.follow(sdp);
    caller.answer(invite, this.#tag, this.#events(caller, called));
    agent.respond(invite, 200, { tag: this.#tag, contact, body });
  }

  /** A second phone picked up at the same moment, or the caller has gone: acknowledged and ended. */
  #hangUpOn(dialog: ReturnType<typeof callerDialog>, response: SipResponse): void {
    const { agent } = this.#o.called.place;
    agent.acknowledge(dialog, response);
    agent.sendIn(dialog, "BYE", {}, { response() {}, timeout() {}, failed() {} });
  }

  #failed(client: ClientTransaction | null, status: number): void {
    if (client !== null) this.#ringing.delete(client);
    if (status > this.#worst && status !== 487) this.#worst = status;
    if (this.#ringing.size === 0 && !this.#isAnswered) this.#refuse(this.#worst || 480);
  }

  #refuse(status: number): void {
    const { caller, invite } = this.#o;
    if (!invite.isFinal) caller.place.agent.respond(invite, status, { tag: this.#tag });
    this.#end();
  }

  #cancelRinging(): void {
    for (const client of this.#ringing) client.cancel();
    this.#ringing.clear();
  }

  #events(leg: CallLeg, other: CallLeg) {
    return {
      request: (transaction: ServerTransaction) => this.#request(leg, other, transaction),
      acknowledged: () => {},
      unacknowledged: () => this.hangUp(),
    };
  }

  #request(leg: CallLeg, other: CallLeg, transaction: ServerTransaction): void {
    const { agent, contact } = leg.place;
    const { method } = transaction.request;
    if (method === "BYE") {
      agent.respond(transaction, 200);
      leg.close();
      other.hangUp();
      this.#end();
    } else if (method === "INVITE") this.#reInvite(leg, other, transaction);
    else if (method === "OPTIONS") agent.respond(transaction, 200, { contact });
    else if (method === "INFO") this.#passInfo(other, transaction);
    else agent.respond(transaction, 405);
  }

  #passInfo(other: CallLeg, transaction: ServerTransaction): void {
    const { agent } = other.place;
    const type = transaction.request.headers.get("content-type");
    const info = { headers: type === undefined ? [] : ([["Content-Type", type]] as const) };
    if (other.dialog === null) {
      agent.respond(transaction, 481);
      return;
    }
    agent.respond(transaction, 200);
    agent.sendIn(other.dialog, "INFO", info, { response() {}, timeout() {}, failed() {} });
  }

  /** Hold and the like go through to the other phone, and its answer back. */
  #reInvite(leg: CallLeg, other: CallLeg, transaction: ServerTransaction): void {
    const { agent, contact } = leg.place;
    const offer = bodyOf(transaction);
    const body = withAudioAt(offer, other.port.local);
    if (body === null || other.dialog === null || leg.dialog === null) {
      agent.respond(transaction, 488);
      return;
    }
    refreshTarget(leg.dialog, transaction.request);
    const dialog = other.dialog;
    const refuse = (status: number): void => agent.respond(transaction, status);
    const headers = [["Contact", `<${contact}>`]] as const;
    agent.sendIn(
      dialog,
      "INVITE",
      { headers, body },
      {
        timeout: () => refuse(408),
        failed: () => refuse(503),
        response: (response) => {
          if (response.status < 200) return;
          if (response.status >= 300) {
            refuse(response.status);
            return;
          }
          if (transaction.isFinal) {
            agent.acknowledgeAgain(dialog);
            return;
          }
          agent.acknowledge(dialog, response);
          this.#changed({ leg, other, transaction, offer, response });
        },
      },
    );
  }

  #changed(change: {
    leg: CallLeg;
    other: CallLeg;
    transaction: ServerTransaction;
    offer: string;
    response: SipResponse;
  }): void {
    const { leg, other, transaction, offer, response } = change;
    const { agent, contact } = leg.place;
    const answer = Buffer.from(response.body).toString("latin1");
    const body = withAudioAt(answer, leg.port.local);
    if (body === null) {
      agent.respond(transaction, 488);
      return;
    }
    leg.follow(offer);
    other.follow(answer);
    agent.respond(transaction, 200, { contact, body });
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#o.caller.close();
    this.#o.called.close();
    this.#o.ended();
  }
}

function toTag(response: SipResponse): string | undefined {
  return tagOf(response.headers.get("to") ?? "");
}
