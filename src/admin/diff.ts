/** What differs between two documents, field by field, for people: secrets are named, never shown. */
import { isSame } from "./canonical.ts";
import type { Change } from "./operations.ts";

const SECRETS = new Set(["certificateKey", "provisioningKey"]);
const MASK = "(secret)";

type Members = Readonly<Record<string, unknown>>;

function isMembers(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A list whose entries all have a name, by name; null = another list. */
function byName(value: unknown): Map<string, unknown> | null {
  if (!Array.isArray(value)) return null;
  const named = value.filter((entry) => isMembers(entry) && typeof entry["name"] === "string");
  if (named.length !== value.length) return null;
  return new Map(named.map((entry) => [String(entry.name), entry]));
}

function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked);
  if (!isMembers(value)) return value;
  const entries = Object.entries(value).map(([key, member]) => [
    key,
    SECRETS.has(key) && member !== null ? MASK : masked(member),
  ]);
  return Object.fromEntries(entries);
}

function unionOf(a: Iterable<string>, b: Iterable<string>): string[] {
  return [...new Set([...a, ...b])];
}

/** Paths carry names for indexes: `proxies[dmz].voipSip`. */
export function differences(before: unknown, after: unknown, path = ""): Change[] {
  if (isSame(before ?? null, after ?? null)) return [];
  const key = path.slice(path.lastIndexOf(".") + 1);
  if (SECRETS.has(key)) {
    const told = (value: unknown) => (value == null ? value : MASK);
    return [{ path, before: told(before), after: told(after) }];
  }
  const [named, namedAfter] = [byName(before), byName(after)];
  if (named !== null && namedAfter !== null && named.size + namedAfter.size > 0) {
    return unionOf(named.keys(), namedAfter.keys()).flatMap((name) =>
      differences(named.get(name), namedAfter.get(name), `${path}[${name}]`),
    );
  }
  if (isMembers(before) && isMembers(after)) {
    return unionOf(Object.keys(before), Object.keys(after)).flatMap((member) =>
      differences(before[member], after[member], path === "" ? member : `${path}.${member}`),
    );
  }
  return [{ path, before: masked(before), after: masked(after) }];
}
