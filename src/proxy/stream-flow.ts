/**
 * A flow over one TCP or TLS connection: cuts messages out of the stream, answers keep-alives, and knows
 * when it closed. Owned by the listener or the pool that made the connection.
 */
import type { Clock, Connection, ConnectionEvents, Endpoint, Timer } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";
import { StreamReader } from "../sip/stream-reader.ts";
import { hostPort } from "./addresses.ts";

/** RFC 5626 §3.5.1: a double CRLF is answered by a single one. */
const PONG = new Uint8Array([13, 10]);

export type StreamFlowOptions = {
  readonly id: string;
  readonly side: "outer" | "inner";
  /** Our address for its Via; a reload may change it. */
  advertised(): string;
  readonly clock: Clock;
  readonly limits: {
    readonly headBytes: number;
    readonly messageBytes: number;
    readonly pendingBytes: number;
    readonly firstByteMs: number;
    readonly messageMs: number;
  };
  /** Something came in, be it half a message or a keep-alive. */
  heard(flow: StreamFlow): void;
  message(bytes: Uint8Array, flow: StreamFlow): void;
  /** Framing is lost: `partial` is what could be read, for a 400; the flow ends itself afterwards. */
  broken(reason: string, partial: Uint8Array | null, flow: StreamFlow): void;
  closed(flow: StreamFlow, reason: string): void;
  count(reason: string): void;
};

export class StreamFlow implements Flow {
  readonly #o: StreamFlowOptions;
  readonly #reader: StreamReader;
  #connection: Connection | null = null;
  #isOpen = true;
  #deadline: Timer | null = null;
  #messages = 0;
  /** Requests for domains nobody here knows (DESIGN: ten and the connection is closed). */
  unknownDomains = 0;
  /** It had its time to register and did not. */
  isUnregistered = false;

  constructor(o: StreamFlowOptions) {
    this.#o = o;
    this.#reader = new StreamReader(o.limits, {
      message: (bytes) => {
        this.#messages++;
        o.message(bytes, this);
      },
      keepAlive: () => void this.send(PONG),
      broken: ({ reason, partial }) => {
        o.count(`framing-${reason}`);
        o.broken(reason, partial, this);
        this.end();
      },
    });
  }

  get id(): string {
    return this.#o.id;
  }

  get side(): "outer" | "inner" {
    return this.#o.side;
  }

  get transport(): "tcp" | "tls" {
    return this.#connection?.transport ?? "tcp";
  }

  get local(): Endpoint {
    return this.#connection?.local ?? { address: "0.0.0.0", port: 0 };
  }

  get remote(): Endpoint {
    return this.#connection?.remote ?? { address: "0.0.0.0", port: 0 };
  }

  /** Set by the listener: with an outgoing connection the peer finds us at the listener's port. */
  listenPort = 0;

  get sentBy(): string {
    return hostPort(this.#o.advertised(), this.listenPort);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Takes the connection over; what it reports goes to the returned events. */
  attach(connection: Connection, expectsFirstByte: boolean): ConnectionEvents {
    this.#connection = connection;
    if (expectsFirstByte) this.#arm(this.#o.limits.firstByteMs, "first-byte-timeout");
    return this.events;
  }

  readonly events: ConnectionEvents = {
    data: (bytes) => this.#received(bytes),
    closed: (reason) => {
      this.#isOpen = false;
      this.#deadline?.cancel();
      this.#o.closed(this, reason);
    },
  };

  send(bytes: Uint8Array): boolean {
    const connection = this.#connection;
    if (!this.#isOpen || connection === null) return false;
    connection.write(bytes);
    // A peer that does not read must not grow our memory.
    if (connection.pendingBytes > this.#o.limits.pendingBytes) {
      this.#o.count("connection-too-slow");
      connection.destroy();
      return false;
    }
    return true;
  }

  /** Sends what was written, then closes; what has come in behind it is not read any more. */
  end(): void {
    this.#isOpen = false;
    this.#reader.stop();
    this.#connection?.end();
    // A peer that never closes its half is cut off.
    this.#arm(2000, null);
  }

  destroy(): void {
    this.#connection?.destroy();
  }

  #received(bytes: Uint8Array): void {
    if (!this.#isOpen) return;
    this.#o.heard(this);
    const wasWaiting = this.#reader.bufferedBytes > 0;
    const before = this.#messages;
    this.#reader.push(bytes);
    if (!this.#isOpen) return; // it is being ended, by a deadline of its own
    if (this.#reader.bufferedBytes === 0) this.#disarm();
    // Each message has its time from its own first byte.
    else if (!wasWaiting || this.#messages > before) {
      this.#arm(this.#o.limits.messageMs, "message-timeout");
    }
  }

  #arm(delayMs: number, reason: string | null): void {
    this.#deadline?.cancel();
    this.#deadline = this.#o.clock.after(delayMs, () => {
      if (reason !== null) this.#o.count(reason);
      this.#connection?.destroy();
    });
  }

  #disarm(): void {
    this.#deadline?.cancel();
    this.#deadline = null;
  }
}
