/**
 * The outside world as the rest of the program sees it. Every part gets these as values, so that a whole
 * conversation runs in one process on a simulated network and a hand-driven clock (test/flows).
 * This file holds types only: level 1 may `import type` from here.
 */
import type { ListenHttp, OpenHttpPool } from "./http-types.ts";

/** An IP address in text form (never a host name) and a port. */
export type Endpoint = { readonly address: string; readonly port: number };

export type Timer = { cancel(): void };

/** Time in milliseconds since the epoch. `after` never fires before `delayMs` and never after cancel(). */
export type Clock = {
  now(): number;
  after(delayMs: number, fire: () => void): Timer;
};

/**
 * One UDP socket bound to one explicit address. `send` never throws and never waits; false = not sent
 * (no route, buffer full, closed). ICMP errors of one peer touch no other peer.
 */
export type Datagrams = {
  readonly local: Endpoint;
  send(bytes: Uint8Array, address: string, port: number): boolean;
  close(): void;
};

/** `bytes` is the receiver's own copy and may be changed and kept. Must not throw. */
export type DatagramReceiver = (bytes: Uint8Array, address: string, port: number) => void;

export type DatagramOptions = {
  readonly local: Endpoint;
  readonly receive: DatagramReceiver;
  /** IP_TOS byte, e.g. 0xb8 = EF (RFC 3246), 0x60 = CS3. */
  readonly trafficClass?: number;
  readonly receiveBufferBytes?: number;
};

/** Rejects with ListenError when the address is not there or the port is taken. Port 0 = any free one. */
export type OpenDatagrams = (options: DatagramOptions) => Promise<Datagrams>;

/** A TCP or TLS connection, either direction. After `close` was reported nothing more is reported. */
export type Connection = {
  readonly transport: "tcp" | "tls";
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Bytes accepted by write() and not yet taken by the kernel. */
  readonly pendingBytes: number;
  write(bytes: Uint8Array): void;
  /** Sends what was written, then ends. */
  end(): void;
  /** Ends at once. */
  destroy(): void;
};

export type ConnectionEvents = {
  data(bytes: Uint8Array): void;
  closed(reason: string): void;
};

/** PEM texts: the chain (leaf first) and its key. */
export type Identity = { readonly certificatePem: string; readonly keyPem: string };

export type StreamListener = {
  readonly local: Endpoint;
  /**
   * New handshakes use the new certificate; open connections stay. What is already so changes nothing:
   * session tickets stay good.
   */
  setIdentity(identity: Identity, allowsTls10?: boolean): void;
  /** Stops accepting; open connections stay. */
  close(): void;
};

export type ListenStreamOptions = {
  readonly local: Endpoint;
  /** Present = TLS. `accept` is called after the handshake. */
  readonly identity?: Identity;
  /** TLS 1.0 and 1.1 too; else 1.2 and up. */
  readonly allowsTls10?: boolean;
  readonly handshakeTimeoutMs: number;
  /** IP_TOS byte, as of DatagramOptions. */
  readonly trafficClass?: number;
  /** Asked for each connection before its handshake costs anything; false = closed at once. */
  readonly admits?: (remote: Endpoint) => boolean;
  readonly accept: (connection: Connection) => ConnectionEvents;
  /** A connection that never came to accept(): handshake failed or timed out. */
  readonly refused?: (remote: Endpoint | null, reason: string) => void;
};

export type ListenStream = (options: ListenStreamOptions) => Promise<StreamListener>;

/** Where a connection goes, and from which address of ours. */
export type ConnectTo = {
  readonly local: { readonly address: string };
  readonly remote: Endpoint;
  /** Present = TLS. `serverName` is checked against the certificate when `verify` is true. */
  readonly tls?: {
    readonly serverName: string;
    readonly verify: boolean;
    readonly caPem: string | null;
  };
};

export type ConnectStreamOptions = ConnectTo & {
  readonly timeoutMs: number;
  /** IP_TOS byte, as of DatagramOptions. */
  readonly trafficClass?: number;
  readonly events: ConnectionEvents;
};

/** Rejects with an Error whose message is one clear line. */
export type ConnectStream = (options: ConnectStreamOptions) => Promise<Connection>;

/**
 * A TCP connection whose bytes can be held back, that ends each way by itself (half-close) and that may
 * become TLS in its midst: what is spliced. It stays silent until resume().
 */
export type ByteStream = {
  readonly remote: Endpoint;
  /** The name in the client's handshake (SNI, RFC 6066 §3); null = none, or no TLS. */
  readonly serverName: string | null;
  /** Whoever listens now. */
  events: ByteStreamEvents;
  /** False = taken, but hold back until drained(). */
  write(bytes: Uint8Array): boolean;
  pause(): void;
  resume(): void;
  /** Nothing more is written; what comes in goes on. */
  end(): void;
  /** Ends both ways at once. */
  destroy(): void;
  /**
   * Becomes TLS: an accepted one with its listener's certificate, one of our own as `tls` said when it was
   * opened. `first` are bytes of the handshake that were read already. Rejects with one clear line, closed.
   */
  startTls(first?: Uint8Array): Promise<void>;
};

/** After `closed` nothing more is reported. */
export type ByteStreamEvents = {
  data(bytes: Uint8Array): void;
  drained(): void;
  /** The far end sends no more. */
  ended(): void;
  closed(reason: string): void;
};

export type ListenByteStreamsOptions = {
  readonly local: Endpoint;
  /** For those that become TLS. */
  readonly identity: Identity;
  /** A client that offers protocols (RFC 7301) must offer this one. */
  readonly protocol: string;
  readonly handshakeTimeoutMs: number;
  /** False = closed at once. */
  readonly admits: (remote: Endpoint) => boolean;
  readonly accept: (stream: ByteStream) => void;
};

export type ListenByteStreams = (options: ListenByteStreamsOptions) => Promise<StreamListener>;

export type ConnectByteStreamOptions = {
  readonly local: { readonly address: string };
  readonly remote: Endpoint;
  /** How it becomes TLS, where it does. The certificate must be for one of the names, the first is told. */
  readonly tls: {
    readonly names: readonly [string, ...string[]];
    readonly verify: boolean;
    readonly caPem: string | null;
    readonly protocol: string;
  };
  /** For the connection, and once more for TLS. */
  readonly timeoutMs: number;
};

/** Rejects with an Error whose message is one clear line. */
export type ConnectByteStream = (options: ConnectByteStreamOptions) => Promise<ByteStream>;

/** One structured log line. Never a key or a password. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;
export type Log = {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A log whose lines all carry these fields too. */
  with(fields: LogFields): Log;
};

/** The address or port of a listener cannot be had; `message` is one clear line for the operator. */
export class ListenError extends Error {
  override readonly name = "ListenError";
}

/** Preferred first. `ttlSeconds` null = nobody says (a literal, the hosts file). */
export type HostAddresses = {
  readonly addresses: readonly string[];
  readonly ttlSeconds: number | null;
};

/** One SRV record (RFC 2782): lower priorities first, within one by weight. */
export type ServiceRecord = {
  readonly host: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
};

export type Resolver = {
  /** Addresses of a host name (or the literal itself); rejects when there are none. */
  resolve(host: string): Promise<HostAddresses>;
  /** The SRV records of that name; empty = it has none. Rejects when DNS gives no answer. */
  resolveService(name: string): Promise<readonly ServiceRecord[]>;
};

/** Everything outside that a running proxy or the demonstration needs. main.ts passes the real one. */
export type World = Resolver & {
  readonly clock: Clock;
  readonly openDatagrams: OpenDatagrams;
  readonly listenStream: ListenStream;
  readonly connectStream: ConnectStream;
  readonly listenByteStreams: ListenByteStreams;
  readonly connectByteStream: ConnectByteStream;
  readonly listenHttp: ListenHttp;
  readonly openHttpPool: OpenHttpPool;
  /** The local address the main routing table gives towards `remote`; null = no route. */
  sourceAddressFor(remote: string): Promise<string | null>;
  /** Cryptographically strong bytes. */
  random(lengthBytes: number): Uint8Array;
};
