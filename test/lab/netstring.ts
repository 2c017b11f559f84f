/**
 * baresip's control connection (module ctrl_tcp): JSON in netstrings, `17:{"event":true...},`. Pure: bytes
 * in, messages out.
 */

export function formatNetstring(text: string): Uint8Array {
  const body = new TextEncoder().encode(text);
  const head = new TextEncoder().encode(`${body.length}:`);
  const bytes = new Uint8Array(head.length + body.length + 1);
  bytes.set(head);
  bytes.set(body, head.length);
  bytes[bytes.length - 1] = 0x2c;
  return bytes;
}

/** Collects chunks; push() gives the texts that became complete. Throws on what is no netstring. */
export class NetstringReader {
  #rest: Uint8Array = new Uint8Array(0);

  push(chunk: Uint8Array): string[] {
    const joined = new Uint8Array(this.#rest.length + chunk.length);
    joined.set(this.#rest);
    joined.set(chunk, this.#rest.length);
    this.#rest = joined;
    const texts: string[] = [];
    for (let text = this.#take(); text !== null; text = this.#take()) texts.push(text);
    return texts;
  }

  #take(): string | null {
    const colon = this.#rest.indexOf(0x3a);
    if (colon < 0) return null;
    const digits = new TextDecoder().decode(this.#rest.subarray(0, colon));
    if (!/^\d{1,9}$/.test(digits)) throw new Error(`not a netstring: ${digits.slice(0, 40)}`);
    const end = colon + 1 + Number(digits);
    if (this.#rest.length <= end) return null;
    if (this.#rest[end] !== 0x2c) throw new Error("netstring without its comma");
    const text = new TextDecoder().decode(this.#rest.subarray(colon + 1, end));
    this.#rest = this.#rest.slice(end + 1);
    return text;
  }
}
