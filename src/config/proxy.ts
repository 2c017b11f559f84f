/**
 * One entry of `proxies` in the configuration document: a security zone with one address, the services
 * that are open in it, and our side towards the instances.
 */
import { z } from "zod";
import {
  certificatesPem,
  cidr,
  host,
  httpUrl,
  interfaceName,
  ipAddress,
  ipv4,
  ipv6,
  key32,
  keyPem,
  listenPort,
  port,
} from "./fields.ts";
import { limitsSchema } from "./limits.ts";

/** SRTP suites that every phone knows (RFC 4568 section 6.2), in the order of the default. */
const USUAL_SUITES = ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"] as const;

/**
 * SRTP suites that can be configured. AES-256 (RFC 6188) and GCM (RFC 7714) only by choice: some pairs of
 * phones agree on them and stay silent.
 */
export const SRTP_SUITES = [
  ...USUAL_SUITES,
  "AES_256_CM_HMAC_SHA1_80",
  "AES_256_CM_HMAC_SHA1_32",
  "AEAD_AES_128_GCM",
  "AEAD_AES_256_GCM",
] as const;

const networkSchema = z.discriminatedUnion(
  "mode",
  [
    z.strictObject({
      mode: z
        .literal("auto")
        .default("auto")
        .describe("The address of eth0; at most one proxy. Default auto."),
    }),
    z.strictObject({
      mode: z.literal("manual").describe("Own interface and address. Required."),
      interface: interfaceName().describe(
        "Interface of the zone; never eth0, none twice. Required.",
      ),
      address: ipv4().describe("IPv4 address of the proxy in the zone. Required."),
      netmask: ipv4().describe("Netmask of the zone, e.g. 255.255.255.0. Required."),
      gateway: ipv4()
        .nullable()
        .default(null)
        .describe("Default gateway, inside the subnet. Default null = none."),
      address6: ipv6()
        .nullable()
        .default(null)
        .describe("IPv6 address of the proxy in the zone. Default null = none."),
      prefix6: z
        .int()
        .min(1)
        .max(128)
        .default(64)
        .describe("Prefix length of address6. Default 64."),
      gateway6: ipv6()
        .nullable()
        .default(null)
        .describe("IPv6 gateway, inside the prefix or link-local. Default null = none."),
    }),
  ],
  { error: (issue) => (issue.code === "invalid_union" ? 'must be "auto" or "manual"' : undefined) },
);

const rtpPorts = (from: number, to: number) =>
  z
    .strictObject({
      from: port().default(from).describe(`First port, even. Default ${from}.`),
      to: port().default(to).describe(`Last port, inclusive. Default ${to}.`),
    })
    .prefault({});

/** Differentiated services code point (RFC 2474 section 3). */
const dscp = (usual: number) => z.int().min(0).max(63).default(usual);

const insideSchema = z.strictObject({
  address: ipAddress()
    .nullable()
    .default(null)
    .describe("Our address towards instances. Default null = what the main routing table gives."),
  sipPort: z
    .int()
    .min(1)
    .max(65_534)
    .optional()
    .describe(
      "SIP port towards instances, UDP and TCP; one above it TLS. Default 15060 + 2 x place of the proxy.",
    ),
  rtpPorts: rtpPorts(16_384, 29_998).describe("UDP ports of media towards instances, in pairs."),
});

const portsSchema = z.strictObject({
  sipTls: listenPort()
    .default(5061)
    .describe("SIP over TLS (TCP); 0 = any free port. Default 5061."),
  sipUdp: listenPort().default(5060).describe("SIP over UDP; 0 = any free port. Default 5060."),
  provisioningHttps: listenPort()
    .default(8884)
    .describe("Phone provisioning by HTTPS; 0 = any free port. Default 8884."),
  provisioningHttp: listenPort()
    .default(8880)
    .describe("Phone provisioning by HTTP; 0 = any free port. Default 8880."),
  xmpp: listenPort().default(5222).describe("XMPP clients (TCP); 0 = any free port. Default 5222."),
  web: listenPort().default(443).describe("Web pages by HTTPS; 0 = any free port. Default 443."),
  webHttp: listenPort()
    .default(80)
    .describe("Redirection of HTTP to HTTPS; 0 = any free port. Default 80."),
});

const reach = {
  network: networkSchema
    .default({ mode: "auto" })
    .describe("Interface and address of the zone; the mode never changes. Default auto (eth0)."),
  bindAddress: ipAddress()
    .nullable()
    .default(null)
    .describe("For tests and trials: bind here and plan no network. Default null."),
  fqdn: host().describe(
    "Name by which phones and clients reach the proxy, or its IP address. Required.",
  ),
  publicAddress: ipv4()
    .nullable()
    .default(null)
    .describe(
      "IPv4 address seen from outside where 1:1 NAT stands before the proxy. Default null.",
    ),
  publicAddress6: ipv6()
    .nullable()
    .default(null)
    .describe(
      "IPv6 address seen from outside where 1:1 NAT stands before the proxy. Default null.",
    ),
  localNetworks: z
    .array(cidr())
    .default([])
    .describe(
      "Networks whose phones get the bind address, not the public one. Default empty = private networks.",
    ),
  neverBan: z
    .array(cidr())
    .default([])
    .describe("Networks that are never banned and have no limits by address. Default empty."),
  certificatePem: certificatesPem()
    .nullable()
    .default(null)
    .describe("Certificate chain in PEM. Default null = self-signed, made on creation."),
  certificateKey: keyPem()
    .nullable()
    .default(null)
    .describe(
      "Private key of the certificate in PEM. Default null = self-signed, made on creation.",
    ),
};

const phones = {
  voipSip: z.enum(["tls", "udp", "off"]).default("tls").describe("SIP from phones. Default tls."),
  voipMedia: z.enum(["srtp", "rtp"]).default("srtp").describe("Media of phones. Default srtp."),
  srtpSuites: z
    .array(z.enum(SRTP_SUITES))
    .min(1)
    .default([...USUAL_SUITES])
    .describe(
      "SRTP suites, offered in this order. Default both with AES-128, the 80-bit tag first.",
    ),
  allowTls10: z
    .boolean()
    .default(false)
    .describe(
      "Old phones may use TLS 1.0, 1.1 and AES128-SHA, which are broken; the status warns. Default false.",
    ),
  shortExpires: z
    .boolean()
    .default(false)
    .describe(
      "UDP phones are told to register again within limits.expiresUdp, for strict NATs. Default false.",
    ),
  latchAnySource: z
    .boolean()
    .default(false)
    .describe(
      "Plain RTP is learnt from an address that neither SDP nor SIP named (hijackable). Default false.",
    ),
  mediaEngine: z
    .enum(["auto", "native", "loop"])
    .default("auto")
    .describe(
      "How packets are relayed: loop (own threads, Linux), native, or auto. From the next start. Default auto.",
    ),
  mediaDscp: dscp(46).describe(
    "DSCP of media packets, 0 to 63; 46 = EF. From the next start. Default 46.",
  ),
  sipDscp: dscp(24).describe(
    "DSCP of SIP packets, 0 to 63; 24 = CS3, 26 = AF31. From the next start. Default 24.",
  ),
  rtpPorts: rtpPorts(30_000, 35_000).describe("UDP ports of media towards phones, in pairs."),
  phoneProvisioning: z
    .enum(["https-encrypted", "https", "http-and-https", "off"])
    .default("https-encrypted")
    .describe(
      "How phones get configuration and password; with plain URLs a MAC is enough. Default https-encrypted.",
    ),
  provisioningKey: key32()
    .nullable()
    .default(null)
    .describe(
      "Key of encrypted provisioning URLs, 32 bytes in base64. Default null = made on creation.",
    ),
};

const clients = {
  redirectionUrl: httpUrl()
    .nullable()
    .default(null)
    .describe(
      "Where a browser is sent that asks for https://FQDN/ itself. Default null = nowhere, a neutral page.",
    ),
  redirectHttp: z
    .boolean()
    .default(true)
    .describe("Whether HTTP (ports.webHttp) is redirected to HTTPS. Default true."),
  allowXmpp: z.boolean().default(true).describe("Whether XMPP clients are served. Default true."),
  manageInstances: z
    .enum(["web-ui-and-rest", "rest", "off"])
    .default("web-ui-and-rest")
    .describe(
      "What of the instances' web is reachable, at https://FQDN/NAME/ and https://NAME.FQDN/. Default web-ui-and-rest.",
    ),
  instances: z
    .union([z.literal("all"), z.array(z.string())], {
      error: 'must be "all" or a list of instance names',
    })
    .default("all")
    .describe('Names of the instances reachable through this proxy. Default "all".'),
};

/** One proxy of the document. */
export const proxySchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/, { error: "must be 1 to 32 lower-case letters, digits or hyphens" })
    .describe("Name of the proxy, unique. Required."),
  enabled: z.boolean().default(true).describe("Whether the proxy shall run. Default true."),
  ...reach,
  ...phones,
  ...clients,
  inside: insideSchema.prefault({}).describe("Our side towards the instances."),
  ports: portsSchema
    .prefault({})
    .describe("Ports of the services where others than the usual are wanted."),
  limits: limitsSchema.prefault({}).describe("Every limit of the proxy; seconds, bytes or counts."),
});

/** As it stands in the document; config.ts fills the inside SIP port that was left out. */
export type ProxyDocument = z.infer<typeof proxySchema>;
export type SrtpSuite = (typeof SRTP_SUITES)[number];
