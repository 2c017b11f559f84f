/**
 * The files of DIR/config as the helper uses them. The admin writes candidate and history; the helper reads
 * the candidate, and whatever decides which network comes up after a power cut it writes itself: active.json,
 * pending.json while an apply waits, undone.json when one was undone.
 */
import { isDeepStrictEqual } from "node:util";
import { checkConfig, formatProblem } from "../config/check.ts";
import type { Config } from "../config/config.ts";

/** DIR/config: names are plain file names or `history/NNNNNN.json`. Written atomically, for its owner only. */
export type ConfigFolder = {
  read(name: string): string | null;
  write(name: string, text: string): void;
  remove(name: string): void;
  list(folder: string): readonly string[];
};

/** A document as it stands in a file, and what it means. */
export type Revision = {
  readonly number: number;
  readonly document: unknown;
  readonly config: Config;
};

/** The file is not there or cannot be used; `message` holds every problem. */
export class DocumentError extends Error {
  override readonly name = "DocumentError";
}

const ACTIVE = "active.json";
const CANDIDATE = "candidate.json";
const PENDING = "pending.json";
const UNDONE = "undone.json";
const HISTORY = "history";
const HISTORY_NAME = /^([0-9]{6,9})\.json$/;

export class RevisionFiles {
  readonly #folder: ConfigFolder;

  constructor(folder: ConfigFolder) {
    this.#folder = folder;
  }

  /** The last confirmed configuration; that of an appliance nobody has configured where there is none. */
  active(): Config {
    const text = this.#folder.read(ACTIVE);
    return text === null ? this.first() : checked(ACTIVE, parse(ACTIVE, text));
  }

  /** eth0 by DHCP, the admin on it, nothing else. */
  first(): Config {
    return checked("", { version: 1 });
  }

  /** Throws DocumentError, also when there is no candidate. */
  candidate(): Revision {
    const text = this.#folder.read(CANDIDATE);
    if (text === null) throw new DocumentError("there is nothing to apply");
    const document = parse(CANDIDATE, text);
    return { number: this.#numberOf(document), document, config: checked(CANDIDATE, document) };
  }

  /** null = there is no such file, or it is no configuration. */
  known(which: "active" | "candidate"): Config | null {
    try {
      return which === "active" ? this.active() : this.candidate().config;
    } catch (error) {
      if (error instanceof DocumentError) return null;
      throw error;
    }
  }

  /** From now on a boot brings up this one. The write of active.json is the one that counts. */
  confirm({ number, document }: Revision, time: string): void {
    if (this.#history(number) === undefined) {
      const entry = { number, time, user: "helper", note: "", document };
      this.#folder.write(historyName(number), format(entry));
    }
    this.#folder.write(ACTIVE, format(document));
    const candidate = this.#read(CANDIDATE);
    if (isDeepStrictEqual(candidate, document)) this.#folder.remove(CANDIDATE);
    this.#folder.remove(UNDONE);
    this.#folder.remove(PENDING);
  }

  setPending(revision: number, confirmBefore: string): void {
    this.#folder.write(PENDING, format({ revision, confirmBefore }));
  }

  clearPending(): void {
    this.#folder.remove(PENDING);
  }

  /** The number of the revision that waits, as a boot finds it; null = none does. */
  pending(): number | null {
    if (this.#folder.read(PENDING) === null) return null;
    const { revision } = (this.#read(PENDING) ?? {}) as { revision?: unknown };
    const number = typeof revision === "number" ? revision : 0;
    return this.isActive(number) ? null : number;
  }

  /** Whether a confirmation came as far as active.json, whatever was cut off after that. */
  isActive(revision: number): boolean {
    const document = this.#history(revision);
    return document !== undefined && isDeepStrictEqual(document, this.#read(ACTIVE));
  }

  /** For the pages: what was undone and why. The candidate stays as it is. */
  setUndone(revision: number, time: string, reason: string): void {
    this.#folder.write(UNDONE, format({ revision, time, reason }));
    this.#folder.remove(PENDING);
  }

  /** The newest entry of the history, if it is this document; else the number that the next one gets. */
  #numberOf(document: unknown): number {
    const numbers = this.#folder
      .list(HISTORY)
      .flatMap((name) => HISTORY_NAME.exec(name)?.[1] ?? [])
      .map(Number);
    const newest = Math.max(0, ...numbers);
    return isDeepStrictEqual(this.#history(newest), document) ? newest : newest + 1;
  }

  #history(number: number): unknown {
    const entry = this.#read(historyName(number));
    return (entry as { document?: unknown } | undefined)?.document;
  }

  #read(name: string): unknown {
    const text = this.#folder.read(name);
    try {
      return text === null ? undefined : JSON.parse(text);
    } catch {
      return undefined;
    }
  }
}

function historyName(number: number): string {
  return `${HISTORY}/${String(number).padStart(6, "0")}.json`;
}

function format(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function parse(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new DocumentError(`${name} is no JSON`);
  }
}

function checked(name: string, document: unknown): Config {
  const { config, problems } = checkConfig(document);
  if (config !== null) return config;
  throw new DocumentError(`${name}: ${problems.map(formatProblem).join("; ")}`);
}
