/**
 * Phones that send from one port and listen on another (RFC 3261 §18.2.2 knew no NAT). Everybody is answered
 * where the request came from (RFC 3581 without being asked), except these: known by their User-Agent, and
 * only while they do not ask for rport, as they do where NAT was configured.
 */
import type { Endpoint } from "../io/types.ts";
import type { SipRequest } from "./message.ts";
import { parseVia, viaParam } from "./via.ts";

/** Cisco 7940, 7960 and their kin: send from a port near 50000, listen on the one in Via. */
const LISTENS_ELSEWHERE: readonly RegExp[] = [/^Cisco-CP79\d\d/i, /^CSCO\//i];

const DEFAULT_PORT = 5060;

/** Where the sender of this datagram wants to be spoken to; never at another address than its own. */
export function replyEndpoint(request: SipRequest, source: Endpoint): Endpoint {
  const agent = request.headers.get("user-agent");
  if (agent === undefined || !LISTENS_ELSEWHERE.some((known) => known.test(agent))) return source;
  const via = parseVia(request.headers.firstValue("via") ?? "");
  if (viaParam(via, "rport") !== undefined) return source;
  return { address: source.address, port: via.port ?? DEFAULT_PORT };
}
