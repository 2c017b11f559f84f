/**
 * Requests from the inner side. Accepted only from an instance; they reach only flows of that instance:
 * the token in the Route (Path and Record-Route) or, in Contact mode, in the Request-URI names the phone.
 */
import type { Flow } from "../sip/flow.ts";
import type { FlowTarget } from "../sip/flow-token.ts";
import { cloneRequest, type SipRequest } from "../sip/message.ts";
import type { ServerTransaction } from "../sip/transaction-table.ts";
import { isSipUri, parseSipUri } from "../sip/uri.ts";
import { plainHost } from "./addresses.ts";
import { callFor } from "./call-for.ts";
import { type Core, innerPlace, reply } from "./core.ts";
import type { Forwarding } from "./forwarding.ts";
import { countHop } from "./hops.ts";
import type { Instance } from "./instances.ts";
import { wayToPhone } from "./phone-moves.ts";
import { targetOfContact } from "./phone-uri.ts";
import { takeRoutes } from "./routes.ts";

type Choice =
  | {
      readonly instance: Instance;
      readonly target: FlowTarget;
      readonly hidden: readonly string[];
    }
  | { readonly refuse: 403 | 404; readonly reason: string }
  | "ourselves";

export class FromInstance {
  readonly #core: Core;
  readonly #forwarding: Forwarding;

  constructor(core: Core, forwarding: Forwarding) {
    this.#core = core;
    this.#forwarding = forwarding;
  }

  async request(transaction: ServerTransaction): Promise<void> {
    const request = cloneRequest(transaction.request);
    countHop(request);
    const choice = this.#choose(request, transaction.flow);
    if (choice === "ourselves") return this.#ourselves(transaction);
    if ("refuse" in choice) {
      this.#core.count(choice.reason);
      return reply(this.#core, transaction, choice.refuse);
    }
    const { instance, target, hidden } = choice;
    const flow = wayToPhone(this.#core, request, instance, target);
    if (flow === null) {
      // RFC 5626 §5.3.1: at once, so that the instance need not wait for a timeout.
      this.#core.count("flow-failed");
      this.#endUndelivered(request, instance, target);
      return reply(this.#core, transaction, 430);
    }
    // The way it came is the way it can be answered: an instance may have addresses of both families.
    const { local, remote } = transaction.flow;
    const insideAddress = local.address;
    const question = {
      request,
      side: "inner",
      instance,
      phone: target,
      flow,
      insideAddress,
    } as const;
    const call = callFor(this.#core, question);
    if (call === "refused") return reply(this.#core, transaction, 503, [["retry-after", "10"]]);
    if (call !== null && transaction.isInvite) call.target = remote;
    const inside = innerPlace(this.#core, instance, insideAddress);
    const passage = { instance, phone: target, flow, inside, call, hidden };
    const wayBack = this.#core.border.toPhone(request, transaction.request, passage);
    await this.#forwarding.forward({
      transaction,
      request,
      from: "inner",
      instance: instance.name,
      phoneAddress: flow.remote.address,
      call,
      onward: flow,
      wayBack,
    });
  }

  /** The instance has ended the call, whether or not its phone can be told. */
  #endUndelivered(request: SipRequest, instance: Instance, target: FlowTarget): void {
    if (request.method !== "BYE") return;
    const call = this.#core.calls.find(request, "inner", instance.name, target);
    if (call !== null) this.#core.calls.dialogEnded(call, request, "bye-430");
  }

  async ack(received: SipRequest, from: Flow): Promise<void> {
    const request = cloneRequest(received);
    countHop(request);
    const choice = this.#choose(request, from);
    if (choice === "ourselves" || "refuse" in choice) return this.#core.count("ack-dropped");
    const { instance, target, hidden } = choice;
    const flow = wayToPhone(this.#core, request, instance, target);
    if (flow === null) return this.#core.count("ack-dropped");
    const call = this.#core.calls.find(request, "inner", instance.name, target);
    if (call !== null) this.#core.sdpBodies.ack(call, request, "inner");
    const inside = innerPlace(this.#core, instance, from.local.address);
    const passage = { instance, phone: target, flow, inside, call, hidden };
    this.#core.border.toPhone(request, received, passage);
    if (!this.#core.table.sendStateless(request, flow)) this.#core.count("ack-not-sent");
  }

  #choose(request: SipRequest, flow: Flow): Choice {
    const speakers = this.#core.instances.bySource(flow.remote, flow.transport);
    if (speakers.length === 0) return { refuse: 403, reason: "inside-stranger" };
    const isOurs = (host: string): boolean => this.#core.inner.isOurs(host);
    const taken = takeRoutes(request.headers, this.#core.border.routes, isOurs);
    if (!taken.ok) return { refuse: 403, reason: taken.reason };
    const target =
      taken.target ??
      this.#fromUri(request) ??
      targetOfContact(this.#core, request.uri, speakers) ??
      this.#fromCall(request, speakers);
    if (target === null) {
      return this.#isOurself(request) ? "ourselves" : { refuse: 404, reason: "no-token" };
    }
    // On a shared address (TCP, TLS) the token decides, and must belong to one of them.
    const instance = speakers.find((speaker) => speaker.tag === target.instanceTag);
    if (instance === undefined) return { refuse: 403, reason: "other-instance" };
    return { instance, target, hidden: taken.hidden };
  }

  /** Contact mode: the Request-URI is the Contact we wrote. */
  #fromUri(request: SipRequest): FlowTarget | null {
    if (!isSipUri(request.uri)) return null;
    const { user } = parseSipUri(request.uri);
    return user === null ? null : this.#core.tokens.open(user);
  }

  /** Within a dialog whose route set the instance has lost. */
  #fromCall(request: SipRequest, speakers: readonly Instance[]): FlowTarget | null {
    for (const { name } of speakers) {
      const call = this.#core.calls.find(request, "inner", name, null);
      if (call !== null) return call.phone;
    }
    return null;
  }

  #isOurself(request: SipRequest): boolean {
    if (!isSipUri(request.uri)) return false;
    const { user, host } = parseSipUri(request.uri);
    return user === null && this.#core.inner.isOurs(plainHost(host));
  }

  #ourselves(transaction: ServerTransaction): void {
    if (transaction.request.method === "OPTIONS") {
      return reply(this.#core, transaction, 200, [["accept", "*/*"]]);
    }
    reply(this.#core, transaction, 405, [["allow", "OPTIONS"]]);
  }
}
