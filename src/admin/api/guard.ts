/**
 * Who may call: the token as Bearer (RFC 6750) or in the cookie of a browser. A browser sends cookies along
 * with the requests of other sites too, so a write with it must come from our own pages.
 */
import type { Context, MiddlewareHandler } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { Operations, SignedIn } from "../operations.ts";
import { refusal } from "../outcome.ts";
import { type AdminEnv, problemResponse } from "./problem.ts";

/** The prefix makes browsers insist on Secure, Path=/ and no Domain (RFC 6265bis section 4.1.3.2). */
export const COOKIE = "__Host-pequod";

const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

export function tokenOf(c: Context): string | null {
  const [, bearer] = /^Bearer +([A-Za-z0-9_-]+)$/i.exec(c.req.header("authorization") ?? "") ?? [];
  return bearer ?? getCookie(c, COOKIE) ?? null;
}

export function setSessionCookie(c: Context, { token, expires }: SignedIn): void {
  setCookie(c, COOKIE, token, {
    path: "/",
    secure: true,
    httpOnly: true,
    sameSite: "Strict",
    expires: new Date(expires),
  });
}

export function clearSessionCookie(c: Context): void {
  deleteCookie(c, COOKIE, { path: "/", secure: true });
}

/**
 * Whether a browser says that the request was made by another site. Without Sec-Fetch-Site and Origin it is
 * no browser (all of today's send one of them with a write), and nobody's cookie can be abused.
 */
export function isCrossOrigin(request: Request): boolean {
  if (SAFE_METHODS.has(request.method) || request.headers.has("authorization")) return false;
  const site = request.headers.get("sec-fetch-site");
  if (site !== null) return site !== "same-origin" && site !== "none";
  const origin = request.headers.get("origin");
  if (origin === null) return false;
  return !URL.canParse(origin) || new URL(origin).host !== request.headers.get("host");
}

/** For the whole app, pages included. */
export const refuseCrossOrigin: MiddlewareHandler<AdminEnv> = async (c, next) => {
  if (isCrossOrigin(c.req.raw)) return problemResponse(refusal("cross-origin"));
  return next();
};

/** Everything behind it needs set-up and sign-in; `c.get("user")` is who it is. */
export function requireUser({ access }: Operations): MiddlewareHandler<AdminEnv> {
  return async (c, next) => {
    if (!access.isSetUp()) return problemResponse(refusal("setup-required"));
    const actor = access.actorOf(tokenOf(c));
    if (actor === null) {
      const response = problemResponse(refusal("sign-in-required"));
      response.headers.set("www-authenticate", "Bearer");
      return response;
    }
    c.set("user", actor.user);
    return next();
  };
}
