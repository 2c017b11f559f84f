/**
 * The kinds of value a field of the configuration document may hold: ports, addresses, names, URLs, PEM.
 * Each says in its own message what it wants, in the words the operator reads ("must be ...").
 */
import { z } from "zod";
import { canonicalAddress } from "./address-class.ts";

/** 1 to 63 characters; the name of an instance, and as such a SIP and XMPP domain and a URL segment. */
export const INSTANCE_NAME = /^[A-Za-z0-9-]{1,63}$/;

/** Labels of RFC 1123; the last one not only digits, so that a mistyped address is no host name. */
const HOST_NAME =
  /^(?=.{1,253}$)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*(?![0-9]+$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/** A port of a listener that must be known beforehand, or of a peer. */
export const port = () => z.int().min(1).max(65_535);

/** A port of a listener; 0 = any free port, which the ready line then tells. */
export const listenPort = () => z.int().min(0).max(65_535);

export const ipv4 = () => z.ipv4({ error: "must be an IPv4 address" });

/** Not IPv4-mapped: such an address would be a second spelling of an IPv4 one. */
export const ipv6 = () =>
  z
    .ipv6({ error: "must be an IPv6 address" })
    .refine((address) => !canonicalAddress(address).includes("."), {
      error: "must be an IPv6 address, not an IPv4 one written as IPv6",
    });

export const ipAddress = () =>
  z.union([ipv4(), ipv6()], { error: "must be an IPv4 or IPv6 address" });

export const cidr = () =>
  z.union([z.cidrv4(), z.cidrv6()], {
    error: "must be a network in CIDR form, e.g. 10.0.3.0/24 or fd00:1::/64",
  });

export const hostName = () => z.string().regex(HOST_NAME, { error: "must be a host name" });

/** A host name or an IP address in text form (IPv6 without brackets). */
export const host = () =>
  z.union([ipv4(), ipv6(), hostName()], {
    error: "must be a host name or an IP address",
  });

export const httpUrl = () =>
  z.url({
    protocol: /^https?$/,
    hostname: /^.+$/,
    error: "must be a URL that starts with http:// or https://",
  });

/** A URL that paths are put behind. */
export const baseUrl = () =>
  httpUrl().refine((url) => !/[?#]/.test(url), { error: "must not hold a query or fragment" });

/** One or more certificates in PEM; whether they can be read is checked by certificate.ts. */
export const certificatesPem = () =>
  z.string().regex(/-----BEGIN CERTIFICATE-----/, {
    error: "must be one or more certificates in PEM (-----BEGIN CERTIFICATE-----)",
  });

/** A private key in PEM; whether it can be read is checked by certificate.ts. */
export const keyPem = () =>
  z.string().regex(/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/, {
    error: "must be a private key in PEM (-----BEGIN PRIVATE KEY-----)",
  });

/** The name of a Linux network interface (at most 15 characters, no slash, blank or colon). */
export const interfaceName = () =>
  z.string().regex(/^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,15}$/, {
    error: "must be the name of a network interface, e.g. eth1",
  });

/** 32 bytes in base64: 43 characters and one "=". */
export const key32 = () =>
  z.string().regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/, {
    error: "must be 32 bytes in base64 (44 characters)",
  });
