/**
 * HTTP/1.1 towards one instance, from one explicit local address, over connections that are kept open between
 * requests. node:http keeps targets and headers as they are given; whatever comes back framed badly ends the
 * connection.
 */
import http, { type ClientRequest, type ClientRequestArgs, type IncomingMessage } from "node:http";
import type net from "node:net";
import type { Duplex } from "node:stream";
import {
  HttpClientError,
  type HttpClientExchange,
  type HttpClientRequest,
  type HttpClientResponse,
  type HttpPool,
  type HttpPoolOptions,
  type HttpResponseHead,
  type HttpUpgraded,
} from "./http-types.ts";
import { keepAlive, startConnecting } from "./streams.ts";

/** Shorter than servers keep theirs (Apache and node 5 s): a request into a closing connection is lost. */
const IDLE_MS = 4000;
/** As many as may be busy at once, or a crowd of clients opens and closes one with each request. */
const IDLE_CONNECTIONS = 256;
const HEADER_BYTES = 65_536;
/** Answers before the answer (RFC 9110 §15.2); one who says more of them only keeps us busy. */
const INTERIM_MOST = 16;
/** What may stand there (RFC 9112 §4); the parser lets more through. */
const REASON = /^[\t -~\x80-\xff]*$/;

/** Opens connections as the pool says; node's own agent would look names up. */
class PoolAgent extends http.Agent {
  readonly #pool: HttpPoolOptions;

  constructor(pool: HttpPoolOptions, isKept: boolean) {
    super({
      keepAlive: isKept,
      maxSockets: pool.connections,
      maxFreeSockets: IDLE_CONNECTIONS,
      scheduling: "lifo",
      timeout: IDLE_MS,
    });
    this.#pool = pool;
  }

  override createConnection(): Duplex {
    const { connectTimeoutMs } = this.#pool;
    const socket = startConnecting(this.#pool);
    const late = setTimeout(
      () => socket.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)),
      connectTimeoutMs,
    );
    socket.once(this.#pool.tls === undefined ? "connect" : "secureConnect", () => {
      clearTimeout(late);
      connected.add(socket);
      keepAlive(socket);
    });
    socket.once("close", () => clearTimeout(late));
    return socket;
  }
}

function headOf(message: IncomingMessage): HttpResponseHead {
  const { statusCode = 502, statusMessage = "", rawHeaders } = message;
  const reason = REASON.test(statusMessage) ? statusMessage : "";
  return { status: statusCode, reason, headers: rawHeaders };
}

/** Ends a request whose answers are none that could be passed on. */
function watchAnswers(request: ClientRequest, end: (problem: string) => void): void {
  let interim = 0;
  request.on("information", () => {
    interim += 1;
    if (interim > INTERIM_MOST) end("it only says that it will answer");
  });
}

/** Those that once stood. */
const connected = new WeakSet<Duplex>();

type Settle<T> = { resolve(value: T): void; reject(error: Error): void };

class Pool implements HttpPool {
  readonly #o: HttpPoolOptions;
  readonly #agent: PoolAgent;

  constructor(o: HttpPoolOptions) {
    this.#o = o;
    this.#agent = new PoolAgent(o, true);
  }

  get isFull(): boolean {
    const waiting = Object.values(this.#agent.requests);
    return waiting.reduce((sum, some) => sum + (some?.length ?? 0), 0) >= this.#o.connections;
  }

  request(asked: HttpClientRequest): HttpClientExchange<HttpClientResponse> {
    return this.#send<HttpClientResponse>(asked, (message) => responseOf(message));
  }

  upgrade(asked: HttpClientRequest): HttpClientExchange<HttpUpgraded> {
    return this.#send<HttpUpgraded>(
      asked,
      (message) => ({ kind: "answered", response: responseOf(message) }),
      (message, stream, first) => {
        if (first.length > 0) stream.unshift(first);
        stream.setTimeout(0);
        return { kind: "upgraded", head: headOf(message), stream };
      },
    );
  }

  close(): void {
    for (const sockets of Object.values(this.#agent.freeSockets)) {
      for (const socket of sockets ?? []) socket.destroy();
    }
  }

  #send<T>(
    asked: HttpClientRequest,
    answered: (message: IncomingMessage) => T,
    upgraded?: (message: IncomingMessage, stream: net.Socket, first: Buffer) => T,
  ): HttpClientExchange<T> {
    let current: ClientRequest;
    let isOver = false;
    const begin = (agent: PoolAgent, settle: Settle<T>, isLast: boolean): ClientRequest => {
      const request = http.request(this.#argumentsOf(asked, agent));
      const end = (problem: string): void => {
        settle.reject(new HttpClientError(problem, true));
        request.destroy();
      };
      watchAnswers(request, end);
      request.once("response", (message) => {
        if ((message.statusCode ?? 0) < 200) end("its status is none");
        else settle.resolve(answered(message));
      });
      request.once("upgrade", (message, stream, first) => {
        if (upgraded === undefined) return end("it changed the protocol unasked");
        settle.resolve(upgraded(message, stream as net.Socket, first));
      });
      request.on("error", (error) => {
        if (isLast || isOver || !mayTryAgain(asked, request))
          return settle.reject(failure(request, error));
        // It was closed while idle, as the request went out (RFC 9112 §9.3.1): a fresh one, once.
        current = begin(new PoolAgent(this.#o, false), settle, true);
        current.end();
      });
      return request;
    };
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    current = begin(this.#agent, { resolve, reject }, false);
    return {
      body: current,
      response: promise,
      destroy() {
        isOver = true;
        current.destroy();
      },
    };
  }

  #argumentsOf(
    { method, target, headers }: HttpClientRequest,
    agent: PoolAgent,
  ): ClientRequestArgs {
    const { address, port } = this.#o.remote;
    return {
      host: address,
      port,
      method,
      path: target,
      // Node takes names and values one after another; its types of this version know it, too.
      headers: [...headers],
      agent,
      setHost: false,
      maxHeaderSize: HEADER_BYTES,
    };
  }
}

function responseOf(message: IncomingMessage): HttpClientResponse {
  return { ...headOf(message), body: message };
}

/** Nothing was changed by it, and no part of its body is gone. */
function mayTryAgain({ method, hasBody }: HttpClientRequest, request: ClientRequest): boolean {
  const isSafe = method === "GET" || method === "HEAD" || method === "OPTIONS";
  return request.reusedSocket && isSafe && !hasBody;
}

function failure(request: ClientRequest, error: Error): HttpClientError {
  return new HttpClientError(
    error.message,
    request.socket !== null && connected.has(request.socket),
    { cause: error },
  );
}

/** @see OpenHttpPool in http-types.ts */
export function openHttpPool(options: HttpPoolOptions): HttpPool {
  return new Pool(options);
}
