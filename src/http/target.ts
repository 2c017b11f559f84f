/**
 * The request target (RFC 9112 §3.2) of a request that is passed on. One path decides, and the same bytes go
 * to the instance; so whatever two servers could read as different paths is refused, never put right:
 * dot segments in any spelling, empty segments, encoded slashes, backslashes and control characters, double
 * encoding, overlong UTF-8, and the forms that name a host.
 */

export type Target = {
  /** Begins with "/"; as it came. */
  readonly path: string;
  /** "" or "?..."; as it came. */
  readonly query: string;
};

/** What a path may hold (RFC 3986 §3.3), and what browsers leave as it is besides. */
const PATH = /^\/[A-Za-z0-9\-._~!$&'()*+,;=:@%/[\]|^]*$/;
/** No blank, no control character, no fragment. */
const QUERY = /^[!-"$-~]*$/;

const BAD_ESCAPE = /%(?![0-9a-f]{2})/i;
/** Control characters, "/", "\" and "%" itself where a second decoder would find an escape. */
const AMBIGUOUS_ESCAPE = /%(?:[01][0-9a-f]|7f|2f|5c|25[0-9a-f%])/i;
/** Longer than needed, which lax decoders read as a dot or a slash all the same (RFC 3629 §3). */
const OVERLONG = /%(?:c[01]|e0%[89]|f0%8)/i;
/** `.`, `..` and nothing at all, also before parameters that some servers cut off. */
const BAD_SEGMENT = /\/(?:(?:\.|%2e){1,2}(?=[/;]|%3b|$)|(?=[/;]|%3b))/i;

/** null = it is refused. */
export function readTarget(target: string): Target | null {
  const question = target.indexOf("?");
  const path = question < 0 ? target : target.slice(0, question);
  const query = question < 0 ? "" : target.slice(question);
  return isPlainPath(path) && QUERY.test(query) ? { path, query } : null;
}

function isPlainPath(path: string): boolean {
  if (!PATH.test(path) || BAD_SEGMENT.test(path)) return false;
  if (!path.includes("%")) return true;
  return !BAD_ESCAPE.test(path) && !AMBIGUOUS_ESCAPE.test(path) && !OVERLONG.test(path);
}

/** The first segment, and the rest: "" or from its slash on. */
export function splitFirst(path: string): { readonly first: string; readonly rest: string } {
  const slash = path.indexOf("/", 1);
  if (slash < 0) return { first: path.slice(1), rest: "" };
  return { first: path.slice(1, slash), rest: path.slice(slash) };
}

/** That path itself, or one below it; byte for byte. */
export function isAtOrBelow(path: string, top: string): boolean {
  return path.startsWith(top) && (path.length === top.length || path[top.length] === "/");
}
