/**
 * How the way to each phone is kept open and when it counts as dead. An interval of 0 switches its
 * keep-alive off. The kernel keeps TCP alive besides: first probe after 60 s, then every 15 s, four in all.
 */
import { z } from "zod";

const LONGEST_S = 86_400;
const interval = (most = LONGEST_S) => z.number().min(0).max(most);

/** A part of `limits`. */
export const flowLimits = {
  keepAliveUdp: interval()
    .default(25)
    .describe("Seconds of silence until a UDP phone gets CRLF CRLF; 0 = never. Default 25."),
  keepAliveTls: interval()
    .default(120)
    .describe("Seconds of silence until a TLS connection gets CRLF; 0 = never. Default 120."),
  optionsUdp: interval()
    .default(60)
    .describe("Seconds of silence until a UDP phone is asked by OPTIONS; 0 = never. Default 60."),
  optionsTls: interval()
    .default(0)
    .describe(
      "Seconds of silence until a TLS phone is asked by OPTIONS; 0 = never. Default 0: TCP tells.",
    ),
  optionsUnanswered: z
    .int()
    .min(1)
    .max(100)
    .default(3)
    .describe("OPTIONS without any answer after which a phone's flow is dead (430). Default 3."),
  optionsPending: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(5000)
    .describe("OPTIONS to phones that may wait for their answer at one time. Default 5000."),
  flowTimerUdp: interval()
    .default(29)
    .describe(
      "Flow-Timer told to UDP phones that support outbound (RFC 5626), seconds; 0 = none. Default 29.",
    ),
  flowTimerTls: interval()
    .default(120)
    .describe(
      "Flow-Timer told to TLS phones that support outbound (RFC 5626), seconds; 0 = none. Default 120.",
    ),
  expiresUdp: z
    .int()
    .min(30)
    .max(LONGEST_S)
    .default(120)
    .describe("Longest Expires told to UDP phones where shortExpires is on, seconds. Default 120."),
};
