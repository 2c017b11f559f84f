/**
 * Carries REGISTER to the instance and learns bindings from its 2xx. With `routing: auto` it finds out
 * how the instance wants to find phones again: Path first (RFC 3327); when the instance refuses it (420) or
 * does not echo it, which means that it has thrown it away, the same REGISTER goes out once more with our
 * Contact, and later ones start that way.
 */
import type { Endpoint } from "../io/types.ts";
import type { FlowTarget } from "../sip/flow-token.ts";
import { cloneRequest, type SipRequest, type SipResponse } from "../sip/message.ts";
import { ResponseContext } from "../sip/response-context.ts";
import type { ServerTransaction } from "../sip/transaction-table.ts";
import { Attempts, NoWayOn, targetsFor } from "./attempts.ts";
import { type Core, innerPlace, internalError, reply } from "./core.ts";
import type { Instance, Routing } from "./instances.ts";
import { capExpires, offersOutbound, setFlowTimer } from "./outbound.ts";
import { instanceIdOf, toInside } from "./phone-contact.ts";
import {
  addPath,
  grantedSeconds,
  type InsideContact,
  type KnownContact,
  knownContact,
  ownContact,
  type Registration,
  readRegistration,
  restoreContacts,
  writeContacts,
} from "./registration.ts";

type Attempt = {
  readonly transaction: ServerTransaction;
  /** As it shall go out, before Path or Contact mode changed it. */
  readonly request: SipRequest;
  readonly instance: Instance;
  readonly registration: Registration;
  mode: Routing;
  /** The last copy that went out. */
  sent: SipRequest;
  /** The contacts as the last copy that went out has them. */
  inside: readonly InsideContact[];
  /** What an instance has stored that ignored Path: no way leads there. */
  readonly stranded: string[];
};

export class Registrations {
  readonly #core: Core;

  constructor(core: Core) {
    this.#core = core;
  }

  async forward(
    transaction: ServerTransaction,
    request: SipRequest,
    instance: Instance,
  ): Promise<void> {
    const registration = this.#read(transaction, request, instance);
    if (registration.contacts.length > this.#core.limits().contacts) {
      this.#core.count("contacts-too-many");
      return reply(this.#core, transaction, 403);
    }
    const limit = this.#limitReached(transaction, registration);
    if (limit !== null || !this.#core.requests.enter(transaction, instance.name)) {
      this.#core.count(limit ?? "instance-requests");
      return reply(this.#core, transaction, 503, [["retry-after", "10"]]);
    }
    const attempt: Attempt = {
      transaction,
      request,
      instance,
      registration,
      mode: this.#modeNow(instance),
      sent: request,
      inside: [],
      stranded: [],
    };
    const attempts = new Attempts(
      this.#core,
      instance,
      targetsFor(instance, request, null),
      ({ insideAddress }) => this.#edited(attempt, insideAddress),
    );
    try {
      await attempts.start(this.#context(attempt, attempts));
    } catch (error) {
      if (!(error instanceof NoWayOn)) throw error;
      this.#core.count("no-way-on");
      this.#core.requests.leave(transaction);
      reply(this.#core, transaction, 503, [["retry-after", "10"]]);
    }
  }

  /** Phones that are registered already may always register again. */
  #limitReached({ flow }: ServerTransaction, { contacts }: Registration): string | null {
    if (!this.#core.admission.isFullOfPhones(flow.remote.address)) return null;
    const isNew = contacts.some((one) => this.#core.bindings.get(one.bindingId) === null);
    return isNew ? "registrations-per-address" : null;
  }

  #read(transaction: ServerTransaction, request: SipRequest, instance: Instance): Registration {
    const callId = request.headers.get("call-id") ?? "";
    const { flow } = transaction;
    return readRegistration(request, instance.name, (aor, contactUri) =>
      this.#core.bindings.ownerOf({ instance: instance.name, aor, contactUri, callId, flow }),
    );
  }

  /**
   * What was learnt may be wrong by now (the instance was being set up, or has been since): now and then
   * one REGISTER asks for Path again.
   */
  #modeNow(instance: Instance): Routing {
    if (instance.routing === "path" || instance.config.sip.routing !== "auto") {
      return instance.routing;
    }
    const now = this.#core.clock.now();
    if (now - instance.routingSinceMs < this.#core.limits().pathRetry * 1000) return "contact";
    instance.routingSinceMs = now;
    return "path";
  }

  #context(attempt: Attempt, attempts: Attempts): ResponseContext {
    const { table, clock, limits } = this.#core;
    return new ResponseContext({
      table,
      clock,
      server: attempt.transaction,
      timerC: { ms: limits().timerC * 1000, capMs: limits().timerCMax * 1000 },
      response: (response, branch, origin) => {
        const next = attempts.judge(response, branch, origin);
        if (next !== null) {
          return next.then((isSent) => (isSent ? null : this.#answered(attempt, response)));
        }
        if (origin === "received" && this.#wantsContactMode(attempt, response)) {
          attempt.mode = "contact";
          if (response.status < 300) attempt.stranded.push(...attempt.inside.map(insideUriOf));
          attempts.again();
          return null;
        }
        return this.#answered(attempt, response);
      },
      ended: ({ status }) => {
        // RFC 4320: nobody is told of a REGISTER that nobody answered, but the operator shall see it.
        if (status === null) attempts.unanswered();
        attempts.stop();
        this.#core.requests.leave(attempt.transaction);
      },
      rejected: (error) => internalError(this.#core, attempt.request, error),
    });
  }

  /** True: Path did not work with this instance, which is remembered. */
  #wantsContactMode(attempt: Attempt, response: SipResponse): boolean {
    const { instance, registration, mode } = attempt;
    if (mode !== "path" || instance.config.sip.routing !== "auto") return false;
    const unsupported = response.headers.values("unsupported").map((one) => one.toLowerCase());
    const isRefused = response.status === 420 && unsupported.includes("path");
    const registers = registration.contacts.some((contact) => contact.expiresSeconds !== 0);
    const isSuccess = response.status >= 200 && response.status < 300;
    const isIgnored = isSuccess && registers && !response.headers.has("path");
    if (isSuccess && registers && !isIgnored)
      this.#found(instance, "path", "the instance echoes it");
    if (!isRefused && !isIgnored) return false;
    const why = isRefused ? "420 to Path" : "the instance does not echo Path";
    this.#found(instance, "contact", why);
    return true;
  }

  #found(instance: Instance, routing: Routing, reason: string): void {
    if (instance.routing !== routing) instance.routingSinceMs = this.#core.clock.now();
    if (instance.routing === routing && instance.routingReason === reason) return;
    instance.routing = routing;
    instance.routingReason = reason;
    this.#core.log.info("routing-found", { instance: instance.name, routing, reason });
  }

  #edited(attempt: Attempt, insideAddress: string | null): SipRequest {
    const { registration, instance } = attempt;
    const request = cloneRequest(attempt.request);
    // We are the first hop: a Path that is there already would lead the instance where the phone says.
    request.headers.remove("path");
    const first = registration.contacts[0];
    const place = innerPlace(this.#core, instance, insideAddress);
    const { flow } = attempt.transaction;
    this.#core.border.registerToInstance(request, { instance, flow, transport: place.transport });
    attempt.sent = request;
    if (first === undefined || registration.removesAll) return request;
    attempt.inside = registration.contacts.map((contact) => ({
      contact,
      insideUri:
        attempt.mode === "path"
          ? toInside(contact.address.uri, contact.owner, place.transport)
          : // Without the phone's address, which changes: the instance knows a contact by its URI.
            ownContact(place, this.#token(attempt, contact.bindingId, null)),
    }));
    writeContacts(request, attempt.inside, this.#obsolete(attempt));
    if (attempt.mode === "path") {
      const udp = flow.transport === "udp" ? flow.remote : null;
      const token = this.#token(attempt, first.bindingId, udp);
      addPath(request, place, token, offersOutbound(attempt.transaction.request));
    }
    return request;
  }

  #token(attempt: Attempt, id: string, udp: Endpoint | null): string {
    return this.#core.tokens.make({ instanceTag: attempt.instance.tag, kind: "binding", id, udp });
  }

  /**
   * Contacts of this very phone that lead nowhere any more: from before its port or our mode changed. They
   * would ring in vain until they expire.
   */
  #obsolete(attempt: Attempt): readonly string[] {
    const { bindings } = this.#core;
    const { registration, instance, transaction, inside } = attempt;
    const callId = transaction.request.headers.get("call-id") ?? "";
    // A phone with an instance id keeps the flow it lost under its own reg-id (RFC 5626 §4.2).
    const isOfMany = registration.contacts.some(({ address }) => instanceIdOf(address) !== null);
    const phone = { instance: instance.name, aor: registration.aor, callId };
    const before = [
      ...registration.contacts.flatMap(({ bindingId }) => bindings.get(bindingId) ?? []),
      ...(isOfMany ? [] : bindings.leftBehind(phone)),
    ];
    const now = new Set(inside.map(insideUriOf));
    const old = new Set([...attempt.stranded, ...before.map(insideUriOf)]);
    return [...old].filter((uri) => !now.has(uri));
  }

  #answered(attempt: Attempt, response: SipResponse): SipResponse {
    const { transaction, instance } = attempt;
    this.#core.admission.answered(transaction.request, transaction.flow, instance.name, response);
    response.headers.remove("path");
    if (response.status >= 200 && response.status < 300) this.#learn(attempt, response);
    const own = this.#phonesOwn(attempt);
    restoreContacts(response, (uri) => this.#known(uri, own)?.contactUri);
    if (response.status < 300) this.#keepsFlow(attempt.transaction, response);
    const { request: received, flow } = transaction;
    const id = attempt.registration.contacts[0]?.bindingId;
    const phone: FlowTarget | null =
      id === undefined ? null : { instanceTag: instance.tag, kind: "binding", id, udp: null };
    const passage = { instance, flow, phone };
    this.#core.border.answerToRegister(response, attempt.sent, received, passage);
    return response;
  }

  /** What the phone is told to do for its flow itself. */
  #keepsFlow({ request, flow }: ServerTransaction, response: SipResponse): void {
    const { expiresUdp, flowTimerUdp, flowTimerTls } = this.#core.limits();
    const isUdp = flow.transport === "udp";
    setFlowTimer(response, offersOutbound(request) ? (isUdp ? flowTimerUdp : flowTimerTls) : 0);
    if (isUdp && this.#core.settings().shortExpires) capExpires(response, expiresUdp);
  }

  /** What the phone registers now and what else it has registered over the same flow. */
  #phonesOwn({ inside, registration, instance, transaction }: Attempt): readonly KnownContact[] {
    const now = inside.map(({ contact, insideUri }) => ({
      contactUri: contact.address.uri,
      insideUri,
    }));
    const others = this.#core.bindings
      .onFlow(transaction.flow.id)
      .filter((one) => one.instance === instance.name && one.aor === registration.aor);
    return [...now, ...others];
  }

  #known<T extends KnownContact>(uri: string, own: readonly T[]): T | undefined {
    return knownContact(uri, own, (host) => this.#core.inner.isOurs(host));
  }

  /** Only now is the phone's claim proven. */
  #learn(attempt: Attempt, response: SipResponse): void {
    const { bindings } = this.#core;
    const { registration, instance, transaction } = attempt;
    const { aor } = registration;
    if (registration.removesAll) return bindings.removeAor(instance.name, aor);
    for (const { contact, insideUri } of attempt.inside) {
      const own = [{ contactUri: contact.address.uri, insideUri }];
      const isThisOne = (uri: string): boolean => this.#known(uri, own) !== undefined;
      const seconds = grantedSeconds(response, contact, isThisOne);
      if (seconds === 0) {
        bindings.remove(contact.bindingId);
        continue;
      }
      const { flow } = transaction;
      const callId = transaction.request.headers.get("call-id") ?? "";
      const { bindingId: id, owner } = contact;
      const binding = { id, instance: instance.name, aor, callId, owner, flow };
      if (bindings.get(binding.id) === null) {
        const { address } = flow.remote;
        this.#core.log.info("registered", { instance: instance.name, aor, remote: address });
      }
      const fresh = { ...binding, contactUri: contact.address.uri, insideUri };
      bindings.accept(fresh, seconds, instanceIdOf(contact.address) === null);
    }
    if (bindings.isOnFlow(transaction.flow.id)) this.#core.admission.registered(transaction.flow);
  }
}

function insideUriOf({ insideUri }: Pick<InsideContact, "insideUri">): string {
  return insideUri;
}
