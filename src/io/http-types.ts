/**
 * HTTP/1.1 as the rest of the program sees it: requests as they came, answers as they go, nothing decoded,
 * nothing put right. Bodies are streams, which hold back whoever is faster. Types only.
 */
import type { Duplex, Readable, Writable } from "node:stream";
import type { ConnectTo, Endpoint, Identity, StreamListener } from "./types.ts";

/** Name, value, name, value ... in their order and case, one character a byte (latin1). */
export type RawHeaders = readonly string[];

export type HttpRequest = {
  readonly method: string;
  /** The request target as it came (RFC 9112 §3.2). */
  readonly target: string;
  readonly headers: RawHeaders;
  readonly remote: Endpoint;
  readonly isTls: boolean;
  /** The name in the client's handshake (SNI, RFC 6066 §3); null = none, or no TLS. */
  readonly serverName: string | null;
};

export type HttpResponseHead = {
  readonly status: number;
  readonly reason: string;
  readonly headers: RawHeaders;
};

/** A request and its answer. Exactly one of respond() and answer() is called, or destroy(). */
export type HttpExchange = HttpRequest & {
  /** Whether a body comes with it. */
  readonly hasBody: boolean;
  /** The body; a client that waits to be told (Expect: 100-continue) is told. */
  readBody(): Readable;
  /** Begins an answer whose body is written to what this returns. */
  respond(head: HttpResponseHead): Writable;
  /** A whole answer of our own; its length is added. */
  answer(head: HttpResponseHead, body?: string): void;
  /** Ends the connection. */
  destroy(): void;
  /** Called once: `isComplete` = the answer was written whole, else the client has gone. */
  onEnd(ended: (isComplete: boolean) => void): void;
};

/** A request to change the protocol (RFC 9110 §7.8). It has no body. */
export type HttpUpgrade = HttpRequest & {
  answer(head: HttpResponseHead, body?: string): void;
  /** Begins an answer that ends with the connection: the instance has changed nothing. */
  respond(head: HttpResponseHead): Writable;
  /** Sends the 101 and gives the connection, `more` of the client's bytes being in it. */
  accept(head: HttpResponseHead): Duplex;
  destroy(): void;
  onEnd(ended: () => void): void;
};

/** What a client may send and how long it may take. */
export type HttpServerLimits = {
  /** Request line and headers together. */
  readonly headerBytes: number;
  readonly headerLines: number;
  /** From the open connection, or the first byte of a further request, to the end of its headers. */
  readonly headerMs: number;
  /** Within so long a body brings `bodyBytes` at least, and a client takes something of an answer. */
  readonly bodyMs: number;
  readonly bodyBytes: number;
  /** Without a request. */
  readonly idleMs: number;
  /** Without a byte either way, within a request or after a change of protocol. */
  readonly silentMs: number;
};

export type HttpListenOptions = {
  readonly local: Endpoint;
  /** Present = HTTPS. */
  readonly identity?: Identity;
  readonly allowsTls10?: boolean;
  readonly handshakeTimeoutMs: number;
  /** Asked for each request's connection anew. */
  limits(): HttpServerLimits;
  /** Asked for each connection before its handshake costs anything; false = closed at once. */
  admits(remote: Endpoint): boolean;
  /** A connection that was admitted is gone. */
  closed(remote: Endpoint): void;
  /** Neither may throw. */
  request(exchange: HttpExchange): void;
  upgrade(exchange: HttpUpgrade): void;
  /** What was wrong with a client, as a reason to count: "http-malformed", "http-slow-body" ... */
  count(reason: string): void;
};

export type HttpListener = StreamListener & {
  /** Requests whose answers are not complete; changed protocols are none. */
  readonly pending: number;
  /** Ends the connections from there at once. */
  closeFrom(isFrom: (remote: Endpoint) => boolean): void;
};

/** Rejects with ListenError. */
export type ListenHttp = (options: HttpListenOptions) => Promise<HttpListener>;

/** With `tls` HTTPS is spoken. */
export type HttpPoolOptions = ConnectTo & {
  readonly connectTimeoutMs: number;
  /** Requests beyond these connections wait for one of them. */
  readonly connections: number;
};

export type HttpClientRequest = {
  readonly method: string;
  readonly target: string;
  /** As they are sent; Connection is added. */
  readonly headers: RawHeaders;
  /** False = there is no body to come. */
  readonly hasBody: boolean;
};

export type HttpClientResponse = HttpResponseHead & {
  readonly body: Readable;
};

/** An instance's change of protocol, or what it answered instead. */
export type HttpUpgraded =
  | { readonly kind: "upgraded"; readonly head: HttpResponseHead; readonly stream: Duplex }
  | { readonly kind: "answered"; readonly response: HttpClientResponse };

export type HttpClientExchange<T> = {
  /** Where the request's body goes; to be ended. */
  readonly body: Writable;
  /** Rejects with HttpClientError. */
  readonly response: Promise<T>;
  destroy(): void;
};

/** Connections to one instance, kept open between requests. */
export type HttpPool = {
  /** As many requests wait as there may be connections: a further one would only use memory. */
  readonly isFull: boolean;
  request(request: HttpClientRequest): HttpClientExchange<HttpClientResponse>;
  upgrade(request: HttpClientRequest): HttpClientExchange<HttpUpgraded>;
  /** Ends what is idle; requests under way go on. */
  close(): void;
};

export type OpenHttpPool = (options: HttpPoolOptions) => HttpPool;

/** No usable response came; `isConnected` = it was reached. */
export class HttpClientError extends Error {
  override readonly name = "HttpClientError";
  readonly isConnected: boolean;
  constructor(reason: string, isConnected: boolean, options?: ErrorOptions) {
    super(reason, options);
    this.isConnected = isConnected;
  }
}
