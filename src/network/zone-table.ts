/**
 * The number of a zone: it names the zone's routing table and places its rules. It follows from the
 * interface, which no two zones share, so that it stays when other zones come and go: eth3 is 3, table 1003,
 * rules from 10030. Other names get one of the numbers from 500 on.
 */
import { createHash } from "node:crypto";

/** Tables of ours are FIRST_TABLE to LAST_TABLE, priorities 10000 to 19999. */
export const FIRST_TABLE = 1000;
export const LAST_TABLE = 1999;
const FIRST_PRIORITY = 10_000;
/** Room between zones for the operator's own rules. */
const PRIORITIES_PER_ZONE = 10;
const NUMBERED = 500;

export type ZoneNumbers = { readonly table: number; readonly priority: number };

/** Table and first priority for each interface; the same for every order of the list. */
export function zoneNumbers(interfaces: readonly string[]): ReadonlyMap<string, ZoneNumbers> {
  const taken = new Set<number>();
  const found = new Map<string, ZoneNumbers>();
  for (const name of [...interfaces].sort()) {
    let number = preferred(name);
    while (taken.has(number)) number = NUMBERED + ((number - NUMBERED + 1) % NUMBERED);
    taken.add(number);
    found.set(name, {
      table: FIRST_TABLE + number,
      priority: FIRST_PRIORITY + PRIORITIES_PER_ZONE * number,
    });
  }
  return found;
}

function preferred(name: string): number {
  const [, digits] = /^eth(0|[1-9][0-9]{0,2})$/.exec(name) ?? [];
  if (digits !== undefined && Number(digits) < NUMBERED) return Number(digits);
  return NUMBERED + (createHash("sha256").update(name).digest().readUInt32BE(0) % NUMBERED);
}
