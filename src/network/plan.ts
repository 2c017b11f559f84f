/**
 * From the configuration to what the machine shall be like: netplan YAML, `ip rule` lines, the nft table.
 * Pure: the same configuration (and addresses of instances that have a name) gives the same plan.
 */
import { canonicalAddress } from "../config/address-class.ts";
import type { Config } from "../config/config.ts";
import { type Firewall, planFirewall, type Resolved } from "./firewall.ts";
import { netplanText } from "./netplan.ts";
import { type PolicyRule, policyRules, ruleCommand } from "./rules.ts";
import { NETPLAN_FILE } from "./system.ts";
import { type Zone, zonesOf } from "./zones.ts";

/** An address that an interface shall have. */
export type PlannedAddress = { readonly interface: string; readonly address: string };

export type NetworkPlan = {
  /** Without that of eth0 by DHCP. */
  readonly addresses: readonly PlannedAddress[];
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
    addresses: addressesOf(config, zones),
    netplan: netplanText(config, zones),
    rules: policyRules(zones),
    firewall: planFirewall(config, zones, resolved),
    unresolved: hostNames(config).filter((name) => !resolved.has(name)),
  };
}

function addressesOf(config: Config, zones: readonly Zone[]): readonly PlannedAddress[] {
  const { eth0, inside } = config.appliance;
  const own = eth0.mode === "static" ? [{ interface: "eth0", address: eth0.address }] : [];
  const ofZones = zones.flatMap((zone) => {
    if (zone.kind === "auto") return [];
    const { interface: name, address, address6 } = zone.network;
    const both = address6 === null ? [address] : [address, canonicalAddress(address6)];
    return both.map((one) => ({ interface: name, address: one }));
  });
  return [...own, ...inside, ...ofZones].map((one) => ({
    interface: one.interface,
    address: one.address,
  }));
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
