/** The URLs under which one phone asks for its configuration, as the operator types them into it. */
import type { ProvisioningTokens } from "./token.ts";

export type ProvisioningMode = "https-encrypted" | "https" | "http-and-https" | "off";

export type UrlParts = {
  readonly mode: ProvisioningMode;
  /** A host name or an IP address. */
  readonly fqdn: string;
  readonly ports: { readonly provisioningHttps: number; readonly provisioningHttp: number };
  readonly tokens: ProvisioningTokens;
};

/** HTTPS first; none while the service is off. `mac` is canonical, `instance` as it is configured. */
export function provisioningUrls(o: UrlParts, instance: string, mac: string): string[] {
  const { mode, ports, tokens } = o;
  const host = o.fqdn.includes(":") ? `[${o.fqdn}]` : o.fqdn;
  const https = `https://${host}:${ports.provisioningHttps}/p/`;
  if (mode === "off") return [];
  if (mode === "https-encrypted") return [`${https}${tokens.make({ instance, mac })}`];
  const plain = `${instance}/${mac}`;
  if (mode === "https") return [`${https}${plain}`];
  return [`${https}${plain}`, `http://${host}:${ports.provisioningHttp}/p/${plain}`];
}
