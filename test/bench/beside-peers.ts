/**
 * The benches beside peers: relay and its highest rates (rtpengine), SIP (Kamailio, Kamailio with rtpengine),
 * memory, XMPP (haproxy), web (nginx, haproxy); and what has no peer: a storm of registrations, the stall of
 * the loop while media runs. Started by run.sh in a network namespace with the tree of peers mounted; arguments name the parts to run (all).
 */
import { randomBytes } from "node:crypto";
import { selfSignedIdentity } from "../../src/tls/self-signed.ts";
import { memoryBench } from "./memory.ts";
import { freshFolder, stopAll } from "./place.ts";
import { ratesBench, relayBench } from "./relay.ts";
import { printTable } from "./report.ts";
import { sipBench } from "./sip.ts";
import { stallBench } from "./stall.ts";
import { stormBench } from "./storm.ts";
import { webBench } from "./web.ts";
import { xmppBench } from "./xmpp.ts";

const isQuick = process.env["QUICK"] === "1";
const rounds = isQuick ? 1 : 3;
/** A busy machine takes longer: the searches for the highest rates are cut, so that all ends in 15 minutes. */
const RATES_MS = 270_000;
const SIP_MS = 330_000;
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
    const rates = isQuick ? [50_000] : [20_000, 50_000];
    await relayBench({ identity, rates, rounds, seconds: isQuick ? 2 : 3 });
  }
  if (wants("rates") && (!isQuick || parts.includes("rates"))) {
    await ratesBench({ identity, untilMs: performance.now() + RATES_MS });
  }
  if (wants("memory")) await memoryBench(identity, isQuick ? 2000 : 5000);
  if (wants("xmpp")) {
    await xmppBench(identity, { clients: 2000, mib: isQuick ? 256 : 1024, rounds });
  }
  if (wants("web")) {
    const [seconds, sockets] = isQuick ? [3, 1000] : [5, 2000];
    await webBench(identity, { rounds: parts.includes("web") ? rounds : 1, seconds, sockets });
  }
  if (wants("storm")) await stormBench(identity, isQuick ? 2000 : 10_000);
  if (wants("stall")) await stallBench(identity, isQuick ? 5 : 20);
  if (wants("sip")) {
    const searchUntilMs = isQuick ? 0 : performance.now() + SIP_MS;
    const [seconds, warmSeconds] = isQuick ? [3, 3] : [4, 6];
    await sipBench({ identity, rounds, seconds, warmSeconds, searchUntilMs });
  }
} finally {
  await stopAll();
  printTable();
}
process.exit(0);
