/**
 * Programs that look for telephone systems to break into say so in User-Agent, since most who use them do
 * not know that. They get silence from their first request on: an answer is what they wait for.
 */
import type { SipRequest } from "../sip/message.ts";

const SCANNER = new RegExp(
  [
    "friendly-(scanner|request)",
    "sip-?(vicious|scan|cli|crack|sniffer|armyknife|ptk|pts)",
    "sundayddr",
    "pplsip",
    "vaxsipuseragent",
    "sv(map|war|crack)",
    "iwar",
    "sivus",
    "smap",
    "gulp",
    "masscan",
    "zgrab",
    "nmap",
  ].join("|"),
  "i",
);

export function isScanner(request: SipRequest): boolean {
  const agent = request.headers.get("user-agent");
  return agent !== undefined && SCANNER.test(agent);
}
