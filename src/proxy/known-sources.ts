/**
 * How many phones stand behind each address: those registered now, and the most there were in the last 7
 * days (kept over a restart), so that an office that comes back after a power cut is no flood. A source is
 * remembered only after an instance's 2xx.
 */
import type { StateStore } from "./state.ts";
import { Tally } from "./tally.ts";

type Known = { phones: number; lastDay: number };

const FILE = "known-addresses.json";
const DAY_MS = 86_400_000;
const KEPT_DAYS = 7;

export class KnownSources {
  readonly #store: StateStore;
  readonly #maximum: () => number;
  /** Registered contacts now. */
  readonly #live = new Tally();
  /** In order of their last day. */
  readonly #known = new Map<string, Known>();
  #isChanged = false;

  constructor(store: StateStore, maximum: () => number, nowMs: number) {
    this.#store = store;
    this.#maximum = maximum;
    for (const [source, phones, lastDay] of parse(store.read(FILE))) {
      this.#known.set(source, { phones, lastDay });
    }
    this.#forgetOld(dayOf(nowMs));
  }

  /** Contacts registered from there now. */
  registered(source: string): number {
    return this.#live.of(source);
  }

  /** Phones that are, or lately were, registered from there. */
  phones(source: string): number {
    return Math.max(this.registered(source), this.#known.get(source)?.phones ?? 0);
  }

  /** A binding came (+1) or went (-1). */
  changed(source: string, by: 1 | -1): void {
    this.#live.add(source, by);
  }

  /** An instance has accepted a registration from there. */
  good(source: string, nowMs: number): void {
    const day = dayOf(nowMs);
    const known = this.#known.get(source);
    const live = this.registered(source);
    if (known !== undefined && known.lastDay === day && known.phones >= live) return;
    this.#known.delete(source);
    this.#known.set(source, { phones: Math.max(live, known?.phones ?? 1), lastDay: day });
    if (this.#known.size > this.#maximum()) this.#forgetFirst();
    this.#isChanged = true;
  }

  /** Writes what changed; by the day, so that refreshes cost nothing. */
  save(nowMs: number): void {
    this.#forgetOld(dayOf(nowMs));
    if (!this.#isChanged) return;
    this.#isChanged = false;
    const rows = [...this.#known].map(([source, { phones, lastDay }]) => [source, phones, lastDay]);
    this.#store.write(FILE, `${JSON.stringify(rows)}\n`);
  }

  #forgetFirst(): void {
    const first = this.#known.keys().next().value;
    if (first !== undefined) this.#known.delete(first);
  }

  #forgetOld(today: number): void {
    for (const [source, { lastDay }] of this.#known) {
      if (today - lastDay <= KEPT_DAYS) return;
      this.#known.delete(source);
      this.#isChanged = true;
    }
  }
}

function dayOf(nowMs: number): number {
  return Math.floor(nowMs / DAY_MS);
}

/** A damaged file costs the memory of a week, not the start. */
function parse(text: string | null): [string, number, number][] {
  try {
    const rows: unknown = JSON.parse(text ?? "[]");
    if (!Array.isArray(rows)) return [];
    return rows.filter(
      (row): row is [string, number, number] =>
        Array.isArray(row) &&
        typeof row[0] === "string" &&
        Number.isInteger(row[1]) &&
        Number.isInteger(row[2]),
    );
  } catch {
    return [];
  }
}
