/** One request on an accepted connection and its answer, over node's own objects. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex, Readable, Writable } from "node:stream";
import type tls from "node:tls";
import type { HttpConnection } from "./http-connection.ts";
import type { HttpExchange, HttpRequest, HttpResponseHead, HttpUpgrade } from "./http-types.ts";

function requestOf(request: IncomingMessage, { remote, socket }: HttpConnection): HttpRequest {
  const isTls = "encrypted" in socket;
  const { servername } = socket as Partial<tls.TLSSocket>;
  return {
    method: request.method ?? "",
    target: request.url ?? "",
    headers: request.rawHeaders,
    remote,
    isTls,
    serverName: typeof servername === "string" && servername !== "" ? servername : null,
  };
}

/** Node takes names and values one after another, as they come from its parser; its types say otherwise. */
function writeHead(response: ServerResponse, { status, reason, headers }: HttpResponseHead): void {
  response.sendDate = false;
  response.writeHead(status, reason, [...headers]);
}

/** With a string as body node would write the header lines in UTF-8, too. */
const bytesOf = (text: string): Buffer => Buffer.from(text);

type ExchangeParts = {
  readonly connection: HttpConnection;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly hasBody: boolean;
  /** The client waits for 100 Continue. */
  expectsContinue: boolean;
  /** Its body comes in pieces that are too small. */
  crumbles(): void;
};

export function exchangeOf(o: ExchangeParts): HttpExchange {
  const { connection, request, response } = o;
  return {
    ...requestOf(request, connection),
    hasBody: o.hasBody,
    readBody(): Readable {
      if (o.expectsContinue) response.writeContinue();
      request.on("data", ({ length }: Uint8Array) => {
        if (!connection.takes(length)) o.crumbles();
      });
      return request;
    },
    respond(head): Writable {
      if (!response.destroyed) writeHead(response, head);
      return response;
    },
    answer(head, body = ""): void {
      if (response.destroyed) return;
      // What nobody reads of a body must not be taken for a request.
      if (o.hasBody && !request.complete) {
        response.shouldKeepAlive = false;
        request.resume();
      }
      const bytes = bytesOf(body);
      const headers = [...head.headers, "Content-Length", String(bytes.length)];
      response.writeHead(head.status, head.reason, headers);
      response.end(bytes);
    },
    destroy: () => connection.socket.destroy(),
    onEnd(ended): void {
      // Whoever waited for something else meanwhile would never hear of it.
      if (response.closed || connection.socket.destroyed) ended(response.writableFinished);
      else response.once("close", () => ended(response.writableFinished));
    },
  };
}

/** The head of an answer of our own as bytes, where node's parser is no longer in charge. */
export function headBytes({ status, reason, headers }: HttpResponseHead): Buffer {
  const lines = [`HTTP/1.1 ${status} ${reason}`];
  for (let at = 0; at < headers.length; at += 2) lines.push(`${headers[at]}: ${headers[at + 1]}`);
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

export function upgradeOf(
  connection: HttpConnection,
  request: IncomingMessage,
  first: Buffer,
): HttpUpgrade {
  const { socket } = connection;
  return {
    ...requestOf(request, connection),
    answer(head, body = ""): void {
      const bytes = bytesOf(body);
      const length = ["Content-Length", String(bytes.length), "Connection", "close"];
      socket.write(headBytes({ ...head, headers: [...head.headers, ...length] }));
      socket.end(bytes);
    },
    respond({ status, reason, headers }): Writable {
      socket.write(headBytes({ status, reason, headers: [...headers, "Connection", "close"] }));
      return socket;
    },
    accept(head): Duplex {
      socket.write(headBytes(head));
      if (first.length > 0) socket.unshift(first);
      return socket;
    },
    destroy: () => socket.destroy(),
    onEnd(ended): void {
      if (socket.destroyed) ended();
      else socket.once("close", ended);
    },
  };
}
