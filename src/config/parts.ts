/**
 * The document taken apart for the cross-field rules: each part with those of its fields that are good by
 * themselves. So one broken field hides no rule about the others, and a broken instance none about a proxy.
 */
import type { z } from "zod";
import { type ApplianceConfig, applianceSchema } from "./appliance.ts";
import { type InstanceDocument, instanceSchema } from "./instance.ts";
import { type ProxyDocument, proxySchema } from "./proxy.ts";

/** One thing that is wrong, where (`proxies[0].rtpPorts.from`; "" = the document as a whole) and what. */
export type Problem = { readonly path: string; readonly message: string };

/** A part with the fields that parsed, defaults filled in; a missing field is either wrong or required. */
export type Part<T> = {
  readonly path: string;
  readonly index: number;
  readonly fields: Partial<T>;
};

export type Parts = {
  readonly appliance: Part<ApplianceConfig>;
  readonly instances: readonly Part<InstanceDocument>[];
  readonly proxies: readonly Part<ProxyDocument>[];
};

/** A set of cross-field rules. */
export type Rule = (parts: Parts) => Problem[];

/** Takes any value apart; what is not there or not of the right kind is simply empty. */
export function readParts(document: unknown): Parts {
  const list = (key: string): unknown[] => {
    const value = member(document, key);
    return Array.isArray(value) ? value : [];
  };
  return {
    appliance: readPart(applianceSchema, member(document, "appliance") ?? {}, "appliance", 0),
    instances: list("instances").map((value, index) =>
      readPart(instanceSchema, value, `instances[${index}]`, index),
    ),
    proxies: list("proxies").map((value, index) =>
      readPart(proxySchema, value, `proxies[${index}]`, index),
    ),
  };
}

/** A member of an object; undefined when `value` is no object or has no such member of its own. */
export function member(value: unknown, key: string | number): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string | number, unknown>)[key];
}

function readPart<S extends z.ZodObject>(
  schema: S,
  value: unknown,
  path: string,
  index: number,
): Part<z.output<S>> {
  const fields: Record<string, unknown> = {};
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    for (const [key, field] of Object.entries(schema.shape)) {
      const parsed = (field as z.ZodType).safeParse(member(value, key));
      if (parsed.success) fields[key] = parsed.data;
    }
  }
  return { path, index, fields: fields as Partial<z.output<S>> };
}
