/**
 * The limits of XMPP. Clients count from their first byte to their last, those per address by IPv4 address
 * or IPv6 /64. The kernel keeps TCP alive besides: first probe after 60 s, then every 15 s, four in all.
 */
import { z } from "zod";

const count = (least: number, most: number) => z.int().min(least).max(most);
const MANY = 1_000_000;

/** A part of `limits`. */
export const xmppLimits = {
  xmppClients: count(1, MANY).default(10_000).describe("XMPP clients in total. Default 10000."),
  xmppClientsPerAddress: count(1, MANY)
    .default(1000)
    .describe("XMPP clients from one address (a whole office may stand behind it). Default 1000."),
  xmppClientsPerInstance: count(1, MANY)
    .default(5000)
    .describe("XMPP clients of one instance. Default 5000."),
  xmppOpeningBytes: count(1024, 65_536)
    .default(10_240)
    .describe("Bytes of an XMPP stream opening, and until STARTTLS. Default 10240."),
  xmppOpeningTimeout: z
    .number()
    .min(0.1)
    .max(300)
    .default(10)
    .describe("Seconds for each XMPP stream opening, and for the instance's answer. Default 10."),
  xmppIdleTimeout: z
    .number()
    .min(60)
    .max(604_800)
    .default(7200)
    .describe("Seconds of silence both ways until an XMPP client is closed. Default 7200."),
};
