/**
 * The zones of a configuration: one for each proxy that the network is planned for. Whether a proxy is
 * switched on does not matter here: its address and ports stay, so that start and stop touch no network, and
 * where nothing listens an open port leads nowhere.
 */
import { type Config, type InstanceConfig, type ProxyConfig, sliceFor } from "../config/config.ts";
import { type ZoneNumbers, zoneNumbers } from "./zone-table.ts";

type ManualNetwork = Extract<ProxyConfig["network"], { mode: "manual" }>;

type ZoneOf<T> = T & {
  readonly proxy: ProxyConfig;
  /** Those that can be reached through the proxy. */
  readonly instances: readonly InstanceConfig[];
};

export type Zone = ZoneOf<
  | { readonly kind: "auto" }
  | {
      readonly kind: "manual";
      readonly network: ManualNetwork;
      readonly numbers: ZoneNumbers;
    }
>;

/** In the order of the document. A proxy with a bindAddress has none: it is a trial on an address there. */
export function zonesOf(config: Config): readonly Zone[] {
  const planned = config.proxies.filter((proxy) => proxy.bindAddress === null);
  const numbers = zoneNumbers(
    planned.flatMap(({ network }) => (network.mode === "manual" ? [network.interface] : [])),
  );
  return planned.map((proxy) => {
    const instances = sliceFor(config, proxy.name)?.instances ?? [];
    const { network } = proxy;
    if (network.mode === "auto") return { kind: "auto", proxy, instances };
    const own = numbers.get(network.interface);
    if (own === undefined) throw new Error(`${network.interface} has no number`);
    return { kind: "manual", proxy, instances, network, numbers: own };
  });
}
