/** DIR/config in memory, with what the admin would have written. */
import type { ConfigFolder } from "../../src/network/revision-files.ts";

export class MemoryFolder implements ConfigFolder {
  readonly files = new Map<string, string>();
  /** A write of that file fails, as by a power cut just before it. */
  failing: string | null = null;

  read(name: string): string | null {
    return this.files.get(name) ?? null;
  }

  write(name: string, text: string): void {
    if (name === this.failing) throw new Error("no power");
    this.files.set(name, text);
  }

  remove(name: string): void {
    this.files.delete(name);
  }

  list(folder: string): readonly string[] {
    const start = `${folder}/`;
    return [...this.files.keys()]
      .filter((name) => name.startsWith(start))
      .map((name) => name.slice(start.length));
  }

  put(name: string, value: unknown): void {
    this.files.set(name, JSON.stringify(value));
  }

  value(name: string): unknown {
    const text = this.read(name);
    return text === null ? null : JSON.parse(text);
  }

  get names(): string[] {
    return [...this.files.keys()].sort();
  }
}
