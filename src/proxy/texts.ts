/**
 * The texts of a message that crosses our border, apart from its routing headers: which lines may not pass,
 * and what happens to a text where it names what the other side must not see. Pure.
 */
import { type HeaderLine, makeHeaderLine } from "../sip/headers.ts";
import type { SipMessage, SipRequest, SipResponse } from "../sip/message.ts";
import { mediaTypeOf } from "../sip/multipart.ts";
import { formatNameAddr, parseNameAddr, tagOf } from "../sip/name-addr.ts";
import { SipSyntaxError } from "../sip/syntax-error.ts";
import { sdpPartOf } from "./sdp-part.ts";

export type TextRules = {
  /** Header lines that do not pass. */
  isDropped(name: string): boolean;
  /** A quick look whether change() would do anything. */
  touches(text: string, name: string): boolean;
  change(text: string, name: string): string;
};

/** Dealt with elsewhere, the dialog's own, or computed over by the ends (RFC 8760, RFC 8224). */
const UNTOUCHED = new Set([
  ..."via record-route route contact call-id cseq replaces join target-dialog in-reply-to".split(
    " ",
  ),
  ..."www-authenticate proxy-authenticate authentication-info authorization".split(" "),
  ..."proxy-authorization identity content-type content-length content-encoding".split(" "),
]);

/** Bodies that name URIs for a machine to use: dialog-info, PIDF, resource lists, MWI, REFER's progress. */
const NAMING_URIS =
  /^(application\/([\w.+-]+\+)?xml|application\/simple-message-summary|message\/sipfrag|multipart\/related)\b/;

/** Lines of SDP that say something to people, or that media knows nothing of; it deals with the others. */
const DESCRIBING = /^(?:[siue]=|a=(?!rtcp:|candidate:|remote-candidates:|crypto:)).*$/gm;

export function applyRules(message: SipMessage, rules: TextRules): void {
  message.headers.map((line) => changeLine(line, rules));
  if (message.body.length === 0) return;
  const change = (part: string): string => rules.change(part, "");
  const sdp = sdpPartOf(message);
  if (sdp !== "none" && sdp !== "hidden") {
    if (!rules.touches(sdp.text, "")) return;
    return setBody(message, sdp.bodyWith(sdp.text.replace(DESCRIBING, change)));
  }
  if (!NAMING_URIS.test(mediaTypeOf(message.headers.get("content-type") ?? ""))) return;
  const text = Buffer.from(message.body).toString("latin1");
  if (rules.touches(text, "")) setBody(message, change(text));
}

function setBody(message: SipMessage, text: string): void {
  message.body = Buffer.from(text, "latin1");
}

function changeLine(line: HeaderLine, rules: TextRules): HeaderLine | null {
  if (rules.isDropped(line.name)) return null;
  if (UNTOUCHED.has(line.name) || !rules.touches(line.raw, line.name)) return line;
  const value = line.value;
  const changed = rules.change(value, line.name);
  return changed === value ? line : makeHeaderLine(line.name, changed);
}

/** SDP that no call carries, hidden or not, says where somebody's media is, and leads nowhere. */
export function removeSdp(message: SipMessage): void {
  if (sdpPartOf(message) === "none") return;
  message.body = new Uint8Array(0);
  message.headers.remove("content-type");
}

/** What stands behind the URI of each Contact: GRUUs that a registrar has made (RFC 5627 §5.3). */
export function changeContactParams(message: SipMessage, change: (text: string) => string): void {
  message.headers.map((line) => {
    if (line.name !== "contact") return line;
    const value = line.value;
    const end = value.indexOf(">") + 1;
    const params = change(value.slice(end));
    if (params === value.slice(end)) return line;
    return makeHeaderLine("contact", value.slice(0, end) + params);
  });
}

/** A Contact that cannot be read passes or is dropped. */
export function changeContacts(
  message: SipMessage,
  change: (uri: string) => string,
  unreadable: "passes" | "is-dropped",
): void {
  const before = message.headers.values("contact");
  if (before.length === 0) return;
  const after = before.flatMap((value) => changedContact(value, change, unreadable));
  if (after.join() === before.join()) return;
  message.headers.remove("contact");
  for (const value of after) message.headers.append("contact", value);
}

function changedContact(
  value: string,
  change: (uri: string) => string,
  unreadable: "passes" | "is-dropped",
): readonly string[] {
  try {
    const address = parseNameAddr(value);
    const uri = address.uri === "*" ? "*" : change(address.uri);
    return [uri === address.uri ? value : formatNameAddr({ ...address, uri })];
  } catch (error) {
    if (!(error instanceof SipSyntaxError)) throw error;
    return unreadable === "passes" ? [value] : [];
  }
}

/**
 * Via, From and To of a response are those of the request it answers (RFC 3261 §8.2.6.2), as its sender
 * wrote them; only the To tag is the answerer's. `sent` is what the answerer had before it.
 */
export function restoreEnds(response: SipResponse, sent: SipRequest, received: SipRequest): void {
  response.headers.takeFrom(received.headers, "via");
  for (const name of ["from", "to"]) {
    const own = received.headers.get(name) ?? "";
    if (own === sent.headers.get(name)) continue;
    const tag = tagOf(response.headers.get(name) ?? "");
    const isTagged = tag === undefined || tagOf(own) !== undefined;
    response.headers.set(name, isTagged ? own : `${own};tag=${tag}`);
  }
}
