/**
 * The limits that hold floods, guessing and toll fraud down. Those "per address" mean an IPv4 address or an
 * IPv6 /64; they grow with the phones that are, or in the last 7 days were, registered from there, so that
 * phones behind one company NAT never lock each other out. What an instance grants (2xx) does not count
 * towards a rate: only what it refuses or leaves unanswered does.
 */
import { z } from "zod";

const seconds = (least: number, most: number) => z.number().min(least).max(most);
const count = (least: number, most: number) => z.int().min(least).max(most);
const MANY = 1_000_000;

const rates = {
  handshakesPerSecond: count(1, MANY)
    .default(100)
    .describe(
      "TLS handshakes a second from one address; those above are closed before they cost anything. Default 100.",
    ),
  requestsPerSecond: count(1, MANY)
    .default(100)
    .describe("SIP requests a second from one address. Default 100."),
  requestsPerPhone: count(0, MANY)
    .default(10)
    .describe(
      "Further requests and handshakes a second from an address for each phone registered there. Default 10.",
    ),
  requestsPerFlow: count(1, MANY)
    .default(50)
    .describe("SIP requests a second on one connection or from one UDP port. Default 50."),
  burst: seconds(1, 60)
    .default(10)
    .describe("Seconds' worth of what these rates allow that may come at once. Default 10."),
};

const bans = {
  failures: count(1, MANY)
    .default(10)
    .describe(
      "Failed sign-ins within failureWindow until the address or the user is banned. Default 10.",
    ),
  failedLookUps: count(1, MANY)
    .default(50)
    .describe(
      "Different things tried in vain by HTTP within failureWindow until the address is banned. Default 50.",
    ),
  refusals: count(1, MANY)
    .default(1000)
    .describe(
      "Requests refused for their number within failureWindow until the address is banned. Default 1000.",
    ),
  failureWindow: seconds(1, 86_400)
    .default(600)
    .describe("Seconds in which failures are counted together. Default 600."),
  banTime: seconds(1, 86_400)
    .default(900)
    .describe("Seconds of the first ban; each further one lasts twice as long. Default 900."),
  banTimeMax: seconds(1, 2_592_000)
    .default(86_400)
    .describe("Seconds of the longest ban. Default 86400."),
  bans: count(1, 65_536)
    .default(10_000)
    .describe("Bans at one time; the one that ends first makes room. Default 10000."),
  knownAddresses: count(1, MANY)
    .default(20_000)
    .describe("Addresses with good registrations that are remembered for 7 days. Default 20000."),
};

const shares = {
  registrationsPerAddress: count(1, MANY)
    .default(4000)
    .describe("Registered contacts from one address. Default 4000."),
  instanceRequests: count(16, MANY)
    .default(10_000)
    .describe(
      "Requests that may wait for one instance's answer, so that a dead one costs no other. Default 10000.",
    ),
  instanceCalls: count(1, MANY)
    .default(5000)
    .describe("Calls of one instance at one time. Default 5000."),
  instanceCallsPerSecond: count(1, MANY)
    .default(100)
    .describe(
      "New calls a second of one instance; strangers may take a quarter of it. Default 100.",
    ),
  userCalls: count(1, MANY)
    .default(32)
    .describe("Calls of one user of an instance at one time. Default 32."),
  ringingPerAddress: count(1, MANY)
    .default(256)
    .describe(
      "Unanswered calls from one address, and two more for each phone registered there. Default 256.",
    ),
  forks: count(1, 1000)
    .default(64)
    .describe("Branches of one call: phones that ring, and answers to one INVITE. Default 64."),
};

/** A part of `limits`. */
export const abuseLimits = { ...rates, ...bans, ...shares };
