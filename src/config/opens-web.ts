/** When the web port of a proxy is open: its ports and the firewall must agree. */
import type { InstanceConfig, ProxyConfig } from "./config.ts";

/** Whether there is anything to serve: management, a redirection, or XMPP over HTTP. */
export function opensWeb(proxy: ProxyConfig, instances: readonly InstanceConfig[]): boolean {
  return (
    proxy.manageInstances !== "off" ||
    proxy.redirectionUrl !== null ||
    (proxy.allowXmpp && instances.some(({ xmpp }) => xmpp.http))
  );
}
