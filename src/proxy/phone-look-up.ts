/**
 * Whose configuration an HTTP request asks for. Whatever is asked, the same work is done: one path is read, one
 * token is opened, one instance is looked up, so that time tells nothing about why there is nothing.
 */
import type { ProxyConfig } from "../config/config.ts";
import { readTarget } from "../http/target.ts";
import { askedFor, instancePath } from "../provisioning/path.ts";
import type { ProvisioningTokens } from "../provisioning/token.ts";
import type { Instance, Instances } from "./instances.ts";

export type FoundPhone = {
  readonly instance: Instance;
  /** What the instance is asked for, below its URL. */
  readonly target: string;
  /** Where the phone's own part of the paths begins: as it asks, and as the instance is asked. */
  readonly outside: string;
  readonly inside: string;
};

export type LookUp = {
  /** null = there is nothing of this. */
  readonly found: FoundPhone | null;
  /** A token was shown, so nobody guesses. */
  readonly isByToken: boolean;
  /** What was looked for, for the counting of failures; never logged. */
  readonly what: string;
};

type Place = {
  readonly mode: ProxyConfig["phoneProvisioning"];
  readonly tokens: ProvisioningTokens;
  readonly instances: Pick<Instances, "byName">;
};

/** A token is good by HTTPS in each mode, so that phones go on when the mode is changed. */
export function lookUpPhone(
  request: { readonly method: string; readonly target: string; readonly isTls: boolean },
  { mode, tokens, instances }: Place,
): LookUp {
  const read = readTarget(request.target);
  const asked = read === null ? null : askedFor(read.path.slice(1).split("/"));
  const shown = tokens.open(asked?.token ?? "");
  const byToken = request.isTls && mode !== "off" ? shown : null;
  const isPlainGood = mode === "http-and-https" || (mode === "https" && request.isTls);
  const plain = isPlainGood ? (asked?.plain ?? null) : null;
  const phone = byToken ?? plain;
  const instance = instances.byName(phone?.instance ?? "");
  const isRead = request.method === "GET" || request.method === "HEAD";
  const rest = byToken === null ? (plain?.rest ?? []) : (asked?.behindToken ?? []);
  const isByToken = byToken !== null;
  const what = phone === null ? (asked?.token ?? request.target) : `${phone.instance}/${phone.mac}`;
  if (phone === null || instance === undefined || !isRead) return { found: null, isByToken, what };
  const own = { instance: instance.name, mac: phone.mac };
  const target = `${instancePath({ ...own, rest })}${read?.query ?? ""}`;
  const outside = byToken === null ? instancePath({ ...phone, rest: [] }) : `/p/${asked?.token}`;
  const inside = instancePath({ ...own, rest: [] });
  return { found: { instance, target, outside, inside }, isByToken, what };
}
