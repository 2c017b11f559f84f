/** The case with two zones whose subnets overlap, an inside interface and a proxy on eth0, in full. */
import { describe, expect, test } from "bun:test";
import { configOf, manualZone, TWO_ZONES } from "../../test/network/documents.ts";
import { formatPlan, hostNames, mayCutOff, planNetwork } from "./plan.ts";
import { ruleCommand } from "./rules.ts";

const RESOLVED = new Map([["pbx.example.com", ["10.7.5.5", "fd00:7::5"]]]);
const plan = planNetwork(configOf(TWO_ZONES), RESOLVED);

describe("two zones with the same subnet, an inside interface and a proxy on eth0", () => {
  test("each zone has a /32 and its routes in a table of its own, unreachable behind them", () => {
    expect(plan.netplan).toBe(`# Made by pequod from its configuration; changes here are lost.
network:
  version: 2
  renderer: networkd
  ethernets:
    # Management.
    "eth0":
      dhcp4: false
      dhcp6: false
      accept-ra: false
      link-local: []
      optional: true
      addresses:
        - "10.0.3.1/24"
      routes:
        - to: "0.0.0.0/0"
          via: "10.0.3.254"
      nameservers:
        addresses: ["10.0.3.53"]
    # Towards instances, in the main table.
    "eth3":
      dhcp4: false
      dhcp6: false
      accept-ra: false
      link-local: []
      optional: true
      addresses:
        - "10.7.0.1/16"
      routes:
        - to: "10.8.0.0/16"
          via: "10.7.0.254"
    # Proxy dmz. A /32 and a /128, so that nothing of the zone is in the main table; unreachable behind
    # the default routes, so that nothing of the zone falls through to it either.
    "eth1":
      dhcp4: false
      dhcp6: false
      accept-ra: false
      link-local: [ipv6]
      optional: true
      addresses:
        - "192.168.1.10/32"
        - "fd00:5::100/128"
      routes:
        - to: "192.168.1.0/24"
          scope: link
          from: "192.168.1.10"
          table: 1001
        - to: "0.0.0.0/0"
          type: unreachable
          metric: 2147483647
          table: 1001
        - to: "fd00:5::/64"
          scope: link
          from: "fd00:5::100"
          table: 1001
        - to: "::/0"
          type: unreachable
          metric: 2147483647
          table: 1001
        - to: "0.0.0.0/0"
          via: "192.168.1.1"
          on-link: true
          from: "192.168.1.10"
          table: 1001
        - to: "::/0"
          via: "fe80::1"
          on-link: true
          from: "fd00:5::100"
          table: 1001
    # Proxy lan. A /32, so that nothing of the zone is in the main table; unreachable behind the
    # default route, so that nothing of the zone falls through to it either.
    "eth2":
      dhcp4: false
      dhcp6: false
      accept-ra: false
      link-local: []
      optional: true
      addresses:
        - "192.168.1.20/32"
      routes:
        - to: "192.168.1.0/24"
          scope: link
          from: "192.168.1.20"
          table: 1002
        - to: "0.0.0.0/0"
          type: unreachable
          metric: 2147483647
          table: 1002
`);
  });

  test("each address leads to its table and nowhere else", () => {
    expect(plan.rules.map((rule) => ruleCommand("add", rule).join(" "))).toEqual([
      "ip -4 rule add from 192.168.1.10/32 lookup 1001 priority 10010 protocol 201",
      "ip -6 rule add from fd00:5::100/128 lookup 1001 priority 10010 protocol 201",
      "ip -4 rule add from 192.168.1.10/32 unreachable priority 10011 protocol 201",
      "ip -6 rule add from fd00:5::100/128 unreachable priority 10011 protocol 201",
      "ip -4 rule add from 192.168.1.20/32 lookup 1002 priority 10020 protocol 201",
      "ip -4 rule add from 192.168.1.20/32 unreachable priority 10021 protocol 201",
    ]);
  });

  test("only what is switched on is open, by address and interface", () => {
    expect(plan.firewall.text).toBe(`table inet pequod
delete table inet pequod
table inet pequod {
	counter dropped {
		comment "adf138eefeddd7cd"
	}
	counter banned {
	}
	counter forwarded {
	}
	set admin4 {
		type ipv4_addr; flags interval; auto-merge;
		elements = { 10.0.0.0/8, 10.1.0.0/16 }
	}
	set ban4-dmz {
		type ipv4_addr; size 65536; flags timeout;
	}
	set ban6-dmz {
		type ipv6_addr; size 65536; flags timeout;
	}
	set ban4-lan {
		type ipv4_addr; size 65536; flags timeout;
	}
	set ban4-office {
		type ipv4_addr; size 65536; flags timeout;
	}
	set instances4-dmz {
		type ipv4_addr; flags interval; auto-merge;
		elements = { 10.0.3.150, 10.7.5.5 }
	}
	set media4-dmz {
		type ipv4_addr; flags interval; auto-merge;
		elements = { 10.0.3.150, 10.7.5.5, 10.0.4.0/24 }
	}
	set instances6-dmz {
		type ipv6_addr; flags interval; auto-merge;
		elements = { fd00:7::5 }
	}
	set media6-dmz {
		type ipv6_addr; flags interval; auto-merge;
		elements = { fd00:7::5 }
	}
	set instances4-lan {
		type ipv4_addr; flags interval; auto-merge;
		elements = { 10.0.3.150 }
	}
	set media4-lan {
		type ipv4_addr; flags interval; auto-merge;
		elements = { 10.0.3.150, 10.0.4.0/24 }
	}
	set instances4-office {
		type ipv4_addr; flags interval; auto-merge;
		elements = { 10.0.3.150, 10.7.5.5 }
	}
	set media4-office {
		type ipv4_addr; flags interval; auto-merge;
		elements = { 10.0.3.150, 10.7.5.5, 10.0.4.0/24 }
	}
	chain arriving {
		type filter hook prerouting priority raw; policy accept;
		iifname "eth1" ip daddr 192.168.1.10 udp dport { 30000-35000 } notrack
		iifname "eth1" ip6 daddr fd00:5::100 udp dport { 30000-35000 } notrack
		iifname { "eth0", "eth3" } udp dport 16384-29998 notrack
		iifname "eth2" ip daddr 192.168.1.20 udp dport { 5060, 30000-35000 } notrack
		iifname "eth0" ip daddr 10.0.3.1 udp dport { 30000-35000 } notrack
	}
	chain leaving {
		type filter hook output priority raw; policy accept;
		oifname "eth1" ip saddr 192.168.1.10 udp sport { 30000-35000 } notrack
		oifname "eth1" ip6 saddr fd00:5::100 udp sport { 30000-35000 } notrack
		oifname { "eth0", "eth3" } udp sport 16384-29998 notrack
		oifname "eth2" ip saddr 192.168.1.20 udp sport { 5060, 30000-35000 } notrack
		oifname "eth0" ip saddr 10.0.3.1 udp sport { 30000-35000 } notrack
	}
	chain input {
		type filter hook input priority filter; policy drop;
		iifname "lo" accept
		iifname "eth1" ip daddr 192.168.1.10 ip saddr @ban4-dmz counter name banned drop
		iifname "eth1" ip6 daddr fd00:5::100 ip6 saddr & ffff:ffff:ffff:ffff:: @ban6-dmz counter name banned drop
		iifname "eth2" ip daddr 192.168.1.20 ip saddr @ban4-lan counter name banned drop
		iifname "eth0" ip daddr 10.0.3.1 ip saddr @ban4-office tcp dport { 80, 443, 5061, 5222, 8884 } counter name banned drop
		iifname "eth0" ip daddr 10.0.3.1 ip saddr @ban4-office udp dport { 30000-35000 } counter name banned drop
		ct state established,related accept
		ct state invalid counter name dropped drop
		icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept
		icmpv6 type { echo-request, packet-too-big, destination-unreachable, time-exceeded, parameter-problem } accept
		icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept
		iifname "eth0" ip daddr 10.0.3.1 ip saddr @admin4 tcp dport 8443 accept
		iifname "eth0" ip daddr 10.0.3.1 tcp dport 22 accept
		iifname "eth1" ip daddr 192.168.1.10 tcp dport { 80, 443, 5061, 5222, 8884 } accept
		iifname "eth1" ip daddr 192.168.1.10 udp dport { 30000-35000 } accept
		iifname "eth1" ip6 daddr fd00:5::100 tcp dport { 80, 443, 5061, 5222, 8884 } accept
		iifname "eth1" ip6 daddr fd00:5::100 udp dport { 30000-35000 } accept
		iifname "eth2" ip daddr 192.168.1.20 udp dport { 5060, 30000-35000 } accept
		iifname "eth0" ip daddr 10.0.3.1 tcp dport { 80, 443, 5061, 5222, 8884 } accept
		iifname "eth0" ip daddr 10.0.3.1 udp dport { 30000-35000 } accept
		iifname { "eth0", "eth3" } ip saddr @instances4-dmz tcp dport { 15060, 15061 } accept
		iifname { "eth0", "eth3" } ip saddr @instances4-dmz udp dport 15060 accept
		iifname { "eth0", "eth3" } ip saddr @media4-dmz udp dport 16384-29998 accept
		iifname { "eth0", "eth3" } ip6 saddr @instances6-dmz tcp dport { 15060, 15061 } accept
		iifname { "eth0", "eth3" } ip6 saddr @instances6-dmz udp dport 15060 accept
		iifname { "eth0", "eth3" } ip6 saddr @media6-dmz udp dport 16384-29998 accept
		iifname { "eth0", "eth3" } ip saddr @instances4-lan tcp dport { 15062, 15063 } accept
		iifname { "eth0", "eth3" } ip saddr @instances4-lan udp dport 15062 accept
		iifname { "eth0", "eth3" } ip saddr @media4-lan udp dport 16384-29998 accept
		iifname { "eth0", "eth3" } ip daddr 10.7.0.1 ip saddr @instances4-office tcp dport { 15064, 15065 } accept
		iifname { "eth0", "eth3" } ip daddr 10.7.0.1 ip saddr @instances4-office udp dport 15064 accept
		iifname { "eth0", "eth3" } ip daddr 10.7.0.1 ip saddr @media4-office udp dport 16384-29998 accept
		counter name dropped
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
		counter name forwarded
	}
}
`);
  });
});

const SMALL = { version: 1, proxies: [{ name: "dmz", fqdn: "a.example.com" }] };
const small = planNetwork(configOf(SMALL), new Map());

/** The rules of the chain `input` that do not stand in every plan. */
function inputOf(document: unknown, resolved: ReadonlyMap<string, readonly string[]> = new Map()) {
  const lines = planNetwork(configOf(document), resolved)
    .firewall.text.split("\n")
    .map((line) => line.trim());
  const first = lines.findIndex((line) => line.startsWith("icmpv6 type { nd-"));
  return lines.slice(first + 1, lines.indexOf("counter name dropped"));
}

describe("a proxy on eth0 by DHCP", () => {
  test("gets no table and no rule", () => {
    expect(small.rules).toEqual([]);
    expect(small.netplan).toBe(`# Made by pequod from its configuration; changes here are lost.
network:
  version: 2
  renderer: networkd
  ethernets:
    # Management. The MAC as identifier, since that is what clouds reserve addresses by.
    "eth0":
      dhcp4: true
      dhcp-identifier: mac
      dhcp6: false
      accept-ra: false
      link-local: []
      optional: true
`);
  });

  test("is open at whatever address eth0 has, and DHCP may answer", () => {
    expect(inputOf(SMALL)).toEqual([
      'iifname "eth0" udp sport 67 udp dport 68 accept',
      'iifname "eth0" fib daddr . iif type local tcp dport 8443 accept',
      'iifname "eth0" fib daddr . iif type local tcp dport { 80, 443, 5061, 5222, 8884 } accept',
      'iifname "eth0" fib daddr . iif type local udp dport { 30000-35000 } accept',
    ]);
  });

  test("asks the DNS servers that were set instead of those of DHCP", () => {
    const { netplan } = planNetwork(
      configOf({ ...SMALL, appliance: { dns: ["10.0.0.53", "fd00::53"] } }),
      new Map(),
    );
    expect(netplan).toEndWith(`      optional: true
      dhcp4-overrides:
        use-dns: false
      nameservers:
        addresses: ["10.0.0.53", "fd00::53"]
`);
  });
});

describe("what is switched off stays closed", () => {
  const closed = {
    name: "dmz",
    fqdn: "a.example.com",
    voipSip: "off",
    phoneProvisioning: "off",
    allowXmpp: false,
    manageInstances: "off",
  };
  const management = [
    'iifname "eth0" udp sport 67 udp dport 68 accept',
    'iifname "eth0" fib daddr . iif type local tcp dport 8443 accept',
  ];
  const opened = (fields: object, instances: readonly object[] = []): string[] =>
    inputOf({ version: 1, instances, proxies: [{ ...closed, ...fields }] })
      .slice(2)
      .filter((line) => !line.includes("saddr @"))
      .map((line) => line.replace('iifname "eth0" fib daddr . iif type local ', ""));

  test("a proxy with everything off opens nothing", () => {
    expect(inputOf({ version: 1, proxies: [closed] })).toEqual(management);
  });

  test("each switch opens its own ports", () => {
    expect(opened({ voipSip: "tls" })).toEqual([
      "tcp dport { 5061 } accept",
      "udp dport { 30000-35000 } accept",
    ]);
    expect(opened({ voipSip: "udp", ports: { sipUdp: 5070 } })).toEqual([
      "udp dport { 5070, 30000-35000 } accept",
    ]);
    expect(opened({ phoneProvisioning: "https" })).toEqual(["tcp dport { 8884 } accept"]);
    expect(opened({ phoneProvisioning: "http-and-https" })).toEqual([
      "tcp dport { 8880, 8884 } accept",
    ]);
    expect(opened({ manageInstances: "rest" })).toEqual(["tcp dport { 80, 443 } accept"]);
    expect(opened({ redirectionUrl: "https://example.com/" })).toEqual([
      "tcp dport { 80, 443 } accept",
    ]);
    expect(opened({ allowXmpp: true })).toEqual(["tcp dport { 5222 } accept"]);
  });

  test("the web port opens for XMPP over HTTP only where an instance has it", () => {
    const pbx = { name: "pbx", address: "10.0.3.150", xmpp: { http: true } };
    expect(opened({ allowXmpp: true }, [pbx])).toEqual(["tcp dport { 80, 443, 5222 } accept"]);
    expect(opened({ allowXmpp: false }, [pbx])).toEqual([]);
    expect(opened({ allowXmpp: true }, [{ ...pbx, enabled: false }])).toEqual([
      "tcp dport { 5222 } accept",
    ]);
  });

  test("a port that is not known beforehand stays closed, also that of the admin", () => {
    expect(opened({ voipSip: "tls", ports: { sipTls: 0 } })).toEqual([
      "udp dport { 30000-35000 } accept",
    ]);
    expect(inputOf({ version: 1, appliance: { admin: { port: 0 } } })).toEqual(
      management.slice(0, 1),
    );
  });
});

describe("inside ports", () => {
  const proxies = [{ name: "dmz", fqdn: "a.example.com" }];
  const inside = (instances: readonly object[], resolved?: ReadonlyMap<string, string[]>) =>
    inputOf({ version: 1, instances, proxies }, resolved).filter((line) =>
      line.includes("saddr @"),
    );

  test("are closed while no instance is known", () => {
    expect(inside([])).toEqual([]);
    expect(inside([{ name: "pbx", address: "10.0.3.150", enabled: false }])).toEqual([]);
  });

  test("are open to an instance with a name when the name has an address", () => {
    const pbx = [{ name: "pbx", address: "pbx.example.com" }];
    const config = configOf({ version: 1, instances: pbx, proxies });
    expect(hostNames(config)).toEqual(["pbx.example.com"]);
    expect(inside(pbx)).toEqual([]);
    expect(planNetwork(config, new Map()).unresolved).toEqual(["pbx.example.com"]);
    expect(inside(pbx, new Map([["pbx.example.com", ["10.0.3.7"]]]))).toEqual([
      'iifname { "eth0" } ip saddr @instances4-dmz tcp dport { 15060, 15061 } accept',
      'iifname { "eth0" } ip saddr @instances4-dmz udp dport 15060 accept',
      'iifname { "eth0" } ip saddr @media4-dmz udp dport 16384-29998 accept',
    ]);
  });
});

describe("a trial", () => {
  test("with a bind address plans no network at all", () => {
    const zone = manualZone("dmz", "eth1", "10.5.6.100");
    const trial = { version: 1, proxies: [{ ...zone, bindAddress: "127.0.0.2" }] };
    const plan = planNetwork(configOf(trial), new Map());
    expect(plan.rules).toEqual([]);
    expect(plan.netplan).not.toContain("eth1");
    expect(plan.firewall.text).not.toContain("5061");
  });
});

describe("whether a change has to be confirmed", () => {
  const planOf = (document: object) => planNetwork(configOf(document), new Map());
  const before = { version: 1, proxies: [manualZone("dmz", "eth1", "10.5.6.100")] };

  test("addresses, gateways and what leads to the admin do", () => {
    const moved = { version: 1, proxies: [manualZone("dmz", "eth1", "10.5.6.101")] };
    const narrowed = { ...before, appliance: { admin: { allowedNetworks: ["10.0.0.0/8"] } } };
    const other = { ...before, appliance: { admin: { allowedNetworks: ["10.1.0.0/16"] } } };
    const port = { ...before, appliance: { admin: { port: 9443 } } };
    expect(mayCutOff(planOf(before), planOf(moved))).toBe(true);
    expect(mayCutOff(planOf(before), planOf(narrowed))).toBe(true);
    expect(mayCutOff(planOf(narrowed), planOf(other))).toBe(true);
    expect(mayCutOff(planOf(before), planOf(port))).toBe(true);
  });

  test("ports of a zone, instances and switching a proxy off do not", () => {
    const zone = manualZone("dmz", "eth1", "10.5.6.100");
    const udp = { version: 1, proxies: [{ ...zone, voipSip: "udp", enabled: false }] };
    const instances = [{ name: "pbx", address: "10.0.3.150" }];
    expect(mayCutOff(planOf(before), planOf(udp))).toBe(false);
    expect(mayCutOff(planOf(before), planOf({ ...before, instances }))).toBe(false);
    expect(planOf(udp).firewall.mark).not.toBe(planOf(before).firewall.mark);
  });
});

test("the text for the operator holds all three parts", () => {
  const text = formatPlan(plan);
  expect(text).toStartWith("# /run/netplan/90-pequod.yaml\n# Made by pequod");
  expect(text).toContain("\n# ip rule\nip -4 rule add from 192.168.1.10/32 lookup 1001 ");
  expect(text).toContain("\n# nft -f\ntable inet pequod\ndelete table inet pequod\n");
});
