/**
 * What an instance says about its own URLs, put as its clients see them: Location, Content-Location, Link
 * and Refresh point back through the proxy, and cookies stay within the instance's part of the origin.
 */

/** Where the clients of one instance see it, and where it is. */
export type Seen = {
  /** `https://HOST[:PORT]`, without a slash at its end. */
  readonly origin: string;
  /** "/mycompany" where all instances share the origin, "" where it is the instance's own. */
  readonly prefix: string;
  /** Whether `prefix` is not part of the instance's own paths. */
  readonly isStripped: boolean;
  /** `prefix` itself was asked for: browsers keep a cookie without Path for "/" then (RFC 6265 §5.1.4). */
  readonly isTop: boolean;
  /** `http://10.0.3.150[:PORT]`: the instance's own origin, in lower case. */
  readonly inside: string;
  /** The path of its URL, "" or "/app": put before each path that is asked for. */
  readonly base: string;
};

/** One header value; null = the line does not pass. */
export function rewriteValue(name: string, value: string, seen: Seen): string {
  switch (name) {
    case "location":
    case "content-location":
      return rewriteUrl(value, seen);
    case "link":
      return value.replace(/<([^>]*)>/g, (_, url: string) => `<${rewriteUrl(url, seen)}>`);
    case "refresh":
      return value.replace(
        /^([0-9.]*[ \t]*[;,][ \t]*url[ \t]*=[ \t]*)(["']?)([^"']*)/i,
        (_, before: string, quote: string, url: string) =>
          `${before}${quote}${rewriteUrl(url, seen)}`,
      );
    case "set-cookie":
      return rewriteCookie(value, seen);
    default:
      return value;
  }
}

/** Relative ones are right already; those of others are left alone. */
function rewriteUrl(url: string, seen: Seen): string {
  const match = /^\s*(?:(https?:)?\/\/([^/?#]*))?(\/?[^\s]*)/i.exec(url);
  const [, scheme = "", authority, path = ""] = match ?? [];
  if (authority === undefined) return path.startsWith("/") ? outsidePath(path, seen) : url;
  const own = authority.toLowerCase();
  const insideHost = seen.inside.slice(seen.inside.indexOf("//") + 2);
  const outsideHost = seen.origin.slice(seen.origin.indexOf("//") + 2);
  const isOwn = [insideHost, outsideHost].some((host) => isSameHost(own, host, scheme));
  if (!isOwn) return url;
  const tail = path.startsWith("/") ? path : `/${path}`;
  return `${seen.origin}${outsidePath(tail, seen)}`;
}

/** With the usual port of the scheme or without it. */
function isSameHost(own: string, host: string, scheme: string): boolean {
  const usual = scheme.toLowerCase() === "https:" ? ":443" : ":80";
  const plain = (text: string): string => text.replace(/:(?:443|80)$/, "");
  return own === host || (own.endsWith(usual) && plain(own) === plain(host)) || own === plain(host);
}

function outsidePath(path: string, { prefix, isStripped, base }: Seen): string {
  const isBelowBase = base !== "" && isWithin(path, base);
  const own = isBelowBase ? path.slice(base.length) || "/" : path;
  if (prefix === "" || !isStripped || isWithin(own, prefix)) return own;
  return `${prefix}${own}`;
}

function isWithin(path: string, top: string): boolean {
  const next = path[top.length];
  return (
    path.startsWith(top) && (next === undefined || next === "/" || next === "?" || next === "#")
  );
}

/**
 * Without Domain it goes back to this host only. Its Path keeps it from the other instances of the origin;
 * a `__Host-` cookie has none but "/" (RFC 6265bis §4.1.3.2), or browsers throw it away.
 */
function rewriteCookie(value: string, seen: Seen): string {
  const [pair = "", ...attributes] = value.split(";");
  const isHost = /^\s*__Host-/i.test(pair);
  const kept = attributes.filter((attribute) => !/^\s*domain\s*(=|$)/i.test(attribute));
  if (isHost || seen.prefix === "") return [pair, ...kept].join(";");
  const paths = kept.map((attribute) =>
    attribute.replace(
      /^(\s*path)(?:\s*=\s*(.*))?$/i,
      (_, name: string, path = "") => `${name}=${cookiePath(path.trim(), seen)}`,
    ),
  );
  const isEverywhere = seen.isTop && !kept.some((attribute) => /^\s*path\s*(=|$)/i.test(attribute));
  return [pair, ...paths, ...(isEverywhere ? [` Path=${seen.prefix}/`] : [])].join(";");
}

function cookiePath(path: string, seen: Seen): string {
  if (!path.startsWith("/")) return `${seen.prefix}/`;
  const own = outsidePath(path, seen);
  return isWithin(own, seen.prefix) ? own : `${seen.prefix}/`;
}
