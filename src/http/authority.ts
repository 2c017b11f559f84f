/** The Host of a request (RFC 9110 §7.2): who it is for, as the client says. */
import { isIPv4, isIPv6 } from "node:net";

export type Authority = {
  /** In lower case, IPv6 without brackets. */
  readonly host: string;
  /** null = the usual one. */
  readonly port: number | null;
};

const NAME = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

/** null = it names no host that could be meant. */
export function readAuthority(text: string): Authority | null {
  const match = /^(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9.-]{1,253}))(?::([0-9]{1,5}))?$/i.exec(text);
  if (match === null) return null;
  const [, bracketed, plain, digits] = match;
  const host = (bracketed ?? plain ?? "").toLowerCase();
  const isGood = bracketed === undefined ? isIPv4(host) || NAME.test(host) : isIPv6(host);
  const port = digits === undefined ? null : Number(digits);
  return isGood && (port === null || (port > 0 && port < 65_536)) ? { host, port } : null;
}
