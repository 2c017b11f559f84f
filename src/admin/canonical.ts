/**
 * JSON in one spelling (keys sorted), so that equal values have equal texts: for entity tags (RFC 9110
 * section 8.8.3), and to see whether two documents differ.
 */
import { createHash } from "node:crypto";

/** `undefined` members are left out, as JSON.stringify does. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => {
    if (typeof member !== "object" || member === null || Array.isArray(member)) return member;
    const entries = Object.entries(member as Record<string, unknown>);
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

export function isSame(a: unknown, b: unknown): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

/** A strong entity tag with its quotes. Secrets may go in: 144 bits of a hash tell nothing of a strong key. */
export function etagOf(value: unknown): string {
  const hash = createHash("sha256").update(canonicalJson(value)).digest();
  return `"${hash.subarray(0, 18).toString("base64url")}"`;
}
