/**
 * What we change in a REGISTER and its answer. Path mode (RFC 3327): the phone's Contact stays but for what
 * tells phones apart, our token goes into Path. Contact mode, for instances without Path: the Contact
 * becomes ours, with a token of its own. In the answer the phone sees its own Contact, and no other's, which
 * it would take for its own. Pure: headers in, headers and accepted contacts out.
 */
import type { Headers } from "../sip/headers.ts";
import type { SipRequest, SipResponse } from "../sip/message.ts";
import { formatNameAddr, getParam, type NameAddr, parseNameAddr } from "../sip/name-addr.ts";
import { isSipUri, parseSipUri } from "../sip/uri.ts";
import { hostPort, plainHost } from "./addresses.ts";
import { bindingId, isSamePlace } from "./bindings.ts";
import { instanceIdOf, ownerIn, ownerOf } from "./phone-contact.ts";
import { type Place, routeUri } from "./routes.ts";

export type RegisteredContact = {
  readonly address: NameAddr;
  readonly bindingId: string;
  /** @see Binding.owner */
  readonly owner: string;
  /** From the request: the contact's own parameter, else the Expires header; null = not said. */
  readonly expiresSeconds: number | null;
};

/** A contact on its way to the instance. */
export type InsideContact = { readonly contact: RegisteredContact; readonly insideUri: string };

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

/** What tells a phone from others of the same user (RFC 5626 §4.1, else its owner and where it says it is). */
function phoneOf(address: NameAddr, owner: string): string {
  const instanceId = instanceIdOf(address);
  if (instanceId !== null) return `${instanceId}\0${getParam(address, "reg-id") ?? ""}`;
  if (!isSipUri(address.uri)) return `${owner}\0${address.uri}`;
  const { user, host, port } = parseSipUri(address.uri);
  return `${owner}\0${user ?? ""}@${hostPort(host, port ?? 0)}`;
}

/**
 * `ownerOfContact` is asked where the phone has no instance id. A flow of a phone with one (reg-id) is not
 * told apart by its owner: its contacts mean one phone, which shall ring once. Throws SipSyntaxError for a
 * Contact that is none.
 */
export function readRegistration(
  request: SipRequest,
  instance: string,
  ownerOfContact: (aor: string, contactUri: string) => string,
): Registration {
  const aor = aorOf(request.headers.get("to") ?? "");
  const values = request.headers.values("contact");
  const headerExpires = seconds(request.headers.get("expires"));
  const contacts = values
    .filter((value) => value.trim() !== "*")
    .map((value) => {
      const address = parseNameAddr(value);
      const instanceId = instanceIdOf(address);
      const owner =
        instanceId === null ? ownerOfContact(aor, address.uri) : ownerOf(instanceId.toLowerCase());
      return {
        address,
        owner,
        bindingId: bindingId(instance, aor, phoneOf(address, owner)),
        expiresSeconds: seconds(getParam(address, "expires")) ?? headerExpires,
      };
    });
  return { aor, contacts, removesAll: values.some((value) => value.trim() === "*") };
}

/**
 * Adds `path` to Supported: Asterisk answers 420 to a Path without it. `isOutbound`: the registrar shall know
 * that we are the phone's first hop and keep its flow (RFC 5626 §5.1).
 */
export function addPath(
  request: SipRequest,
  place: Place,
  token: string,
  isOutbound = false,
): void {
  const ob = isOutbound ? ";ob" : "";
  request.headers.prepend("path", `<${routeUri(place, token)}${ob}>`);
  const supported = request.headers.values("supported").map((one) => one.trim().toLowerCase());
  if (!supported.includes("path")) request.headers.append("supported", "path");
}

/** Where the instance shall find each contact; `obsolete` ones of the same phone go away with it. */
export function writeContacts(
  request: SipRequest,
  contacts: readonly InsideContact[],
  obsolete: readonly string[],
): void {
  request.headers.remove("contact");
  for (const { contact, insideUri } of contacts) {
    request.headers.append("contact", formatNameAddr({ ...contact.address, uri: insideUri }));
  }
  for (const uri of obsolete) request.headers.append("contact", `<${uri}>;expires=0`);
}

/** A contact of Contact mode: ours, with a token. */
export function ownContact(place: Place, token: string): string {
  const at = hostPort(place.address, place.port);
  return `sip:${token}@${at};transport=${place.transport}`;
}

/** A contact as the phone knows it and as the instance does. */
export type KnownContact = { readonly contactUri: string; readonly insideUri: string };

/**
 * Which of the phone's contacts an instance means. It may have put our address into the Contact
 * (`rewrite_contact`) and parameters of its own, so host and port say nothing where they are ours.
 */
export function knownContact<T extends KnownContact>(
  uri: string,
  known: readonly T[],
  isOurs: (host: string) => boolean,
): T | undefined {
  const exact = known.find((one) => one.insideUri === uri);
  if (exact !== undefined || !isSipUri(uri)) return exact;
  const shown = parseSipUri(uri);
  const owner = ownerIn(shown);
  return known.find((one) => {
    if (!isSipUri(one.insideUri)) return false;
    const ours = parseSipUri(one.insideUri);
    if (ours.user !== shown.user) return false;
    if (owner !== null && owner !== ownerIn(ours)) return false;
    if (isSamePlace(one.insideUri, uri)) return true;
    const isTold = owner !== null || isOurs(plainHost(ours.host));
    return isTold && isOurs(plainHost(shown.host));
  });
}

/** The Contacts of a 2xx as the phone shall see them: its own. */
export function restoreContacts(
  response: SipResponse,
  phonesOwn: (uri: string) => string | undefined,
): void {
  const restored = new Map<string, string>();
  for (const value of response.headers.values("contact")) {
    const address = parseNameAddr(value);
    const uri = phonesOwn(address.uri);
    if (uri === undefined || restored.has(uri)) continue;
    restored.set(uri, formatNameAddr({ ...address, uri }));
  }
  response.headers.remove("contact");
  for (const value of restored.values()) response.headers.append("contact", value);
}

/**
 * How long the instance keeps a contact: its own `expires` in the 2xx, else the Expires header there, else
 * what the phone asked for. 0 = it is gone.
 */
export function grantedSeconds(
  response: SipResponse,
  contact: RegisteredContact,
  isThisOne: (uri: string) => boolean,
): number {
  if (contact.expiresSeconds === 0) return 0;
  const header = seconds(response.headers.get("expires"));
  const granted = contactExpires(response.headers, isThisOne);
  return granted ?? header ?? contact.expiresSeconds ?? DEFAULT_EXPIRES_SECONDS;
}

function contactExpires(headers: Headers, isThisOne: (uri: string) => boolean): number | null {
  let shortest: number | null = null;
  for (const value of headers.values("contact")) {
    const address = parseNameAddr(value);
    const expires = seconds(getParam(address, "expires"));
    if (isThisOne(address.uri)) return expires;
    if (expires !== null && (shortest === null || expires < shortest)) shortest = expires;
  }
  // An instance that lists none that we know: the shortest is safe.
  return shortest;
}
