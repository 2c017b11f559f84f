/** Which ports of a proxy are switched on, towards phones and clients and towards the instances. */
import type { InstanceConfig, ProxyConfig } from "../config/config.ts";
import { opensWeb } from "../config/opens-web.ts";

/** Ports and ranges (`30000-35000`), ready for nft; in rising order, none twice. */
export type OpenPorts = { readonly tcp: readonly string[]; readonly udp: readonly string[] };

/** Towards phones and clients. Port 0 (any free one) cannot be opened beforehand and stays closed. */
export function outerPorts(
  proxy: ProxyConfig,
  instances: readonly InstanceConfig[],
): OpenPorts & { readonly media: string | null } {
  const { ports, voipSip, phoneProvisioning } = proxy;
  const hasWeb = opensWeb(proxy, instances);
  const tcp = [
    voipSip === "tls" ? ports.sipTls : 0,
    phoneProvisioning === "off" ? 0 : ports.provisioningHttps,
    phoneProvisioning === "http-and-https" ? ports.provisioningHttp : 0,
    proxy.allowXmpp ? ports.xmpp : 0,
    hasWeb ? ports.web : 0,
    hasWeb && proxy.redirectHttp ? ports.webHttp : 0,
  ];
  const udp = [voipSip === "udp" ? ports.sipUdp : 0];
  const media = voipSip === "off" ? null : range(proxy.rtpPorts);
  return {
    tcp: sorted(tcp),
    udp: [...sorted(udp), ...(media === null ? [] : [media])],
    media,
  };
}

/** Towards the instances: SIP by UDP and TCP, one port above it TLS; media in pairs. */
export function innerPorts({ inside }: ProxyConfig): {
  readonly sip: OpenPorts;
  readonly media: string;
} {
  return {
    sip: { tcp: sorted([inside.sipPort, inside.sipPort + 1]), udp: sorted([inside.sipPort]) },
    media: range(inside.rtpPorts),
  };
}

function range({ from, to }: { readonly from: number; readonly to: number }): string {
  return `${from}-${to}`;
}

function sorted(ports: readonly number[]): string[] {
  return [...new Set(ports.filter((port) => port !== 0))].sort((a, b) => a - b).map(String);
}
