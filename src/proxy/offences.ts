/**
 * Counts what an honest phone does not do, and bans who does it too often. A failure is a refusal of
 * credentials under a nonce that was given here, a 403, a 404; a bare challenge or a stale nonce never is.
 * Nothing counts for a UDP source that has not proven itself, so that nobody gets a customer banned by
 * forging his address; an address from which somebody is registered is never banned as a whole, only the
 * user from there.
 */

import type { Limits } from "../config/limits.ts";
import { sourceOf } from "../config/source.ts";
import type { Clock, Log } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";
import type { SipRequest, SipResponse } from "../sip/message.ts";
import type { Bans } from "./bans.ts";
import { type Challenges, credentialsOf } from "./challenges.ts";
import { Failures } from "./failures.ts";
import type { KnownSources } from "./known-sources.ts";
import { Recent } from "./recent.ts";
import { aorOf } from "./registration.ts";
import type { Trusted } from "./sources.ts";

export type OffenceOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly bans: Bans;
  readonly known: KnownSources;
  readonly challenges: Challenges;
  readonly trusted: Trusted;
  limits(): Limits;
  /** A phone is registered over this flow. */
  isRegistered(flow: Flow): boolean;
  count(reason: string): void;
  /** A ban began; of an address (its connections are to be closed) or of a user. */
  banned(address: string, user: string | null): void;
  /** Ends one connection. */
  close(flow: Flow): void;
};

/** A user is tried from many addresses: so many times more until he is kept out from everywhere. */
const EVERYWHERE_TIMES = 5;
const WEEK_MS = 7 * 86_400_000;

/** What may stand in a log line that other programs read: nothing else, whatever a peer sends. */
export function plain(text: string): string {
  return text.slice(0, 64).replace(/[^A-Za-z0-9_.@+-]/g, "_") || "-";
}

const userAt = (username: string, instance: string): string =>
  plain(`${username}@${instance}`.toLowerCase());

export class Offences {
  readonly #o: OffenceOptions;
  readonly #failures: Failures;
  readonly #excesses: Failures;
  /** Users who have signed in from an address. */
  readonly #good: Recent<true>;

  constructor(o: OffenceOptions) {
    this.#o = o;
    const maximum = (): number => o.limits().sources;
    const windowMs = (): number => o.limits().failureWindow * 1000;
    this.#failures = new Failures(maximum, windowMs);
    this.#excesses = new Failures(maximum, windowMs);
    this.#good = new Recent(maximum, WEEK_MS);
  }

  /** What an instance said to a phone's request. */
  answered(request: SipRequest, flow: Flow, instance: string, response: SipResponse): void {
    const { status, headers } = response;
    const nowMs = this.#o.clock.now();
    const credentials = credentialsOf(request.headers);
    const usernames = credentials?.usernames ?? [];
    if (status === 401 || status === 407) {
      const isGuess = credentials !== null && this.#o.challenges.isCurrent(credentials, nowMs);
      const isStale = this.#o.challenges.give(flow, headers, nowMs);
      if (isGuess && !isStale) this.#failed(request, flow, instance, usernames, "wrong-password");
    } else if (status >= 200 && status < 300) {
      for (const username of usernames) this.#succeeded(flow, userAt(username, instance), nowMs);
    } else if (this.#isRefusal(request, flow, status, credentials !== null)) {
      this.#failed(request, flow, instance, usernames, "refused");
    }
  }

  /** We refused it ourselves: another's domain, a forged token, names that nobody has. */
  refused(request: SipRequest, flow: Flow, reason: string): void {
    if (!this.#o.isRegistered(flow)) this.#failed(request, flow, "-", [], reason);
  }

  /** One more message than the rates allow. */
  exceeded(flow: Flow): void {
    const { clock, known, limits } = this.#o;
    if (!this.#isProven(flow)) return;
    const nowMs = clock.now();
    const most = limits().refusals;
    const source = sourceOf(flow.remote.address);
    const count = this.#excesses.add(source, nowMs);
    const isTrusted = this.#o.trusted.has(flow.remote.address);
    const isOffice = isTrusted || known.registered(source) > 0;
    if (!isOffice && count >= most * (1 + known.phones(source))) {
      this.ban(source, null, "too-many-requests");
    } else if (flow.transport !== "udp" && this.#excesses.add(flow.id, nowMs) >= most) {
      this.#o.count("connection-too-busy");
      this.#o.close(flow);
    }
  }

  /** Milliseconds that this user has to wait before his credentials are looked at; 0 = none. */
  waitMs(
    request: SipRequest,
    flow: Flow,
    instance: string,
    isOwnFlow: (user: string) => boolean,
  ): number {
    if (this.#o.bans.isEmpty) return 0;
    const credentials = credentialsOf(request.headers);
    if (credentials === null || this.#o.trusted.has(flow.remote.address)) return 0;
    const nowMs = this.#o.clock.now();
    const address = sourceOf(flow.remote.address);
    let longest = 0;
    for (const username of credentials.usernames) {
      // A phone that is registered goes on, whoever guesses beside it.
      if (isOwnFlow(username.toLowerCase())) continue;
      const user = userAt(username, instance);
      const here = this.#o.bans.leftMs({ address, user }, nowMs);
      const isGood = this.#good.get(`${address} ${user}`, nowMs) === true;
      const everywhere = isGood ? 0 : this.#o.bans.leftMs({ address: "*", user }, nowMs);
      longest = Math.max(longest, here, everywhere);
    }
    return longest;
  }

  /** The operator lets somebody in again; what was counted so far is forgotten. */
  unban(address: string, user: string | null): boolean {
    this.#failures.forget(user === null ? address : `${address} ${user}`);
    this.#excesses.forget(address);
    return this.#o.bans.remove({ address, user }, this.#o.clock.now());
  }

  /**
   * A wrong number that a phone dials is none, nor what the instance forbids its own user: there the
   * password was right.
   */
  #isRefusal(request: SipRequest, flow: Flow, status: number, hasCredentials: boolean): boolean {
    if (status !== 403 && status !== 404) return false;
    if (request.method === "REGISTER") return true;
    if (this.#o.isRegistered(flow)) return false;
    return status === 403 || !hasCredentials;
  }

  #isProven(flow: Flow): boolean {
    return this.#o.challenges.isProven(flow, this.#o.clock.now()) || this.#o.isRegistered(flow);
  }

  #succeeded(flow: Flow, user: string, nowMs: number): void {
    const pair = `${sourceOf(flow.remote.address)} ${user}`;
    this.#failures.forget(pair);
    this.#good.set(pair, true, nowMs);
  }

  #failed(
    request: SipRequest,
    flow: Flow,
    instance: string,
    usernames: readonly string[],
    reason: string,
  ): void {
    if (!this.#isProven(flow)) return this.#o.count("failure-unproven");
    this.#o.count("auth-failure");
    const { address } = flow.remote;
    this.#o.log.info("auth_failure", {
      ip: address,
      user: plain(usernames[0] ?? claimedUser(request)),
      instance: plain(instance),
      method: plain(request.method),
    });
    if (this.#o.trusted.has(address)) return;
    const source = sourceOf(address);
    if (this.#sourceFailed(source, reason)) return;
    for (const username of usernames) this.#userFailed(source, userAt(username, instance), reason);
  }

  #userFailed(source: string, user: string, reason: string): void {
    const { clock, limits } = this.#o;
    const most = limits().failures;
    const here = this.#failures.add(`${source} ${user}`, clock.now());
    if (here >= most) this.ban(source, user, reason);
    const everywhere = this.#failures.add(`* ${user}`, clock.now());
    if (everywhere >= most * EVERYWHERE_TIMES) this.ban("*", user, reason);
  }

  /** True: the address is banned. */
  #sourceFailed(source: string, reason: string): boolean {
    const { clock, known, limits } = this.#o;
    const count = this.#failures.add(source, clock.now());
    if (known.registered(source) > 0) return false;
    if (count < limits().failures * (1 + known.phones(source))) return false;
    this.ban(source, null, reason);
    return true;
  }

  /** Decided already; one that stands stays as it is. */
  ban(address: string, user: string | null, reason: string): void {
    const { bans, clock, limits, log, count } = this.#o;
    const { banTime, banTimeMax } = limits();
    const times = { firstMs: banTime * 1000, mostMs: banTimeMax * 1000 };
    if (bans.leftMs({ address, user }, clock.now()) > 0) return;
    const forMs = bans.add({ address, user }, reason, times, clock.now());
    this.#failures.forget(user === null ? address : `${address} ${user}`);
    count("bans");
    log.warn("banned", { address, user: user ?? undefined, reason, seconds: forMs / 1000 });
    this.#o.banned(address, user);
  }
}

/** Whom a request without credentials speaks for. */
function claimedUser(request: SipRequest): string {
  const header = request.method === "REGISTER" ? "to" : "from";
  return aorOf(request.headers.get(header) ?? "").split("@")[0] ?? "";
}
