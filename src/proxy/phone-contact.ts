/**
 * A phone's Contact as its instance sees it. Asterisk knows a contact by its URI alone, so two homes where a
 * phone has the same private address would overwrite each other: a parameter of ours, stable for one phone,
 * tells them apart (RFC 3261 §19.1.1 lets any URI carry it). Inside a `sips:` URI or a transport of the
 * phone's side would send the instance looking for that transport, so both become what is spoken inside;
 * the parameter says what they were, and nothing has to be remembered. Pure.
 *
 *   sips:100@192.168.1.10   <->   sip:100@192.168.1.10;transport=udp;pq=1f2e3d4csn
 */
import { createHash } from "node:crypto";
import { getParam, type NameAddr } from "../sip/name-addr.ts";
import { SipSyntaxError } from "../sip/syntax-error.ts";
import {
  formatSipUri,
  isSipUri,
  parseSipUri,
  type SipUri,
  uriParam,
  withoutUriParam,
  withUriParam,
} from "../sip/uri.ts";

export type InnerTransport = "udp" | "tcp" | "tls";

const PARAM = "pq";
/** Whose it is (not said within a dialog), whether it was sips, which transport it named (n = none). */
const VALUE = /^([0-9a-f]{8})?(s?)([nutl]?)$/;
const LETTERS: Readonly<Record<string, string>> = { udp: "u", tcp: "t", tls: "l" };
const TRANSPORTS: Readonly<Record<string, string>> = { u: "udp", t: "tcp", l: "tls" };
/** A URI in the text of a header or of XML, parameters included. */
const URI = /\bsips?:[^\s<>",?]+/gi;

/** 8 hex digits for what stays the same for one phone. */
export function ownerOf(phone: string): string {
  return createHash("sha256").update(phone).digest("hex").slice(0, 8);
}

/** What a phone calls itself over reboots and address changes (RFC 5626 §4.1), or null. */
export function instanceIdOf(address: NameAddr): string | null {
  return getParam(address, "+sip.instance") ?? null;
}

/** `owner` null: within a dialog, where nobody compares Contacts. */
export function toInside(uri: string, owner: string | null, inner: InnerTransport): string {
  if (!isSipUri(uri)) return uri;
  const parsed = parseSipUri(uri);
  const plain = spokenInside(parsed, inner);
  const code = plain === parsed ? "" : changeOf(parsed);
  const value = `${owner ?? ""}${code}`;
  const bare = withoutUriParam(plain, PARAM);
  return value === "" ? uri : formatSipUri(withUriParam(bare, PARAM, value));
}

/** A Request-URI for inside: `sips:` and a foreign transport would be refused there. */
export function requestUriInside(uri: string, inner: InnerTransport): string {
  if (!isSipUri(uri)) return uri;
  const parsed = parseSipUri(uri);
  const plain = spokenInside(parsed, inner);
  return plain === parsed ? uri : formatSipUri(plain);
}

/** The same object when nothing has to change. */
function spokenInside(uri: SipUri, inner: InnerTransport): SipUri {
  const transport = uriParam(uri, "transport")?.toLowerCase();
  const isForeign = transport !== undefined && transport in LETTERS && transport !== inner;
  if (uri.scheme === "sip" && !isForeign) return uri;
  const isKnown = transport === undefined || transport in LETTERS;
  const plain: SipUri = { ...uri, scheme: "sip" };
  return isKnown ? withUriParam(plain, "transport", inner) : plain;
}

function changeOf(uri: SipUri): string {
  const transport = uriParam(uri, "transport")?.toLowerCase();
  const letter = transport === undefined ? "n" : (LETTERS[transport] ?? "");
  return `${uri.scheme === "sips" ? "s" : ""}${letter}`;
}

/** What the phone itself wrote; any other URI comes back as it is. */
export function toPhone(uri: string): string {
  if (!uri.toLowerCase().includes(`;${PARAM}=`) || !isSipUri(uri)) return uri;
  const parsed = parseSipUri(uri);
  const match = VALUE.exec(uriParam(parsed, PARAM) ?? "");
  const bare = withoutUriParam(parsed, PARAM);
  if (match === null) return formatSipUri(bare);
  const [, , secure, letter = ""] = match;
  const scheme = secure === "s" ? ("sips" as const) : bare.scheme;
  if (letter === "") return formatSipUri({ ...bare, scheme });
  const transport = TRANSPORTS[letter];
  const restored =
    transport === undefined
      ? withoutUriParam(bare, "transport")
      : withUriParam(bare, "transport", transport);
  return formatSipUri({ ...restored, scheme });
}

/** Whose Contact this was, or null when our parameter is not there. */
export function ownerIn(uri: SipUri): string | null {
  return VALUE.exec(uriParam(uri, PARAM) ?? "")?.[1] ?? null;
}

/** Every URI in a text, each replaced by what `change` makes of it; what is none to `change` stays. */
export function mapUris(text: string, change: (uri: string) => string): string {
  return text.replace(URI, (uri) => {
    try {
      return change(uri);
    } catch (error) {
      if (error instanceof SipSyntaxError) return uri;
      throw error;
    }
  });
}
