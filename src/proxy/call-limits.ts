/**
 * Each instance's, each user's and each address's share of calls: what one takes, no other lacks. New calls of
 * one instance by their number a second and at one time; of one user (toll fraud with one stolen
 * password); unanswered ones of one address, which hold ports without having proven anything.
 */
import type { Limits } from "../config/limits.ts";
import type { Clock } from "../io/types.ts";
import type { Call } from "./calls.ts";
import { Tally } from "./tally.ts";
import { TokenBuckets } from "./token-buckets.ts";

export type Share = {
  readonly instance: string;
  /** user@domain */
  readonly user: string;
  /** Where a phone calls from; null: the instance calls. */
  readonly source: string | null;
  /** Nobody is registered on the flow it came on. */
  readonly isStranger: boolean;
  /** How many phones are known at the source. */
  readonly phones: number;
};

/** Strangers may take a part of an instance's new calls, so that they cannot take all. */
const STRANGERS_PART = 4;
const RINGING_PER_PHONE = 2;

export class CallLimits {
  readonly #clock: Clock;
  readonly #limits: () => Limits;
  readonly #perInstance = new Tally();
  readonly #perUser = new Tally();
  readonly #ringing = new Tally();
  readonly #rates: TokenBuckets;
  readonly #shares = new Map<Call, Share>();
  readonly #ringingCalls = new Set<Call>();

  constructor(clock: Clock, limits: () => Limits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#rates = new TokenBuckets(() => limits().sources);
  }

  /** null: one more may begin; else the limit that is reached, as it is counted. */
  refusal(share: Share): string | null {
    const { instanceCalls, userCalls, ringingPerAddress } = this.#limits();
    const { instance, user, source, phones } = share;
    if (this.#perInstance.of(instance) >= instanceCalls) return "instance-calls";
    if (this.#perUser.of(userKey(share)) >= userCalls && user !== "") return "user-calls";
    const mostRinging = ringingPerAddress + RINGING_PER_PHONE * phones;
    if (source !== null && this.#ringing.of(source) >= mostRinging) return "ringing-per-address";
    return this.#mayBegin(share) ? null : "instance-call-rate";
  }

  begin(call: Call, share: Share): void {
    this.#shares.set(call, share);
    this.#perInstance.add(share.instance, 1);
    this.#perUser.add(userKey(share), 1);
    if (share.source === null) return;
    this.#ringing.add(share.source, 1);
    this.#ringingCalls.add(call);
  }

  /** "" when the instance's own share alone counts. */
  userOf(call: Call): string {
    return this.#shares.get(call)?.user ?? "";
  }

  /** Its first 2xx: what was good does not count towards the rate. */
  answered(call: Call): void {
    const share = this.#shares.get(call);
    if (share === undefined) return;
    this.#rates.giveBack(rateKey(share), 1, this.#clock.now());
    this.#stopsRinging(call, share);
  }

  ended(call: Call): void {
    const share = this.#shares.get(call);
    if (share === undefined) return;
    this.#shares.delete(call);
    this.#stopsRinging(call, share);
    this.#perInstance.add(share.instance, -1);
    this.#perUser.add(userKey(share), -1);
  }

  #mayBegin(share: Share): boolean {
    const { instanceCallsPerSecond, burst } = this.#limits();
    const part = share.isStranger ? STRANGERS_PART : 1;
    const perSecond = instanceCallsPerSecond / part;
    const rate = { perSecond, burst: Math.max(1, perSecond * burst) };
    return this.#rates.take(rateKey(share), this.#clock.now(), rate);
  }

  #stopsRinging(call: Call, { source }: Share): void {
    if (source !== null && this.#ringingCalls.delete(call)) this.#ringing.add(source, -1);
  }
}

const userKey = ({ instance, user }: Share): string => `${instance} ${user}`;
const rateKey = ({ instance, isStranger }: Share): string =>
  isStranger ? `${instance} strangers` : instance;
