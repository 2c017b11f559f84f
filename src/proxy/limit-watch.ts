/**
 * Notices limits that are hit minute after minute: then they are too small, or somebody attacks. And faults, each
 * of which the operator should know for a day.
 */
import type { Warning } from "../health/status.ts";

/** The reasons of limits, as they are counted among the drops. */
const LIMITS: ReadonlySet<string> = new Set([
  "bindings-full",
  "connection-too-busy",
  "connections-full",
  "connections-unregistered",
  "dialogs-full",
  "forks-too-many",
  "handshakes-per-address",
  "instance-call-rate",
  "instance-calls",
  "instance-media-ports",
  "instance-media-sessions",
  "instance-requests",
  "media-no-port",
  "media-sessions-full",
  "registrations-per-address",
  "requests-per-address",
  "requests-per-flow",
  "ringing-per-address",
  "transactions-full",
  "unproven-source",
  "user-calls",
]);

/** Looks in a row that found it hit again. */
const CONTINUOUS = 3;

/** Faults of ours or of the machine, as they are counted among the drops. */
const FAULTS = ["media-thread-hung", "media-thread-ended", "media-stream-unwatched"];
const FAULT_TOLD_MS = 86_400_000;

type Seen = { count: number; times: number; sinceMs: number };

export class LimitWatch {
  readonly #seen = new Map<string, Seen>();
  readonly #faults = new Map<string, { count: number; atMs: number }>();

  /** Once a minute. */
  look(drops: Readonly<Record<string, number>>, nowMs: number): void {
    this.#lookForFaults(drops, nowMs);
    for (const reason of LIMITS) {
      const count = drops[reason] ?? 0;
      const seen = this.#seen.get(reason) ?? { count: 0, times: 0, sinceMs: nowMs };
      if (count === seen.count) seen.times = 0;
      else if (seen.times++ === 0) seen.sinceMs = nowMs;
      seen.count = count;
      this.#seen.set(reason, seen);
    }
  }

  #lookForFaults(drops: Readonly<Record<string, number>>, nowMs: number): void {
    for (const reason of FAULTS) {
      const count = drops[reason] ?? 0;
      const known = this.#faults.get(reason);
      if (count !== (known?.count ?? 0)) this.#faults.set(reason, { count, atMs: nowMs });
      else if (known !== undefined && nowMs - known.atMs > FAULT_TOLD_MS) known.atMs = -Infinity;
    }
  }

  get warnings(): readonly Warning[] {
    return [...this.#limitWarnings, ...this.#faultWarnings];
  }

  get #faultWarnings(): readonly Warning[] {
    const told = [...this.#faults].filter(([, { atMs }]) => atMs > -Infinity);
    return told.map(([reason, { count, atMs }]) => ({
      code: reason,
      text: `${count} times since the start; the log says more`,
      since: new Date(atMs).toISOString(),
    }));
  }

  get #limitWarnings(): readonly Warning[] {
    const hit = [...this.#seen].filter(([, { times }]) => times >= CONTINUOUS);
    return hit.map(([reason, { count, sinceMs }]) => ({
      code: "limit-reached",
      text: `${reason}: reached again and again, ${count} times since the start`,
      since: new Date(sinceMs).toISOString(),
    }));
  }
}
