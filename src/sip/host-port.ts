/**
 * host [":" port] as in URIs and Via (RFC 3261 §25.1, IPv6 as in RFC 5118). Names are checked by their
 * characters only; "_" is accepted because it exists.
 */
import { parseDecimal } from "./lexical.ts";
import { SipSyntaxError } from "./syntax-error.ts";

/** `host` is lower case, IPv6 in []; `port` null = none given. */
export type HostPort = { readonly host: string; readonly port: number | null };

const MAX_HOST_LENGTH = 255;
const IPV6_REFERENCE = /^\[[0-9a-f.]*:[0-9a-f:.]*\]$/;
const HOST_NAME = /^[a-z0-9_][a-z0-9._-]*$/;

/** Throws SipSyntaxError. No white space in or round it. */
export function parseHostPort(text: string): HostPort {
  const hostEnd = text.charCodeAt(0) === 0x5b ? text.indexOf("]") + 1 : text.indexOf(":");
  const end = hostEnd <= 0 ? text.length : hostEnd;
  const host = text.slice(0, end).toLowerCase();
  if (!isHost(host)) throw new SipSyntaxError("bad host");
  if (end === text.length) return { host, port: null };
  const port = text.charCodeAt(end) === 0x3a ? parseDecimal(text.slice(end + 1), 65535) : -1;
  if (port < 1) throw new SipSyntaxError("bad port");
  return { host, port };
}

function isHost(host: string): boolean {
  if (host.length > MAX_HOST_LENGTH) return false;
  return host.charCodeAt(0) === 0x5b ? IPV6_REFERENCE.test(host) : HOST_NAME.test(host);
}

export function formatHostPort(host: string, port: number | null): string {
  return port === null ? host : `${host}:${port}`;
}
