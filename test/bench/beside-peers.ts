/**
 * The benches beside peers: relay (rtpengine), SIP (Kamailio, Kamailio with rtpengine), memory. Started by
 * run.sh in a network namespace with the tree of peers mounted; arguments name the parts to run (all).
 */
import { randomBytes } from "node:crypto";
import { selfSignedIdentity } from "../../src/tls/self-signed.ts";
import { memoryBench } from "./memory.ts";
import { freshFolder, stopAll } from "./place.ts";
import { relayBench } from "./relay.ts";
import { printTable } from "./report.ts";
import { sipBench } from "./sip.ts";

const isQuick = process.env["QUICK"] === "1";
const parts = process.argv.slice(2);
const wants = (part: string): boolean => parts.length === 0 || parts.includes(part);

const identity = await selfSignedIdentity({
  fqdn: "bench.example.com",
  notBefore: new Date(),
  days: 2,
  serial: randomBytes(12),
});
freshFolder();
try {
  if (wants("relay")) {
    const rounds = isQuick ? 1 : 3;
    await relayBench({ identity, rounds, seconds: isQuick ? 2 : 3, isSearching: !isQuick });
  }
  if (wants("sip")) {
    const rounds = isQuick ? 1 : 3;
    await sipBench({ identity, rounds, seconds: isQuick ? 3 : 4, isSearching: !isQuick });
  }
  if (wants("memory")) await memoryBench(identity);
} finally {
  await stopAll();
  printTable();
}
process.exit(0);
