/**
 * Header lines on their way through (RFC 9110 §7.6.1): what is for one connection only is taken off, what
 * says where a request comes from is set by us alone. All others keep their bytes and their order. No Via:
 * servers that see one stop compressing.
 */

/** Name, value, name, value ... */
export type HeaderLines = readonly string[];

/** Transfer-Encoding goes on where a body does: the next connection is chunked as well. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * What Connection names is taken off, but for what frames or addresses a message: a body that went on without
 * its framing would be read as the next request.
 */
const NEVER_NAMED = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "content-type",
  "authorization",
  "cookie",
]);

/** Believed by applications as if it came from us, or read in place of the path that was judged. */
const OURS =
  /^(?:x-forwarded-.*|x-forwarded|forwarded|forwarded-for|x-real-ip|x-client-ip|client-ip|true-client-ip|x-cluster-client-ip|x-remote-.*|remote-addr|remote-user|x-original-.*|x-rewrite-.*|x-http-destinationurl|x-proxy-url|x-host|proxy|via|expect|strict-transport-security)$/;

const NO_LETTER = /[^a-z0-9-]/g;

/** Of a response, what takes hold of the whole origin, which instances may share, or names another server. */
const OF_ORIGIN = new Set([
  "strict-transport-security",
  "alt-svc",
  "clear-site-data",
  "service-worker-allowed",
  "public-key-pins",
  // Network error logging tells its collector the URLs of all others of the origin, too.
  "nel",
  "report-to",
]);

/**
 * They sign in a connection, not a request (RFC 4559 §6), and ours to the instance are used by all clients: the
 * next one would be signed in as the last.
 */
const OF_CONNECTION = /^\s*(?:ntlm|negotiate)(?![a-z0-9])/i;

export type ClientSide = {
  /** As sockets write it. */
  readonly address: string;
  readonly isTls: boolean;
  /** The Host the client named. */
  readonly host: string;
  /** What was taken off the path: "/mycompany", or "". */
  readonly prefix: string;
};

export function headerValue(headers: HeaderLines, name: string): string | null {
  for (let at = 0; at < headers.length; at += 2) {
    const own = headers[at]!;
    if (own.length === name.length && own.toLowerCase() === name) return headers[at + 1]!;
  }
  return null;
}

/** Of a request, ready for the instance. `host` null = the client's stays. */
export function requestHeaders(
  headers: HeaderLines,
  client: ClientSide,
  host: string | null,
): string[] {
  const named = namedByConnection(headers);
  const out: string[] = ["Host", host ?? client.host];
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!;
    const lower = name.toLowerCase();
    if (lower === "host" || named.has(lower)) continue;
    if (lower === "transfer-encoding") out.push(name, "chunked");
    // CGI makes no difference between "_" or "." and "-".
    if (HOP_BY_HOP.has(lower) || OURS.test(lower.replace(NO_LETTER, "-"))) continue;
    const value = headers[at + 1]!;
    if (lower === "authorization" && OF_CONNECTION.test(value)) continue;
    out.push(name, value);
  }
  return [...out, ...forwarding(client)];
}

/** Of a request that changes the protocol: with the two lines that do. */
export function upgradeHeaders(
  headers: HeaderLines,
  client: ClientSide,
  host: string | null,
): string[] {
  const protocol = headerValue(headers, "upgrade") ?? "";
  return [...requestHeaders(headers, client, host), "Connection", "Upgrade", "Upgrade", protocol];
}

/** Of a response, ready for the client; rewrite() sees each line that stays. */
export function responseHeaders(
  headers: HeaderLines,
  rewrite: (lower: string, value: string) => string | null,
): string[] {
  const named = namedByConnection(headers);
  const out: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    const lower = headers[at]!.toLowerCase();
    if (HOP_BY_HOP.has(lower) || OF_ORIGIN.has(lower) || named.has(lower)) continue;
    if (lower === "www-authenticate" && OF_CONNECTION.test(headers[at + 1]!)) continue;
    const value = rewrite(lower, headers[at + 1]!);
    if (value !== null) out.push(headers[at]!, value);
  }
  return out;
}

const NOTHING: ReadonlySet<string> = new Set();

function namedByConnection(headers: HeaderLines): ReadonlySet<string> {
  let named: Set<string> | null = null;
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!;
    if (name.length !== 10 || name.toLowerCase() !== "connection") continue;
    const value = headers[at + 1]!.toLowerCase();
    if (value === "keep-alive" || value === "close") continue;
    named ??= new Set();
    for (const one of value.split(",")) if (!NEVER_NAMED.has(one.trim())) named.add(one.trim());
  }
  return named ?? NOTHING;
}

/** RFC 7239, and the lines that were there before it. */
function forwarding({ address, isTls, host, prefix }: ClientSide): string[] {
  const proto = isTls ? "https" : "http";
  const node = address.includes(":") ? `"[${address}]"` : address;
  const lines = ["X-Forwarded-For", address, "X-Forwarded-Proto", proto, "X-Forwarded-Host", host];
  if (prefix !== "") lines.push("X-Forwarded-Prefix", prefix);
  lines.push("Forwarded", `for=${node};host="${host}";proto=${proto}`);
  return lines;
}
