/**
 * Reads JSON (RFC 8259) and, where JSON.parse only says that something is wrong, says where: line and
 * column from 1. A key that stands twice in one object is an error too: JSON.parse would silently keep the
 * last one, and the operator would look at the first.
 */

/** `message` starts with a small letter and names no position. */
export class JsonSyntaxError extends Error {
  override readonly name = "JsonSyntaxError";
  constructor(
    message: string,
    readonly line: number,
    readonly column: number,
  ) {
    super(message);
  }
}

const DEEPEST = 64;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const STRING = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"/y;
const LITERAL = /true|false|null/y;
const BLANK = /[ \t\r\n]*/y;

/** The value of a JSON text. A byte order mark before it is passed over. Throws JsonSyntaxError. */
export function parseJsonText(text: string): unknown {
  const reader = new JsonReader(text, text.startsWith("\ufeff") ? 1 : 0);
  const value = reader.readValue(0);
  reader.readEnd();
  return value;
}

class JsonReader {
  constructor(
    private readonly text: string,
    private position: number,
  ) {}

  readValue(depth: number): unknown {
    this.skipBlank();
    if (depth > DEEPEST) this.fail(`nested deeper than ${DEEPEST} levels`);
    const first = this.text[this.position];
    if (first === "{") return this.readObject(depth + 1);
    if (first === "[") return this.readArray(depth + 1);
    if (first === '"') return this.readString();
    const scalar = this.match(NUMBER) ?? this.match(LITERAL);
    if (scalar === null) this.fail("expected a value");
    return JSON.parse(scalar);
  }

  readEnd(): void {
    this.skipBlank();
    if (this.position < this.text.length) this.fail("expected the end of the text");
  }

  private readObject(depth: number): Record<string, unknown> {
    // Made from entries, so that a key "__proto__" is an ordinary (unknown) key.
    const entries = new Map<string, unknown>();
    this.position++;
    if (this.take("}")) return {};
    do {
      this.skipBlank();
      const start = this.position;
      if (this.text[start] !== '"') this.fail("expected a key in double quotes");
      const key = this.readString();
      if (entries.has(key)) this.fail(`the key "${key}" stands twice in one object`, start);
      if (!this.take(":")) this.fail('expected ":"');
      entries.set(key, this.readValue(depth));
    } while (this.take(","));
    if (!this.take("}")) this.fail('expected "," or "}"');
    return Object.fromEntries(entries);
  }

  private readArray(depth: number): unknown[] {
    const values: unknown[] = [];
    this.position++;
    if (this.take("]")) return values;
    do values.push(this.readValue(depth));
    while (this.take(","));
    if (!this.take("]")) this.fail('expected "," or "]"');
    return values;
  }

  private readString(): string {
    const start = this.position;
    const quoted = this.match(STRING);
    if (quoted === null)
      this.fail("this string does not end or holds a character it must not", start);
    return String(JSON.parse(quoted));
  }

  private take(character: string): boolean {
    this.skipBlank();
    if (this.text[this.position] !== character) return false;
    this.position++;
    return true;
  }

  private skipBlank(): void {
    this.match(BLANK);
  }

  private match(pattern: RegExp): string | null {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.text);
    if (found === null) return null;
    this.position = pattern.lastIndex;
    return found[0];
  }

  private fail(message: string, position = this.position): never {
    const before = this.text.slice(0, position);
    const line = before.split("\n").length;
    const column = position - (before.lastIndexOf("\n") + 1) + 1;
    const isAtEnd = position >= this.text.length;
    throw new JsonSyntaxError(
      isAtEnd ? `${message}, but the text ends here` : message,
      line,
      column,
    );
  }
}
