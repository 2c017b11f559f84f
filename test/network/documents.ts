/** The configurations that the tests of src/network start from. */
import { checkConfig, formatProblem } from "../../src/config/check.ts";
import type { Config } from "../../src/config/config.ts";

/** The checked configuration of a document; throws with every problem. */
export function configOf(document: unknown): Config {
  const { config, problems } = checkConfig(document);
  if (config === null) throw new Error(problems.map(formatProblem).join("\n"));
  return config;
}

/** A manual zone on `interface` with this address in a /24. */
export function manualZone(name: string, interfaceName: string, address: string): object {
  const network = { mode: "manual", interface: interfaceName, address, netmask: "255.255.255.0" };
  return { name, fqdn: `${name}.example.com`, network };
}

/** Everything at once: overlapping zones, IPv6, a static eth0, an inside interface, an auto proxy. */
export const TWO_ZONES = {
  version: 1,
  appliance: {
    eth0: {
      mode: "static",
      address: "10.0.3.1",
      netmask: "255.255.255.0",
      gateway: "10.0.3.254",
    },
    dns: ["10.0.3.53"],
    inside: [
      {
        interface: "eth3",
        address: "10.7.0.1",
        netmask: "255.255.0.0",
        routes: [{ to: "10.8.1.0/16", via: "10.7.0.254" }],
      },
    ],
    admin: { allowedNetworks: ["10.0.0.0/8", "10.1.0.0/16"] },
    ssh: { enabled: true },
  },
  instances: [
    { name: "mycompany", address: "10.0.3.150", mediaNetworks: ["10.0.4.0/24"] },
    { name: "other", address: "pbx.example.com" },
  ],
  proxies: [
    {
      name: "dmz",
      fqdn: "a.example.com",
      network: {
        mode: "manual",
        interface: "eth1",
        address: "192.168.1.10",
        netmask: "255.255.255.0",
        gateway: "192.168.1.1",
        address6: "FD00:5:0::100",
        gateway6: "fe80::1",
      },
    },
    {
      name: "lan",
      fqdn: "b.example.com",
      voipSip: "udp",
      phoneProvisioning: "off",
      allowXmpp: false,
      manageInstances: "off",
      network: {
        mode: "manual",
        interface: "eth2",
        address: "192.168.1.20",
        netmask: "255.255.255.0",
      },
      instances: ["mycompany"],
    },
    { name: "office", fqdn: "c.example.com", inside: { address: "10.7.0.1" } },
  ],
};
