/**
 * The demonstration instance: a small telephone system inside the product, so that the whole way of a call
 * can be tried without one. SIP over UDP and plain RTP on one address, users with a digest password, 600 =
 * echo, 601 = a tone, calls between its phones. Every table has a limit. Owns its socket and its calls.
 */
import type { Datagrams, Endpoint, Log, World } from "../io/types.ts";
import type { SipRequest } from "../sip/message.ts";
import type { ServerTransaction } from "../sip/transaction.ts";
import { isSipUri, parseSipUri } from "../sip/uri.ts";
import { type Answering, AnsweringCall } from "./answering-call.ts";
import { BridgedCall } from "./bridged-call.ts";
import { CallLeg, type LegPlace } from "./call-leg.ts";
import { nextHop } from "./dialog.ts";
import { DigestServer } from "./digest-server.ts";
import { datagramFlow, hostPort } from "./flows.ts";
import { MIN_EXPIRES_S, Registrar } from "./registrar.ts";
import { ALLOW, UserAgent } from "./user-agent.ts";

export type InstanceOptions = {
  readonly world: World;
  readonly log: Log;
  /** Where its SIP port is; port 0 = any free one. */
  readonly local: Endpoint;
  readonly domain: string;
  readonly users: readonly string[];
  readonly password: string;
  readonly product: string;
  readonly maxCalls?: number;
};

type Call = {
  readonly invite: ServerTransaction;
  cancelled(): void;
  hangUp(): void;
};

const ANSWERING: Readonly<Record<string, Answering>> = { "600": "echo", "601": "tone" };
const MAX_CALLS = 20;
const MAX_TRANSACTIONS = 1000;
/** There is nothing here to subscribe to (RFC 6665 §8.3.2: 489). */
const SUBSCRIPTIONS = new Set(["SUBSCRIBE", "PUBLISH", "NOTIFY"]);

export class DemoInstance {
  readonly #o: InstanceOptions;
  readonly #registrar: Registrar;
  readonly #digest: DigestServer;
  readonly #agent: UserAgent;
  readonly #calls = new Set<Call>();
  readonly drops = new Map<string, number>();
  /** Calls whose ports are still being opened count too. */
  #opening = 0;
  #socket: Datagrams | null = null;

  private constructor(options: InstanceOptions) {
    const { world, domain, users, password } = options;
    this.#o = options;
    this.#registrar = new Registrar(users);
    this.#digest = new DigestServer(domain, world.random(32), (username) =>
      users.includes(username) ? password : undefined,
    );
    this.#agent = new UserAgent({
      clock: world.clock,
      random: (lengthBytes) => world.random(lengthBytes),
      maxTransactions: MAX_TRANSACTIONS,
      product: options.product,
      request: (transaction) => this.#request(transaction),
      cancelled: (invite) => this.#callOf(invite)?.cancelled(),
      flowFor: (request) => this.#flowFor(request),
      count: (reason) => this.#count(reason),
    });
  }

  /** Rejects with ListenError. */
  static async open(options: InstanceOptions): Promise<DemoInstance> {
    const instance = new DemoInstance(options);
    const { local, world } = options;
    const socket = await world.openDatagrams({
      local,
      receive: (bytes, address, port) => {
        if (bytes.length > 4)
          instance.#agent.receive(bytes, datagramFlow(socket, { address, port }));
      },
    });
    instance.#socket = socket;
    return instance;
  }

  get local(): Endpoint {
    return this.#socket?.local ?? this.#o.local;
  }

  get callCount(): number {
    return this.#calls.size;
  }

  /** Users with at least one binding. */
  get registered(): readonly string[] {
    const nowMs = this.#o.world.clock.now();
    return this.#o.users.filter((user) => this.#registrar.bindingsOf(user, nowMs).length > 0);
  }

  /** Hangs up everywhere and closes. */
  close(): void {
    for (const call of [...this.#calls]) call.hangUp();
    this.#socket?.close();
    this.#socket = null;
  }

  #count(reason: string): void {
    this.drops.set(reason, (this.drops.get(reason) ?? 0) + 1);
  }

  #callOf(invite: ServerTransaction): Call | undefined {
    return [...this.#calls].find((call) => call.invite === invite);
  }

  #flowFor(request: SipRequest) {
    return this.#socket === null ? null : datagramFlow(this.#socket, nextHop(request));
  }

  #request(transaction: ServerTransaction): void {
    const { method } = transaction.request;
    if (method === "OPTIONS") {
      const accept = [
        ["Accept", "application/sdp"],
        ["Allow", ALLOW],
      ] as const;
      this.#agent.respond(transaction, 200, { headers: accept });
    } else if (method === "REGISTER") this.#register(transaction);
    else if (method === "INVITE") this.#invite(transaction);
    else if (SUBSCRIPTIONS.has(method)) this.#agent.respond(transaction, 489);
    else if (method === "BYE") this.#agent.respond(transaction, 481);
    else this.#agent.respond(transaction, 405);
  }

  /** The user, or null and a challenge or refusal was sent. */
  #authenticate(transaction: ServerTransaction): string | null {
    const nowMs = this.#o.world.clock.now();
    const verdict = this.#digest.check(transaction.request, nowMs);
    if (verdict.kind === "good") return verdict.username;
    if (verdict.kind === "wrong") {
      this.#count("wrong-password");
      this.#agent.respond(transaction, 403);
      return null;
    }
    const challenge = this.#digest.challenge(nowMs, verdict.kind === "stale");
    this.#agent.respond(transaction, 401, { headers: [["WWW-Authenticate", challenge]] });
    return null;
  }

  #register(transaction: ServerTransaction): void {
    const user = this.#authenticate(transaction);
    if (user === null) return;
    const nowMs = this.#o.world.clock.now();
    const outcome = this.#registrar.register(transaction.request, user, nowMs);
    if (outcome.status === 200) {
      const contacts = outcome.contacts.map((value) => ["Contact", value] as const);
      const path = outcome.path.map((value) => ["Path", value] as const);
      this.#agent.respond(transaction, 200, { headers: [...contacts, ...path] });
      this.#o.log.info("registered", { user, contacts: outcome.contacts.length });
      return;
    }
    const headers = {
      420: [["Unsupported", "path"] as const],
      423: [["Min-Expires", `${MIN_EXPIRES_S}`] as const],
    }[outcome.status as number];
    this.#agent.respond(transaction, outcome.status, headers === undefined ? {} : { headers });
  }

  #invite(transaction: ServerTransaction): void {
    const from = this.#authenticate(transaction);
    if (from === null) return;
    const to = calledUser(transaction.request);
    const answering = ANSWERING[to];
    if (answering === undefined && !this.#registrar.has(to)) {
      this.#agent.respond(transaction, 404);
      return;
    }
    if (this.#calls.size + this.#opening >= (this.#o.maxCalls ?? MAX_CALLS)) {
      this.#count("calls-full");
      this.#agent.respond(transaction, 503, { headers: [["Retry-After", "10"]] });
      return;
    }
    this.#opening += 1;
    const opening =
      answering === undefined
        ? this.#bridge(transaction, from, to)
        : this.#answer(transaction, answering);
    opening
      .catch((error: unknown) => {
        this.#o.log.warn("no-media-port", { reason: String(error) });
        if (!transaction.isFinal) this.#agent.respond(transaction, 503);
      })
      .finally(() => {
        this.#opening -= 1;
      });
    this.#o.log.info("call", { from, to });
  }

  get #place(): LegPlace {
    const { world, local } = this.#o;
    const contact = `sip:${this.#o.domain}@${hostPort(this.local)}`;
    return { world, agent: this.#agent, address: local.address, contact };
  }

  async #answer(invite: ServerTransaction, kind: Answering): Promise<void> {
    const leg = await CallLeg.open(this.#place, (packet) => answering.received(packet));
    const ended = (): void => void this.#calls.delete(call);
    const answering = new AnsweringCall({ leg, kind, invite, ended });
    const call: Call = {
      invite,
      cancelled: () => answering.end(),
      hangUp: () => answering.end(true),
    };
    if (invite.isFinal) leg.close();
    else this.#start(call, () => answering.start());
  }

  async #bridge(invite: ServerTransaction, from: string, to: string): Promise<void> {
    const bindings = this.#registrar.bindingsOf(to, this.#o.world.clock.now());
    if (bindings.length === 0) {
      this.#agent.respond(invite, 480);
      return;
    }
    const place = this.#place;
    const caller = await CallLeg.open(place, (packet) => bridged.received("caller", packet));
    const called = await CallLeg.open(place, (packet) => bridged.received("called", packet));
    const { domain } = this.#o;
    const ended = (): void => void this.#calls.delete(bridged);
    const options = { caller, called, invite, from, to, domain, bindings, ended };
    const bridged = new BridgedCall(options);
    if (invite.isFinal) {
      caller.close();
      called.close();
    } else this.#start(bridged, () => bridged.start());
  }

  #start(call: Call, start: () => void): void {
    this.#calls.add(call);
    start();
  }
}

/** The user part of the Request-URI; "" when there is none. */
function calledUser(request: SipRequest): string {
  if (!isSipUri(request.uri)) return "";
  return parseSipUri(request.uri).user ?? "";
}
