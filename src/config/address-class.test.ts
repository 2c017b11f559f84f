import { expect, test } from "bun:test";
import {
  addressClass,
  canonicalAddress,
  isInNetworks,
  LOCAL_NETWORKS,
  networkSet,
} from "./address-class.ts";

test.each([
  ["127.0.0.1", "loopback"],
  ["127.255.255.254", "loopback"],
  ["::1", "loopback"],
  ["0:0:0:0:0:0:0:1", "loopback"],
  ["::ffff:127.0.0.1", "loopback"],
  ["::ffff:7f00:1", "loopback"],
  ["0.0.0.0", "unspecified"],
  ["0.1.2.3", "unspecified"],
  ["::", "unspecified"],
  ["::ffff:0.0.0.0", "unspecified"],
  ["::127.0.0.1", "unspecified"],
  ["224.0.0.1", "multicast"],
  ["239.255.255.250", "multicast"],
  ["255.255.255.255", "multicast"],
  ["240.0.0.1", "multicast"],
  ["ff02::1", "multicast"],
  ["::ffff:224.0.0.1", "multicast"],
  ["169.254.169.254", "link-local"],
  ["fe80::1", "link-local"],
  ["fe80::1%eth0", "link-local"],
  ["febf:ffff::1", "link-local"],
  ["::ffff:169.254.169.254", "link-local"],
  ["10.0.3.150", "private"],
  ["172.16.0.1", "private"],
  ["172.31.255.255", "private"],
  ["192.168.1.10", "private"],
  ["100.64.0.1", "private"],
  ["fd00:1::5", "private"],
  ["fec0::1", "private"],
  ["::ffff:10.0.0.1", "private"],
  ["172.15.255.255", "public"],
  ["172.32.0.0", "public"],
  ["100.128.0.1", "public"],
  ["198.51.100.7", "public"],
  ["223.255.255.255", "public"],
  ["2001:db8::1", "public"],
  ["::ffff:198.51.100.7", "public"],
] as const)("%s is %s", (address, expected) => {
  expect(addressClass(address)).toBe(expected);
});

test.each([
  "",
  "mycompany",
  "127.1",
  "0x7f000001",
  "2130706433",
  "010.0.0.1",
  "10.0.0.1 ",
  "10.0.0.1/8",
  "[::1]",
])("text that is no address (%p) is no place to send to", (text) => {
  expect(addressClass(text)).toBe("unspecified");
});

test("an address lies in a network, also when it comes IPv4-mapped", () => {
  const set = networkSet(["10.0.3.0/24", "fd00:1::/64", "198.51.100.7/32"]);
  const addresses = [
    "10.0.3.0",
    "10.0.3.255",
    "10.0.4.0",
    "::ffff:10.0.3.9",
    "fd00:1::ffff",
    "fd00:2::1",
    "198.51.100.7",
    "198.51.100.8",
    "mycompany",
  ];
  expect(addresses.filter((address) => isInNetworks(address, set))).toEqual([
    "10.0.3.0",
    "10.0.3.255",
    "::ffff:10.0.3.9",
    "fd00:1::ffff",
    "198.51.100.7",
  ]);
});

test("an empty set holds nothing", () => {
  expect(isInNetworks("10.0.0.1", networkSet([]))).toBe(false);
});

test("host bits of a CIDR are ignored", () => {
  expect(isInNetworks("10.0.3.200", networkSet(["10.0.3.5/24"]))).toBe(true);
});

test.each(["10.0.0.0", "mycompany/8", "10.0.0.0/", "10.0.0.0/x", ""])("%p is no CIDR", (text) => {
  expect(() => networkSet([text])).toThrow(TypeError);
});

test("local networks are RFC 1918, ULA and link-local, not shared address space", () => {
  expect(isInNetworks("192.168.178.20", LOCAL_NETWORKS)).toBe(true);
  expect(isInNetworks("fd12::1", LOCAL_NETWORKS)).toBe(true);
  expect(isInNetworks("fe80::1", LOCAL_NETWORKS)).toBe(true);
  expect(isInNetworks("100.64.0.1", LOCAL_NETWORKS)).toBe(false);
  expect(isInNetworks("127.0.0.1", LOCAL_NETWORKS)).toBe(false);
});

test.each([
  ["FD00:0:0::1", "fd00::1"],
  ["fe80::1%eth0", "fe80::1"],
  ["::ffff:10.0.3.150", "10.0.3.150"],
  ["::FFFF:0a00:0396", "10.0.3.150"],
  ["10.0.3.150", "10.0.3.150"],
  ["PBX.Example.com", "pbx.example.com"],
])("%s is compared as %s", (address, expected) => {
  expect(canonicalAddress(address)).toBe(expected);
});
