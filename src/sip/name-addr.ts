/**
 * name-addr and addr-spec with header parameters, as in From, To, Contact, Route, Path (RFC 3261 §20.10):
 * "Name" <uri>;params. Without <> all parameters belong to the header. The URI is not parsed here.
 */
import { isAbsoluteUri, quotedStringEnd, skipLws, trimLws } from "./lexical.ts";
import {
  findParam,
  formatParams,
  type Param,
  parseHeaderParams,
  removeParam,
  replaceParam,
} from "./param-list.ts";
import { remembered } from "./remembered.ts";
import { SipSyntaxError } from "./syntax-error.ts";

export type NameAddr = {
  /** Raw, with its quotes; "" = none. */
  readonly displayName: string;
  /** Raw text between <>, or "*" of a Contact. */
  readonly uri: string;
  readonly params: readonly Param[];
};

/** Takes one value (of a list: already cut). Throws SipSyntaxError. */
export const parseNameAddr: (value: string) => NameAddr = remembered(readNameAddr);

function readNameAddr(value: string): NameAddr {
  const start = skipLws(value, 0);
  let nameEnd = start;
  if (value.charCodeAt(start) === 0x22) {
    nameEnd = quotedStringEnd(value, start);
    if (nameEnd < 0) throw new SipSyntaxError("quoted string without end");
    if (value.charCodeAt(skipLws(value, nameEnd)) !== 0x3c) {
      throw new SipSyntaxError("no <URI> after a display name");
    }
  }
  const open = value.indexOf("<", nameEnd);
  const semicolon = value.indexOf(";", nameEnd);
  // A "<" behind the first ";" is in a quoted parameter: sip:a@b;+sip.instance="<urn:uuid:...>".
  if (open < 0 || (semicolon >= 0 && semicolon < open)) return parseAddrSpec(value, start);
  const displayName = trimLws(value, start, open);
  if (nameEnd === start && hasSpecial(displayName)) throw new SipSyntaxError("bad display name");
  const close = value.indexOf(">", open);
  if (close < 0) throw new SipSyntaxError("< without >");
  // Spaces just inside the brackets are forgiven, as RFC 4475 §3.1.2.14 allows.
  const uri = checkUri(trimLws(value, open + 1, close));
  return { displayName, uri, params: parseHeaderParams(value, close + 1) };
}

function parseAddrSpec(value: string, start: number): NameAddr {
  const semicolon = value.indexOf(";", start);
  const end = semicolon < 0 ? value.length : semicolon;
  const uri = trimLws(value, start, end);
  // A URI with a comma needs <> (RFC 3261 §20): without them this is a second value.
  if (uri.includes(",")) throw new SipSyntaxError("comma in a URI without <>");
  const params = parseHeaderParams(value, end);
  return { displayName: "", uri: uri === "*" ? uri : checkUri(uri), params };
}

/** Characters that only a quoted display name may hold, and that would hide where the URI begins. */
function hasSpecial(displayName: string): boolean {
  for (let at = 0; at < displayName.length; at++) {
    const code = displayName.charCodeAt(at);
    if (code === 0x22 || code === 0x2c || code === 0x3e) return true;
  }
  return false;
}

function checkUri(uri: string): string {
  if (!isAbsoluteUri(uri)) throw new SipSyntaxError("bad URI in a header");
  return uri;
}

export function formatNameAddr(address: NameAddr): string {
  const params = formatParams(address.params);
  if (address.uri === "*") return `*${params}`;
  const name = address.displayName === "" ? "" : `${address.displayName} `;
  return `${name}<${address.uri}>${params}`;
}

/** undefined = absent, null = flag. `name` in lower case. */
export function getParam(address: NameAddr, name: string): string | null | undefined {
  return findParam(address.params, name);
}

export function withParam(address: NameAddr, name: string, value: string | null): NameAddr {
  return { ...address, params: replaceParam(address.params, name, value) };
}

export function withoutParam(address: NameAddr, name: string): NameAddr {
  return { ...address, params: removeParam(address.params, name) };
}

/** The tag of a From or To value; undefined when there is none. Throws SipSyntaxError. */
export function tagOf(headerValue: string): string | undefined {
  return findParam(parseNameAddr(headerValue).params, "tag") ?? undefined;
}
