/**
 * Both byte streams of one XMPP client as one: what comes from either goes to the other untouched, no faster
 * than it takes it, and each way ends by itself. Nothing is read here, so resumption (XEP-0198), big stanzas
 * and white-space keep-alives need no knowledge of them.
 */
import type { ByteStream, ByteStreamEvents } from "../io/types.ts";

/** Since the start, over all clients. */
export type Traffic = { fromClients: number; toClients: number };

/** One way. Methods, not closures: there are two for each of thousands of clients. */
class Way implements ByteStreamEvents {
  readonly #splice: Splice;
  readonly #from: ByteStream;
  readonly #to: ByteStream;
  readonly #counts: keyof Traffic;

  constructor(splice: Splice, from: ByteStream, to: ByteStream, counts: keyof Traffic) {
    this.#splice = splice;
    this.#from = from;
    this.#to = to;
    this.#counts = counts;
  }

  data(bytes: Uint8Array): void {
    this.#splice.heard(this.#counts, bytes.length);
    if (!this.#to.write(bytes)) this.#from.pause();
  }

  /** What we wrote to `from` was taken: the other way goes on. */
  drained(): void {
    this.#to.resume();
  }

  ended(): void {
    this.#splice.isHalfClosed = true;
    this.#to.end();
  }

  /** What was written to the other still reaches it. */
  closed(): void {
    this.#to.end();
    this.#splice.gone();
  }
}

export class Splice {
  /** One side sends no more. */
  isHalfClosed = false;
  /** One side is not there any more. */
  isHalfGone = false;
  /** Since a byte came from either side, as far as age() has told. */
  silentMs = 0;
  readonly #client: ByteStream;
  readonly #inside: ByteStream;
  readonly #traffic: Traffic;
  readonly #closed: () => void;
  #isOpen = true;

  constructor(o: {
    readonly client: ByteStream;
    readonly inside: ByteStream;
    readonly traffic: Traffic;
    closed(): void;
  }) {
    this.#client = o.client;
    this.#inside = o.inside;
    this.#traffic = o.traffic;
    this.#closed = o.closed;
    o.client.events = new Way(this, o.client, o.inside, "fromClients");
    o.inside.events = new Way(this, o.inside, o.client, "toClients");
  }

  /** Lets both ways flow. */
  start(): void {
    this.#client.resume();
    this.#inside.resume();
  }

  heard(counts: keyof Traffic, lengthBytes: number): void {
    this.silentMs = 0;
    this.#traffic[counts] += lengthBytes;
  }

  gone(): void {
    if (this.isHalfGone) this.close();
    this.isHalfGone = true;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#client.destroy();
    this.#inside.destroy();
    this.#closed();
  }
}
