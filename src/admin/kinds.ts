/** What differs between proxies and instances when they are changed (see objects.ts). */
import type { Problem } from "../config/check.ts";
import { type ConfigDocument, defaultInsideSipPort } from "../config/config.ts";
import type { InstanceDocument } from "../config/instance.ts";
import { member } from "../config/parts.ts";
import type { ProxyDocument } from "../config/proxy.ts";
import { selfSignedIdentity } from "../tls/self-signed.ts";
import type { Fields } from "./drafts.ts";
import type { Kind, Made } from "./objects.ts";
import type { PublicProxy } from "./operations.ts";
import { completeProxy, publicProxy } from "./secrets.ts";

/** Old phones compute certificate dates in signed 32 bits: nothing beyond January 2038. */
const VALID_DAYS = 3650;
const DAY_MS = 86_400_000;
const SERIAL_BYTES = 16;

export type Outside = {
  random(lengthBytes: number): Uint8Array;
  nowMs(): number;
};

/** The self-signed certificate of a proxy; a day back, for phones whose clock is slow. */
export function makeIdentity(fqdn: string, outside: Outside): Promise<Made> {
  return selfSignedIdentity({
    fqdn,
    notBefore: new Date(outside.nowMs() - DAY_MS),
    days: VALID_DAYS,
    serial: outside.random(SERIAL_BYTES),
  });
}

/** The first pair of ports from 15060 on that no proxy of these documents has. */
export function freeSipPort(documents: readonly ConfigDocument[]): number {
  const taken = new Set(
    documents.flatMap(({ proxies }) =>
      proxies.map(({ inside }, index) => inside.sipPort ?? defaultInsideSipPort(index)),
    ),
  );
  let index = 0;
  const isTaken = (port: number) => [port - 1, port, port + 1].some((one) => taken.has(one));
  while (isTaken(defaultInsideSipPort(index))) index += 1;
  return defaultInsideSipPort(index);
}

function modeProblems(sent: Fields, stored: ProxyDocument): Problem[] {
  const mode = member(sent["network"], "mode") ?? "auto";
  if (mode === stored.network.mode) return [];
  const message = `cannot be changed (it is ${JSON.stringify(stored.network.mode)})`;
  return [{ path: "network.mode", message }];
}

/** `active` also counts when a port is looked for: what runs must not lose its port to a new proxy. */
export function proxyKind(
  outside: Outside,
  active: () => ConfigDocument,
): Kind<ProxyDocument, PublicProxy> {
  return {
    collection: "proxies",
    objects: (document) => document.proxies,
    publish: (proxy) => publicProxy(proxy, outside.nowMs()),
    complete(sent, { stored, document, made }) {
      const { fields, needsIdentity } = completeProxy(sent, stored, {
        identity: made,
        freeSipPort: freeSipPort([document, active()]),
        random: outside.random,
      });
      return { fields, needs: needsIdentity };
    },
    make: ({ fqdn }) => makeIdentity(fqdn, outside),
    changeProblems: modeProblems,
    useProblems: () => [],
  };
}

export const instanceKind: Kind<InstanceDocument, InstanceDocument> = {
  collection: "instances",
  objects: (document) => document.instances,
  publish: (instance) => instance,
  complete: (sent) => ({ fields: sent, needs: false }),
  make: () => Promise.reject(new Error("nothing is made for an instance")),
  changeProblems: () => [],
  useProblems({ name }, { proxies }) {
    const isNamed = (list: ProxyDocument["instances"]) =>
      list !== "all" && list.some((one) => one.toLowerCase() === name.toLowerCase());
    return proxies
      .filter(({ instances }) => isNamed(instances))
      .map((proxy) => ({ path: "", message: `proxy ${proxy.name} names it in its instances` }));
  },
};
