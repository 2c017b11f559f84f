/** The machine and everything that runs on it: interfaces, metrics, events. */

import { formatMetrics } from "../health/metrics.ts";
import type { Candidate } from "./candidate.ts";
import type { Events } from "./events.ts";
import type { InterfaceReport, MachineOperations, ObservedProxy } from "./operations.ts";
import { urlsOfPhone } from "./provisioning-urls.ts";

export type ListInterfaces = () => readonly Omit<InterfaceReport, "usedBy">[];

const LOOPBACK = "lo";

type MachineOptions = {
  readonly candidate: Candidate;
  readonly events: Events;
  readonly version: string;
  readonly plansNetwork: boolean;
  readonly interfaces: ListInterfaces;
  statuses(): Promise<readonly ObservedProxy[]>;
};

/** Lines of several proxies under one head each: a metric may have its HELP and TYPE only once. */
export function joinMetrics(texts: readonly string[]): string {
  const heads = new Map<string, string[]>();
  const samples = new Map<string, string[]>();
  for (const line of texts.flatMap((text) => text.split("\n"))) {
    const name = /^(?:# (?:HELP|TYPE) )?([a-zA-Z_:][a-zA-Z0-9_:]*)/.exec(line)?.[1];
    if (name === undefined) continue;
    const lines = line.startsWith("#") ? heads : samples;
    const known = lines.get(name) ?? [];
    if (!known.includes(line)) lines.set(name, [...known, line]);
  }
  const names = [...heads.keys()];
  return names
    .flatMap((name) => [...(heads.get(name) ?? []), ...(samples.get(name) ?? []), ""])
    .join("\n")
    .replace(/\n\n/g, "\n");
}

export function machineOperations(o: MachineOptions): MachineOperations {
  const { candidate, events } = o;

  function usedBy(name: string): readonly string[] {
    return candidate
      .document("candidate")
      .proxies.filter(({ network, bindAddress }) => {
        if (bindAddress !== null) return false;
        return network.mode === "auto" ? name === "eth0" : network.interface === name;
      })
      .map((proxy) => proxy.name);
  }

  return {
    version: o.version,
    plansNetwork: o.plansNetwork,
    interfaces: () =>
      o
        .interfaces()
        .filter(({ name }) => name !== LOOPBACK)
        .map((one) => ({ ...one, usedBy: usedBy(one.name) })),
    provisioningUrls: (instance, mac) => urlsOfPhone(candidate.document("active"), instance, mac),
    async metrics() {
      const running = (await o.statuses()).flatMap(({ status }) => status ?? []);
      return joinMetrics(running.map(formatMetrics));
    },
    subscribe: (receive) => events.subscribe(receive),
  };
}
