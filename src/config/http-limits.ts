/**
 * The limits of what clients and phones ask by HTTP: management, REST and provisioning alike. Seconds, bytes
 * or counts.
 */
import { z } from "zod";

const seconds = (least: number, most: number) => z.number().min(least).max(most);
const count = (least: number, most: number) => z.int().min(least).max(most);
const MANY = 1_000_000;

/** A part of `limits`. */
export const httpLimits = {
  httpConnections: count(1, MANY)
    .default(20_000)
    .describe("HTTP connections in total. Default 20000."),
  httpConnectionsPerAddress: count(1, MANY)
    .default(4000)
    .describe("HTTP connections from one address. Default 4000."),
  httpInstanceConnections: count(1, 65_536)
    .default(500)
    .describe(
      "HTTP connections to one instance; what is above waits, so that a slow one costs no other. Default 500.",
    ),
  httpHeaderBytes: count(1024, 65_536)
    .default(32_768)
    .describe("Bytes of an HTTP request's line and headers. From the next start. Default 32768."),
  httpHeaderLines: count(16, 256)
    .default(100)
    .describe("Header lines of an HTTP request. Default 100."),
  httpHeaderTimeout: seconds(0.1, 300)
    .default(15)
    .describe("Seconds for the headers of an HTTP request to come. Default 15."),
  httpBodyTimeout: seconds(0.1, 3600)
    .default(30)
    .describe(
      "Seconds in which a body brings at least httpBodyBytes and a client takes something. Default 30.",
    ),
  httpBodyBytes: count(1, 1_048_576)
    .default(1024)
    .describe("Bytes of a body that have to come within httpBodyTimeout. Default 1024."),
  httpIdleTimeout: seconds(1, 3600)
    .default(60)
    .describe("Seconds an HTTP connection may stay open without a request. Default 60."),
  httpSilentTimeout: seconds(1, 86_400)
    .default(3600)
    .describe("Seconds without a byte until a WebSocket or an answer ends. Default 3600."),
  httpConnectTimeout: seconds(0.1, 30)
    .default(3)
    .describe("Seconds to open an HTTP connection to an instance, then 502. Default 3."),
  httpResponseTimeout: seconds(1, 3600)
    .default(120)
    .describe("Seconds an instance may take to begin its answer, then 504. Default 120."),
};
