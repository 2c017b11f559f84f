/**
 * Cuts SIP messages out of a TCP or TLS stream by Content-Length (RFC 3261 §18.3), and finds keep-alives
 * between them (RFC 5626 §3.5.1). One reader a connection; it owns the bytes not yet handed on. A stream
 * whose framing is in doubt is never read further: what follows could be anybody's message.
 */
import { asBuffer } from "./as-buffer.ts";
import { type Framing, readFraming } from "./stream-framing.ts";

export type StreamSizeLimits = { readonly headBytes: number; readonly messageBytes: number };

export type StreamEvents = {
  /** One whole message, in memory of its own. */
  message(bytes: Uint8Array): void;
  /** CRLF CRLF between messages: the caller answers CRLF. */
  keepAlive(): void;
  /** Framing is lost; nothing more is read. `partial` is the header block as far as it came. */
  broken(error: { readonly reason: string; readonly partial: Uint8Array | null }): void;
};

const CR = 0x0d;
const LF = 0x0a;
const EMPTY = Buffer.alloc(0);
const HEAD_END = "\r\n\r\n";

export class StreamReader {
  private buffer: Buffer = EMPTY;
  private start = 0;
  private end = 0;
  /** Bytes behind `start` already searched for the end of the head. */
  private searched = 0;
  /** Whole length of the message at `start` once its head was read, else 0. */
  private messageBytes = 0;
  /** Characters of CR LF CR LF seen since the last message. */
  private pingBytes = 0;
  private isStopped = false;

  constructor(
    private readonly limits: StreamSizeLimits,
    private readonly on: StreamEvents,
  ) {}

  /** Bytes that wait for the rest of their message. */
  get bufferedBytes(): number {
    return this.end - this.start;
  }

  /** Nothing more is reported, not even what is buffered. */
  stop(): void {
    this.isStopped = true;
    this.release();
  }

  /** Takes the next bytes of the stream; they are not kept. */
  push(bytes: Uint8Array): void {
    if (this.isStopped) return;
    const chunk = asBuffer(bytes);
    const isEmpty = this.bufferedBytes === 0;
    if (isEmpty) this.lend(chunk);
    else this.store(chunk);
    while (!this.isStopped && this.next());
    if (this.isStopped) return;
    if (isEmpty) this.keepRest();
    else if (this.bufferedBytes === 0) this.release();
  }

  /** Nothing is buffered, so the chunk is read where it lies. */
  private lend(chunk: Buffer): void {
    this.buffer = chunk;
    this.start = 0;
    this.end = chunk.length;
  }

  /** After lending: what is left is copied, the chunk itself is not kept. */
  private keepRest(): void {
    const rest = this.buffer.subarray(this.start, this.end);
    this.release();
    if (rest.length > 0) this.store(rest);
  }

  private release(): void {
    this.buffer = EMPTY;
    this.start = 0;
    this.end = 0;
  }

  /** Appends; the buffer doubles, so each byte is copied a constant number of times. */
  private store(chunk: Uint8Array): void {
    const needed = this.bufferedBytes + chunk.length;
    if (this.end + chunk.length > this.buffer.length) {
      const grown = Buffer.allocUnsafeSlow(needed * 2);
      this.buffer.copy(grown, 0, this.start, this.end);
      this.buffer = grown;
      this.end -= this.start;
      this.start = 0;
    }
    this.buffer.set(chunk, this.end);
    this.end += chunk.length;
  }

  /** One step; false when more bytes are needed. */
  private next(): boolean {
    if (this.messageBytes === 0) {
      if (this.searched === 0) this.skipBetween();
      if (this.isStopped || this.start === this.end || !this.readHead()) return false;
    }
    if (this.bufferedBytes < this.messageBytes) return false;
    const from = this.start;
    this.start += this.messageBytes;
    this.messageBytes = 0;
    this.searched = 0;
    this.on.message(Buffer.copyBytesFrom(this.buffer, from, this.start - from));
    return true;
  }

  /** Swallows CRLFs and NULs before a message; each CR LF CR LF is a keep-alive. */
  private skipBetween(): void {
    while (this.start < this.end) {
      const byte = this.buffer[this.start];
      if (byte !== CR && byte !== LF && byte !== 0) {
        this.pingBytes = 0;
        return;
      }
      this.start++;
      this.pingBytes = byte === (this.pingBytes % 2 === 0 ? CR : LF) ? this.pingBytes + 1 : 0;
      if (this.pingBytes === HEAD_END.length) {
        this.pingBytes = 0;
        this.on.keepAlive();
        if (this.isStopped) return;
      }
    }
  }

  /** Looks for the end of the head and its Content-Length; false = not yet, or broken. */
  private readHead(): boolean {
    const { headBytes } = this.limits;
    const limit = Math.min(this.end, this.start + headBytes + HEAD_END.length);
    const window = this.buffer.subarray(this.start, limit);
    // The end may have begun in the bytes searched before.
    const found = window.indexOf(HEAD_END, Math.max(0, this.searched - 3), "latin1");
    this.searched = window.length;
    if (found < 0) {
      if (window.length > headBytes) this.break("message too large", window);
      return false;
    }
    const head = window.subarray(0, found + HEAD_END.length);
    const framing: Framing = readFraming(head);
    if (framing.problem !== null) return this.break(framing.problem, head);
    const total = head.length + framing.bodyBytes;
    if (total > this.limits.messageBytes) return this.break("message too large", head);
    this.messageBytes = total;
    return true;
  }

  private break(reason: string, head: Uint8Array): false {
    const partial = Uint8Array.prototype.slice.call(head);
    this.stop();
    this.on.broken({ reason, partial });
    return false;
  }
}
