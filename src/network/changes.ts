/**
 * From what is to what shall be: the steps, in their order. New rules come before the addresses that need
 * them and old ones go last, since without a moment of overlap the operator's own connection would lose its
 * route. The firewall goes before the addresses: what it does not know of, it keeps closed.
 */
import { type Ban, banElements } from "./firewall-parts.ts";
import type { Observed } from "./observe.ts";
import type { NetworkPlan } from "./plan.ts";
import { type PolicyRule, ruleChanges, ruleCommand } from "./rules.ts";
import {
  FIREWALL_LOAD,
  FIREWALL_LOADED,
  GENERATE,
  NETPLAN_FILE,
  SCRATCH_ROOT,
  type Step,
} from "./system.ts";

/** What the machine shall be like. null = that part is not ours to have. */
export type Target = {
  readonly netplan: string | null;
  readonly rules: readonly PolicyRule[];
  readonly firewall: { readonly text: string; readonly mark: string } | null;
};

export function targetOf({ netplan, rules, firewall }: NetworkPlan): Target {
  return { netplan, rules, firewall };
}

/** The way back: what was observed as something to reach. A table whose text is not known stays. */
export function targetBack({ netplan, rules, firewall, mark }: Observed): Target {
  const known = firewall === null || mark === null ? null : { text: firewall, mark };
  return { netplan, rules, firewall: known };
}

export type Changes = {
  /** Must all succeed before anything is touched. */
  readonly tries: readonly Step[];
  readonly steps: readonly Step[];
};

/** `isBoot`: networkd has not started yet and reads the files by itself. Nothing to do = no steps. */
export function changesTo(
  target: Target,
  observed: Observed,
  { bans, isBoot }: { readonly bans: readonly Ban[]; readonly isBoot: boolean },
): Changes {
  const rules = ruleChanges(observed.rules, target.rules);
  const firewall = firewallChanges(target, observed, bans);
  const netplan = netplanChanges(target, observed, isBoot);
  return {
    tries: [...netplan.tries, ...firewall.tries],
    steps: [
      ...rules.add.map((rule) => ({ run: ruleCommand("add", rule) })),
      ...firewall.steps,
      ...netplan.steps,
      ...rules.remove.map((rule) => ({ run: ruleCommand("del", rule) })),
    ],
  };
}

function firewallChanges(target: Target, observed: Observed, bans: readonly Ban[]): Changes {
  if (target.firewall === null || target.firewall.mark === observed.mark) {
    return { tries: [], steps: [] };
  }
  const { text } = target.firewall;
  return {
    tries: [
      { write: FIREWALL_LOAD, text: text + banElements(bans, text) },
      { run: ["nft", "-c", "-f", FIREWALL_LOAD] },
    ],
    steps: [{ run: ["nft", "-f", FIREWALL_LOAD] }, { write: FIREWALL_LOADED, text }],
  };
}

function netplanChanges(target: Target, observed: Observed, isBoot: boolean): Changes {
  if (target.netplan === observed.netplan) return { tries: [], steps: [] };
  const take: readonly Step[] = [
    { run: [GENERATE] },
    ...(isBoot ? [] : [{ run: ["networkctl", "reload"] }]),
    ...(isBoot ? [] : leftAddresses(target, observed)),
  ];
  if (target.netplan === null) {
    return { tries: [], steps: [{ remove: NETPLAN_FILE }, ...take] };
  }
  return {
    tries: [
      { write: `${SCRATCH_ROOT}${NETPLAN_FILE}`, text: target.netplan },
      { run: [GENERATE, "--root-dir", SCRATCH_ROOT] },
    ],
    steps: [{ write: NETPLAN_FILE, text: target.netplan }, ...take],
  };
}

/** An interface that is not ours any more is no longer networkd's either, which may leave it its addresses. */
function leftAddresses(target: Target, { links, netplan }: Observed): Step[] {
  const stays = interfacesOf(target.netplan);
  const gone = [...interfacesOf(netplan)].filter((name) => !stays.has(name));
  return links
    .filter(({ name, addresses }) => gone.includes(name) && addresses.length > 0)
    .map(({ name }) => ({ run: ["ip", "addr", "flush", "dev", name, "scope", "global"] }));
}

/** The interfaces that a netplan text of ours names. */
function interfacesOf(netplan: string | null): ReadonlySet<string> {
  const names = (netplan ?? "").matchAll(/^ {4}"([A-Za-z0-9_.-]{1,15})":$/gm);
  return new Set([...names].map(([, name = ""]) => name));
}
