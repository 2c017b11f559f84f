/** What the demonstration instance shows by HTTP: pages by path, GET and HEAD, nothing that changes anything. */
import type { HttpExchange, HttpListener } from "../io/http-types.ts";
import type { Endpoint, World } from "../io/types.ts";

export type DemoPage = { readonly type: string; readonly body: string };

/** Null = it has no such page. `path` without the query. */
export type FindPage = (path: string) => DemoPage | null;

const LIMITS = {
  headerBytes: 16_384,
  headerLines: 100,
  headerMs: 10_000,
  bodyMs: 10_000,
  bodyBytes: 1,
  idleMs: 30_000,
  silentMs: 30_000,
};
const NOT_FOUND: DemoPage = { type: "text/plain; charset=utf-8", body: "not found\n" };

function answer(exchange: HttpExchange, find: readonly FindPage[]): void {
  const { method, target } = exchange;
  const [path = ""] = target.split("?", 1);
  const isRead = method === "GET" || method === "HEAD";
  const page = isRead ? find.map((one) => one(path)).find((one) => one !== null) : undefined;
  const [status, reason] = page === undefined ? [404, "Not Found"] : [200, "OK"];
  const { type, body } = page ?? NOT_FOUND;
  exchange.answer({ status, reason, headers: ["Content-Type", type] }, body);
}

/** Port 0 = any free one. Rejects with ListenError. */
export function openDemoWeb(
  world: Pick<World, "listenHttp">,
  local: Endpoint,
  find: readonly FindPage[],
): Promise<HttpListener> {
  return world.listenHttp({
    local,
    handshakeTimeoutMs: LIMITS.headerMs,
    limits: () => LIMITS,
    admits: () => true,
    closed() {},
    request: (exchange) => answer(exchange, find),
    upgrade: (exchange) => exchange.destroy(),
    count() {},
  });
}
