/** A phone that fetches files, and the instance that has them: real sockets, nothing put right on the way. */
import http, {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import https from "node:https";

export type Fetched = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly body: string;
};

export type FetchOptions = {
  /** "address:port". */
  readonly at: string;
  readonly path: string;
  readonly scheme?: "https" | "http";
  readonly method?: string;
  readonly headers?: Record<string, string>;
  /** Of the phone. */
  readonly from?: string;
  readonly agent?: http.Agent;
};

function requestTo(o: FetchOptions): http.ClientRequest {
  const colon = o.at.lastIndexOf(":");
  const options = {
    host: o.at.slice(0, colon),
    port: Number(o.at.slice(colon + 1)),
    path: o.path,
    method: o.method ?? "GET",
    headers: o.headers ?? {},
    agent: o.agent ?? false,
    ...(o.from === undefined ? {} : { localAddress: o.from }),
  } as const;
  if (o.scheme === "http") return http.request(options);
  return https.request({ ...options, rejectUnauthorized: false });
}

/** The response while its body is still to come. Rejects when there is none. */
export function begins(o: FetchOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    requestTo(o).on("error", reject).on("response", resolve).end();
  });
}

export async function fetches(o: FetchOptions): Promise<Fetched> {
  const response = await begins(o);
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  const { statusCode, headers, rawHeaders } = response;
  const body = Buffer.concat(parts).toString("latin1");
  return { status: statusCode ?? 0, headers, rawHeaders, body };
}

export type Asked = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly from: string;
};

/** The provisioning server of an instance, which notes what it is asked for. */
export class ConfigurationServer {
  readonly asked: Asked[] = [];
  readonly #server: http.Server;
  /** How it answers; the test may put another one there. */
  answer: (request: IncomingMessage, response: ServerResponse) => void = (request, response) => {
    response.setHeader("Server", "mobydick/1.2.3");
    response.end(`configuration of ${request.url}\n`);
  };

  constructor() {
    this.#server = http.createServer((request, response) => {
      const { method = "", url = "", headers, socket } = request;
      this.asked.push({ method, url, headers, from: socket.remoteAddress ?? "" });
      this.answer(request, response);
    });
  }

  /** Answers with its port. */
  opens(address: string, port = 0): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host: address, port }, () => {
        const bound = this.#server.address();
        resolve(bound !== null && typeof bound === "object" ? bound.port : 0);
      });
    });
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
