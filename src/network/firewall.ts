/**
 * The nft table `inet pequod`: what may come in, by address and interface, everything else dropped and
 * counted; nothing is forwarded. Loaded as a whole in one transaction, so there is never a half of it.
 *
 * UDP from phones and media are not tracked: they are let in by port anyway, and a flood of them would fill
 * the connection table, which then drops everybody's packets.
 */
import { createHash } from "node:crypto";
import { isIPv6 } from "node:net";
import type { Config } from "../config/config.ts";
import { canonicalNetwork } from "./canonical-network.ts";
import { banLines, banSets, block, setLines, zoneMatch } from "./firewall-parts.ts";
import { innerPorts, outerPorts } from "./open-ports.ts";
import type { Zone } from "./zones.ts";

/** Addresses of instances that have a host name; a name that is not in it has none now. */
export type Resolved = ReadonlyMap<string, readonly string[]>;

export type Firewall = {
  /** For `nft -f`; replaces the table as it was. Bans are not in it. */
  readonly text: string;
  /** Stands in the loaded table, so that it can be seen which text was loaded. */
  readonly mark: string;
  /** What decides whether the operator still reaches the appliance. */
  readonly management: readonly string[];
};

const SSH_PORT = 22;
const MARK = "@MARK@";

/** The table for this configuration. */
export function planFirewall(config: Config, zones: readonly Zone[], resolved: Resolved): Firewall {
  const sets = managementSets(config);
  const management = managementRules(config);
  const insideNames = ["eth0", ...config.appliance.inside.map((entry) => entry.interface)];
  const inside = zones.map((zone) => insideParts(zone, insideNames, resolved));
  const untracked = zones.flatMap((zone) => untrackedRules(zone, config, insideNames));
  const template = [
    "table inet pequod",
    "delete table inet pequod",
    "table inet pequod {",
    ...block("counter dropped", [`comment "${MARK}"`]),
    ...block("counter banned", []),
    ...block("counter forwarded", []),
    ...sets,
    ...zones.flatMap(banSets),
    ...inside.flatMap(({ sets }) => sets),
    ...block("chain arriving", [
      "type filter hook prerouting priority raw; policy accept;",
      ...new Set(untracked.map(({ arriving }) => arriving)),
    ]),
    ...block("chain leaving", [
      "type filter hook output priority raw; policy accept;",
      ...new Set(untracked.map(({ leaving }) => leaving)),
    ]),
    ...block("chain input", [
      "type filter hook input priority filter; policy drop;",
      'iifname "lo" accept',
      ...zones.flatMap((zone) => banLines(zone, config)),
      "ct state established,related accept",
      "ct state invalid counter name dropped drop",
      ...controlRules(config),
      ...management,
      ...zones.flatMap((zone) => zoneRules(zone, config)),
      ...inside.flatMap(({ rules }) => rules),
      "counter name dropped",
    ]),
    ...block("chain forward", [
      "type filter hook forward priority filter; policy drop;",
      "counter name forwarded",
    ]),
    "}",
    "",
  ].join("\n");
  const mark = createHash("sha256").update(template).digest("hex").slice(0, 16);
  return { text: template.replace(MARK, mark), mark, management: [...sets, ...management] };
}

/** Ping, what path MTU discovery needs, neighbours (RFC 4890 §4.4.1), and the answers of DHCP. */
function controlRules({ appliance }: Config): string[] {
  const errors = "destination-unreachable, time-exceeded, parameter-problem";
  return [
    `icmp type { echo-request, ${errors} } accept`,
    `icmpv6 type { echo-request, packet-too-big, ${errors} } accept`,
    "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept",
    ...(appliance.eth0.mode === "dhcp" ? ['iifname "eth0" udp sport 67 udp dport 68 accept'] : []),
  ];
}

function managementSets({ appliance }: Config): string[] {
  const { v4, v6 } = byFamily(appliance.admin.allowedNetworks);
  return [...setLines("admin4", "ipv4_addr", v4), ...setLines("admin6", "ipv6_addr", v6)];
}

function managementRules(config: Config): string[] {
  const { admin, ssh } = config.appliance;
  const eth0 = zoneMatch("auto", config).v4;
  const { v4, v6 } = byFamily(admin.allowedNetworks);
  const isOpenToAll = admin.allowedNetworks.length === 0;
  const sources = isOpenToAll
    ? [""]
    : [
        ...(v4.length > 0 ? [" ip saddr @admin4"] : []),
        ...(v6.length > 0 ? [" ip6 saddr @admin6"] : []),
      ];
  return [
    ...(admin.port === 0
      ? []
      : sources.map((source) => `${eth0}${source} tcp dport ${admin.port} accept`)),
    ...(ssh.enabled ? [`${eth0} tcp dport ${SSH_PORT} accept`] : []),
  ];
}

function zoneRules(zone: Zone, config: Config): string[] {
  const { tcp, udp } = outerPorts(zone.proxy, zone.instances);
  const { v4, v6 } = zoneMatch(zone, config);
  return [v4, ...(v6 === null ? [] : [v6])].flatMap((match) => [
    ...(tcp.length === 0 ? [] : [`${match} tcp dport { ${tcp.join(", ")} } accept`]),
    ...(udp.length === 0 ? [] : [`${match} udp dport { ${udp.join(", ")} } accept`]),
  ]);
}

/** Nobody but the instances has business at our inside ports. */
function insideParts(
  zone: Zone,
  interfaces: readonly string[],
  resolved: Resolved,
): { readonly sets: readonly string[]; readonly rules: readonly string[] } {
  const { name, inside } = zone.proxy;
  const { sip, media } = innerPorts(zone.proxy);
  const hosts = zone.instances.flatMap(({ address }) => resolved.get(address) ?? [address]);
  const instances = byFamily(hosts.filter((host) => /^[0-9.]+$|:/.test(host)));
  const networks = byFamily(zone.instances.flatMap(({ mediaNetworks }) => mediaNetworks));
  const sets: string[] = [];
  const rules: string[] = [];
  for (const family of ["v4", "v6"] as const) {
    const [digit, word] = family === "v4" ? (["4", "ip"] as const) : (["6", "ip6"] as const);
    const isOwnFamily = inside.address === null || isIPv6(inside.address) === (family === "v6");
    if (!isOwnFamily) continue;
    const to = inside.address === null ? "" : ` ${word} daddr ${inside.address}`;
    const at = `iifname { ${interfaces.map((one) => `"${one}"`).join(", ")} }${to}`;
    const peers = instances[family];
    const mediaPeers = [...peers, ...networks[family]];
    sets.push(...setLines(`instances${digit}-${name}`, `ip${family}_addr`, peers));
    sets.push(...setLines(`media${digit}-${name}`, `ip${family}_addr`, mediaPeers));
    if (peers.length > 0) {
      const from = `${at} ${word} saddr @instances${digit}-${name}`;
      rules.push(`${from} tcp dport { ${sip.tcp.join(", ")} } accept`);
      rules.push(`${from} udp dport ${sip.udp.join(", ")} accept`);
    }
    if (mediaPeers.length > 0) {
      rules.push(`${at} ${word} saddr @media${digit}-${name} udp dport ${media} accept`);
    }
  }
  return { sets, rules };
}

/** The pairs of rules that keep UDP out of the connection table, one for what comes and one for what goes. */
function untrackedRules(
  zone: Zone,
  config: Config,
  insideInterfaces: readonly string[],
): { readonly arriving: string; readonly leaving: string }[] {
  const { udp } = outerPorts(zone.proxy, zone.instances);
  const { media } = innerPorts(zone.proxy);
  const names = insideInterfaces.map((one) => `"${one}"`).join(", ");
  const inside = {
    arriving: `iifname { ${names} } udp dport ${media} notrack`,
    leaving: `oifname { ${names} } udp sport ${media} notrack`,
  };
  if (udp.length === 0) return [];
  const ports = `{ ${udp.join(", ")} }`;
  const { v4, v6 } = zoneMatch(zone, config);
  const outer = [v4, ...(v6 === null ? [] : [v6])].map((match) => ({
    arriving: `${match} udp dport ${ports} notrack`,
    leaving: `${leavingMatch(match)} udp sport ${ports} notrack`,
  }));
  return [...outer, inside];
}

/** The same place seen from a packet that we send. */
function leavingMatch(match: string): string {
  return match
    .replace("iifname", "oifname")
    .replace(" fib daddr . iif type local", "")
    .replace(" daddr ", " saddr ");
}

function byFamily(networks: readonly string[]): { readonly v4: string[]; readonly v6: string[] } {
  const canonical = networks.map((one) => (one.includes("/") ? canonicalNetwork(one) : one));
  const unique = [...new Set(canonical)];
  return {
    v4: unique.filter((one) => !one.includes(":")),
    v6: unique.filter((one) => one.includes(":")),
  };
}
