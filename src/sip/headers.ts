/**
 * The headers of one SIP message, in order (RFC 3261 §7.3). A line that nobody touches is written again
 * byte for byte: folds, spacing, case and compact form. Owned by one message; the lines themselves are
 * immutable and shared between clones.
 */
import { headerKey, headerSpelling } from "./header-names.ts";
import { trimLws, unfold } from "./lexical.ts";
import { listValueEnd, nextListValue, splitListValues } from "./list-values.ts";

/**
 * One header. `name` is the lower-case long form, `raw` the whole text with its folds and without the
 * final CRLF, `colon` the index of the colon in it.
 */
export class HeaderLine {
  #value: string | null = null;

  constructor(
    readonly name: string,
    readonly raw: string,
    readonly colon: number,
  ) {}

  /** Unfolded and trimmed. Kept, since a message asks for it again and again. */
  get value(): string {
    this.#value ??= unfold(trimLws(this.raw, this.colon + 1));
    return this.#value;
  }
}

/** What would end the line early, or not fit one byte a character: never written into a header. */
const NOT_ONE_LINE = /[\r\n\0]|[^\x00-\xff]/;

/** A new line as we write it. Throws TypeError (our own mistake) for a value that is not one line. */
export function makeHeaderLine(name: string, value: string): HeaderLine {
  if (NOT_ONE_LINE.test(value)) throw new TypeError(`the value of ${name} is not one latin1 line`);
  const key = headerKey(name);
  const spelled = headerSpelling(key);
  return new HeaderLine(key, `${spelled}: ${value}`, spelled.length);
}

/** Names are given in lower-case long form ("via", "call-id"); compact forms in the message count too. */
export class Headers {
  private entries: HeaderLine[];

  constructor(lines: HeaderLine[] = []) {
    this.entries = lines;
  }

  /** The lines as they will be written. */
  get all(): readonly HeaderLine[] {
    return this.entries;
  }

  /** The first line's value, unfolded and trimmed. */
  get(name: string): string | undefined {
    const at = this.indexOf(name);
    return at < 0 ? undefined : this.entries[at]!.value;
  }

  /** The value of every line of that name, unfolded, not split. */
  lines(name: string): string[] {
    const values: string[] = [];
    for (const line of this.entries) if (line.name === name) values.push(line.value);
    return values;
  }

  /** Every value of every line, split at top-level commas. For list headers only. */
  values(name: string): string[] {
    const values: string[] = [];
    for (const line of this.entries) {
      if (line.name !== name) continue;
      // One by one: a line may hold more values than a call takes arguments.
      for (const value of splitListValues(line.value)) values.push(value);
    }
    return values;
  }

  /** The top-most value, without looking at the others. For list headers only. */
  firstValue(name: string): string | undefined {
    for (const line of this.entries) {
      if (line.name !== name) continue;
      const start = nextListValue(line.raw, line.colon + 1);
      if (start < line.raw.length) {
        return unfold(trimLws(line.raw, start, listValueEnd(line.raw, start)));
      }
    }
    return undefined;
  }

  /** Number of lines of that name. */
  count(name: string): number {
    let count = 0;
    for (const line of this.entries) if (line.name === name) count++;
    return count;
  }

  has(name: string): boolean {
    return this.indexOf(name) >= 0;
  }

  /** Replaces the first line where it stands and removes further ones; appends when there is none. */
  set(name: string, value: string): void {
    const line = makeHeaderLine(name, value);
    const at = this.indexOf(line.name);
    if (at < 0) {
      this.entries.push(line);
      return;
    }
    this.entries[at] = line;
    this.removeFrom(line.name, at + 1);
  }

  /** After the last line of that name, or at the end. */
  append(name: string, value: string): void {
    const line = makeHeaderLine(name, value);
    let at = this.entries.length - 1;
    while (at >= 0 && this.entries[at]!.name !== line.name) at--;
    if (at < 0) this.entries.push(line);
    else this.entries.splice(at + 1, 0, line);
  }

  /** Before the first line of that name, or at the top. */
  prepend(name: string, value: string): void {
    const line = makeHeaderLine(name, value);
    const at = this.indexOf(line.name);
    this.entries.splice(Math.max(at, 0), 0, line);
  }

  /** Takes all lines of that name away; false when there was none. */
  remove(name: string): boolean {
    return this.removeFrom(name, 0);
  }

  /** Takes the top-most value off (Via, Route); the others of a shared line stay byte for byte. */
  shift(name: string): string | undefined {
    let at = this.indexOf(name);
    while (at >= 0) {
      const { raw, colon } = this.entries[at]!;
      const start = nextListValue(raw, colon + 1);
      const end = listValueEnd(raw, start);
      const next = nextListValue(raw, end);
      if (next < raw.length) {
        this.entries[at] = new HeaderLine(name, raw.slice(0, start) + raw.slice(next), colon);
      } else {
        this.entries.splice(at, 1);
      }
      if (start < raw.length) return unfold(trimLws(raw, start, end));
      at = this.indexOf(name);
    }
    return undefined;
  }

  /** Replaces the top-most value only; appends when there is none. */
  replaceFirst(name: string, value: string): void {
    if (NOT_ONE_LINE.test(value))
      throw new TypeError(`the value of ${name} is not one latin1 line`);
    for (let at = this.indexOf(name); at >= 0; at = this.indexOf(name, at + 1)) {
      const { raw, colon } = this.entries[at]!;
      const start = nextListValue(raw, colon + 1);
      if (start === raw.length) continue;
      const rest = raw.slice(listValueEnd(raw, start));
      this.entries[at] = new HeaderLine(name, raw.slice(0, start) + value + rest, colon);
      return;
    }
    this.append(name, value);
  }

  /** The lines that `other` has of that name, as they are, in place of our own; on top. */
  takeFrom(other: Headers, name: string): void {
    const theirs = other.entries.filter((line) => line.name === name);
    this.entries = [...theirs, ...this.entries.filter((line) => line.name !== name)];
  }

  /** Each line as `change` wants it, null taking it away; one that comes back is written as it came. */
  map(change: (line: HeaderLine) => HeaderLine | null): void {
    const kept: HeaderLine[] = [];
    for (const line of this.entries) {
      const changed = change(line);
      if (changed !== null) kept.push(changed);
    }
    this.entries = kept;
  }

  /** Cheap: the lines are shared. */
  clone(): Headers {
    return new Headers(this.entries.slice());
  }

  /** Adds all lines of that name from `other`, as they are, at the end. */
  copyFrom(other: Headers, name: string): void {
    for (const line of other.entries) if (line.name === name) this.entries.push(line);
  }

  private indexOf(name: string, from = 0): number {
    for (let at = from; at < this.entries.length; at++) {
      if (this.entries[at]!.name === name) return at;
    }
    return -1;
  }

  private removeFrom(name: string, from: number): boolean {
    if (this.indexOf(name, from) < 0) return false;
    const kept = this.entries.filter((line, at) => at < from || line.name !== name);
    this.entries = kept;
    return true;
  }
}
