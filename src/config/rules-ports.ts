/**
 * Rules about ports: ranges of media are whole pairs, free of the fixed ports and of each other; no two
 * services on one port; no two proxies at one inside address and port.
 */
import { canonicalAddress } from "./address-class.ts";
import { defaultInsideSipPort } from "./config.ts";
import type { Part, Parts, Problem } from "./parts.ts";
import type { ProxyDocument } from "./proxy.ts";

type Range = { readonly from: number; readonly to: number };
type Proxy = Part<ProxyDocument>;

const SSH_PORT = 22;

/** All rules of this file. */
export function portProblems(parts: Parts): Problem[] {
  return [
    ...parts.proxies.flatMap(pairProblems),
    ...parts.proxies.flatMap(outerRangeProblems),
    ...parts.proxies.flatMap(innerRangeProblems),
    ...parts.proxies.flatMap(serviceProblems),
    ...parts.proxies.flatMap((proxy) => managementProblems(parts, proxy)),
    ...insideSipProblems(parts),
  ];
}

/** RTP takes the even port, RTCP the one above it (RFC 3550 section 11). */
function pairProblems({ path, fields: { rtpPorts, inside } }: Proxy): Problem[] {
  const message = 'must be even and below "to"';
  const ranges = [
    ["rtpPorts.from", rtpPorts],
    ["inside.rtpPorts.from", inside?.rtpPorts],
  ] as const;
  return ranges.flatMap(([field, range]) =>
    range === undefined || isWhole(range) ? [] : [{ path: `${path}.${field}`, message }],
  );
}

function isWhole({ from, to }: Range): boolean {
  return from % 2 === 0 && from < to;
}

function outerRangeProblems(proxy: Proxy): Problem[] {
  const { path, fields } = proxy;
  const { rtpPorts, ports } = fields;
  if (rtpPorts === undefined) return [];
  const fixed = Object.entries(ports ?? {}).map(([name, port]) => [`ports.${name}`, port] as const);
  const inside = mayShareAddress(fields) ? insideSipPorts(proxy) : [];
  return containedProblems(`${path}.rtpPorts`, rtpPorts, [...fixed, ...inside]);
}

function innerRangeProblems(proxy: Proxy): Problem[] {
  const { path, fields } = proxy;
  const inner = fields.inside?.rtpPorts;
  if (inner === undefined) return [];
  const at = `${path}.inside.rtpPorts`;
  const problems = containedProblems(at, inner, insideSipPorts(proxy));
  const outer = fields.rtpPorts;
  const overlaps = outer !== undefined && inner.from <= outer.to && outer.from <= inner.to;
  if (overlaps && mayShareAddress(fields)) {
    problems.push({ path: at, message: `overlaps rtpPorts ${outer.from}-${outer.to}` });
  }
  return problems;
}

function containedProblems(
  path: string,
  { from, to }: Range,
  ports: readonly (readonly [string, number])[],
): Problem[] {
  return ports
    .filter(([, port]) => port >= from && port <= to)
    .map(([name, port]) => ({ path, message: `contains ${name} ${port}` }));
}

/** Two services over TCP cannot share a port; SIP over UDP is alone. */
function serviceProblems({ path, fields: { ports } }: Proxy): Problem[] {
  const owners = new Map<number, string>();
  return Object.entries(ports ?? {}).flatMap(([name, port]) => {
    if (name === "sipUdp" || port === 0) return [];
    const earlier = owners.get(port);
    if (earlier === undefined) owners.set(port, name);
    return earlier === undefined
      ? []
      : [{ path: `${path}.ports.${name}`, message: `is already the port of ports.${earlier}` }];
  });
}

/** An "auto" proxy shares the address of eth0 with the admin pages and SSH. */
function managementProblems({ appliance }: Parts, { path, fields }: Proxy): Problem[] {
  const { network, bindAddress = null, ports } = fields;
  if (network?.mode !== "auto" || bindAddress !== null) return [];
  const { admin, ssh } = appliance.fields;
  const taken = new Map<number, string>();
  if (admin !== undefined && admin.port !== 0) taken.set(admin.port, "of the admin pages");
  if (ssh?.enabled) taken.set(SSH_PORT, "of SSH");
  return Object.entries(ports ?? {}).flatMap(([name, port]) => {
    const owner = name === "sipUdp" ? undefined : taken.get(port);
    return owner === undefined
      ? []
      : [{ path: `${path}.ports.${name}`, message: `is the port ${owner} on eth0` }];
  });
}

/** Instances store the inside port (Path), so it must lead to one proxy for ever. */
function insideSipProblems({ proxies }: Parts): Problem[] {
  return proxies.flatMap((proxy, place) =>
    proxies.slice(0, place).flatMap((earlier) => {
      if (!haveSameInsideAddress(proxy, earlier)) return [];
      const [[, port] = ["", 0]] = insideSipPorts(proxy);
      const [[, other] = ["", 0]] = insideSipPorts(earlier);
      const path = `${proxy.path}.inside.sipPort`;
      if (port === other) {
        return [
          { path, message: `${port} is already that of ${earlier.path} at the same address` },
        ];
      }
      if (Math.abs(port - other) > 1) return [];
      const taken = `${other} and ${other + 1} (TLS) of ${earlier.path}`;
      return [{ path, message: `${port} and ${port + 1} (TLS) meet ${taken} at the same address` }];
    }),
  );
}

function haveSameInsideAddress({ fields: a }: Proxy, { fields: b }: Proxy): boolean {
  if (a.inside === undefined || b.inside === undefined) return false;
  const [one, other] = [a.inside.address, b.inside.address];
  if (one === null || other === null) return one === other;
  return canonicalAddress(one) === canonicalAddress(other);
}

function insideSipPorts({ fields, index }: Proxy): (readonly [string, number])[] {
  if (fields.inside === undefined) return [];
  const sipPort = fields.inside.sipPort ?? defaultInsideSipPort(index);
  return [
    ["inside.sipPort", sipPort],
    ["the TLS port above inside.sipPort,", sipPort + 1],
  ];
}

/** Whether phones and instances reach us at one address, or may: eth0's and a null one are not known here. */
function mayShareAddress({ bindAddress, network, inside }: Partial<ProxyDocument>): boolean {
  const zone = network?.mode === "manual" ? network.address : null;
  const outer = bindAddress ?? zone;
  const inner = inside?.address ?? null;
  return outer === null || inner === null || canonicalAddress(outer) === canonicalAddress(inner);
}
