/**
 * What the helper can be asked: one JSON object a line, these verbs and nothing else. No path, no unit, no
 * argument of a command comes from the peer, only names and addresses that are checked here.
 */
import { isIP } from "node:net";
import { canonicalAddress } from "../config/address-class.ts";

export type HelperRequest =
  | { readonly verb: "start" | "stop" | "reload"; readonly proxy: string }
  | { readonly verb: "apply" | "confirm" }
  | {
      readonly verb: "ban";
      readonly proxy: string;
      readonly address: string;
      readonly seconds: number;
    }
  | { readonly verb: "unban"; readonly proxy: string; readonly address: string };

/** `code` for programs, `error` one clear line for people. `ok` true: more keys depend on the verb. */
export type HelperAnswer =
  | {
      readonly ok: true;
      readonly revision?: number;
      readonly confirmBefore?: string | null;
      /** Host names of instances that have no address now. */
      readonly unresolved?: readonly string[];
      /** Addresses that no interface has yet, each with the reason. */
      readonly missing?: readonly string[];
    }
  | { readonly ok: false; readonly code: HelperErrorCode; readonly error: string };

export type HelperErrorCode =
  | "not-allowed"
  | "bad-request"
  | "unknown-proxy"
  | "invalid"
  | "confirm-pending"
  | "nothing-to-confirm"
  | "failed";

/** The request is none; `message` says why. */
export class RequestError extends Error {
  override readonly name = "RequestError";
}

/** More is no request. */
export const LONGEST_REQUEST_BYTES = 65_536;

const PROXY_NAME = /^[a-z0-9-]{1,32}$/;
const LONGEST_BAN_SECONDS = 31 * 86_400;

const KEYS: Readonly<Record<HelperRequest["verb"], readonly string[]>> = {
  start: ["verb", "proxy"],
  stop: ["verb", "proxy"],
  reload: ["verb", "proxy"],
  apply: ["verb"],
  confirm: ["verb"],
  ban: ["verb", "proxy", "address", "seconds"],
  unban: ["verb", "proxy", "address"],
};

/** Throws RequestError. A key that the verb does not have is refused too. */
export function parseRequest(line: string): HelperRequest {
  const fields = parseObject(line);
  const verb = Object.keys(KEYS).find((one) => one === fields["verb"]);
  if (verb === undefined) throw new RequestError("unknown verb");
  const known = KEYS[verb as HelperRequest["verb"]];
  const odd = Object.keys(fields).find((key) => !known.includes(key));
  if (odd !== undefined) throw new RequestError(`${verb} takes no ${JSON.stringify(odd)}`);
  switch (verb) {
    case "start":
    case "stop":
    case "reload":
      return { verb, proxy: proxyOf(fields) };
    case "ban":
      return {
        verb,
        proxy: proxyOf(fields),
        address: addressOf(fields),
        seconds: secondsOf(fields),
      };
    case "unban":
      return { verb, proxy: proxyOf(fields), address: addressOf(fields) };
    default:
      return { verb: verb === "apply" ? "apply" : "confirm" };
  }
}

type Fields = Readonly<Record<string, unknown>>;

function parseObject(line: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new RequestError("no JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new RequestError("no JSON object");
  }
  return value as Fields;
}

function proxyOf({ proxy }: Fields): string {
  if (typeof proxy !== "string" || !PROXY_NAME.test(proxy)) {
    throw new RequestError("proxy must be the name of a proxy");
  }
  return proxy;
}

/** In its one spelling; an IPv4 address written as IPv6 counts as what it is. */
function addressOf({ address }: Fields): string {
  if (typeof address !== "string" || isIP(address) === 0 || address.includes("%")) {
    throw new RequestError("address must be an IP address");
  }
  return canonicalAddress(address);
}

function secondsOf({ seconds }: Fields): number {
  const isGood = typeof seconds === "number" && Number.isInteger(seconds) && seconds >= 1;
  if (!isGood || seconds > LONGEST_BAN_SECONDS) {
    throw new RequestError(`seconds must be a whole number from 1 to ${LONGEST_BAN_SECONDS}`);
  }
  return seconds;
}
