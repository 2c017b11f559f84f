/** The URLs one phone gets of each proxy that reaches its instance, as the applied configuration makes them. */
import { type ConfigDocument, resolveConfig, sliceFor } from "../config/config.ts";
import { canonicalMac } from "../provisioning/mac.ts";
import { ProvisioningTokens } from "../provisioning/token.ts";
import { provisioningUrls } from "../provisioning/urls.ts";
import { placeOf } from "./drafts.ts";
import type { ProxyUrls } from "./operations.ts";
import { done, type Outcome, refused } from "./outcome.ts";

/** None for a proxy whose provisioning is off. */
export function urlsOfPhone(
  document: ConfigDocument,
  instance: string,
  mac: string,
): Outcome<readonly ProxyUrls[]> {
  if (placeOf(document, "instances", instance) < 0) {
    const detail = `The applied configuration has no instance "${instance}".`;
    return refused("not-found", { detail });
  }
  const canonical = canonicalMac(mac.trim());
  if (canonical === null) {
    const message = "must be a MAC address, e.g. 08C25A4F0321";
    return refused("invalid", { problems: [{ path: "mac", message }] });
  }
  const config = resolveConfig(document);
  const urls = config.proxies.flatMap(({ name }) => urlsOf(config, name, instance, canonical));
  return done(urls);
}

function urlsOf(
  config: ReturnType<typeof resolveConfig>,
  name: string,
  instance: string,
  mac: string,
): ProxyUrls[] {
  const slice = sliceFor(config, name);
  const found = slice?.instances.find((one) => one.name.toLowerCase() === instance.toLowerCase());
  if (slice === null || found === undefined) return [];
  const { fqdn, ports, phoneProvisioning: mode, provisioningKey } = slice.proxy;
  // A proxy without a key in the document has one that only its process knows.
  if (provisioningKey === null) return [{ proxy: name, urls: [] }];
  const tokens = new ProvisioningTokens(Buffer.from(provisioningKey, "base64"));
  return [{ proxy: name, urls: provisioningUrls({ mode, fqdn, ports, tokens }, found.name, mac) }];
}
