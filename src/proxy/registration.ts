/**
 * What we change in a REGISTER and its answer. Path mode (RFC 3327): the phone's Contact stays, our token
 * goes into Path. Contact mode, for instances without Path: the Contact becomes ours, with a token of its
 * own, and is put back in the answer. Pure: headers in, headers and accepted contacts out.
 */
import type { Headers } from "../sip/headers.ts";
import type { SipRequest, SipResponse } from "../sip/message.ts";
import { formatNameAddr, getParam, type NameAddr, parseNameAddr } from "../sip/name-addr.ts";
import { isSipUri, parseSipUri, type SipUri } from "../sip/uri.ts";
import { hostPort } from "./addresses.ts";
import { bindingId } from "./bindings.ts";
import { type Place, routeUri } from "./routes.ts";

export type RegisteredContact = {
  readonly address: NameAddr;
  readonly bindingId: string;
  /** From the request: the contact's own parameter, else the Expires header; null = not said. */
  readonly expiresSeconds: number | null;
};

export type Registration = {
  /** user@domain of To, lower case. */
  readonly aor: string;
  readonly contacts: readonly RegisteredContact[];
  /** `Contact: *` */
  readonly removesAll: boolean;
};

/** RFC 3261 §10.2.1.1: what a registrar assumes when nobody says. */
const DEFAULT_EXPIRES_SECONDS = 3600;

function seconds(text: string | null | undefined): number | null {
  return text !== null && text !== undefined && /^\d{1,10}$/.test(text.trim())
    ? Number(text.trim())
    : null;
}

/** user@host in lower case, which is how bindings compare address-of-records. */
export function aorOf(headerValue: string): string {
  const { uri } = parseNameAddr(headerValue);
  if (!isSipUri(uri)) return uri.toLowerCase();
  const { user, host } = parseSipUri(uri);
  return `${user ?? ""}@${host}`.toLowerCase();
}

/** What tells a phone from others of the same user (RFC 5626 §4.1, else the Contact without parameters). */
function phoneOf(address: NameAddr): string {
  const instanceId = getParam(address, "+sip.instance");
  if (instanceId !== null && instanceId !== undefined) {
    return `${instanceId}\0${getParam(address, "reg-id") ?? ""}`;
  }
  if (!isSipUri(address.uri)) return address.uri;
  const { user, host, port } = parseSipUri(address.uri);
  return `${user ?? ""}@${hostPort(host, port ?? 0)}`;
}

/** Throws SipSyntaxError for a Contact that is none. */
export function readRegistration(request: SipRequest, instance: string): Registration {
  const aor = aorOf(request.headers.get("to") ?? "");
  const values = request.headers.values("contact");
  const headerExpires = seconds(request.headers.get("expires"));
  const contacts = values
    .filter((value) => value.trim() !== "*")
    .map((value) => {
      const address = parseNameAddr(value);
      return {
        address,
        bindingId: bindingId(instance, aor, phoneOf(address)),
        expiresSeconds: seconds(getParam(address, "expires")) ?? headerExpires,
      };
    });
  return { aor, contacts, removesAll: values.some((value) => value.trim() === "*") };
}

/** Adds `path` to Supported: Asterisk answers 420 to a Path without it. */
export function addPath(request: SipRequest, place: Place, token: string): void {
  request.headers.prepend("path", `<${routeUri(place, token)}>`);
  const supported = request.headers.values("supported").map((one) => one.trim().toLowerCase());
  if (!supported.includes("path")) request.headers.append("supported", "path");
}

/** Puts our address in place of each Contact; `tokenOf` gives each binding its token. */
export function rewriteContacts(
  request: SipRequest,
  registration: Registration,
  place: Place,
  tokenOf: (contact: RegisteredContact) => string,
): void {
  if (registration.removesAll || registration.contacts.length === 0) return;
  request.headers.remove("contact");
  for (const contact of registration.contacts) {
    const at = hostPort(place.address, place.port);
    const uri = `sip:${tokenOf(contact)}@${at};transport=${place.transport}`;
    request.headers.append("contact", formatNameAddr({ ...contact.address, uri }));
  }
}

/**
 * The Contacts of a 2xx as the phone shall see them: `trueUri` gives back what a rewritten one stood for,
 * null for another's, which the phone would take for its own.
 */
export function restoreContacts(
  response: SipResponse,
  trueUri: (user: string) => string | null,
): void {
  const restored: string[] = [];
  for (const value of response.headers.values("contact")) {
    const address = parseNameAddr(value);
    const user = isSipUri(address.uri) ? parseSipUri(address.uri).user : null;
    const uri = user === null ? null : trueUri(user);
    if (uri !== null) restored.push(formatNameAddr({ ...address, uri }));
  }
  response.headers.remove("contact");
  for (const value of restored) response.headers.append("contact", value);
}

/**
 * How long the instance keeps a contact: its own `expires` in the 2xx, else the Expires header there, else
 * what the phone asked for. 0 = it is gone.
 */
export function grantedSeconds(response: SipResponse, contact: RegisteredContact): number {
  if (contact.expiresSeconds === 0) return 0;
  const header = seconds(response.headers.get("expires"));
  const granted = contactExpires(response.headers, contact.address.uri);
  return granted ?? header ?? contact.expiresSeconds ?? DEFAULT_EXPIRES_SECONDS;
}

function contactExpires(headers: Headers, uri: string): number | null {
  let shortest: number | null = null;
  for (const value of headers.values("contact")) {
    const address = parseNameAddr(value);
    const expires = seconds(getParam(address, "expires"));
    if (sameUri(address.uri, uri)) return expires;
    if (expires !== null && (shortest === null || expires < shortest)) shortest = expires;
  }
  // An instance that rewrites Contacts lists none that we know: the shortest is safe.
  return shortest;
}

function sameUri(left: string, right: string): boolean {
  if (left === right) return true;
  if (!isSipUri(left) || !isSipUri(right)) return false;
  const [a, b] = [parseSipUri(left), parseSipUri(right)];
  const place = (uri: SipUri): string => `${uri.user} ${uri.host} ${uri.port}`;
  return place(a) === place(b);
}
