/**
 * Who tries what is not his, by HTTP: paths, tokens, instances and MACs that lead nowhere. What counts is how
 * many different things an address has tried, so that a phone which asks for one wrong thing again and again
 * is no guesser; and where something is found, what was counted for it is taken back.
 */
import { createHash } from "node:crypto";
import type { Limits } from "../config/limits.ts";
import { sourceOf } from "../config/source.ts";
import type { Clock, Log } from "../io/types.ts";
import { Failures } from "./failures.ts";
import type { KnownSources } from "./known-sources.ts";
import { Recent } from "./recent.ts";
import type { Trusted } from "./sources.ts";

export type LookUpOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly known: KnownSources;
  readonly trusted: Trusted;
  limits(): Limits;
  count(reason: string): void;
  ban(source: string, reason: string): void;
};

/** How the answer goes out: one who is not banned, since phones are registered there, has to wait. */
export type Pace = "now" | "slowly";

/** A phone that was found stays a good one for so long, whatever further file of it there is not. */
const FOUND_MS = 86_400_000;
/** Each source may have tried several things. */
const TRIED_PER_SOURCE = 8;

export class LookUps {
  readonly #o: LookUpOptions;
  readonly #failures: Failures;
  /** What was tried from where, and whether it was found. */
  readonly #tried: Recent<boolean>;

  constructor(o: LookUpOptions) {
    this.#o = o;
    const sources = (): number => o.limits().sources;
    this.#failures = new Failures(sources, () => o.limits().failureWindow * 1000);
    this.#tried = new Recent(() => sources() * TRIED_PER_SOURCE, FOUND_MS);
  }

  /** `what` says what was looked for; it is kept as a digest only. */
  failed(address: string, what: string): Pace {
    this.#o.count("look-up-failed");
    if (this.#o.trusted.has(address)) return "now";
    const source = sourceOf(address);
    const nowMs = this.#o.clock.now();
    const key = keyOf(source, what);
    const isNew = this.#tried.get(key, nowMs) === undefined;
    if (isNew) {
      this.#tried.set(key, false, nowMs);
      this.#o.log.info("look_up_failed", { ip: address });
    }
    const count = isNew ? this.#failures.add(source, nowMs) : this.#failures.of(source, nowMs);
    const { known } = this.#o;
    if (count < this.#o.limits().failedLookUps * (1 + known.phones(source))) return "now";
    if (known.registered(source) > 0) return "slowly";
    this.#o.ban(source, "failed-look-ups");
    return "now";
  }

  /** Something of it was found from there lately. */
  isFound(address: string, what: string): boolean {
    return this.#tried.get(keyOf(sourceOf(address), what), this.#o.clock.now()) === true;
  }

  found(address: string, what: string): void {
    const source = sourceOf(address);
    const nowMs = this.#o.clock.now();
    const key = keyOf(source, what);
    const before = this.#tried.get(key, nowMs);
    if (before === true) return;
    if (before === false) this.#failures.takeBack(source, nowMs);
    this.#tried.set(key, true, nowMs);
  }

  forget(source: string): void {
    this.#failures.forget(source);
  }
}

function keyOf(source: string, what: string): string {
  return `${source} ${createHash("sha256").update(what).digest("base64").slice(0, 16)}`;
}
