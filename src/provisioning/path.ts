/**
 * What a phone asks for: `/p/TOKEN` or `/p/INSTANCE/MAC`, with whatever phones put behind it. The path comes
 * normalised, in segments: no `.`, `..` or empty ones but perhaps the last, no encoded slash.
 */
import { canonicalMac, macWithin } from "./mac.ts";
import type { Phone } from "./token.ts";

export type AskedFor = {
  /** Where a token would stand; the caller opens it. */
  readonly token: string;
  /** Of the path when it began with a token: what goes behind the phone's own. */
  readonly behindToken: readonly string[];
  /** Instance and MAC in plain text; null = it does not have that form. */
  readonly plain: (Phone & { readonly rest: readonly string[] }) | null;
};

/** Null = nothing of ours. */
export function askedFor(segments: readonly string[]): AskedFor | null {
  const [root, first = "", ...rest] = segments;
  if (root !== "p" || first === "") return null;
  return { token: first, behindToken: rest, plain: plainForm(first, rest) };
}

/**
 * A phone that was given `/p/INSTANCE/` puts a file name there that holds its MAC; the instance is asked for
 * that file of that phone.
 */
function plainForm(instance: string, rest: readonly string[]): AskedFor["plain"] {
  const [file = "", ...behind] = rest;
  const name = unescaped(file);
  const mac = canonicalMac(name);
  const lower = instance.toLowerCase();
  if (mac !== null) return { instance: lower, mac, rest: behind };
  const within = macWithin(name);
  return within === null ? null : { instance: lower, mac: within, rest };
}

/** Phones write the colons of a MAC as %3A. */
function unescaped(segment: string): string {
  return segment.replace(/%3a/gi, ":");
}

/** The path the instance is asked for, below its URL; `instance` as it is configured. */
export function instancePath(o: {
  readonly instance: string;
  readonly mac: string;
  readonly rest: readonly string[];
}): string {
  return ["", "p", o.instance, o.mac, ...o.rest].join("/");
}
