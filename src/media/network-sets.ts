/**
 * Sets of networks ready for look-ups, remembered by their text: the same few lists (what is nobody's address,
 * our own addresses, an instance's networks) come with each answer of each call. Bounded; shared by all
 * calls of the thread, since a set never changes.
 */
import { type NetworkSet, networkSet } from "../config/address-class.ts";

/** More differing lists than a proxy has instances and sides. */
const SETS_MAX = 256;
const sets = new Map<string, NetworkSet>();

/** As networkSet(), made once for each list of CIDRs. */
export function knownNetworkSet(cidrs: readonly string[]): NetworkSet {
  const key = cidrs.join(" ");
  const known = sets.get(key);
  if (known !== undefined) return known;
  const made = networkSet(cidrs);
  if (sets.size >= SETS_MAX) sets.clear();
  sets.set(key, made);
  return made;
}
