/**
 * The m= lines of one call: which streams hold ports, which offers wait for their answers, and what a
 * failed one takes back. An offer opens streams and changes nothing else; its first answer takes it into
 * use. Owned by one MediaSession, which judges what comes.
 */
import { type LegName, otherLeg } from "./engine.ts";
import type { AgreedLine, Exchange } from "./exchange.ts";
import type { AppliedLeg, ByLeg, MediaStream } from "./media-stream.ts";

/** An offer with what is needed to undo it. */
export type Pending = Exchange & {
  /** Streams that this offer opened. */
  readonly opened: readonly MediaStream[];
  readonly before: readonly (MediaStream | null)[];
  readonly appliedBefore: ReadonlyMap<MediaStream, Readonly<ByLeg<AppliedLeg | null>>>;
  isApplied: boolean;
  /** Branch whose final answer was taken; null = none yet. */
  finalBranch: string | null;
};

export type AnswerOrigin = { readonly branch: string; readonly final: boolean };

export class SessionStreams {
  /** By m= line. */
  #lines: readonly (MediaStream | null)[] = [];
  readonly #pending: ByLeg<Pending | null> = { outer: null, inner: null };
  /** The offer whose answer was taken last. */
  #latest: Pending | null = null;

  /** By m= line; another array after each change. */
  get lines(): readonly (MediaStream | null)[] {
    return this.#lines;
  }

  /** Streams that hold ports. */
  get open(): readonly MediaStream[] {
    const all = new Set<MediaStream>();
    for (const stream of this.#lines) if (stream?.isOpen === true) all.add(stream);
    for (const leg of ["outer", "inner"] as const) {
      for (const stream of this.#pending[leg]?.opened ?? []) if (stream.isOpen) all.add(stream);
    }
    return [...all];
  }

  /** Either side has asked the other to be quiet on some stream. */
  get isOnHold(): boolean {
    return this.#known().some((stream) => stream.isOnHold);
  }

  /** The offer of the other side that an answer of this one is for. */
  answeredBy(leg: LegName): Pending | null {
    return this.#pending[otherLeg(leg)];
  }

  /** The offer waits for its answer from here on. */
  begin(exchange: Exchange, opened: readonly MediaStream[]): void {
    const replaced = this.#pending[exchange.from];
    this.#pending[exchange.from] = {
      ...exchange,
      opened,
      before: this.#lines,
      appliedBefore: new Map(this.#known().map((stream) => [stream, appliedOf(stream)])),
      isApplied: false,
      finalBranch: null,
    };
    if (replaced !== null) this.#closeUnused(replaced.opened);
  }

  /**
   * Takes an answer into use. `apply` sets a line on its stream; `isRepeated`: an answer to this offer was
   * applied before. False = an UPDATE has changed things since, and the 2xx that repeats its 18x must not
   * undo that.
   */
  commit(
    pending: Pending,
    lines: readonly (AgreedLine | null)[],
    { branch, final }: AnswerOrigin,
    apply: (line: AgreedLine, isRepeated: boolean) => void,
  ): boolean {
    if (pending.isApplied && this.#latest !== pending) {
      if (final) pending.finalBranch = branch;
      return false;
    }
    for (const line of lines) if (line !== null) apply(line, pending.isApplied);
    pending.isApplied = true;
    this.#latest = pending;
    const length = Math.max(pending.before.length, lines.length);
    this.#lines = Array.from({ length }, (_, at) => {
      return lines[at]?.stream ?? (final ? null : (pending.before[at] ?? null));
    });
    if (!final) return true;
    pending.finalBranch = branch;
    this.#closeUnused([...pending.opened, ...pending.before]);
    return true;
  }

  /** The offer was refused: back to the state before it. */
  failed(from: LegName): void {
    const pending = this.#pending[from];
    if (pending === null || pending.finalBranch !== null) return;
    this.#pending[from] = null;
    this.#rollBack(pending);
  }

  closeAll(): void {
    for (const stream of this.open) stream.close();
    this.#lines = [];
    this.#pending.outer = null;
    this.#pending.inner = null;
  }

  /**
   * Without an answer nothing was changed, and the other side's offer may have been answered
   * meanwhile.
   */
  #rollBack(pending: Pending): void {
    if (!pending.isApplied) return this.#closeUnused(pending.opened);
    this.#lines = pending.before.map((stream) => (stream?.isOpen === true ? stream : null));
    this.#closeUnused(pending.opened);
    for (const [stream, legs] of pending.appliedBefore) {
      for (const leg of ["outer", "inner"] as const) {
        const applied = legs[leg];
        if (applied !== null && stream.applied(leg) !== applied) stream.apply(leg, applied);
      }
    }
  }

  /** Of these streams those that no m= line and no other offer needs any more. */
  #closeUnused(streams: readonly (MediaStream | null)[]): void {
    const used = new Set<MediaStream | null>(this.#lines);
    for (const pending of [this.#pending.outer, this.#pending.inner]) {
      if (pending === null || pending.finalBranch !== null) continue;
      for (const stream of pending.opened) used.add(stream);
    }
    for (const stream of streams) if (!used.has(stream)) stream?.close();
  }

  #known(): MediaStream[] {
    return this.#lines.filter((stream) => stream !== null);
  }
}

function appliedOf(stream: MediaStream): Readonly<ByLeg<AppliedLeg | null>> {
  return { outer: stream.applied("outer"), inner: stream.applied("inner") };
}
