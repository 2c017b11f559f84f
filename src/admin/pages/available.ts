/**
 * What the configuration already has and the product does not do yet. Pages say so beside each such field
 * and never show such a service as running.
 */
import type { Field } from "./fields.ts";

const NOT_YET: readonly RegExp[] = [
  /^proxy\.(manageInstances|redirectionUrl)$/,
  /^proxy\.ports\.(web|webHttp)$/,
  /^instance\.xmpp\.http$/,
  /^instance\.web\.stripPrefix$/,
];

export function isAvailable({ of, path }: Pick<Field, "of" | "path">): boolean {
  return !NOT_YET.some((pattern) => pattern.test(`${of}.${path}`));
}

/** The services of a proxy that do not exist yet, by the field that switches them. */
export const SERVICES_NOT_YET = ["manageInstances"] as const;
