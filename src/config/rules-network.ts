/**
 * Rules about interfaces and addresses of the appliance and the zones: eth0 belongs to management, each
 * interface and each address to one owner, gateways lie inside their subnets.
 */
import { addressClass, canonicalAddress, isInNetworks, networkSet } from "./address-class.ts";
import type { Part, Parts, Problem } from "./parts.ts";
import type { ProxyDocument } from "./proxy.ts";
import { notOneHost, subnet4Problems, subnet6Problems, subnetOf } from "./subnet.ts";

/** The management interface and the one that never leaves the machine. */
const RESERVED_INTERFACES = new Set(["eth0", "lo"]);

/** All rules of this file. */
export function networkProblems(parts: Parts): Problem[] {
  return [
    ...eth0Problems(parts),
    ...insideProblems(parts),
    ...autoProblems(parts),
    ...parts.proxies.flatMap(zoneProblems),
    ...interfaceProblems(parts),
    ...addressProblems(parts),
    ...parts.proxies.flatMap(placeProblems),
    ...instanceAddressProblems(parts),
  ];
}

function eth0Problems({ appliance }: Parts): Problem[] {
  const { eth0 } = appliance.fields;
  if (eth0?.mode !== "static") return [];
  return subnet4Problems(eth0).map(({ field, message }) => ({
    path: `${appliance.path}.eth0.${field}`,
    message,
  }));
}

function insideProblems({ appliance }: Parts): Problem[] {
  return (appliance.fields.inside ?? []).flatMap((entry, index) => {
    const path = `${appliance.path}.inside[${index}]`;
    const cidr = subnetOf(entry);
    const set = cidr === null ? null : networkSet([cidr]);
    const routes = entry.routes.flatMap(({ via }, place) =>
      set === null || isInNetworks(via, set)
        ? []
        : [{ path: `${path}.routes[${place}].via`, message: `must be inside ${cidr}` }],
    );
    const subnet = subnet4Problems(entry);
    return [
      ...subnet.map(({ field, message }) => ({ path: `${path}.${field}`, message })),
      ...routes,
    ];
  });
}

function autoProblems({ proxies }: Parts): Problem[] {
  const [first, ...others] = proxies.filter(({ fields }) => fields.network?.mode === "auto");
  return others.map(({ path }) => ({
    path: `${path}.network.mode`,
    message: `only one proxy can be "auto", and ${first?.path} is`,
  }));
}

function zoneProblems({ path, fields: { network } }: Part<ProxyDocument>): Problem[] {
  if (network?.mode !== "manual") return [];
  return [...subnet4Problems(network), ...subnet6Problems(network)].map(({ field, message }) => ({
    path: `${path}.network.${field}`,
    message,
  }));
}

type Claim = { readonly path: string; readonly owner: string; readonly value: string };

/** Zones first, so that an inside interface which is also a zone's is told at the inside interface. */
function interfaceProblems({ appliance, proxies }: Parts): Problem[] {
  const claims: Claim[] = proxies.flatMap(({ path, fields: { network } }) =>
    network?.mode === "manual"
      ? [{ path: `${path}.network.interface`, owner: path, value: network.interface }]
      : [],
  );
  for (const [index, entry] of (appliance.fields.inside ?? []).entries()) {
    const owner = `${appliance.path}.inside[${index}]`;
    claims.push({ path: `${owner}.interface`, owner, value: entry.interface });
  }
  const reserved = claims.filter(({ value }) => RESERVED_INTERFACES.has(value));
  return [
    ...reserved.map(({ path, value }) => ({
      path,
      message:
        value === "eth0" ? "must not be eth0, which is for management" : `must not be ${value}`,
    })),
    ...takenTwice(
      claims.filter(({ value }) => !RESERVED_INTERFACES.has(value)),
      (owner) => `is already the interface of ${owner}`,
    ),
  ];
}

/** The source address alone selects the routing table, so no two parts can have the same. */
function addressProblems({ appliance, proxies }: Parts): Problem[] {
  const { eth0, inside = [] } = appliance.fields;
  const claims: Claim[] = [];
  const claim = (owner: string, field: string, value: string | null) => {
    if (value !== null)
      claims.push({ path: `${owner}.${field}`, owner, value: canonicalAddress(value) });
  };
  if (eth0?.mode === "static") claim(`${appliance.path}.eth0`, "address", eth0.address);
  for (const [index, entry] of inside.entries()) {
    claim(`${appliance.path}.inside[${index}]`, "address", entry.address);
  }
  for (const { path, fields } of proxies) {
    if (fields.network?.mode !== "manual") continue;
    claim(path, "network.address", fields.network.address);
    claim(path, "network.address6", fields.network.address6);
  }
  return takenTwice(claims, (owner) => `is already the address of ${owner}`);
}

function takenTwice(claims: readonly Claim[], message: (owner: string) => string): Problem[] {
  const owners = new Map<string, string>();
  return claims.flatMap(({ path, owner, value }) => {
    const earlier = owners.get(value);
    if (earlier === undefined) owners.set(value, owner);
    return earlier === undefined ? [] : [{ path, message: message(earlier) }];
  });
}

/** Addresses that the proxy binds or tells others: each of one host, loopback only where it binds there. */
function placeProblems({ path, fields }: Part<ProxyDocument>): Problem[] {
  const {
    bindAddress = null,
    publicAddress = null,
    publicAddress6 = null,
    inside,
    fqdn = null,
  } = fields;
  const isTrial = bindAddress !== null && addressClass(bindAddress) === "loopback";
  const places: readonly (readonly [string, string | null | undefined, boolean])[] = [
    ["bindAddress", bindAddress, true],
    ["publicAddress", publicAddress, isTrial],
    ["publicAddress6", publicAddress6, isTrial],
    ["inside.address", inside?.address, true],
    ["fqdn", fqdn, isTrial],
  ];
  return places.flatMap(([field, address, mayBeLoopback]) => {
    const message = placeMessage(address ?? null, mayBeLoopback);
    return message === null ? [] : [{ path: `${path}.${field}`, message }];
  });
}

function instanceAddressProblems({ instances }: Parts): Problem[] {
  return instances.flatMap(({ path, fields: { address = null } }) => {
    const message = placeMessage(address, true);
    return message === null ? [] : [{ path: `${path}.address`, message }];
  });
}

function placeMessage(address: string | null, mayBeLoopback: boolean): string | null {
  if (address === null || !/^[0-9.]+$|:/.test(address)) return null;
  const kind = addressClass(address);
  const isWrong =
    kind === "multicast" || kind === "unspecified" || (kind === "loopback" && !mayBeLoopback);
  return isWrong ? notOneHost(kind) : null;
}
