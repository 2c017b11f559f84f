/**
 * What shall outlive this process, on the disk within a second: values by key, the last one of a key counts.
 * Appended in batches, written anew when most of the file is out of date. Nobody waits for it: a disk that is
 * full or gone costs the memory of a restart, not a call, and is told.
 *
 *   CRC-32 in hex | space | JSON of [key, value]     value null = it is gone
 */
import { crc32 } from "node:zlib";
import type { JournalFile } from "../io/journal-file.ts";
import type { Clock, Timer } from "../io/types.ts";

const FLUSH_MS = 500;
/** After a failure: the disk is given time. */
const RETRY_MS = 5000;
/** Lines of a file that is written anew in any case; above it when fewer than half are still true. */
const LINES_LEAST = 2000;
/** How many lines go into one write. */
const PIECE_LINES = 1000;

export type JournalOptions = {
  readonly file: JournalFile;
  readonly clock: Clock;
  /** Keys of everything that is to be kept now. */
  keys(): Iterable<string>;
  /** As it is now; null = it is gone. */
  valueOf(key: string): unknown;
  /** null: written again after it could not be. */
  failed(reason: string | null): void;
};

export class Journal {
  readonly #o: JournalOptions;
  #changed = new Set<string>();
  #lines = 0;
  #mustReplace = false;
  #isFailing = false;
  #isWriting = false;
  #timer: Timer | null = null;
  #writing: Promise<void> = Promise.resolve();
  #isOver = false;

  constructor(o: JournalOptions) {
    this.#o = o;
  }

  /**
   * What the last process left, and how many lines of it were damaged (the last one, mostly: cut off with the
   * power). A file that cannot be read counts as none, and is told. Call once, before changed().
   */
  async load(): Promise<{ readonly values: Map<string, unknown>; readonly damaged: number }> {
    const values = new Map<string, unknown>();
    let damaged = 0;
    const text = await this.#read();
    for (const line of text.split("\n")) {
      if (line === "") continue;
      this.#lines++;
      const entry = parseLine(line);
      if (entry === null) damaged++;
      else if (entry[1] === null) values.delete(entry[0]);
      else values.set(entry[0], entry[1]);
    }
    // What is appended to half a line would be lost with it.
    this.#mustReplace ||= damaged > 0 || (text !== "" && !text.endsWith("\n"));
    return { values, damaged };
  }

  async #read(): Promise<string> {
    try {
      return await this.#o.file.read();
    } catch (error) {
      this.#failed(error);
      return "";
    }
  }

  changed(key: string): void {
    if (this.#isOver) return;
    this.#changed.add(key);
    if (!this.#isWriting) this.#flushAfter(FLUSH_MS);
  }

  /** Takes nothing more: what ends with this process shall stay there. Resolves when all is on the disk. */
  async close(): Promise<void> {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#timer = null;
    await this.#writing;
    if (this.#changed.size === 0) return;
    this.#flush();
    await this.#writing;
  }

  #flushAfter(ms: number): void {
    this.#timer ??= this.#o.clock.after(ms, () => this.#flush());
  }

  #flush(): void {
    this.#timer = null;
    this.#writing = this.#write();
  }

  /** One at a time, however slow the disk is: what changes meanwhile is the next batch. */
  async #write(): Promise<void> {
    this.#isWriting = true;
    const isWritten = await this.#wrote();
    this.#isWriting = false;
    if (this.#isOver || this.#changed.size === 0) return;
    this.#flushAfter(isWritten ? FLUSH_MS : RETRY_MS);
  }

  async #wrote(): Promise<boolean> {
    const batch = this.#changed;
    this.#changed = new Set();
    try {
      if (this.#mustReplace || this.#isMostlyOld(batch.size)) await this.#replace();
      else await this.#append(batch);
      if (this.#isFailing) this.#o.failed(null);
      this.#isFailing = false;
      return true;
    } catch (error) {
      for (const key of batch) this.#changed.add(key);
      this.#failed(error);
      return false;
    }
  }

  /** What is there may be half a batch, or unreadable: next time all of it is written. */
  #failed(error: unknown): void {
    this.#mustReplace = true;
    this.#isFailing = true;
    this.#o.failed(error instanceof Error ? error.message : String(error));
  }

  async #append(batch: ReadonlySet<string>): Promise<void> {
    const lines = [...batch].map((key) => formatLine(key, this.#o.valueOf(key)));
    this.#lines += lines.length;
    await this.#o.file.append(lines.join(""));
  }

  /** Read piece by piece while it is written: a change meanwhile is appended afterwards, and counts. */
  async #replace(): Promise<void> {
    this.#lines = 0;
    await this.#o.file.replace(this.#pieces());
    this.#mustReplace = false;
  }

  *#pieces(): Iterable<string> {
    let piece: string[] = [];
    for (const key of this.#o.keys()) {
      const value = this.#o.valueOf(key);
      if (value === null) continue;
      this.#lines++;
      if (piece.push(formatLine(key, value)) < PIECE_LINES) continue;
      yield piece.join("");
      piece = [];
    }
    yield piece.join("");
  }

  #isMostlyOld(more: number): boolean {
    const lines = this.#lines + more;
    if (lines < LINES_LEAST) return false;
    let live = 0;
    for (const _ of this.#o.keys()) live++;
    return lines > 2 * live;
  }
}

function formatLine(key: string, value: unknown): string {
  const text = JSON.stringify([key, value]);
  return `${crc32(text).toString(16).padStart(8, "0")} ${text}\n`;
}

/** null = damaged. A sum is no signature: what it fits need not be ours. */
function parseLine(line: string): readonly [string, unknown] | null {
  const text = line.slice(9);
  if (line[8] !== " " || Number.parseInt(line.slice(0, 8), 16) !== crc32(text)) return null;
  try {
    const entry: unknown = JSON.parse(text);
    return Array.isArray(entry) && typeof entry[0] === "string" ? [entry[0], entry[1]] : null;
  } catch {
    return null;
  }
}
