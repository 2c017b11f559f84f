/**
 * SIP and SIPS URIs (RFC 3261 §19.1): sip:user:password@host:port;params?headers. The user part, the
 * parameters and the headers stay raw, escapes included, so that what we do not change is written back.
 */
import { formatHostPort, parseHostPort } from "./host-port.ts";
import { hasNonUriChar } from "./lexical.ts";
import { findParam, formatParams, type Param, removeParam, replaceParam } from "./param-list.ts";
import { remembered } from "./remembered.ts";
import { SipSyntaxError } from "./syntax-error.ts";

export type UriParam = Param;

export type SipUri = {
  readonly scheme: "sip" | "sips";
  /** Raw and escaped; may hold ;params and :password. null = no "@". */
  readonly user: string | null;
  /** Lower case, IPv6 in []. */
  readonly host: string;
  readonly port: number | null;
  readonly params: readonly UriParam[];
  /** Raw text after "?", or null. */
  readonly headers: string | null;
};

/** True for the schemes parseSipUri reads; false for tel:, urn: and the like. */
export function isSipUri(text: string): boolean {
  return schemeLength(text) > 0;
}

/** 4 for "sip:", 5 for "sips:" in any case, else 0. */
function schemeLength(text: string): number {
  if (text.startsWith("sip:")) return 4;
  const start = text.slice(0, 5).toLowerCase();
  if (start.startsWith("sip:")) return 4;
  return start === "sips:" ? 5 : 0;
}

/** Throws SipSyntaxError, also for other schemes. */
export const parseSipUri: (text: string) => SipUri = remembered(readSipUri);

function readSipUri(text: string): SipUri {
  const start = schemeLength(text);
  if (start === 0) throw new SipSyntaxError("not a SIP URI");
  if (hasNonUriChar(text)) throw new SipSyntaxError("bad character in a URI");
  // The user part may hold ";" and "?", but never an unescaped "@": the first one ends it.
  const at = text.indexOf("@", start);
  if (at === start) throw new SipSyntaxError("empty user part in a URI");
  const hostStart = at < 0 ? start : at + 1;
  const question = text.indexOf("?", hostStart);
  const end = question < 0 ? text.length : question;
  const semicolon = text.indexOf(";", hostStart);
  const hostEnd = semicolon < 0 || semicolon > end ? end : semicolon;
  return {
    scheme: start === 4 ? "sip" : "sips",
    user: at < 0 ? null : text.slice(start, at),
    ...parseHostPort(text.slice(hostStart, hostEnd)),
    params: hostEnd === end ? [] : parseUriParams(text.slice(hostEnd + 1, end)),
    headers: question < 0 ? null : text.slice(question + 1),
  };
}

function parseUriParams(text: string): UriParam[] {
  if (text.includes("@")) throw new SipSyntaxError("second @ in a URI");
  const params: UriParam[] = [];
  for (const part of text.split(";")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const name = equals < 0 ? part : part.slice(0, equals);
    if (name === "") throw new SipSyntaxError("parameter without a name in a URI");
    params.push({ name, value: equals < 0 ? null : part.slice(equals + 1) });
  }
  return params;
}

export function formatSipUri(uri: SipUri): string {
  const user = uri.user === null ? "" : `${uri.user}@`;
  const headers = uri.headers === null ? "" : `?${uri.headers}`;
  const rest = formatHostPort(uri.host, uri.port) + formatParams(uri.params);
  return `${uri.scheme}:${user}${rest}${headers}`;
}

/** undefined = absent, null = flag (lr). `name` in lower case. */
export function uriParam(uri: SipUri, name: string): string | null | undefined {
  return findParam(uri.params, name);
}

export function withUriParam(uri: SipUri, name: string, value: string | null): SipUri {
  return { ...uri, params: replaceParam(uri.params, name, value) };
}

export function withoutUriParam(uri: SipUri, name: string): SipUri {
  return { ...uri, params: removeParam(uri.params, name) };
}
