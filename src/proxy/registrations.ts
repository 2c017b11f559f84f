/**
 * Carries REGISTER to the instance and learns bindings from its 2xx. With `routing: auto` it finds out
 * how the instance wants to find phones again: Path first (RFC 3327); when the instance refuses it (420) or
 * does not echo it, which means that it has thrown it away, the same REGISTER goes out once more with our
 * Contact, and later ones start that way.
 */
import type { Flow } from "../sip/flow.ts";
import { cloneRequest, type SipRequest, type SipResponse } from "../sip/message.ts";
import { ResponseContext } from "../sip/response-context.ts";
import type { ServerTransaction } from "../sip/transaction-table.ts";
import { type Core, innerPlace, reply } from "./core.ts";
import type { Instance, Routing } from "./instances.ts";
import {
  addPath,
  grantedSeconds,
  type Registration,
  readRegistration,
  restoreContacts,
  rewriteContacts,
} from "./registration.ts";

type Attempt = {
  readonly transaction: ServerTransaction;
  /** As it shall go out, before Path or Contact mode changed it. */
  readonly request: SipRequest;
  readonly instance: Instance;
  readonly registration: Registration;
  readonly onward: Flow;
  mode: Routing;
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
    const registration = readRegistration(request, instance.name);
    if (registration.contacts.length > this.#core.limits().contacts) {
      this.#core.count("contacts-too-many");
      return reply(this.#core, transaction, 403);
    }
    let onward: Flow;
    try {
      onward = await this.#core.inner.flowTo(instance);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#core.instances.failed(instance.name, reason);
      this.#core.count("no-way-on");
      return reply(this.#core, transaction, 503, [["retry-after", "10"]]);
    }
    const attempt = {
      transaction,
      request,
      instance,
      registration,
      onward,
      mode: instance.routing,
    };
    this.#context(attempt).forward(this.#edited(attempt), onward);
  }

  #context(attempt: Attempt): ResponseContext {
    const { table, clock, limits } = this.#core;
    const context: ResponseContext = new ResponseContext({
      table,
      clock,
      server: attempt.transaction,
      timerC: { ms: limits().timerC * 1000, capMs: limits().timerCMax * 1000 },
      response: (response, _branch, origin) => {
        if (origin !== "received") this.#core.instances.failed(attempt.instance.name, origin);
        if (origin === "received" && this.#wantsContactMode(attempt, response)) {
          attempt.mode = "contact";
          context.forward(this.#edited(attempt), attempt.onward);
          return null;
        }
        return this.#answered(attempt, response);
      },
      ended: ({ status }) => {
        // RFC 4320: nobody is told of a REGISTER that nobody answered, but the operator shall see it.
        if (status === null) this.#core.instances.failed(attempt.instance.name, "no answer");
      },
    });
    return context;
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
    if (instance.routing === routing && instance.routingReason === reason) return;
    instance.routing = routing;
    instance.routingReason = reason;
    this.#core.log.info("routing-found", { instance: instance.name, routing, reason });
  }

  #edited(attempt: Attempt): SipRequest {
    const { registration, instance } = attempt;
    const request = cloneRequest(attempt.request);
    // We are the first hop: a Path that is there already would lead the instance where the phone says.
    request.headers.remove("path");
    const place = innerPlace(this.#core, instance);
    const first = registration.contacts[0];
    if (attempt.mode === "contact") {
      rewriteContacts(request, registration, place, (one) => this.#token(attempt, one.bindingId));
    } else if (first !== undefined) {
      addPath(request, place, this.#token(attempt, first.bindingId));
    }
    return request;
  }

  #token(attempt: Attempt, id: string): string {
    const { flow } = attempt.transaction;
    const udp = flow.transport === "udp" ? flow.remote : null;
    const instanceTag = attempt.instance.tag;
    return this.#core.tokens.make({ instanceTag, kind: "binding", id, udp });
  }

  #answered(attempt: Attempt, response: SipResponse): SipResponse {
    response.headers.remove("path");
    if (response.status >= 200 && response.status < 300) this.#learn(attempt, response);
    if (attempt.mode === "contact") {
      restoreContacts(response, (user) => this.#trueUri(attempt, user));
    }
    return response;
  }

  #trueUri(attempt: Attempt, user: string): string | null {
    const target = this.#core.tokens.open(user);
    if (target === null || target.instanceTag !== attempt.instance.tag) return null;
    const own = attempt.registration.contacts.find((one) => one.bindingId === target.id);
    return own?.address.uri ?? this.#core.bindings.get(target.id)?.contactUri ?? null;
  }

  /** Only now is the phone's claim proven. */
  #learn(attempt: Attempt, response: SipResponse): void {
    const { bindings } = this.#core;
    const { registration, instance, transaction } = attempt;
    const { aor } = registration;
    if (registration.removesAll) return bindings.removeAor(instance.name, aor);
    for (const contact of registration.contacts) {
      const seconds = grantedSeconds(response, contact);
      if (seconds === 0) {
        bindings.remove(contact.bindingId);
        continue;
      }
      const { flow } = transaction;
      const callId = transaction.request.headers.get("call-id") ?? "";
      const binding = { id: contact.bindingId, instance: instance.name, aor, callId, flow };
      if (bindings.get(binding.id) === null) {
        const { address } = flow.remote;
        this.#core.log.info("registered", { instance: instance.name, aor, remote: address });
      }
      bindings.accept({ ...binding, contactUri: contact.address.uri }, seconds);
    }
  }
}
