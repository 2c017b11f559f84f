import { expect, test } from "bun:test";
import { prefixLength, subnet4Problems, subnet6Problems, subnetOf } from "./subnet.ts";

test.each([
  ["255.255.255.255", 32],
  ["255.255.255.254", 31],
  ["255.255.255.0", 24],
  ["255.255.128.0", 17],
  ["128.0.0.0", 1],
  ["0.0.0.0", null],
  ["255.0.255.0", null],
  ["0.0.0.255", null],
  ["255.255.255.1", null],
])("the netmask %s has the prefix length %p", (netmask, expected) => {
  expect(prefixLength(netmask)).toBe(expected);
});

test.each([
  ["10.5.6.100", "255.255.255.0", "10.5.6.0/24"],
  ["10.5.6.200", "255.255.255.128", "10.5.6.128/25"],
  ["200.1.2.3", "255.255.255.255", "200.1.2.3/32"],
  ["10.5.6.100", "255.0.255.0", null],
])("%s with %s is in %p", (address, netmask, expected) => {
  expect(subnetOf({ address, netmask })).toBe(expected);
});

/** The problems of an IPv4 address as "field message". */
const lines4 = (address: string, netmask: string, gateway: string | null = null) =>
  subnet4Problems({ address, netmask, gateway }).map(({ field, message }) => `${field} ${message}`);

test("a /31 has two hosts and neither a network nor a broadcast address (RFC 3021)", () => {
  expect(lines4("10.5.6.0", "255.255.255.254", "10.5.6.1")).toEqual([]);
  expect(lines4("10.5.6.1", "255.255.255.254", "10.5.6.0")).toEqual([]);
});

test("a /32 has no room for a gateway", () => {
  expect(lines4("10.5.6.7", "255.255.255.255")).toEqual([]);
  expect(lines4("10.5.6.7", "255.255.255.255", "10.5.6.8")).toEqual([
    "gateway must be inside 10.5.6.7/32",
  ]);
});

test("address and gateway are both told when both are wrong", () => {
  expect(lines4("10.5.6.255", "255.255.255.0", "10.5.6.0")).toEqual([
    "address must not be the broadcast address of 10.5.6.0/24",
    "gateway must not be the address of the network 10.5.6.0/24",
  ]);
});

test("an address above 128.0.0.0 is no negative number", () => {
  expect(lines4("203.0.113.5", "255.255.255.248", "203.0.113.6")).toEqual([]);
  expect(lines4("203.0.113.7", "255.255.255.248")).toEqual([
    "address must not be the broadcast address of 203.0.113.0/29",
  ]);
});

const lines6 = (address6: string | null, prefix6: number, gateway6: string | null) =>
  subnet6Problems({ address6, prefix6, gateway6 }).map(
    ({ field, message }) => `${field} ${message}`,
  );

test("an IPv6 gateway is inside the prefix or link-local", () => {
  expect(lines6("fd00:5::100", 64, null)).toEqual([]);
  expect(lines6("fd00:5::100", 64, "fd00:5::1")).toEqual([]);
  expect(lines6("fd00:5::100", 128, "fe80::1")).toEqual([]);
  expect(lines6("fd00:5::100", 64, "fd00:5:0:1::1")).toEqual([
    "gateway6 must be inside fd00:5::100/64",
  ]);
  expect(lines6("fd00:5::100", 64, "FD00:5:0::100")).toEqual([
    "gateway6 must not be the address itself",
  ]);
});

test("the first address of an IPv6 prefix belongs to the routers (RFC 4291 section 2.6.1)", () => {
  expect(lines6("fd00:5::", 64, null)).toEqual([
    "address6 must not be the address of the network itself",
  ]);
  expect(lines6("fd00:5::", 127, null)).toEqual([]);
  expect(lines6("fd00:5::", 32, null)).toEqual([
    "address6 must not be the address of the network itself",
  ]);
});

test("an IPv6 address is of one host", () => {
  expect(lines6("ff02::1", 64, null)).toEqual([
    "address6 must be the address of one host, not a multicast one",
  ]);
  expect(lines6("::1", 128, null)).toEqual([
    "address6 must be the address of one host, not a loopback one",
  ]);
});
