/**
 * Who is connected by HTTP, for management and provisioning together: how many in all, how many from one
 * address. Opens the listeners of both, so that the same limits and deadlines hold on each.
 */
import type { ProxyConfig } from "../config/config.ts";
import type { Limits } from "../config/limits.ts";
import { sourceOf } from "../config/source.ts";
import type { HttpListener, HttpListenOptions, HttpServerLimits } from "../io/http-types.ts";
import type { Endpoint, Identity, World } from "../io/types.ts";
import type { Admission } from "./admission.ts";

export type HttpClientsOptions = {
  readonly world: Pick<World, "listenHttp">;
  readonly admission: Pick<Admission, "connects" | "isTrusted">;
  settings(): ProxyConfig;
  identity(): Identity;
  count(reason: string): void;
};

type Served = Pick<HttpListenOptions, "request" | "upgrade"> & { readonly isTls: boolean };

export class HttpClients {
  readonly #o: HttpClientsOptions;
  readonly #perSource = new Map<string, number>();
  #all = 0;

  constructor(o: HttpClientsOptions) {
    this.#o = o;
  }

  /** `config` is the one to come, not yet in use. */
  listen(local: Endpoint, config: ProxyConfig, served: Served): Promise<HttpListener> {
    const { world, count, settings } = this.#o;
    return world.listenHttp({
      local,
      ...(served.isTls ? { identity: this.#o.identity(), allowsTls10: config.allowTls10 } : {}),
      handshakeTimeoutMs: config.limits.handshakeTimeout * 1000,
      limits: () => serverLimits(settings().limits),
      admits: ({ address }) => this.#admits(address),
      closed: ({ address }) => this.#closed(address),
      request: served.request,
      upgrade: served.upgrade,
      count,
    });
  }

  #admits(address: string): boolean {
    const { admission, count } = this.#o;
    const limits = this.#o.settings().limits;
    const source = sourceOf(address);
    const here = this.#perSource.get(source) ?? 0;
    const isFull = here >= limits.httpConnectionsPerAddress && !admission.isTrusted(address);
    if (this.#all >= limits.httpConnections || isFull) {
      count("http-connections-full");
      return false;
    }
    if (!admission.connects(address)) return false;
    this.#all += 1;
    this.#perSource.set(source, here + 1);
    return true;
  }

  #closed(address: string): void {
    const source = sourceOf(address);
    const left = (this.#perSource.get(source) ?? 1) - 1;
    this.#all -= 1;
    if (left > 0) this.#perSource.set(source, left);
    else this.#perSource.delete(source);
  }
}

function serverLimits(limits: Limits): HttpServerLimits {
  return {
    headerBytes: limits.httpHeaderBytes,
    headerLines: limits.httpHeaderLines,
    headerMs: limits.httpHeaderTimeout * 1000,
    bodyMs: limits.httpBodyTimeout * 1000,
    bodyBytes: limits.httpBodyBytes,
    idleMs: limits.httpIdleTimeout * 1000,
    silentMs: limits.httpSilentTimeout * 1000,
  };
}
