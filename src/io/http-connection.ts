/**
 * One accepted HTTP connection and its deadlines. Node's own time-outs act on no connection that was handed
 * to its parser, so each is looked at once a second: slow headers, slow bodies, readers that take nothing,
 * idle ones.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type net from "node:net";
import type { HttpServerLimits } from "./http-types.ts";
import { endpointOf } from "./streams.ts";
import type { Endpoint } from "./types.ts";

/** Each piece of a body costs some microseconds, however small: a line full of single bytes stops all else. */
const PIECES = 1024;
const PIECE_BYTES = 32;
const PIECES_MS = 1000;

export class HttpConnection {
  readonly remote: Endpoint;
  readonly socket: net.Socket;
  /** Requests whose answers are not complete: more than one where a client pipelines. */
  open = 0;
  /** Neither requests nor answers are looked at any more. */
  isUpgraded = false;
  /** An answer was refused its rest: it ends, and nothing is read any more. */
  isEnding = false;
  /** To the last request. */
  #answer: ServerResponse | null = null;
  /** The request whose body is still coming. */
  #reading: IncomingMessage | null = null;
  #bodyBytes = 0;
  #bodyAtMs = 0;
  #idleSinceMs: number;
  #hasBegun: boolean;
  #pieces = 0;
  #pieceBytes = 0;
  #piecesSinceMs = 0;
  #readBytes = 0;
  #writtenBytes = 0;
  #movedAtMs: number;

  constructor(socket: net.Socket, nowMs: number) {
    this.socket = socket;
    this.remote = endpointOf(socket.remoteAddress, socket.remotePort);
    this.#idleSinceMs = nowMs;
    this.#movedAtMs = nowMs;
    // The first request has to follow; a further one need not.
    this.#hasBegun = true;
  }

  /** Part of an answer has gone out: what is said now would be read as more of it. */
  get isAnswering(): boolean {
    return this.open > 1 || (this.open > 0 && this.#answer?.headersSent === true);
  }

  begins(request: IncomingMessage, answer: ServerResponse, nowMs: number): void {
    this.open += 1;
    this.#answer = answer;
    this.#reading = request.complete ? null : request;
    this.#bodyBytes = this.socket.bytesRead;
    this.#bodyAtMs = nowMs;
  }

  ends(nowMs: number): void {
    this.open -= 1;
    if (this.open > 0) return;
    this.#answer = null;
    // An answer that came before the whole body: what follows is the rest of it.
    this.#hasBegun = this.#reading !== null && !this.#reading.complete;
    this.#idleSinceMs = nowMs;
    this.#readBytes = this.socket.bytesRead;
  }

  /** A piece of a body; false = too many small ones came too soon. */
  takes(lengthBytes: number): boolean {
    this.#pieces += 1;
    this.#pieceBytes += lengthBytes;
    if (this.#pieces < PIECES) return true;
    const nowMs = Date.now();
    const isGood =
      this.#pieceBytes >= PIECES * PIECE_BYTES || nowMs - this.#piecesSinceMs >= PIECES_MS;
    this.#pieces = 0;
    this.#pieceBytes = 0;
    this.#piecesSinceMs = nowMs;
    return isGood;
  }

  /** Node tells of a body that breaks off only until its answer is complete. */
  closed(): void {
    if (this.#reading?.complete === false) this.#reading.destroy();
  }

  /** Why it has to end now; "" = without being counted; null = it may go on. */
  overdue(nowMs: number, limits: HttpServerLimits): string | null {
    const { bytesRead, bytesWritten } = this.socket;
    const isWaiting = this.open === 0 && !this.isUpgraded;
    if (isWaiting && !this.#hasBegun && bytesRead !== this.#readBytes) {
      this.#hasBegun = true;
      this.#idleSinceMs = nowMs;
    }
    if (bytesRead !== this.#readBytes || bytesWritten !== this.#writtenBytes) {
      this.#readBytes = bytesRead;
      this.#writtenBytes = bytesWritten;
      this.#movedAtMs = nowMs;
    }
    if (isWaiting) return this.#idleProblem(nowMs, limits);
    return this.#bodyProblem(nowMs, limits) ?? this.#silenceProblem(nowMs, limits);
  }

  #idleProblem(nowMs: number, { headerMs, idleMs }: HttpServerLimits): string | null {
    const forMs = nowMs - this.#idleSinceMs;
    if (this.#hasBegun) return forMs < headerMs ? null : "http-slow-headers";
    return forMs < idleMs ? null : "";
  }

  #bodyProblem(nowMs: number, { bodyMs, bodyBytes }: HttpServerLimits): string | null {
    const request = this.#reading;
    if (request === null) return null;
    if (request.complete || request.destroyed) this.#reading = null;
    if (nowMs - this.#bodyAtMs < bodyMs) return null;
    // A client that is held back by a slow instance is not slow itself.
    const isHeldBack = request.isPaused() || request.readableFlowing === null;
    const isSlow = this.#readBytes - this.#bodyBytes < bodyBytes && !isHeldBack;
    this.#bodyAtMs = nowMs;
    this.#bodyBytes = this.#readBytes;
    return this.#reading !== null && isSlow ? "http-slow-body" : null;
  }

  #silenceProblem(nowMs: number, { bodyMs, silentMs }: HttpServerLimits): string | null {
    const forMs = nowMs - this.#movedAtMs;
    if (this.socket.writableLength > 0 && forMs >= bodyMs) return "http-slow-reader";
    return forMs < silentMs ? null : "http-silent";
  }
}
