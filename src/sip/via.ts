/**
 * One Via value (RFC 3261 §20.42): SIP / 2.0 / UDP host:port ;params, with white space round the slashes,
 * the colon and the "=" as the grammar allows.
 */
import { formatHostPort, parseHostPort } from "./host-port.ts";
import { isLws, isToken, skipLws, trimLws } from "./lexical.ts";
import {
  findParam,
  formatParams,
  type Param,
  parseHeaderParams,
  replaceParam,
} from "./param-list.ts";
import { remembered } from "./remembered.ts";
import { SipSyntaxError } from "./syntax-error.ts";

/** Every branch of RFC 3261 starts with this (§8.1.1.7). */
export const branchCookie = "z9hG4bK";

export type Via = {
  /** As written: "UDP", "TCP", "TLS", or any other token, in any case. */
  readonly transport: string;
  /** sent-by host, lower case, IPv6 in []. */
  readonly host: string;
  readonly port: number | null;
  readonly params: readonly Param[];
};

const PROTOCOL = "SIP/2.0/";

/** Takes one value (of a list: already cut). Throws SipSyntaxError. */
export const parseVia: (value: string) => Via = remembered(readVia);

function readVia(value: string): Via {
  const transportStart = skipLws(value, protocolEnd(value));
  const transportEnd = endOfWord(value, transportStart);
  const transport = value.slice(transportStart, transportEnd);
  if (!isToken(transport)) throw new SipSyntaxError("bad Via transport");
  const semicolon = value.indexOf(";", transportEnd);
  const end = semicolon < 0 ? value.length : semicolon;
  const sentBy = parseSentBy(trimLws(value, transportEnd, end));
  return { transport, ...sentBy, params: parseHeaderParams(value, end) };
}

/** Index behind the second slash. */
function protocolEnd(value: string): number {
  if (value.startsWith(PROTOCOL)) return PROTOCOL.length;
  const first = value.indexOf("/");
  const second = value.indexOf("/", first + 1);
  const protocol = trimLws(value, 0, Math.max(first, 0)).toUpperCase();
  const version = trimLws(value, first + 1, Math.max(second, first + 1));
  if (second < 0 || protocol !== "SIP" || version !== "2.0") {
    throw new SipSyntaxError("bad Via protocol");
  }
  return second + 1;
}

function endOfWord(text: string, at: number): number {
  while (at < text.length && !isLws(text.charCodeAt(at))) at++;
  return at;
}

/** The colon before the port may have white space round it (COLON of RFC 3261 §25.1). */
function parseSentBy(text: string): { host: string; port: number | null } {
  const colon = text.lastIndexOf(":");
  if (colon < 0 || text.endsWith("]")) return parseHostPort(text);
  return parseHostPort(`${trimLws(text, 0, colon)}:${trimLws(text, colon + 1)}`);
}

export function formatVia(via: Via): string {
  const sentBy = formatHostPort(via.host, via.port);
  return `SIP/2.0/${via.transport} ${sentBy}${formatParams(via.params)}`;
}

/** undefined = absent, null = flag (rport). `name` in lower case. */
export function viaParam(via: Via, name: string): string | null | undefined {
  return findParam(via.params, name);
}

/** Replaces the parameter where it stands, or appends it. */
export function withViaParam(via: Via, name: string, value: string | null): Via {
  return { ...via, params: replaceParam(via.params, name, value) };
}
