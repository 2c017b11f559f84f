/**
 * One entry of `instances` in the configuration document: a telephone system inside, how it is named by
 * clients and how each protocol is spoken to it.
 */
import { z } from "zod";
import { baseUrl, certificatesPem, cidr, host, hostName, INSTANCE_NAME, port } from "./fields.ts";

/** The name in use in the field; systems inside that trust it read it without being told. */
export const DEFAULT_SOURCE_HEADER = "X-Forwarded-For";

const verifyTls = () =>
  z
    .boolean()
    .default(true)
    .describe("Whether the instance's certificate must be valid. Default true.");

const caPem = () =>
  certificatesPem()
    .nullable()
    .default(null)
    .describe(
      "Own certification authorities (PEM) for the instance. Default null = the public ones.",
    );

const sipSchema = z.strictObject({
  port: port()
    .optional()
    .describe("SIP port of the instance. Default: what SRV records of its name say, else 5060."),
  transport: z
    .enum(["udp", "tcp", "tls"])
    .default("udp")
    .describe(
      "SIP transport inside. With tcp and tls Asterisk needs rewrite_contact=no for the phones. Default udp.",
    ),
  largeOverTcp: z
    .boolean()
    .default(false)
    .describe(
      "Whether UDP requests over 1300 bytes go by TCP once a TCP connection is open. Default false.",
    ),
  healthCheck: z
    .boolean()
    .default(true)
    .describe("Whether OPTIONS requests find out if it can be reached. Default true."),
  routing: z
    .enum(["auto", "path", "contact"])
    .default("auto")
    .describe(
      "How the instance finds phones again: path (RFC 3327), contact (rewritten) or auto. Default auto.",
    ),
  sourceHeader: z
    .string()
    .regex(/^X-[A-Za-z0-9-]{1,60}$/i, {
      error: "must begin with X- and hold letters, digits, hyphens",
    })
    .nullable()
    .default(DEFAULT_SOURCE_HEADER)
    .describe(
      "Header that tells the instance a phone's address, taken off outside. Default X-Forwarded-For.",
    ),
  hideSoftware: z
    .boolean()
    .default(false)
    .describe("Whether Server and User-Agent of the instance are kept from phones. Default false."),
  verifyTls: verifyTls(),
  caPem: caPem(),
});

const webSchema = z.strictObject({
  url: baseUrl().optional().describe("Web pages of the instance. Default http://ADDRESS."),
  stripPrefix: z
    .boolean()
    .default(true)
    .describe("Whether /NAME is taken off the path before it is passed on. Default true."),
  keepHost: z
    .boolean()
    .default(true)
    .describe(
      "Whether the instance sees the Host that the client asked for, else that of its URL. Default true.",
    ),
  verifyTls: verifyTls(),
  caPem: caPem(),
});

const provisioningSchema = z.strictObject({
  url: baseUrl()
    .optional()
    .describe(
      "Where phones' configuration is asked for, as URL/p/NAME/MAC. Default http://ADDRESS.",
    ),
});

const xmppSchema = z.strictObject({
  port: port().default(5222).describe("XMPP port of the instance. Default 5222."),
  tls: z
    .enum(["off", "starttls", "direct"])
    .default("off")
    .describe("Encryption of XMPP towards the instance. Default off."),
  verifyTls: verifyTls(),
  caPem: caPem(),
  http: z
    .boolean()
    .default(false)
    .describe("Whether BOSH and WebSocket are passed through the web port. Default false."),
  httpUrl: baseUrl()
    .optional()
    .describe(
      "Where /http-bind and /xmpp-websocket of the instance are. Default http://ADDRESS:5280.",
    ),
});

/** One instance of the document. */
export const instanceSchema = z.strictObject({
  name: z
    .string()
    .regex(INSTANCE_NAME, { error: "must be 1 to 63 letters, digits or hyphens" })
    .describe(
      "Name, SIP and XMPP domain and URL segment; compared without case, unique. Required.",
    ),
  aliases: z
    .array(hostName())
    .default([])
    .describe(
      "Further SIP and XMPP domains of this instance, NAME.FQDN for XMPP logins. Default none.",
    ),
  enabled: z
    .boolean()
    .default(true)
    .describe("Whether it can be reached; disabled answers as unknown. Default true."),
  address: host().describe("IP address or host name inside. Required."),
  mediaNetworks: z
    .array(cidr())
    .default([])
    .describe("Networks (CIDR) where else its media comes from and goes to. Default none."),
  sip: sipSchema.prefault({}).describe("How SIP is spoken to the instance."),
  media: z
    .enum(["rtp", "srtp", "srtp-passthrough"])
    .default("rtp")
    .describe(
      "Media inside: rtp, srtp (own keys on each side) or srtp-passthrough (keys end to end). Default rtp.",
    ),
  plainMediaFallback: z
    .enum(["off", "udp", "all"])
    .default("off")
    .describe(
      "Which phones that refuse SRTP may speak RTP: off, udp (registered by UDP) or all. Default off.",
    ),
  allowClearT38: z
    .boolean()
    .default(false)
    .describe(
      "T.38 fax, which cannot be encrypted, passes although SRTP is promised. Default false.",
    ),
  web: webSchema.prefault({}).describe("The instance's web pages and REST."),
  provisioning: provisioningSchema.prefault({}).describe("Configuration files of phones."),
  xmpp: xmppSchema.prefault({}).describe("How XMPP is spoken to the instance."),
});

/** As it stands in the document; config.ts fills the URLs that were left out. */
export type InstanceDocument = z.infer<typeof instanceSchema>;
