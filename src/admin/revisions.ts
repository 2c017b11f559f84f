/**
 * The life of the configuration: candidate (saved), pending (applied, not confirmed), active (confirmed) and
 * the history. Owned by one admin process. Files of DIR/config, each written whole or not at all, in such an
 * order that a power cut between any two writes leaves the last confirmed document active:
 *
 *   candidate.json  when it differs from active.json      history/NNNNNN.json  one a revision
 *   pending.json    while an apply waits                  active.json          the document, nothing else
 *
 * pending.json and undone.json are the helper's (src/network/revision-files.ts) and only read here: as long
 * as pending.json is there, a restarted helper undoes, so nobody else may remove it.
 */
import { checkConfig } from "../config/check.ts";
import { type ConfigDocument, configSchema } from "../config/config.ts";
import type { Clock } from "../io/types.ts";
import { isSame } from "./canonical.ts";

/** Small secret texts by path; write() is atomic, on the disk when it returns, and mode 0600. */
export type TextStore = {
  read(path: string): string | null;
  write(path: string, text: string): void;
  /** No error when there is none. */
  remove(path: string): void;
  /** Names in a folder; none when there is no such folder. */
  list(folder: string): readonly string[];
};

export type RevisionEntry = {
  readonly number: number;
  /** ISO 8601. */
  readonly time: string;
  readonly user: string;
  readonly note: string;
  /** Was valid when it was written; whoever uses it checks it again (checkedDocument). */
  readonly document: unknown;
};

/** An apply that nobody confirmed in time. */
export type Undone = { readonly revision: number; readonly time: string };
export type Pending = { readonly revision: number; readonly confirmBefore: string };

const ACTIVE = "config/active.json";
const CANDIDATE = "config/candidate.json";
const PENDING = "config/pending.json";
const UNDONE = "config/undone.json";
const HISTORY = "config/history";
const HISTORY_NAME = /^([0-9]{6,9})\.json$/;
const MOST_REVISIONS = 100;

/** The document of an appliance that nobody has configured. */
export const EMPTY_DOCUMENT: ConfigDocument = configSchema.parse({ version: 1 });

const historyPath = (number: number): string =>
  `${HISTORY}/${String(number).padStart(6, "0")}.json`;

function format(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** The document with its defaults filled in, or null when anything in it is wrong. */
export function checkedDocument(value: unknown): ConfigDocument | null {
  return checkConfig(value).config === null ? null : configSchema.parse(value);
}

function readDocument(text: string | null): ConfigDocument | null {
  try {
    return text === null ? null : checkedDocument(JSON.parse(text));
  } catch {
    return null;
  }
}

function readEntry(text: string | null): RevisionEntry | null {
  try {
    const { number, time, user, note, document } = JSON.parse(text ?? "");
    if (!Number.isInteger(number) || typeof time !== "string" || !document) return null;
    return { number, time, user: String(user), note: String(note), document };
  } catch {
    return null;
  }
}

function readPending(text: string | null): Pending | null {
  try {
    const { revision, confirmBefore } = JSON.parse(text ?? "");
    const isGood = Number.isInteger(revision) && !Number.isNaN(Date.parse(confirmBefore));
    return isGood ? { revision, confirmBefore } : null;
  } catch {
    return null;
  }
}

function readUndone(text: string | null): Undone | null {
  try {
    const { revision, time } = JSON.parse(text ?? "");
    return Number.isInteger(revision) && typeof time === "string" ? { revision, time } : null;
  } catch {
    return null;
  }
}

export class Revisions {
  readonly #store: TextStore;
  readonly #clock: Clock;
  readonly #entries = new Map<number, RevisionEntry>();
  /** Also counts entries that cannot be read, so that a number never means two things. */
  #lastNumber = 0;
  #active: ConfigDocument;
  #activeRevision: number;
  #candidate: ConfigDocument;
  /** An apply that waits; in memory from the helper's answer on. */
  #pending: Pending | null;
  undone: Undone | null;
  /** What could not be read when it was opened, in words for the log. */
  readonly damage: readonly string[];

  constructor(o: { readonly store: TextStore; readonly clock: Clock }) {
    this.#store = o.store;
    this.#clock = o.clock;
    const damage: string[] = [];
    this.#readHistory(damage);
    this.#active = this.#readActive(damage);
    this.#activeRevision = this.#numberOf(this.#active);
    this.#candidate = this.#readCandidate(damage);
    const pending = readPending(o.store.read(PENDING));
    this.#pending = this.#isWaiting(pending) ? pending : null;
    this.undone = readUndone(o.store.read(UNDONE));
    this.damage = damage;
  }

  get active(): ConfigDocument {
    return this.#active;
  }

  /** 0 = nothing was ever applied. */
  get activeRevision(): number {
    return this.#activeRevision;
  }

  get candidate(): ConfigDocument {
    return this.#candidate;
  }

  get pending(): Pending | null {
    return this.#pending;
  }

  /** Newest first. */
  get entries(): readonly RevisionEntry[] {
    return [...this.#entries.values()].sort((a, b) => b.number - a.number);
  }

  entry(number: number): RevisionEntry | null {
    return this.#entries.get(number) ?? null;
  }

  /** The newest kept revision before that one. */
  entryBefore(number: number): RevisionEntry | null {
    return this.entries.find((entry) => entry.number < number) ?? null;
  }

  /** `document` has been checked. */
  saveCandidate(document: ConfigDocument): void {
    if (isSame(document, this.#active)) this.#store.remove(CANDIDATE);
    else this.#store.write(CANDIDATE, format(document));
    this.#candidate = document;
  }

  /** Writes a checked document into the history; it is not active by that. */
  record(document: ConfigDocument, o: { readonly user: string; readonly note: string }): number {
    const number = this.#lastNumber + 1;
    const time = new Date(this.#clock.now()).toISOString();
    const entry = { number, time, user: o.user, note: o.note, document };
    this.#store.write(historyPath(number), format(entry));
    this.#entries.set(number, entry);
    this.#lastNumber = number;
    return number;
  }

  /** That revision is confirmed: the one write that counts is the one of active.json. */
  activate(number: number): void {
    const document = checkedDocument(this.#entries.get(number)?.document);
    if (document === null) throw new Error(`there is no valid revision ${number}`);
    this.#store.write(ACTIVE, format(document));
    this.#active = document;
    this.#activeRevision = number;
    this.#pending = null;
    if (isSame(this.#candidate, this.#active)) this.#store.remove(CANDIDATE);
    this.#prune();
  }

  setPending(pending: Pending | null): void {
    this.#pending = pending;
  }

  /** A revision that never came to be: its apply was refused. */
  forget(number: number): void {
    this.#store.remove(historyPath(number));
    this.#entries.delete(number);
  }

  /** A confirmation that a power cut let write active.json, but not remove pending.json, is complete. */
  #isWaiting(pending: Pending | null): boolean {
    if (pending === null || pending.revision === this.#activeRevision) return false;
    return this.#entries.has(pending.revision);
  }

  #readHistory(damage: string[]): void {
    for (const name of this.#store.list(HISTORY)) {
      const number = Number(HISTORY_NAME.exec(name)?.[1]);
      if (Number.isNaN(number)) continue;
      this.#lastNumber = Math.max(this.#lastNumber, number);
      const entry = readEntry(this.#store.read(historyPath(number)));
      if (entry?.number === number) this.#entries.set(number, entry);
      else damage.push(`revision ${number} cannot be read`);
    }
  }

  /** Never written in halves; should the disk have eaten it, the newest readable revision stands in. */
  #readActive(damage: string[]): ConfigDocument {
    const text = this.#store.read(ACTIVE);
    const document = readDocument(text);
    if (document !== null) return document;
    if (text === null && this.#entries.size === 0) return EMPTY_DOCUMENT;
    for (const entry of this.entries) {
      const older = checkedDocument(entry.document);
      if (older === null) continue;
      damage.push(`active.json cannot be read; revision ${entry.number} is used`);
      return older;
    }
    damage.push("active.json cannot be read, nor any revision; the configuration is empty");
    return EMPTY_DOCUMENT;
  }

  #readCandidate(damage: string[]): ConfigDocument {
    const text = this.#store.read(CANDIDATE);
    if (text === null) return this.#active;
    const document = readDocument(text);
    if (document === null) damage.push("candidate.json cannot be read; the changes are lost");
    return document ?? this.#active;
  }

  #numberOf(document: unknown): number {
    return this.entries.find((entry) => isSame(entry.document, document))?.number ?? 0;
  }

  #prune(): void {
    for (const { number } of this.entries.slice(MOST_REVISIONS)) {
      if (number === this.#activeRevision || number === this.#pending?.revision) continue;
      this.#store.remove(historyPath(number));
      this.#entries.delete(number);
    }
  }
}
