/**
 * Makes the machine like a plan. Two ways: `applyPlan` all or nothing (a failure brings back what was), and
 * `enforcePlan` as much as can be, for the boot and for the undo, where there is nothing to go back to.
 */
import { type Changes, changesTo, type Target, targetBack, targetOf } from "./changes.ts";
import { type Observed, observe, observeBans } from "./observe.ts";
import type { NetworkPlan } from "./plan.ts";
import { doStep, type NetworkSystem, type Step } from "./system.ts";

/** The machine did not become like the plan; it is as it was, or as `message` says. */
export class NetworkError extends Error {
  override readonly name = "NetworkError";
}

const NOTHING: Observed = { links: [], netplan: null, rules: [], mark: null, firewall: null };

/** False = it was like that already, nothing was done. Rejects with NetworkError. */
export async function applyPlan(system: NetworkSystem, plan: NetworkPlan): Promise<boolean> {
  const target = targetOf(plan);
  const { before, steps } = await prepare(system, target);
  if (steps.length === 0) return false;
  try {
    for (const step of steps) await doStep(system, step);
    await verify(system, target);
    return true;
  } catch (error) {
    const left = await enforce(system, targetBack(before), false);
    const additionally = left.length === 0 ? "" : `; going back, additionally: ${left.join("; ")}`;
    throw new NetworkError(`${messageOf(error)}${additionally}`, { cause: error });
  }
}

/** Everything that can be tried without touching anything. */
async function prepare(
  system: NetworkSystem,
  target: Target,
): Promise<{ readonly before: Observed; readonly steps: readonly Step[] }> {
  try {
    const before = await observe(system);
    const { tries, steps } = await changes(system, target, before);
    for (const step of tries) await doStep(system, step);
    return { before, steps };
  } catch (error) {
    throw new NetworkError(messageOf(error), { cause: error });
  }
}

/** networkd or somebody else may have taken away what was just made. */
async function verify(system: NetworkSystem, target: Target): Promise<void> {
  const left = await changes(system, target, await observe(system));
  if (left.steps.length > 0) throw new Error("the network did not stay as it was made");
}

/** What could not be done, in words; empty = the machine is like the plan. Never rejects. */
export async function enforcePlan(
  system: NetworkSystem,
  plan: NetworkPlan,
  { isBoot }: { readonly isBoot: boolean },
): Promise<readonly string[]> {
  return enforce(system, targetOf(plan), isBoot);
}

/** Bans are read only where the table is loaded anew; it then takes them along. */
async function changes(
  system: NetworkSystem,
  target: Target,
  observed: Observed,
  isBoot = false,
): Promise<Changes> {
  const isReplaced = observed.mark !== null && target.firewall?.mark !== observed.mark;
  const bans = isReplaced ? await observeBans(system) : [];
  return changesTo(target, observed, { bans, isBoot });
}

/** Each part by itself: a firewall that fails shall not keep eth0 without an address. */
async function enforce(
  system: NetworkSystem,
  target: Target,
  isBoot: boolean,
): Promise<readonly string[]> {
  const failures: string[] = [];
  const attempt = async <T>(doing: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await doing();
    } catch (error) {
      failures.push(messageOf(error));
      return otherwise;
    }
  };
  const observed = await attempt(() => observe(system), NOTHING);
  const { tries, steps } = await attempt(
    () => changes(system, target, observed, isBoot),
    changesTo(target, observed, { bans: [], isBoot }),
  );
  const written = tries.filter((step) => "write" in step);
  for (const step of [...written, ...steps]) await attempt(() => doStep(system, step), undefined);
  return failures;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
