/**
 * Every limit of one proxy with its default. Durations are in seconds and may be fractions; sizes are in
 * bytes; the rest are counts. Reaching a limit is counted in the status under "drops".
 */
import { z } from "zod";
import { abuseLimits } from "./abuse-limits.ts";
import { flowLimits } from "./flow-limits.ts";
import { httpLimits } from "./http-limits.ts";
import { xmppLimits } from "./xmpp-limits.ts";

const seconds = (least: number, most: number) => z.number().min(least).max(most);
const count = (least: number, most: number) => z.int().min(least).max(most);

const sipSizes = {
  headerBytes: count(1024, 65_536)
    .default(65_536)
    .describe("Bytes of a SIP start line and headers together. Default 65536, which is the most."),
  messageBytes: count(1024, 262_144)
    .default(262_144)
    .describe("Bytes of a SIP message on a stream. Default 262144, which is the most."),
  headerLines: count(16, 256)
    .default(256)
    .describe("Header lines of a SIP message. Default 256, which is the most."),
  contacts: count(1, 64).default(16).describe("Contacts of one REGISTER. Default 16."),
  mLines: count(1, 64).default(20).describe("Media (m=) lines of one SDP body. Default 20."),
};

const sipTables = {
  transactions: count(16, 1_000_000)
    .default(50_000)
    .describe("SIP transactions at one time. Default 50000."),
  targets: count(1, 64)
    .default(16)
    .describe("Addresses of one instance (SRV, A, AAAA) that are used. Default 16."),
  dialogs: count(1, 1_000_000).default(50_000).describe("SIP dialogs at one time. Default 50000."),
  bindings: count(1, 1_000_000)
    .default(50_000)
    .describe("Registered contacts that are remembered. Default 50000."),
  sources: count(16, 1_000_000)
    .default(10_000)
    .describe(
      "UDP source addresses remembered for answering each only now and then. Default 10000.",
    ),
  unknownDomains: count(1, 1000)
    .default(10)
    .describe("Answers 404 for an unknown domain before a connection is closed. Default 10."),
};

const connections = {
  connections: count(1, 1_000_000)
    .default(50_000)
    .describe("SIP connections from phones in total. Default 50000."),
  connectionsPerAddress: count(1, 1_000_000)
    .default(4000)
    .describe(
      "SIP connections from one address (a whole office may stand behind it). Default 4000.",
    ),
  connectionsUnregistered: count(1, 1_000_000)
    .default(256)
    .describe(
      "SIP connections from one address that have no registration after registrationTimeout. Default 256.",
    ),
  connectionPendingBytes: count(65_536, 67_108_864)
    .default(1_048_576)
    .describe(
      "Bytes that may wait for a peer that reads slowly, then its connection is closed. Default 1048576.",
    ),
};

const sipTimes = {
  handshakeTimeout: seconds(0.1, 300)
    .default(60)
    .describe(
      "Seconds for a TLS handshake from a phone; after a power cut thousands wait for one another. Default 60.",
    ),
  firstByteTimeout: seconds(0.1, 300)
    .default(5)
    .describe("Seconds from the open connection to its first byte. Default 5."),
  messageTimeout: seconds(0.1, 300)
    .default(30)
    .describe("Seconds from the first byte of a SIP message to its last. Default 30."),
  registrationTimeout: seconds(1, 3600)
    .default(30)
    .describe("Seconds a connection has to register before it counts as unregistered. Default 30."),
  connectTimeout: seconds(0.1, 30)
    .default(4)
    .describe("Seconds to open a connection to an instance, then 503. Default 4."),
  healthInterval: seconds(1, 3600)
    .default(30)
    .describe("Seconds between two OPTIONS to each address of an instance. Default 30."),
  healthTimeout: seconds(0.1, 32)
    .default(4)
    .describe("Seconds an instance has to answer OPTIONS. Default 4."),
  nextTargetTimeout: seconds(0.1, 32)
    .default(4)
    .describe(
      "Seconds without any answer until the next address of an instance is tried. Default 4.",
    ),
  targetRest: seconds(0, 3600)
    .default(30)
    .describe("Seconds an address of an instance that failed is tried last. Default 30."),
  targetRestMax: seconds(0, 86_400)
    .default(300)
    .describe("Most seconds that an instance may ask for by Retry-After. Default 300."),
  dnsInterval: seconds(5, 86_400)
    .default(60)
    .describe(
      "Most seconds until the names of instances and the way to them are looked up again. Default 60.",
    ),
  pathRetry: seconds(1, 604_800)
    .default(3600)
    .describe(
      "Seconds after which an instance in automatic Contact mode is asked for Path again. Default 3600.",
    ),
  timerC: seconds(1, 3600)
    .default(180)
    .describe("Seconds an INVITE may ring; starts again at each 101-199 (timer C). Default 180."),
  timerCMax: seconds(1, 86_400)
    .default(900)
    .describe("Seconds after which an unanswered INVITE ends in any case. Default 900."),
  closeTimeout: seconds(0, 300)
    .default(5)
    .describe("Seconds that open transactions get to end when the proxy is stopped. Default 5."),
};

const media = {
  mediaSessions: count(1, 100_000)
    .default(5000)
    .describe("Calls with media at one time; the ports mostly run out first. Default 5000."),
  instanceMediaSessions: count(1, 100_000)
    .default(5000)
    .describe("Calls with media of one instance at one time. Default 5000."),
  packetsPerSecond: count(50, 1_000_000)
    .default(1000)
    .describe(
      "Packets a second of one media stream and direction; what is above is dropped. Default 1000.",
    ),
  ssrcs: count(1, 256)
    .default(16)
    .describe("SRTP sources (SSRC) remembered for one media stream and direction. Default 16."),
  mediaSilent: seconds(1, 86_400)
    .default(60)
    .describe("Seconds without a packet both ways until the warning media-silent. Default 60."),
  mediaTimeout: seconds(1, 86_400)
    .default(300)
    .describe(
      "Seconds without a packet both ways, not on hold, until a call's ports are taken back. Default 300.",
    ),
  callHistory: count(1, 10_000)
    .default(500)
    .describe("Calls that have ended whose figures are kept. Default 500."),
  portRest: seconds(0, 600)
    .default(30)
    .describe("Seconds a pair of ports rests after a call before it is used again. Default 30."),
};

/** The `limits` of one proxy. */
export const limitsSchema = z.strictObject({
  ...sipSizes,
  ...sipTables,
  ...connections,
  ...sipTimes,
  ...media,
  ...abuseLimits,
  ...flowLimits,
  ...httpLimits,
  ...xmppLimits,
});

export type Limits = z.infer<typeof limitsSchema>;
