/** networkd answers before it has done its work: an address counts when the kernel shows it. */
import type { Clock } from "../io/types.ts";
import { type Link, observeLinks } from "./observe.ts";
import type { PlannedAddress } from "./plan.ts";
import type { NetworkSystem } from "./system.ts";

const STEP_MS = 250;
const PATIENCE_MS = 10_000;

/**
 * Resolves when each interface that has a cable has its addresses, or when patience is over; with those that
 * are missing then, each in words. A missing one is no failure: the cable may come later.
 */
export async function awaitAddresses(
  system: NetworkSystem,
  clock: Clock,
  planned: readonly PlannedAddress[],
): Promise<readonly string[]> {
  const end = clock.now() + PATIENCE_MS;
  for (;;) {
    const links = await observeLinks(system);
    const missing = planned.flatMap((one) => missingOf(one, links));
    const mayCome = missing.some(({ isComing }) => isComing);
    if (!mayCome || clock.now() >= end) return missing.map(({ text }) => text);
    await new Promise<void>((resolve) => void clock.after(STEP_MS, resolve));
  }
}

function missingOf(
  { interface: name, address }: PlannedAddress,
  links: readonly Link[],
): readonly { readonly text: string; readonly isComing: boolean }[] {
  const link = links.find((one) => one.name === name);
  if (link?.addresses.includes(address) === true) return [];
  const at = `${address} on ${name}`;
  if (link === undefined) return [{ text: `${at}: there is no such interface`, isComing: false }];
  if (!link.hasCarrier) return [{ text: `${at}: no cable`, isComing: false }];
  return [{ text: `${at}: not set yet`, isComing: true }];
}
