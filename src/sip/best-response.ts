/**
 * Which of several final responses goes back, and what it carries (RFC 3261 §16.7 steps 6 and 7).
 */

import { cloneResponse, type SipResponse } from "./message.ts";
import { reasonPhrase } from "./reason-phrase.ts";

/** They tell the sender how to try again. */
const TEACHING = [401, 407, 415, 420, 484];

/**
 * `finals` are 300-699 in order of arrival, at least one. Challenges of all 401 and 407 are gathered in the
 * one that is chosen. A 503 speaks of one target and becomes 500, but alone it is passed as it is: then
 * its Retry-After is just what the sender must hear.
 */
export function bestResponse(finals: readonly [SipResponse, ...SipResponse[]]): SipResponse {
  let best = finals[0];
  for (const response of finals) {
    if (rank(response.status) < rank(best.status)) best = response;
  }
  if (finals.length === 1) return best;
  if (best.status === 503) return { ...best, status: 500, reason: reasonPhrase(500) };
  return best.status === 401 || best.status === 407 ? withChallenges(best, finals) : best;
}

/** Lower is better: any 6xx, else the lowest class; in 4xx the teaching ones first and 408 last. */
function rank(status: number): number {
  if (status >= 600) return 0;
  const statusClass = Math.floor(status / 100) * 100;
  const at = TEACHING.indexOf(status);
  if (at >= 0) return statusClass + at;
  return statusClass + (status === 408 || status === 503 ? 99 : 50);
}

function withChallenges(best: SipResponse, finals: readonly SipResponse[]): SipResponse {
  const gathered = cloneResponse(best);
  for (const response of finals) {
    if (response === best) continue;
    const name = challengeOf(response.status);
    if (name === null) continue;
    for (const value of response.headers.lines(name)) gathered.headers.append(name, value);
  }
  return gathered;
}

function challengeOf(status: number): "www-authenticate" | "proxy-authenticate" | null {
  if (status === 401) return "www-authenticate";
  return status === 407 ? "proxy-authenticate" : null;
}
