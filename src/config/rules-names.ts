/**
 * Rules about names: instances and their aliases, proxies, the lists of instances of the proxies, and that
 * no two instances are the same SIP peer.
 */
import { canonicalAddress } from "./address-class.ts";
import type { Part, Parts, Problem } from "./parts.ts";
import type { ProxyDocument } from "./proxy.ts";

/** Of an instance whose document leaves it out, as far as DNS does not say otherwise. */
const SIP_PORT = 5060;

/** All rules of this file. */
export function nameProblems(parts: Parts): Problem[] {
  return [
    ...instanceNameProblems(parts),
    ...instancePeerProblems(parts),
    ...proxyNameProblems(parts),
    ...parts.proxies.flatMap((proxy) => instanceListProblems(parts, proxy)),
  ];
}

/** Names and aliases share one space, since each is a SIP and XMPP domain; compared without case. */
function instanceNameProblems({ instances }: Parts): Problem[] {
  const problems: Problem[] = [];
  const owners = new Map<string, string>();
  const claim = (name: string, path: string, owner: string) => {
    const earlier = owners.get(name.toLowerCase());
    if (earlier === undefined) owners.set(name.toLowerCase(), owner);
    else problems.push({ path, message: `is already ${earlier}` });
  };
  for (const { path, fields } of instances) {
    if (fields.name !== undefined) claim(fields.name, `${path}.name`, `the name of ${path}`);
  }
  for (const { path, fields } of instances) {
    for (const [index, alias] of (fields.aliases ?? []).entries()) {
      claim(alias, `${path}.aliases[${index}]`, `an alias of ${path}`);
    }
  }
  return problems;
}

/** By UDP an instance is known by its source address and port, so two cannot share them. */
function instancePeerProblems({ instances }: Parts): Problem[] {
  const owners = new Map<string, string>();
  return instances.flatMap(({ path, fields: { address, sip } }) => {
    if (address === undefined || sip === undefined) return [];
    const peer = `${canonicalAddress(address)} ${sip.port ?? SIP_PORT}`;
    const earlier = owners.get(peer);
    if (earlier === undefined) owners.set(peer, path);
    if (earlier === undefined) return [];
    return [{ path: `${path}.address`, message: `same address and SIP port as ${earlier}` }];
  });
}

function proxyNameProblems({ proxies }: Parts): Problem[] {
  const owners = new Map<string, string>();
  return proxies.flatMap(({ path, fields: { name } }) => {
    if (name === undefined) return [];
    const earlier = owners.get(name);
    if (earlier === undefined) owners.set(name, path);
    return earlier === undefined
      ? []
      : [{ path: `${path}.name`, message: `is already the name of ${earlier}` }];
  });
}

function instanceListProblems(parts: Parts, { path, fields }: Part<ProxyDocument>): Problem[] {
  const { instances } = fields;
  if (instances === undefined || instances === "all") return [];
  const known = new Set(parts.instances.map((instance) => instance.fields.name?.toLowerCase()));
  const lower = instances.map((name) => name.toLowerCase());
  return lower.flatMap((name, index) => {
    const at = `${path}.instances[${index}]`;
    if (!known.has(name)) return [{ path: at, message: "no instance has this name" }];
    return lower.indexOf(name) < index ? [{ path: at, message: "is listed twice" }] : [];
  });
}
