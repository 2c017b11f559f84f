/**
 * `pequod provisioning-url --config FILE [--state DIR] --proxy NAME --instance NAME --mac MAC`: the URLs that
 * one phone gets, one a line, HTTPS first. The same key as the proxy's own; made here when it has none yet.
 */
import { realWorld } from "../io/world.ts";
import { canonicalMac } from "../provisioning/mac.ts";
import { ProvisioningTokens } from "../provisioning/token.ts";
import { provisioningUrls } from "../provisioning/urls.ts";
import { provisioningKey, StateError } from "../proxy/state.ts";
import { InputError, parseArguments, UsageError } from "./arguments.ts";
import { loadSlice } from "./configuration.ts";
import { openFolder } from "./proxy.ts";

const OPTIONS = ["config", "state", "proxy", "instance", "mac"] as const;

export function provisioningUrlCommand(given: readonly string[]): number {
  const { options } = parseArguments(given, { options: OPTIONS, words: { least: 0, most: 0 } });
  const wanted = (name: (typeof OPTIONS)[number]): string => {
    const value = options.get(name);
    if (value === undefined) throw new UsageError(`--${name} is missing`);
    return value;
  };
  const path = wanted("config");
  const name = wanted("proxy");
  const mac = canonicalMac(wanted("mac"));
  if (mac === null) throw new InputError(`${wanted("mac")} is no MAC address`);
  const { proxy, instances } = loadSlice(path, name).slice;
  const lower = wanted("instance").toLowerCase();
  const instance = instances.find((one) => one.name.toLowerCase() === lower);
  if (instance === undefined) {
    throw new InputError(`proxy ${name} reaches no instance ${wanted("instance")}`);
  }
  if (proxy.phoneProvisioning === "off")
    throw new InputError(`proxy ${name} serves no phones: phoneProvisioning is off`);
  const folder = options.get("state") ?? process.env["STATE_DIRECTORY"] ?? `${path}.state`;
  const tokens = new ProvisioningTokens(keyOf(proxy, folder));
  const parts = { mode: proxy.phoneProvisioning, fqdn: proxy.fqdn, ports: proxy.ports, tokens };
  for (const url of provisioningUrls(parts, instance.name, mac)) console.log(url);
  return 0;
}

/** Where the key is configured no folder is needed. */
function keyOf(proxy: { readonly provisioningKey: string | null }, folder: string): Uint8Array {
  const noStore = { read: () => null, write() {} };
  const store = proxy.provisioningKey === null ? openFolder(folder) : noStore;
  try {
    return provisioningKey(proxy, store, realWorld.random);
  } catch (error) {
    if (error instanceof StateError) throw new InputError(`${folder}: ${error.message}`);
    throw error;
  }
}
