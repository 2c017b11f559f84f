/** HTTPS for the admin: Bun.serve on one explicit address, with limits on what a client may send. */
import { isIPv6 } from "node:net";
import { MODERN_CIPHERS } from "./tls-options.ts";
import { type Endpoint, type Identity, ListenError } from "./types.ts";

export type HttpsServer = {
  readonly local: Endpoint;
  /** Stops listening; open requests are cut off. */
  close(): void;
};

export type HttpsOptions = {
  readonly local: Endpoint;
  readonly identity: Identity;
  readonly longestBodyBytes: number;
  /** Whether the answer goes on for ever (an event stream); all others have their time. */
  isStream(request: Request): boolean;
  /** `address` of the client. Must not reject. */
  answer(request: Request, address: string): Response | Promise<Response>;
};

/** Without a request. */
const IDLE_SECONDS = 60;
/** Bun counts it from the head of the request on, and it is the longest it knows. */
const REQUEST_SECONDS = 255;

/** Throws ListenError when the address is not there or the port is taken. Port 0 = any free one. */
export function serveHttps(o: HttpsOptions): HttpsServer {
  const { address, port } = o.local;
  const { certificatePem: cert, keyPem: key } = o.identity;
  try {
    const server = Bun.serve({
      hostname: address,
      port,
      tls: { cert, key, ciphers: MODERN_CIPHERS },
      maxRequestBodySize: o.longestBodyBytes,
      idleTimeout: IDLE_SECONDS,
      fetch(request, serving) {
        serving.timeout(request, o.isStream(request) ? 0 : REQUEST_SECONDS);
        return o.answer(request, serving.requestIP(request)?.address ?? "");
      },
      error: () => new Response(null, { status: 500 }),
    });
    return {
      local: { address, port: server.port ?? port },
      close: () => void server.stop(true),
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const at = isIPv6(address) ? `[${address}]` : address;
    throw new ListenError(`cannot listen on ${at}:${port}: ${reason}`, { cause: error });
  }
}
