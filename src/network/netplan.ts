/**
 * The netplan YAML of a configuration: the texts of netplan-templates/ one after the other, their @NAMES@
 * filled in. Only checked values come here (addresses, numbers, names of interfaces and proxies), so nothing
 * in them can end a quoted string. Every interface that is named gets all its addresses from here: networkd
 * takes away those that it does not know of.
 */
import eth0Dhcp from "../../netplan-templates/eth0-dhcp.yaml" with { type: "text" };
import eth0Static from "../../netplan-templates/eth0-static.yaml" with { type: "text" };
import head from "../../netplan-templates/head.yaml" with { type: "text" };
import inside from "../../netplan-templates/inside.yaml" with { type: "text" };
import insideRoute from "../../netplan-templates/inside-route.yaml" with { type: "text" };
import insideRoutes from "../../netplan-templates/inside-routes.yaml" with { type: "text" };
import nameservers from "../../netplan-templates/nameservers.yaml" with { type: "text" };
import notFromDhcp from "../../netplan-templates/nameservers-not-dhcp.yaml" with { type: "text" };
import zone from "../../netplan-templates/zone.yaml" with { type: "text" };
import zoneDual from "../../netplan-templates/zone-dual.yaml" with { type: "text" };
import zoneGateway from "../../netplan-templates/zone-gateway.yaml" with { type: "text" };
import { canonicalAddress } from "../config/address-class.ts";
import type { ApplianceConfig, Config } from "../config/config.ts";
import { prefixLength, subnetOf } from "../config/subnet.ts";
import { canonicalNetwork } from "./canonical-network.ts";
import type { Zone } from "./zones.ts";

type Values = Readonly<Record<string, string | number>>;

/** The one file that we give to netplan. */
export function netplanText(config: Config, zones: readonly Zone[]): string {
  const { appliance } = config;
  return [
    head,
    eth0Text(appliance),
    ...appliance.inside.map(insideText),
    ...zones.flatMap((one) => (one.kind === "manual" ? [zoneText(one)] : [])),
  ].join("");
}

/** Every @NAME@ of the template must have a value; a left one is our own mistake. */
export function fill(template: string, values: Values): string {
  return template.replace(/@([A-Z0-9]+)@/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`a netplan template wants @${name}@`);
    return String(value);
  });
}

function eth0Text({ eth0, dns }: ApplianceConfig): string {
  const servers = dns.map((address) => `"${address}"`).join(", ");
  const own = dns.length === 0 ? "" : fill(nameservers, { SERVERS: servers });
  if (eth0.mode === "dhcp") return eth0Dhcp + (own === "" ? "" : notFromDhcp + own);
  const values = {
    ADDRESS: eth0.address,
    PREFIX: prefixOf(eth0.netmask),
    GATEWAY: eth0.gateway,
  };
  return fill(eth0Static, values) + own;
}

function insideText(entry: ApplianceConfig["inside"][number]): string {
  const values = {
    INTERFACE: entry.interface,
    ADDRESS: entry.address,
    PREFIX: prefixOf(entry.netmask),
  };
  const routes = entry.routes.map(({ to, via }) =>
    fill(insideRoute, { NETWORK: canonicalNetwork(to), GATEWAY: via }),
  );
  return fill(inside, values) + (routes.length === 0 ? "" : insideRoutes + routes.join(""));
}

function zoneText({ proxy, network, numbers }: Zone & { kind: "manual" }): string {
  const { table } = numbers;
  const { address, gateway, prefix6, gateway6 } = network;
  const address6 = network.address6 === null ? null : canonicalAddress(network.address6);
  const values = {
    PROXY: proxy.name,
    INTERFACE: network.interface,
    ADDRESS: address,
    NETWORK: subnetOf(network) ?? `${address}/32`,
    TABLE: table,
  };
  const body =
    address6 === null
      ? fill(zone, values)
      : fill(zoneDual, {
          ...values,
          ADDRESS6: address6,
          NETWORK6: canonicalNetwork(`${address6}/${prefix6}`),
        });
  const gateways: readonly Values[] = [
    ...(gateway === null ? [] : [{ DEFAULT: "0.0.0.0/0", GATEWAY: gateway, ADDRESS: address }]),
    ...(address6 === null || gateway6 === null
      ? []
      : [{ DEFAULT: "::/0", GATEWAY: gateway6, ADDRESS: address6 }]),
  ];
  return body + gateways.map((one) => fill(zoneGateway, { ...one, TABLE: table })).join("");
}

function prefixOf(netmask: string): number {
  const prefix = prefixLength(netmask);
  if (prefix === null) throw new Error(`${netmask} is no netmask`);
  return prefix;
}
