/**
 * A store of texts in memory whose power can be cut before any write: what was written is there, what was
 * not is not, as the atomic writes of src/io/files.ts promise.
 */
export class PowerCut extends Error {
  override readonly name = "PowerCut";
}

export class PowerCutStore {
  readonly texts: Map<string, string>;
  /** Writes and removals that still work; then the power is off. */
  stepsLeft = Number.POSITIVE_INFINITY;
  steps = 0;

  constructor(texts: ReadonlyMap<string, string> = new Map()) {
    this.texts = new Map(texts);
  }

  read(path: string): string | null {
    return this.texts.get(path) ?? null;
  }

  write(path: string, text: string): void {
    this.#step();
    this.texts.set(path, text);
  }

  remove(path: string): void {
    if (!this.texts.has(path)) return;
    this.#step();
    this.texts.delete(path);
  }

  list(folder: string): readonly string[] {
    const start = `${folder}/`;
    const below = [...this.texts.keys()].filter((path) => path.startsWith(start));
    return [...new Set(below.map((path) => path.slice(start.length).split("/")[0] ?? ""))];
  }

  #step(): void {
    if (this.stepsLeft <= 0) throw new PowerCut();
    this.stepsLeft -= 1;
    this.steps += 1;
  }
}
