/**
 * The `ip rule` lines: one for each address of a zone that leads to its table, and one behind it that ends
 * there, also while the table is empty because the interface has no link. Ours are told by their protocol
 * number; everybody else's are never touched.
 */
import { canonicalAddress } from "../config/address-class.ts";
import type { Zone } from "./zones.ts";

/** rtm_protocol of our rules; not in the kernel's list nor in iproute2's. */
export const RULE_PROTOCOL = "201";

export type PolicyRule = {
  readonly family: 4 | 6;
  /** The source, /32 or /128. */
  readonly from: string;
  readonly priority: number;
  /** null = unreachable. */
  readonly table: number | null;
};

/** The rules of all zones, in the order of their priorities. */
export function policyRules(zones: readonly Zone[]): readonly PolicyRule[] {
  return zones
    .flatMap((zone) => {
      if (zone.kind === "auto") return [];
      const { address, address6 } = zone.network;
      return [
        ...pair(4, `${address}/32`, zone.numbers),
        ...(address6 === null ? [] : pair(6, `${canonicalAddress(address6)}/128`, zone.numbers)),
      ];
    })
    .sort((a, b) => a.priority - b.priority || a.family - b.family);
}

function pair(
  family: 4 | 6,
  from: string,
  numbers: { readonly table: number; readonly priority: number },
): PolicyRule[] {
  const { table, priority } = numbers;
  return [
    { family, from, priority, table },
    { family, from, priority: priority + 1, table: null },
  ];
}

/** The command line that adds or removes exactly this rule. */
export function ruleCommand(verb: "add" | "del", rule: PolicyRule): readonly string[] {
  const action = rule.table === null ? ["unreachable"] : ["lookup", String(rule.table)];
  return [
    ...["ip", `-${rule.family}`, "rule", verb, "from", rule.from, ...action],
    ...["priority", String(rule.priority), "protocol", RULE_PROTOCOL],
  ];
}

/** What `ip -j rule show` says of one rule, as far as it matters here. */
type ListedRule = Readonly<Record<string, unknown>>;

/** What a rule of ours has, and nothing else. */
const OWN_KEYS = new Set(["priority", "src", "srclen", "table", "action", "protocol"]);

/**
 * Our rules out of the answer of `ip -4|-6 -j rule show`. A rule that has our protocol but a form that we
 * never make was made by somebody else.
 */
export function readRules(family: 4 | 6, json: string): readonly PolicyRule[] {
  const listed = json.trim() === "" ? [] : (JSON.parse(json) as readonly ListedRule[]);
  return listed.flatMap((one) => {
    if (String(one["protocol"]) !== RULE_PROTOCOL) return [];
    if (Object.keys(one).some((key) => !OWN_KEYS.has(key))) return [];
    const { priority, src, srclen = family === 4 ? 32 : 128, table, action } = one;
    const leads = action === undefined && /^[0-9]+$/.test(String(table));
    if (typeof priority !== "number" || typeof src !== "string") return [];
    if (!leads && action !== "unreachable") return [];
    return [{ family, from: `${src}/${srclen}`, priority, table: leads ? Number(table) : null }];
  });
}

export type RuleChanges = {
  readonly add: readonly PolicyRule[];
  readonly remove: readonly PolicyRule[];
};

/** What has to be added and what removed; a rule that is there twice loses one. */
export function ruleChanges(
  observed: readonly PolicyRule[],
  planned: readonly PolicyRule[],
): RuleChanges {
  const wanted = new Map(planned.map((rule) => [keyOf(rule), rule]));
  const remove: PolicyRule[] = [];
  for (const rule of observed) if (!wanted.delete(keyOf(rule))) remove.push(rule);
  return { add: [...wanted.values()], remove };
}

function keyOf({ family, from, priority, table }: PolicyRule): string {
  return `${family} ${from} ${priority} ${table}`;
}
