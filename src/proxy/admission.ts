/**
 * Who is let in: asked before a TLS handshake, for each message before it is parsed, and for each request
 * before it makes any state. Everything here is a few look-ups. What a peer did wrong is counted in
 * offences.ts, what may be said to a stranger by UDP in strangers.ts.
 */

import { canonicalAddress } from "../config/address-class.ts";
import type { ProxyConfig } from "../config/config.ts";
import { sourceOf } from "../config/source.ts";
import type { Ban } from "../health/status.ts";
import type { Clock, Log, Timer } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";
import type { FlowTarget } from "../sip/flow-token.ts";
import type { SipRequest, SipResponse } from "../sip/message.ts";
import { Bans } from "./bans.ts";
import { Challenges, credentialsOf } from "./challenges.ts";
import { KnownSources } from "./known-sources.ts";
import { LookUps } from "./look-ups.ts";
import { Offences } from "./offences.ts";
import { isScanner } from "./scanners.ts";
import { Trusted } from "./sources.ts";
import type { StateStore } from "./state.ts";
import { Strangers } from "./strangers.ts";
import { type Rate, TokenBuckets } from "./token-buckets.ts";

export type AdmissionOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: StateStore;
  settings(): ProxyConfig;
  /** A phone is registered over this flow. */
  isRegistered(flow: Flow): boolean;
  count(reason: string): void;
  /** Ends the connections from there. */
  closeFrom(source: string): void;
};

/** "busy": the peer is told to wait (RFC 3261 §21.5.4). */
export type Entry = "pass" | "busy" | "silence";

/** A flow that can be ended: a connection. */
type Closable = Flow & { destroy?(): void };

const SAVE_BANS_MS = 1000;
/** More nonces than sources: each try brings one. */
const NONCES_PER_SOURCE = 4;
/** INVITE, ACK, BYE; what one good call takes. */
const GOOD_ANSWER = 3;
export const RETRY_AFTER_SECONDS = 10;

/** "SIP/": a response. */
function isResponse(bytes: Uint8Array): boolean {
  return bytes[0] === 0x53 && bytes[1] === 0x49 && bytes[2] === 0x50 && bytes[3] === 0x2f;
}

/** Who asks in vain by HTTP shall not use up what the phones behind the same NAT may send. */
const byHttp = (source: string): string => `${source} http`;

export class Admission {
  readonly offences: Offences;
  readonly strangers: Strangers;
  readonly lookUps: LookUps;
  readonly #o: AdmissionOptions;
  readonly #bans: Bans;
  readonly #known: KnownSources;
  readonly #challenges: Challenges;
  readonly #trusted: Trusted;
  readonly #handshakes: TokenBuckets;
  readonly #requests: TokenBuckets;
  readonly #flows: TokenBuckets;
  #save: Timer | null = null;

  constructor(o: AdmissionOptions) {
    this.#o = o;
    const { clock, store } = o;
    const limits = () => o.settings().limits;
    const sources = (): number => limits().sources;
    this.#bans = new Bans(store, () => limits().bans, clock.now());
    this.#known = new KnownSources(store, () => limits().knownAddresses, clock.now());
    this.#challenges = new Challenges(() => sources() * NONCES_PER_SOURCE);
    this.#trusted = new Trusted(() => o.settings().neverBan);
    this.#handshakes = new TokenBuckets(sources);
    this.#requests = new TokenBuckets(sources);
    this.#flows = new TokenBuckets(() => limits().connections);
    this.strangers = new Strangers(clock, sources);
    this.offences = new Offences({
      ...o,
      limits,
      bans: this.#bans,
      known: this.#known,
      challenges: this.#challenges,
      trusted: this.#trusted,
      banned: (address, user) => this.#banned(address, user),
      close: (flow: Closable) => flow.destroy?.(),
    });
    this.lookUps = new LookUps({
      clock,
      log: o.log,
      limits,
      known: this.#known,
      trusted: this.#trusted,
      count: (reason) => o.count(reason),
      ban: (source, reason) => this.offences.ban(source, null, reason),
    });
  }

  get bans(): readonly Ban[] {
    return this.#bans.all(this.#o.clock.now());
  }

  /** Phones that are, or in the last 7 days were, registered from there. */
  phones(address: string): number {
    return this.#known.phones(sourceOf(address));
  }

  isTrusted(address: string): boolean {
    return this.#trusted.has(address);
  }

  /** Before a TLS handshake costs anything. */
  connects(address: string): boolean {
    if (this.#trusted.has(address)) return true;
    const source = sourceOf(address);
    if (this.#isBanned(source)) {
      this.#o.count("banned");
      return false;
    }
    const rate = this.#rate(source, this.#o.settings().limits.handshakesPerSecond);
    if (this.#handshakes.take(source, this.#o.clock.now(), rate)) return true;
    this.#o.count("handshakes-per-address");
    return false;
  }

  /** Each message from outside, as it came. */
  takes(bytes: Uint8Array, flow: Flow): Entry {
    if (flow.side === "inner") return "pass";
    const { address } = flow.remote;
    const isTrusted = this.#trusted.has(address);
    const source = sourceOf(address);
    if (!isTrusted && this.#isBanned(source)) {
      this.#o.count("banned");
      return "silence";
    }
    // Answers of a phone to what an instance asks are the instance's business.
    if (isResponse(bytes) && this.#o.isRegistered(flow)) return "pass";
    const reason = this.#excess(flow, source, isTrusted);
    if (reason === null) return "pass";
    this.#o.count(reason);
    this.offences.exceeded(flow);
    return this.isProven(flow) ? "busy" : "silence";
  }

  /** Each request from outside, before it makes any state. False: silence. */
  request(request: SipRequest, flow: Flow): boolean {
    if (flow.side === "inner") return true;
    if (isScanner(request) && !this.#trusted.has(flow.remote.address)) {
      this.#o.count("scanner");
      this.offences.refused(request, flow, "scanner");
      return false;
    }
    if (flow.transport === "udp") this.#prove(request, flow);
    return true;
  }

  /** A token of ours that was made for this very address came back from it: it is not forged. */
  shown(target: FlowTarget, flow: Flow): void {
    const { udp } = target;
    if (flow.transport !== "udp" || udp === null) return;
    if (udp.address !== flow.remote.address || udp.port !== flow.remote.port) return;
    this.#challenges.proved(flow, this.#o.clock.now());
  }

  /** An instance answered a phone's request. */
  answered(request: SipRequest, flow: Flow, instance: string, response: SipResponse): void {
    const { status } = response;
    if (flow.side === "inner" || status < 200) return;
    this.offences.answered(request, flow, instance, response);
    if (status >= 300 || request.method === "OPTIONS") return;
    const source = sourceOf(flow.remote.address);
    const nowMs = this.#o.clock.now();
    this.#requests.giveBack(source, GOOD_ANSWER, nowMs);
    this.#flows.giveBack(flow.id, GOOD_ANSWER, nowMs);
    if (flow.transport !== "udp") this.#handshakes.giveBack(source, 1, nowMs);
  }

  /** Each request by HTTP. False: its connection ends. */
  asks(address: string): boolean {
    if (this.#trusted.has(address)) return true;
    const source = sourceOf(address);
    const rate = this.#rate(source, this.#o.settings().limits.requestsPerSecond);
    if (this.#requests.take(byHttp(source), this.#o.clock.now(), rate)) return true;
    this.#o.count("requests-per-address");
    return false;
  }

  /** It was good: what it and its connection took is given back. */
  served(address: string): void {
    const source = sourceOf(address);
    const nowMs = this.#o.clock.now();
    this.#requests.giveBack(byHttp(source), 1, nowMs);
    this.#handshakes.giveBack(source, 1, nowMs);
  }

  /** An instance has accepted the phone. */
  registered(flow: Flow): void {
    this.#known.good(sourceOf(flow.remote.address), this.#o.clock.now());
  }

  /** A binding came to, or went from, an address. */
  bindingsChanged(address: string, by: 1 | -1): void {
    this.#known.changed(sourceOf(address), by);
  }

  /** One more registration from there would be too many. */
  isFullOfPhones(address: string): boolean {
    if (this.#trusted.has(address)) return false;
    const { registrationsPerAddress } = this.#o.settings().limits;
    return this.#known.registered(sourceOf(address)) >= registrationsPerAddress;
  }

  /** A UDP source that is registered or has answered under what we sent to it; any connection. */
  isProven(flow: Flow): boolean {
    if (flow.side === "inner" || flow.transport !== "udp") return true;
    return this.#challenges.isProven(flow, this.#o.clock.now()) || this.#o.isRegistered(flow);
  }

  /** False: the answer would help somebody who forged his address. */
  mayAnswer(flow: Flow, requestBytes: number, answerBytes: number, isOwn: boolean): boolean {
    if (this.isProven(flow)) return true;
    const source = sourceOf(flow.remote.address);
    const phones = this.#known.phones(source);
    const answer = { requestBytes, answerBytes, isOwn, phones };
    if (this.strangers.mayAnswer(source, answer)) return true;
    this.#o.count("unproven-source");
    return false;
  }

  /** Any address of what is banned will do; "*" with a user for everywhere. */
  unban(given: string, user: string | null): boolean {
    const address = given === "*" ? given : sourceOf(canonicalAddress(given.replace("/64", "")));
    const isLifted = this.offences.unban(address, user);
    this.lookUps.forget(address);
    if (isLifted) this.#o.log.info("unbanned", { address, user: user ?? undefined });
    this.#bans.save();
    return isLifted;
  }

  /** Now and then, and at the end. */
  save(): void {
    this.#save?.cancel();
    this.#save = null;
    const nowMs = this.#o.clock.now();
    this.#bans.sweep(nowMs);
    this.#bans.save();
    this.#known.save(nowMs);
  }

  #prove(request: SipRequest, flow: Flow): void {
    const credentials = credentialsOf(request.headers);
    if (credentials !== null) this.#challenges.prove(flow, credentials, this.#o.clock.now());
  }

  #isBanned(source: string): boolean {
    const isBanned = this.#bans.leftMs({ address: source, user: null }, this.#o.clock.now()) > 0;
    return isBanned && this.#known.registered(source) === 0;
  }

  #excess(flow: Flow, source: string, isTrusted: boolean): string | null {
    const { limits } = this.#o.settings();
    const nowMs = this.#o.clock.now();
    const own = { perSecond: limits.requestsPerFlow, burst: limits.requestsPerFlow * limits.burst };
    if (!this.#flows.take(flow.id, nowMs, own)) return "requests-per-flow";
    if (isTrusted) return null;
    const rate = this.#rate(source, limits.requestsPerSecond);
    // Whoever forges an office's address shall not use up what its phones may send.
    const key = this.isProven(flow) ? source : `${source} unproven`;
    return this.#requests.take(key, nowMs, rate) ? null : "requests-per-address";
  }

  #rate(source: string, perSecond: number): Rate {
    const { requestsPerPhone, burst } = this.#o.settings().limits;
    const sum = perSecond + this.#known.phones(source) * requestsPerPhone;
    return { perSecond: sum, burst: sum * burst };
  }

  #banned(address: string, user: string | null): void {
    if (user === null) this.#o.closeFrom(address);
    this.#save ??= this.#o.clock.after(SAVE_BANS_MS, () => {
      this.#save = null;
      this.#bans.save();
    });
  }
}
