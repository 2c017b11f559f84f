/** Bad documents: interfaces, addresses, networks and ports. */
import type { BadDocument } from "./change.ts";

const cellar = {
  name: "cellar",
  fqdn: "cellar.example.com",
  network: { mode: "manual", interface: "eth3", address: "10.7.0.2", netmask: "255.255.0.0" },
};
const inside = { interface: "eth2", address: "10.0.3.1", netmask: "255.255.255.0" };

export const badNetworks: readonly BadDocument[] = [
  [
    "with two auto proxies",
    { "proxies[1].network": undefined },
    ['proxies[1].network.mode: only one proxy can be "auto", and proxies[0] is'],
  ],
  [
    "with two auto proxies of which one binds elsewhere: bindAddress weakens no rule",
    { "proxies[1].network": undefined, "proxies[1].bindAddress": "127.0.0.1" },
    ['proxies[1].network.mode: only one proxy can be "auto", and proxies[0] is'],
  ],
  [
    "with an unknown network mode",
    { "proxies[0].network": { mode: "dhcp" } },
    ['proxies[0].network.mode: must be "auto" or "manual"'],
  ],
  [
    "with an auto proxy that has an interface",
    { "proxies[0].network": { mode: "auto", interface: "eth1" } },
    ["proxies[0].network.interface: unknown field"],
  ],
  [
    "with a manual network that lacks everything",
    { "proxies[1].network": { mode: "manual" } },
    [
      "proxies[1].network.interface: is required",
      "proxies[1].network.address: is required",
      "proxies[1].network.netmask: is required",
    ],
  ],
  [
    "with two manual proxies on one interface",
    { "proxies[2]": { ...cellar, network: { ...cellar.network, interface: "eth1" } } },
    ["proxies[2].network.interface: is already the interface of proxies[1]"],
  ],
  [
    "with a manual proxy on eth0",
    { "proxies[1].network.interface": "eth0" },
    ["proxies[1].network.interface: must not be eth0, which is for management"],
  ],
  [
    "with an interface that is a path",
    { "proxies[1].network.interface": "../eth1" },
    ["proxies[1].network.interface: must be the name of a network interface, e.g. eth1"],
  ],
  [
    "with one address in two zones",
    { "proxies[2]": { ...cellar, network: { ...cellar.network, address: "10.5.6.100" } } },
    ["proxies[2].network.address: is already the address of proxies[1]"],
  ],
  [
    "with an inside interface that is a zone's",
    { "appliance.inside": [{ ...inside, interface: "eth1" }] },
    ["appliance.inside[0].interface: is already the interface of proxies[1]"],
  ],
  [
    "with an inside interface eth0",
    { "appliance.inside": [{ ...inside, interface: "eth0" }] },
    ["appliance.inside[0].interface: must not be eth0, which is for management"],
  ],
  [
    "with an inside route over a router elsewhere",
    { "appliance.inside": [{ ...inside, routes: [{ to: "10.0.4.0/24", via: "10.0.4.254" }] }] },
    ["appliance.inside[0].routes[0].via: must be inside 10.0.3.0/24"],
  ],
  [
    "with a route to an address that is no network",
    { "appliance.inside": [{ ...inside, routes: [{ to: "10.0.4.0", via: "10.0.3.254" }] }] },
    [
      "appliance.inside[0].routes[0].to: must be a network in CIDR form, e.g. 10.0.3.0/24 or fd00:1::/64",
    ],
  ],
  [
    "with a gateway of eth0 outside its subnet",
    {
      "appliance.eth0": {
        mode: "static",
        address: "10.0.0.10",
        netmask: "255.255.255.0",
        gateway: "10.0.1.1",
      },
    },
    ["appliance.eth0.gateway: must be inside 10.0.0.0/24"],
  ],
  [
    "with a static eth0 without a gateway",
    { "appliance.eth0": { mode: "static", address: "10.0.0.10", netmask: "255.255.255.0" } },
    ["appliance.eth0.gateway: is required"],
  ],
  [
    "with a gateway outside the subnet",
    { "proxies[1].network.gateway": "10.5.7.1" },
    ["proxies[1].network.gateway: must be inside 10.5.6.0/24"],
  ],
  [
    "with a gateway that is the proxy itself",
    { "proxies[1].network.gateway": "10.5.6.100" },
    ["proxies[1].network.gateway: must not be the address itself"],
  ],
  [
    "with a gateway that is the broadcast address",
    { "proxies[1].network.gateway": "10.5.6.255" },
    ["proxies[1].network.gateway: must not be the broadcast address of 10.5.6.0/24"],
  ],
  [
    "with the network's address",
    { "proxies[1].network.address": "10.5.6.128", "proxies[1].network.netmask": "255.255.255.128" },
    ["proxies[1].network.address: must not be the address of the network 10.5.6.128/25"],
  ],
  [
    "with the broadcast address",
    { "proxies[1].network.address": "10.5.6.255" },
    ["proxies[1].network.address: must not be the broadcast address of 10.5.6.0/24"],
  ],
  [
    "with a netmask that has a hole",
    { "proxies[1].network.netmask": "255.0.255.0" },
    ["proxies[1].network.netmask: must be a netmask, e.g. 255.255.255.0"],
  ],
  [
    "with a netmask of nothing",
    { "proxies[1].network.netmask": "0.0.0.0" },
    ["proxies[1].network.netmask: must be a netmask, e.g. 255.255.255.0"],
  ],
  [
    "with a loopback address in a zone",
    { "proxies[1].network.address": "127.0.0.5" },
    ["proxies[1].network.address: must be the address of one host, not a loopback one"],
  ],
  [
    "with an IPv6 gateway outside the prefix",
    { "proxies[1].network.address6": "fd00:5::100", "proxies[1].network.gateway6": "fd00:6::1" },
    ["proxies[1].network.gateway6: must be inside fd00:5::100/64"],
  ],
  [
    "with an IPv6 gateway and no IPv6 address",
    { "proxies[1].network.gateway6": "fe80::1" },
    ['proxies[1].network.gateway6: needs "address6"'],
  ],
  [
    "with the IPv6 address of the network",
    { "proxies[1].network.address6": "fd00:5::" },
    ["proxies[1].network.address6: must not be the address of the network itself"],
  ],
  [
    "with an IPv4 address written as IPv6",
    { "proxies[1].network.address6": "::ffff:10.5.6.100" },
    ["proxies[1].network.address6: must be an IPv6 address, not an IPv4 one written as IPv6"],
  ],
  [
    "with a wildcard as bind address",
    { "proxies[0].bindAddress": "0.0.0.0" },
    ["proxies[0].bindAddress: must be the address of one host, not an unspecified one"],
  ],
  [
    "with a host name as public address",
    { "proxies[0].publicAddress": "mobydick.example.com" },
    ["proxies[0].publicAddress: must be an IPv4 address"],
  ],
  [
    "with a loopback public address outside a trial",
    { "proxies[0].publicAddress": "127.0.0.1" },
    ["proxies[0].publicAddress: must be the address of one host, not a loopback one"],
  ],
  [
    "with a prefix too long",
    { "instances[0].mediaNetworks": ["10.0.3.0/33"] },
    [
      "instances[0].mediaNetworks[0]: must be a network in CIDR form, e.g. 10.0.3.0/24 or fd00:1::/64",
    ],
  ],
];

export const badPorts: readonly BadDocument[] = [
  [
    "with an odd first media port",
    { "proxies[0].rtpPorts": { from: 30_001, to: 30_100 } },
    ['proxies[0].rtpPorts.from: must be even and below "to"'],
  ],
  [
    "with a media range of one port",
    { "proxies[0].rtpPorts": { from: 30_000, to: 30_000 } },
    ['proxies[0].rtpPorts.from: must be even and below "to"'],
  ],
  [
    "with an inside range upside down",
    { "proxies[0].inside.rtpPorts": { from: 20_000, to: 18_000 } },
    ['proxies[0].inside.rtpPorts.from: must be even and below "to"'],
  ],
  [
    "with media ports over fixed ports",
    { "proxies[0].rtpPorts": { from: 5000, to: 5999 } },
    [
      "proxies[0].rtpPorts: contains ports.sipTls 5061",
      "proxies[0].rtpPorts: contains ports.sipUdp 5060",
      "proxies[0].rtpPorts: contains ports.xmpp 5222",
    ],
  ],
  [
    "with media ports over the inside SIP port",
    { "proxies[0].rtpPorts": { from: 14_000, to: 15_060 } },
    ["proxies[0].rtpPorts: contains inside.sipPort 15060"],
  ],
  [
    "with inside media ports over the inside SIP port",
    {
      "proxies[0].inside.rtpPorts": { from: 15_082, to: 16_000 },
      "proxies[0].inside.sipPort": 15_081,
    },
    ["proxies[0].inside.rtpPorts: contains the TLS port above inside.sipPort, 15082"],
  ],
  [
    "with media ranges that overlap where the addresses may be the same",
    { "proxies[0].inside.rtpPorts.to": 30_000 },
    ["proxies[0].inside.rtpPorts: overlaps rtpPorts 30000-35000"],
  ],
  [
    "with two services on one port",
    { "proxies[0].ports": { web: 8884, webHttp: 5060 } },
    ["proxies[0].ports.web: is already the port of ports.provisioningHttps"],
  ],
  [
    "with the web on the port of the admin pages",
    { "proxies[0].ports.web": 8443 },
    ["proxies[0].ports.web: is the port of the admin pages on eth0"],
  ],
  [
    "with one inside port at two proxies",
    { "proxies[0].inside.sipPort": 15_062 },
    ["proxies[1].inside.sipPort: 15062 is already that of proxies[0] at the same address"],
  ],
  [
    "with inside ports that meet at the TLS port",
    { "proxies[0].inside.sipPort": 15_061 },
    [
      "proxies[1].inside.sipPort: 15062 and 15063 (TLS) meet 15061 and 15062 (TLS) of proxies[0] at the same address",
    ],
  ],
];
