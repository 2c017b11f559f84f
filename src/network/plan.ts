/**
 * From the configuration to what the machine shall be like: netplan YAML, `ip rule` lines, the nft table.
 * Pure: the same configuration (and addresses of instances that have a name) gives the same plan.
 */
import type { Config } from "../config/config.ts";
import { type Firewall, planFirewall, type Resolved } from "./firewall.ts";
import { netplanText } from "./netplan.ts";
import { type PolicyRule, policyRules, ruleCommand } from "./rules.ts";
import { NETPLAN_FILE } from "./system.ts";
import { zonesOf } from "./zones.ts";

export type NetworkPlan = {
  /** The text of NETPLAN_FILE. */
  readonly netplan: string;
  readonly rules: readonly PolicyRule[];
  readonly firewall: Firewall;
  /** Names of instances that no address is known of: their calls cannot come in. */
  readonly unresolved: readonly string[];
};

export function planNetwork(config: Config, resolved: Resolved): NetworkPlan {
  const zones = zonesOf(config);
  return {
    netplan: netplanText(config, zones),
    rules: policyRules(zones),
    firewall: planFirewall(config, zones, resolved),
    unresolved: hostNames(config).filter((name) => !resolved.has(name)),
  };
}

/** Host names of instances, which a plan needs the addresses of. */
export function hostNames(config: Config): readonly string[] {
  const names = config.instances
    .filter(({ enabled, address }) => enabled && !/^[0-9.]+$|:/.test(address))
    .map(({ address }) => address);
  return [...new Set(names)];
}

/**
 * Whether going from one plan to the other may cut the operator off, so that it has to be confirmed.
 * Ports of the zones alone cannot.
 */
export function mayCutOff(before: NetworkPlan, after: NetworkPlan): boolean {
  const reach = ({ netplan, rules, firewall }: NetworkPlan): string =>
    JSON.stringify([netplan, rules, firewall.management]);
  return reach(before) !== reach(after);
}

/** The whole plan for the operator's eyes (`pequod apply --dry-run`). */
export function formatPlan({ netplan, rules, firewall }: NetworkPlan): string {
  return [
    `# ${NETPLAN_FILE}`,
    netplan,
    "# ip rule",
    ...rules.map((rule) => ruleCommand("add", rule).join(" ")),
    "",
    "# nft -f",
    firewall.text,
  ].join("\n");
}
