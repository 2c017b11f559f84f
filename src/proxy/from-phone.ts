/**
 * Requests from the outer side. The instance is chosen here, once: by the token of a dialog, else by the
 * SIP domain of the Request-URI; from then on it is carried with the request and nothing changes it.
 */

import { canonicalAddress } from "../config/address-class.ts";
import { sourceOf } from "../config/source.ts";
import type { Flow } from "../sip/flow.ts";
import type { FlowTarget } from "../sip/flow-token.ts";
import { cloneRequest, type SipRequest } from "../sip/message.ts";
import { parseNameAddr, tagOf } from "../sip/name-addr.ts";
import type { ServerTransaction } from "../sip/transaction-table.ts";
import { isSipUri, parseSipUri } from "../sip/uri.ts";
import { plainHost } from "./addresses.ts";
import { Attempts, sizeFor, targetsFor } from "./attempts.ts";
import { callFor } from "./call-for.ts";
import { type Core, innerPlace, phoneTarget, reply } from "./core.ts";
import type { Forwarding } from "./forwarding.ts";
import { countHop } from "./hops.ts";
import { identityProblem, instanceOf } from "./identity.ts";
import type { Instance } from "./instances.ts";
import { comesBack } from "./phone-moves.ts";
import type { Registrations } from "./registrations.ts";
import { takeRoutes } from "./routes.ts";
import type { StreamFlow } from "./stream-flow.ts";

type Choice =
  | {
      readonly instance: Instance;
      readonly token: FlowTarget | null;
      readonly hidden: readonly string[];
    }
  | { readonly refuse: 403 | 416; readonly reason: string }
  | "ourselves"
  | "unknown";

const isWithinDialog = (request: SipRequest): boolean =>
  tagOf(request.headers.get("to") ?? "") !== undefined;

const isDialable = (uri: string): boolean => isSipUri(uri) || /^(tel|urn):/i.test(uri);

export class FromPhone {
  readonly #core: Core;
  readonly #forwarding: Forwarding;
  readonly #registrations: Registrations;

  constructor(core: Core, forwarding: Forwarding, registrations: Registrations) {
    this.#core = core;
    this.#forwarding = forwarding;
    this.#registrations = registrations;
  }

  async request(transaction: ServerTransaction): Promise<void> {
    const { flow } = transaction;
    const request = cloneRequest(transaction.request);
    countHop(request);
    const choice = this.#choose(request, flow);
    if (choice === "unknown") return this.#unknownDomain(transaction);
    if (choice === "ourselves") return this.#ourselves(transaction);
    if ("refuse" in choice) {
      this.#core.count(choice.reason);
      this.#core.admission.offences.refused(request, flow, choice.reason);
      return reply(this.#core, transaction, choice.refuse);
    }
    const { instance, token: came, hidden } = choice;
    if (this.#hasToWait(transaction, instance)) return;
    if (request.method === "REGISTER") {
      return this.#registrations.forward(transaction, request, instance);
    }
    const phone = phoneTarget(this.#core, instance, flow, request);
    const known = this.#core.calls.find(request, "outer", instance.name, phone);
    const isOfDialog = isWithinDialog(request) && (came !== null || known !== null);
    if (!isOfDialog && this.#isUnasked(transaction.request)) {
      this.#core.count("notify-unasked");
      return reply(this.#core, transaction, 481);
    }
    const targets = targetsFor(instance, request, known);
    const place = innerPlace(this.#core, instance, targets[0]?.insideAddress);
    const insideAddress = place.address;
    const question = { request, side: "outer", instance, phone, flow, insideAddress } as const;
    const call = callFor(this.#core, question);
    if (call === "refused") return reply(this.#core, transaction, 503, [["retry-after", "10"]]);
    const accepted = comesBack(this.#core, { request, instance, flow, token: came, call });
    const passage = { instance, phone, flow, inside: place, call, hidden };
    const wayBack = this.#core.border.toInstance(request, transaction.request, passage);
    await this.#forwarding.forward({
      transaction,
      request,
      from: "outer",
      instance: instance.name,
      phoneAddress: flow.remote.address,
      call,
      onward: new Attempts(this.#core, instance, targets, () => request),
      accepted,
      wayBack,
    });
  }

  /** The ACK of a 2xx: sent on without state (RFC 3261 §16.6 note on ACK). */
  async ack(received: SipRequest, flow: Flow): Promise<void> {
    const request = cloneRequest(received);
    countHop(request);
    const choice = this.#choose(request, flow);
    if (typeof choice === "string" || "refuse" in choice) return this.#core.count("ack-dropped");
    const { instance, hidden } = choice;
    const call = this.#core.calls.find(request, "outer", instance.name, null);
    if (call !== null) this.#core.sdpBodies.ack(call, request, "outer");
    const [target] = targetsFor(instance, request, call);
    if (target === undefined) return this.#core.count("ack-not-sent");
    const phone = phoneTarget(this.#core, instance, flow, request);
    const inside = innerPlace(this.#core, instance, target.insideAddress);
    this.#core.border.toInstance(request, received, {
      instance,
      phone,
      flow,
      inside,
      call,
      hidden,
    });
    const onward = await this.#core.inner.flowTo(instance, target, sizeFor(instance, request));
    if (!this.#core.table.sendStateless(request, onward)) this.#core.count("ack-not-sent");
  }

  /**
   * Nobody inside has subscribed to it (RFC 6665 §4.1.3 names the 481): telephone systems that read the bodies
   * of such NOTIFYs have died of them. A Contact that we masked is as good as a Route.
   */
  #isUnasked(received: SipRequest): boolean {
    if (received.method !== "NOTIFY") return false;
    if (!isWithinDialog(received)) return true;
    const masked = this.#core.border.masks.open(received.uri);
    return masked === null || masked === "forged";
  }

  /** A user whose password was tried too often is kept out for a while; his registered phones are not. */
  #hasToWait(transaction: ServerTransaction, instance: Instance): boolean {
    const { admission, bindings } = this.#core;
    const { request, flow } = transaction;
    const waitMs = admission.offences.waitMs(request, flow, instance.name, (user) =>
      bindings
        .onFlow(flow.id)
        .some((one) => one.instance === instance.name && one.aor.startsWith(`${user}@`)),
    );
    if (waitMs === 0) return false;
    this.#core.count("banned");
    const seconds = String(Math.ceil(waitMs / 1000));
    if (admission.isProven(flow)) reply(this.#core, transaction, 503, [["retry-after", seconds]]);
    else transaction.abandon();
    return true;
  }

  #choose(request: SipRequest, flow: Flow): Choice {
    const { instances, border, admission } = this.#core;
    this.#undoStrictRouting(request);
    const taken = takeRoutes(request.headers, border.routes, (host) => this.#isOurs(host));
    if (!taken.ok) return { refuse: 403, reason: taken.reason };
    const { target: token, hidden } = taken;
    if (token !== null) admission.shown(token, flow);
    // A user of an instance may be called anything.
    const isNamed = instanceOf(this.#core, request.uri) !== undefined;
    const masked = isNamed ? null : border.masks.open(request.uri);
    if (masked === "forged") return { refuse: 403, reason: "token-refused" };
    const tag = token?.instanceTag ?? masked?.instanceTag ?? null;
    if (masked !== null) {
      if (masked.instanceTag !== tag) return { refuse: 403, reason: "other-instance" };
      request.uri = masked.uri;
    }
    const instance = tag === null ? this.#named(request, flow) : instances.byTag(tag);
    if (instance === undefined) return tag === null ? this.#unnamed(request) : "unknown";
    const claim = { request, flow, instance, token, isProven: tag !== null };
    const problem = identityProblem(this.#core, claim);
    return problem === null ? { instance, token, hidden } : { refuse: 403, reason: problem };
  }

  #named(request: SipRequest, flow: Flow): Instance | undefined {
    const asked = instanceOf(this.#core, request.uri) ?? this.#byAddress(request, flow);
    return asked ?? this.#byCall(request) ?? this.#byCaller(request);
  }

  /**
   * In bodies (Message-Account, the targets of dialog-info) an instance names itself by its address, and
   * phones dial what they read there. Who is registered at it may; to anybody else it is no name.
   */
  #byAddress({ uri, method }: SipRequest, flow: Flow): Instance | undefined {
    if (method === "REGISTER" || !isSipUri(uri)) return undefined;
    const own = this.#core.bindings.onFlow(flow.id);
    if (own.length === 0) return undefined;
    const host = canonicalAddress(plainHost(parseSipUri(uri).host));
    return this.#core.instances.all.find(
      ({ name, addresses }) =>
        own.some(({ instance }) => instance === name) &&
        addresses.some((address) => canonicalAddress(address) === host),
    );
  }

  #unnamed(request: SipRequest): Choice {
    if (!isDialable(request.uri)) return { refuse: 416, reason: "uri-scheme" };
    return this.#isOurself(request) ? "ourselves" : "unknown";
  }

  /** A number without a domain (tel:, RFC 3966; urn:service, RFC 5031) is dialled at the caller's instance. */
  #byCaller(request: SipRequest): Instance | undefined {
    if (isSipUri(request.uri) || !isDialable(request.uri)) return undefined;
    return instanceOf(this.#core, parseNameAddr(request.headers.get("from") ?? "").uri);
  }

  /** Within a dialog whose route set the phone has lost. Two calls that look alike: neither. */
  #byCall(request: SipRequest): Instance | undefined {
    const { instances, calls } = this.#core;
    const found = instances.all.filter(
      ({ name }) => calls.find(request, "outer", name, null) !== null,
    );
    return found.length === 1 ? found[0] : undefined;
  }

  /**
   * RFC 3261 §16.4: a strict router puts our Record-Route into the Request-URI and the target into the
   * last Route.
   */
  #undoStrictRouting(request: SipRequest): void {
    if (!request.headers.has("route") || !isSipUri(request.uri)) return;
    const { user } = parseSipUri(request.uri);
    if (user === null || this.#core.border.routes.open(user) === null) return;
    const routes = request.headers.values("route");
    const last = routes.pop();
    if (last === undefined) return;
    request.headers.remove("route");
    for (const route of [`<${request.uri}>`, ...routes]) request.headers.append("route", route);
    request.uri = parseNameAddr(last).uri;
  }

  #isOurs(host: string): boolean {
    const { fqdn, publicAddress, publicAddress6 } = this.#core.settings();
    const ours = [fqdn, ...this.#core.bindAddresses(), publicAddress, publicAddress6];
    const asked = canonicalAddress(host);
    return ours.some((one) => one !== null && canonicalAddress(one) === asked);
  }

  #isOurself(request: SipRequest): boolean {
    if (!isSipUri(request.uri)) return false;
    const { user, host } = parseSipUri(request.uri);
    return user === null && this.#isOurs(plainHost(host));
  }

  #ourselves(transaction: ServerTransaction): void {
    const { method } = transaction.request;
    if (method === "OPTIONS") return reply(this.#core, transaction, 200, [["accept", "*/*"]]);
    if (method === "REGISTER") return this.#unknownDomain(transaction);
    reply(this.#core, transaction, 405, [["allow", "OPTIONS"]]);
  }

  /** Unknown and switched-off instances answer alike, so that nobody learns which names exist. */
  #unknownDomain(transaction: ServerTransaction): void {
    const { flow, request } = transaction;
    this.#core.count("unknown-domain");
    const isUdp = flow.transport === "udp";
    // Silence in the log too, which a flood of datagrams would fill.
    const { strangers, offences } = this.#core.admission;
    // A phone that works and has a second account here mistyped, or dials whatever its book says.
    const isPhone = this.#core.bindings.isOnFlow(flow.id);
    const mayHear = isPhone || strangers.mayTellUnknownDomain(sourceOf(flow.remote.address));
    if (isUdp && !mayHear) return transaction.abandon();
    this.#core.log.info("unknown-domain", {
      remote: flow.remote.address,
      method: request.method,
      domain: isSipUri(request.uri) ? parseSipUri(request.uri).host : "",
    });
    reply(this.#core, transaction, 404);
    if (isUdp || isPhone) return;
    const stream = flow as StreamFlow;
    stream.unknownDomains++;
    if (stream.unknownDomains < this.#core.limits().unknownDomains) return;
    // One that goes on and on tries names; a phone with a mistyped one asks a few times a minute.
    offences.refused(request, flow, "unknown-domains");
    stream.end();
  }
}
