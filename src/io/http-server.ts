/**
 * HTTP and HTTPS on one explicit address, the bytes of targets and headers kept. node:http is the parser
 * only: connections come from node:net or node:tls, which can exchange the certificate, and their deadlines
 * are our own (http-connection.ts). Whatever is framed badly gets 400 and is closed.
 */
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import net from "node:net";
import tls from "node:tls";
import { HttpConnection } from "./http-connection.ts";
import { exchangeOf, headBytes, upgradeOf } from "./http-exchange.ts";
import { framingProblem, hasBody, type Refusal } from "./http-framing.ts";
import type { HttpListener, HttpListenOptions } from "./http-types.ts";
import { endpointOf, keepAlive, listening } from "./streams.ts";
import { isSameServer, serverTlsOptions } from "./tls-options.ts";
import type { Endpoint } from "./types.ts";
import { listenError } from "./udp.ts";

const LOOK_MS = 500;
const COLLECT_BYTES = 16 << 20;
/** Who pipelines more is cut off: it is no client that we know, and each waits in memory (11 KB) for its turn. */
const PIPELINED = 4;

class HttpServer {
  readonly #o: HttpListenOptions;
  readonly #parser: http.Server;
  readonly #connections = new Map<net.Socket, HttpConnection>();
  readonly #front: net.Server;
  #look: NodeJS.Timeout | null = null;
  #movedBytes = 0;
  #isClosed = false;
  pending = 0;

  constructor(o: HttpListenOptions) {
    this.#o = o;
    const limits = o.limits();
    this.#parser = http.createServer({
      maxHeaderSize: limits.headerBytes,
      keepAliveTimeout: limits.idleMs,
    });
    // Or node drops what is above its own 2000 without a word.
    this.#parser.maxHeadersCount = 0;
    this.#parser.on("request", (request, response) => this.#request(request, response, false));
    this.#parser.on("checkContinue", (request, response) => this.#request(request, response, true));
    this.#parser.on("checkExpectation", (request, response) =>
      this.#request(request, response, false),
    );
    this.#parser.on("upgrade", (request, socket, first) =>
      this.#upgrade(request, socket as net.Socket, first),
    );
    this.#parser.on("connect", (_request, socket) => this.#malformed(socket as net.Socket));
    this.#parser.on("clientError", (error: NodeJS.ErrnoException, socket) =>
      this.#clientError(error, socket as net.Socket),
    );
    this.#front = this.#createFront();
  }

  get front(): net.Server {
    return this.#front;
  }

  closeFrom(isFrom: (remote: HttpConnection["remote"]) => boolean): void {
    for (const { remote, socket } of this.#connections.values()) {
      if (isFrom(remote)) socket.destroy();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#front.close();
    for (const { open, isUpgraded, socket } of this.#connections.values()) {
      if (open === 0 && !isUpgraded) socket.destroy();
    }
  }

  #createFront(): net.Server {
    const { identity, allowsTls10, handshakeTimeoutMs } = this.#o;
    if (identity === undefined) {
      return net.createServer((socket) => {
        if (this.#admits(socket)) this.#accept(socket);
      });
    }
    const options = {
      ...serverTlsOptions(identity, allowsTls10),
      handshakeTimeout: handshakeTimeoutMs,
    };
    const front = tls.createServer(options, (socket) => this.#accept(socket));
    const unwelcome = new WeakSet<net.Socket>();
    front.on("connection", (socket: net.Socket) => {
      if (!this.#admits(socket)) unwelcome.add(socket);
    });
    // A handshake that fails or times out leaves the socket open unless we close it.
    front.on("tlsClientError", (_error: Error, socket: tls.TLSSocket) => {
      socket.destroy();
      if (!unwelcome.has(socket)) this.#o.count("http-tls-handshake");
    });
    return front;
  }

  #admits(socket: net.Socket): boolean {
    const remote = endpointOf(socket.remoteAddress, socket.remotePort);
    socket.on("error", () => {});
    if (!this.#o.admits(remote)) {
      socket.destroy();
      return false;
    }
    socket.once("close", () => this.#o.closed(remote));
    return true;
  }

  #accept(socket: net.Socket): void {
    keepAlive(socket);
    socket.on("error", () => {});
    const connection = new HttpConnection(socket, Date.now());
    this.#connections.set(socket, connection);
    socket.once("close", () => {
      this.#connections.delete(socket);
      connection.closed();
    });
    this.#look ??= setInterval(() => this.#lookAtAll(), LOOK_MS);
    writeLatin1(socket);
    this.#parser.emit("connection", socket);
  }

  #request(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const connection = this.#connections.get(request.socket);
    if (connection === undefined) return void request.socket.destroy();
    // Came in one piece with what was refused: it may be a part of that.
    if (connection.isEnding) return;
    const { socket } = connection;
    connection.begins(request, response, Date.now());
    this.pending += 1;
    response.once("close", () => {
      this.pending -= 1;
      connection.ends(Date.now());
      if (this.#isClosed) socket.end();
    });
    const problem = framingProblem(request, this.#o.limits().headerLines);
    if (problem !== null) return this.#refuse(socket, problem);
    if (connection.open > PIPELINED) return this.#drop(socket, "http-pipelined");
    if (this.#isClosed) response.shouldKeepAlive = false;
    const crumbles = (): void => this.#drop(socket, "http-tiny-chunks");
    const parts = { connection, request, response, hasBody: hasBody(request), expectsContinue };
    this.#o.request(exchangeOf({ ...parts, crumbles }));
  }

  #upgrade(request: IncomingMessage, socket: net.Socket, first: Buffer): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.isEnding) return void socket.destroy();
    socket.on("error", () => {});
    const problem = framingProblem(request, this.#o.limits().headerLines);
    if (problem !== null) return this.#refuse(socket, problem);
    // Neither may change the protocol: an earlier answer that is still under way, or a body of its own.
    if (connection.open > 0 || hasBody(request)) return this.#malformed(socket);
    connection.isUpgraded = true;
    this.#o.upgrade(upgradeOf(connection, request, first));
  }

  #clientError(error: NodeJS.ErrnoException, socket: net.Socket): void {
    if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
    if (error.code !== "HPE_HEADER_OVERFLOW") return this.#malformed(socket);
    this.#refuse(socket, { status: 431, reason: "Request Header Fields Too Large" });
  }

  #malformed(socket: net.Socket): void {
    this.#refuse(socket, { status: 400, reason: "Bad Request" });
  }

  /** Says it where nothing else was said, and closes: what follows cannot be told from a request. */
  #refuse(socket: net.Socket, { status, reason }: Refusal): void {
    this.#o.count(status === 431 ? "http-headers-too-large" : "http-malformed");
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.isEnding) return void socket.destroy();
    connection.isEnding = true;
    if (connection.isAnswering || socket.writableLength > 0) return void socket.destroy();
    const headers = ["Content-Length", "0", "Connection", "close"];
    socket.write(headBytes({ status, reason, headers }), () => socket.destroy());
  }

  #drop(socket: net.Socket, reason: string): void {
    if (socket.destroyed) return;
    if (reason !== "") this.#o.count(reason);
    socket.destroy();
  }

  #lookAtAll(): void {
    const now = Date.now();
    const limits = this.#o.limits();
    let moved = 0;
    for (const connection of this.#connections.values()) {
      const reason = connection.overdue(now, limits);
      if (reason !== null) this.#drop(connection.socket, reason);
      moved += connection.socket.bytesRead + connection.socket.bytesWritten;
    }
    // The collector sees small objects, not the large pieces behind them: a fast transfer would pile them up.
    if (moved - this.#movedBytes > COLLECT_BYTES) Bun.gc(false);
    this.#movedBytes = moved;
    if (this.#connections.size > 0 || this.#look === null) return;
    clearInterval(this.#look);
    this.#look = null;
  }
}

/** Bun 1.4.5 writes the header lines of responses in UTF-8; nothing else is written as a string. */
function writeLatin1(socket: net.Socket): void {
  const write = socket.write.bind(socket);
  const writeBytes = (chunk: string | Uint8Array, ...more: [(() => void)?]): boolean =>
    write(typeof chunk === "string" ? Buffer.from(chunk, "latin1") : chunk, ...more);
  Object.assign(socket, { write: writeBytes });
}

/** @see ListenHttp in http-types.ts */
export async function listenHttp(options: HttpListenOptions): Promise<HttpListener> {
  const { local, identity, allowsTls10 } = options;
  let server: HttpServer;
  let bound: Endpoint;
  try {
    server = new HttpServer(options);
    bound = await listening(server.front, local);
  } catch (error) {
    throw listenError(error, identity === undefined ? "HTTP" : "HTTPS", local);
  }
  const { front } = server;
  let secure = identity === undefined ? null : serverTlsOptions(identity, allowsTls10);
  return {
    local: bound,
    get pending() {
      return server.pending;
    },
    setIdentity(next, allows) {
      const wanted = serverTlsOptions(next, allows);
      if (!(front instanceof tls.Server) || isSameServer(secure, wanted)) return;
      front.setSecureContext(wanted);
      secure = wanted;
    },
    closeFrom: (isFrom) => server.closeFrom(isFrom),
    close: () => server.close(),
  };
}
