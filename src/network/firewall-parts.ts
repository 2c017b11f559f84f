/** The pieces of the nft table that several of its chains need: blocks, sets, how a zone is told, bans. */
import { canonicalAddress } from "../config/address-class.ts";
import type { Config } from "../config/config.ts";
import { outerPorts } from "./open-ports.ts";
import type { Zone } from "./zones.ts";

/** An entry of the ban set of a proxy that somebody is kept out of. */
export type Ban = {
  readonly set: string;
  readonly address: string;
  /** Seconds from the start, and still to go. */
  readonly timeout: number;
  readonly expires: number;
};

/** More than this many are banned by nobody but an attack; the kernel then refuses further ones. */
const MOST_BANS = 65_536;

/** Of IPv6 the /64 is banned: whoever has one has all its addresses. The set holds its first one. */
const MASK64 = "& ffff:ffff:ffff:ffff::";

/** A named block of a table, indented as `nft list` does it. */
export function block(name: string, lines: readonly string[]): string[] {
  return [`\t${name} {`, ...lines.map((line) => `\t\t${line}`), "\t}"];
}

/** A set of addresses and networks, which may overlap; nothing when it would be empty. */
export function setLines(name: string, type: string, elements: readonly string[]): string[] {
  if (elements.length === 0) return [];
  return block(`set ${name}`, [
    `type ${type}; flags interval; auto-merge;`,
    `elements = { ${elements.join(", ")} }`,
  ]);
}

/**
 * How a packet that is meant for the zone is told: interface and address. The address of eth0 by DHCP is
 * not known here, so there it is whatever address eth0 has. `v6` is null where the zone has no IPv6.
 */
export function zoneMatch(
  zone: Zone | "auto",
  { appliance: { eth0 } }: Config,
): { readonly v4: string; readonly v6: string | null } {
  if (zone !== "auto" && zone.kind === "manual") {
    const { interface: name, address, address6 } = zone.network;
    return {
      v4: `iifname "${name}" ip daddr ${address}`,
      v6: address6 === null ? null : `iifname "${name}" ip6 daddr ${canonicalAddress(address6)}`,
    };
  }
  const v4 =
    eth0.mode === "static"
      ? `iifname "eth0" ip daddr ${eth0.address}`
      : 'iifname "eth0" fib daddr . iif type local';
  return { v4, v6: null };
}

/** The name of the set that holds who is banned from a proxy. */
export function banSetName(proxy: string, family: 4 | 6): string {
  return `ban${family}-${proxy}`;
}

/** Whether a zone has addresses of a family, and so a ban set for it. */
export function hasFamily(zone: Zone, family: 4 | 6): boolean {
  return family === 4 || (zone.kind === "manual" && zone.network.address6 !== null);
}

export function banSets(zone: Zone): string[] {
  const sets = ([4, 6] as const).filter((family) => hasFamily(zone, family));
  return sets.flatMap((family) =>
    block(`set ${banSetName(zone.proxy.name, family)}`, [
      `type ipv${family}_addr; size ${MOST_BANS}; flags timeout;`,
    ]),
  );
}

/**
 * Before established connections, so that a ban ends them too. On an interface of its own a banned address
 * gets nothing; on eth0 only the ports of the proxy are closed, since the operator may come from there.
 */
export function banLines(zone: Zone, config: Config): string[] {
  const { name } = zone.proxy;
  const { v4, v6 } = zoneMatch(zone, config);
  const { tcp, udp } = outerPorts(zone.proxy, zone.instances);
  const ports =
    zone.kind === "manual"
      ? [""]
      : [
          ...(tcp.length === 0 ? [] : [` tcp dport { ${tcp.join(", ")} }`]),
          ...(udp.length === 0 ? [] : [` udp dport { ${udp.join(", ")} }`]),
        ];
  const end = "counter name banned drop";
  return ports.flatMap((port) => [
    `${v4} ip saddr @${banSetName(name, 4)}${port} ${end}`,
    ...(v6 === null ? [] : [`${v6} ip6 saddr ${MASK64} @${banSetName(name, 6)}${port} ${end}`]),
  ]);
}

/** The lines for `nft -f` that bring bans into a table that was just loaded; `sets` are those it has. */
export function banElements(bans: readonly Ban[], firewallText: string): string {
  return bans
    .filter(({ set, expires }) => expires > 0 && firewallText.includes(`\tset ${set} {`))
    .map(
      ({ set, address, timeout, expires }) =>
        `add element inet pequod ${set} { ${address} timeout ${timeout}s expires ${expires}s }\n`,
    )
    .join("");
}
