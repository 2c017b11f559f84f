/**
 * What a phone may not bring about by its answers. A telephone system that has credentials for somebody
 * (a trunk, another system) may give them to whoever asks: a caller who answers its BYE with a challenge would
 * get a digest to guess the password from (CVE-2021-41158). Phones that protect themselves challenge what
 * begins a dialog, such as check-sync; within one they know who speaks.
 */
import type { SipRequest, SipResponse } from "../sip/message.ts";
import { tagOf } from "../sip/name-addr.ts";
import { reasonPhrase } from "../sip/reason-phrase.ts";

const CHALLENGES = ["www-authenticate", "proxy-authenticate"] as const;
const CREDENTIALS = ["authorization", "proxy-authorization"] as const;

/**
 * Turns a challenge that nobody expected into 481: to the instance the dialog is over. Expected is one to a
 * request that carries credentials already, of a phone that has challenged the dialog's first one.
 */
export function refuseChallenge(request: SipRequest, response: SipResponse): boolean {
  if (response.status !== 401 && response.status !== 407) return false;
  if (tagOf(request.headers.get("to") ?? "") === undefined) return false;
  if (CREDENTIALS.some((name) => request.headers.has(name))) return false;
  response.status = 481;
  response.reason = reasonPhrase(481);
  for (const name of CHALLENGES) response.headers.remove(name);
  return true;
}
