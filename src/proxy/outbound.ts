/**
 * RFC 5626 as the edge proxy of a phone, and what other phones get instead: the `ob` of the Path, the
 * Flow-Timer that asks a phone for keep-alives of its own, and for phones behind strict NATs an Expires so
 * short that their refreshes keep it open. Each refresh still goes to the instance. Pure.
 */
import type { SipRequest, SipResponse } from "../sip/message.ts";
import { formatNameAddr, getParam, parseNameAddr, withParam } from "../sip/name-addr.ts";
import { instanceIdOf } from "./phone-contact.ts";

/**
 * The phone speaks outbound (§4.2.1) and we are its first hop (§5.1): what stands between the two would
 * answer its keep-alives and know of a flow that we do not.
 */
export function offersOutbound(request: SipRequest): boolean {
  const supported = request.headers.values("supported").map((one) => one.trim().toLowerCase());
  if (!supported.includes("outbound") || request.headers.values("via").length !== 1) return false;
  return request.headers
    .values("contact")
    .filter((value) => value.trim() !== "*")
    .map(parseNameAddr)
    .some((one) => instanceIdOf(one) !== null && getParam(one, "reg-id") !== undefined);
}

/** §5.4: within so many seconds the phone shall send something. An instance knows nothing of our flow. */
export function setFlowTimer(response: SipResponse, seconds: number): void {
  response.headers.remove("flow-timer");
  if (seconds > 0) response.headers.append("flow-timer", String(Math.ceil(seconds)));
}

/** No contact is said to live longer, so that the phone registers again by then. */
export function capExpires(response: SipResponse, seconds: number): void {
  const { headers } = response;
  if (isAbove(headers.get("expires"), seconds)) headers.set("expires", String(seconds));
  const contacts = headers.values("contact").map((value) => {
    const address = parseNameAddr(value);
    if (!isAbove(getParam(address, "expires"), seconds)) return value;
    return formatNameAddr(withParam(address, "expires", String(seconds)));
  });
  headers.remove("contact");
  for (const contact of contacts) headers.append("contact", contact);
}

function isAbove(text: string | null | undefined, seconds: number): boolean {
  return text !== null && text !== undefined && Number(text.trim()) > seconds;
}
