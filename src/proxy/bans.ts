/**
 * Who is kept out for a while: an address, or a user of an instance. The first time a quarter of an hour,
 * each further time twice as long, up to a day. Kept over a restart. Decides nothing: admission.ts does.
 */
import type { Ban } from "../health/status.ts";
import type { StateStore } from "./state.ts";

type Entry = {
  readonly reason: string;
  readonly sinceMs: number;
  /** Afterwards it is kept only to know how long the next one lasts. */
  readonly untilMs: number;
  /** 1 = the first. */
  readonly times: number;
};

/** A user may be kept out from one address, or from everywhere ("*"). */
export type Banned = { readonly address: string; readonly user: string | null };

export type BanTimes = { readonly firstMs: number; readonly mostMs: number };

const FILE = "bans.json";
/** A Date goes no further. */
const LAST_TIME_MS = 8.64e15;
/** Who was good for that long starts with a short ban again. */
const REMEMBER_MS = 86_400_000;

export class Bans {
  readonly #store: StateStore;
  readonly #maximum: () => number;
  readonly #entries = new Map<string, Entry>();
  #isChanged = false;

  constructor(store: StateStore, maximum: () => number, nowMs: number) {
    this.#store = store;
    this.#maximum = maximum;
    for (const [key, entry] of parse(store.read(FILE))) this.#entries.set(key, entry);
    this.sweep(nowMs);
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** Milliseconds still to go; 0 = not banned. */
  leftMs(who: Banned, nowMs: number): number {
    if (this.isEmpty) return 0;
    const entry = this.#entries.get(keyOf(who));
    return entry === undefined ? 0 : Math.max(0, entry.untilMs - nowMs);
  }

  /** Answers for how long. One that is banned already stays so, unchanged. */
  add(who: Banned, reason: string, times: BanTimes, nowMs: number): number {
    const left = this.leftMs(who, nowMs);
    if (left > 0) return left;
    const key = keyOf(who);
    const count = (this.#entries.get(key)?.times ?? 0) + 1;
    const forMs = Math.min(times.mostMs, times.firstMs * 2 ** Math.min(count - 1, 30));
    this.#entries.delete(key);
    if (this.#entries.size >= this.#maximum()) this.#makeRoom();
    this.#entries.set(key, { reason, sinceMs: nowMs, untilMs: nowMs + forMs, times: count });
    this.#isChanged = true;
    return forMs;
  }

  /** The operator's word: also what went before is forgotten. False = it was not banned. */
  remove(who: Banned, nowMs: number): boolean {
    const isBanned = this.leftMs(who, nowMs) > 0;
    if (this.#entries.delete(keyOf(who))) this.#isChanged = true;
    return isBanned;
  }

  /** Those that stand now. */
  all(nowMs: number): readonly Ban[] {
    const standing = [...this.#entries].filter(([, { untilMs }]) => untilMs > nowMs);
    return standing.map(([key, { reason, sinceMs, untilMs }]) => ({
      ...bannedOf(key),
      reason,
      since: new Date(sinceMs).toISOString(),
      until: new Date(untilMs).toISOString(),
    }));
  }

  /** Forgets those that ended long ago. */
  sweep(nowMs: number): void {
    for (const [key, { untilMs }] of this.#entries) {
      if (untilMs + REMEMBER_MS > nowMs) continue;
      this.#entries.delete(key);
      this.#isChanged = true;
    }
  }

  save(): void {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    this.#store.write(FILE, `${JSON.stringify([...this.#entries])}\n`);
  }

  /** The one that ends first. */
  #makeRoom(): void {
    let first: string | null = null;
    let untilMs = Number.POSITIVE_INFINITY;
    for (const [key, entry] of this.#entries) {
      if (entry.untilMs < untilMs) [first, untilMs] = [key, entry.untilMs];
    }
    if (first !== null) this.#entries.delete(first);
  }
}

/** No address holds a blank. */
function keyOf({ address, user }: Banned): string {
  return user === null ? address : `${address} ${user}`;
}

function bannedOf(key: string): Banned {
  const blank = key.indexOf(" ");
  if (blank < 0) return { address: key, user: null };
  return { address: key.slice(0, blank), user: key.slice(blank + 1) };
}

/** A damaged file costs the bans, not the start. */
function parse(text: string | null): [string, Entry][] {
  try {
    const rows: unknown = JSON.parse(text ?? "[]");
    if (!Array.isArray(rows)) return [];
    return rows.filter((row): row is [string, Entry] => {
      const [key, entry] = Array.isArray(row) ? row : [];
      const numbers = [entry?.sinceMs, entry?.untilMs, entry?.times];
      return (
        typeof key === "string" &&
        typeof entry?.reason === "string" &&
        numbers.every((one) => Number.isFinite(one) && Math.abs(Number(one)) <= LAST_TIME_MS)
      );
    });
  } catch {
    return [];
  }
}
