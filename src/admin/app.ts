/**
 * The whole web server of the admin as one fetch function: headers that keep browsers careful, the API, and
 * the pages. Needs no port: tests call `app.request()`.
 */
import { Hono } from "hono";
import type { Log } from "../io/types.ts";
import { API, apiRoutes } from "./api/api.ts";
import { refuseCrossOrigin, requireUser } from "./api/guard.ts";
import { type AdminEnv, problemResponse } from "./api/problem.ts";
import type { Operations } from "./operations.ts";
import { refusal } from "./outcome.ts";

/** No inline script or style, nothing from elsewhere, never in a frame. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Not `no-referrer`: with it browsers send `Origin: null` with our own forms. No HSTS: self-signed. */
const HEADERS: readonly (readonly [name: string, value: string])[] = [
  ["content-security-policy", CONTENT_SECURITY_POLICY],
  ["x-content-type-options", "nosniff"],
  ["x-frame-options", "DENY"],
  ["referrer-policy", "same-origin"],
  ["cross-origin-opener-policy", "same-origin"],
  ["cross-origin-resource-policy", "same-origin"],
  ["cache-control", "no-store"],
];

export type AppOptions = {
  readonly operations: Operations;
  readonly log: Log;
  /** The server-rendered pages, at `/`; null = only the API. */
  readonly pages: Hono<AdminEnv> | null;
};

export function makeApp({ operations, log, pages }: AppOptions): Hono<AdminEnv> {
  const app = new Hono<AdminEnv>();
  app.use(async (c, next) => {
    await next();
    // What a route has set itself (an asset that may be kept) stays.
    for (const [name, value] of HEADERS) {
      if (!c.res.headers.has(name)) c.res.headers.set(name, value);
    }
  });
  app.use(refuseCrossOrigin);
  app.route(API, apiRoutes(operations));
  app.get("/metrics", requireUser(operations), async (c) => {
    c.header("content-type", "text/plain; version=0.0.4; charset=utf-8");
    return c.body(await operations.machine.metrics());
  });
  if (pages !== null) app.route("/", pages);
  app.notFound(() => problemResponse(refusal("not-found")));
  app.onError((error, c) => {
    log.error("internal-error", { path: c.req.path, stack: error.stack });
    return problemResponse(refusal("internal"));
  });
  return app;
}
