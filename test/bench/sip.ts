/**
 * SIP beside Kamailio: CPU for 1000 calls (INVITE, 200, ACK, BYE) at 300 a second and the highest rate without
 * a failed call, each system warmed first. Calls with SDP set media up in both (Kamailio has rtpengine
 * beside it, both counted); calls without a body are signalling alone in both.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Identity } from "../../src/io/types.ts";
import { cpuSeconds, median } from "./cost.ts";
import { startKamailio } from "./kamailio.ts";
import { type Addresses, addresses, startPequod } from "./pequod.ts";
import type { Child } from "./place.ts";
import { row, tell } from "./report.ts";
import {
  type Body,
  type CallsResult,
  placeCallsAtRate,
  type SippTransport,
  startSystem,
  writeScenarios,
} from "./sipp.ts";

const RATE = 300;
/** Bun compiles what is hot during the first thousands of calls; a proxy that has run for an hour is past it. */
const WARM_RATE = 600;
const SEARCH_FROM = 400;
const SEARCH_TO = 6400;
const SUTS = ["pequod", "kamailio"] as const;

type Sut = (typeof SUTS)[number];
type Case = { readonly transport: SippTransport; readonly body: Body };

const CASES: readonly Case[] = [
  { transport: "u1", body: "none" },
  { transport: "u1", body: "sdp" },
  { transport: "l1", body: "none" },
  { transport: "l1", body: "sdp" },
  { transport: "ln", body: "sdp" },
];
const WORDS: Readonly<Record<SippTransport, string>> = {
  u1: "UDP-UDP",
  l1: "TLS-UDP",
  ln: "TLS-UDP, a connection a call",
};

export type SipBenchOptions = {
  readonly identity: Identity;
  readonly rounds: number;
  readonly seconds: number;
  readonly warmSeconds: number;
  /** performance.now() at which the search for the highest rates ends; 0 = no search. */
  readonly searchUntilMs: number;
};

/** A system under test with the telephone system behind it. */
type Up = {
  readonly pids: readonly number[];
  readonly place: Addresses;
  system: Child;
  stop(): Promise<void>;
};

export async function sipBench(o: SipBenchOptions): Promise<void> {
  writeScenarios(o.identity);
  const up = new Map<string, Up>();
  for (const one of CASES) {
    for (const sut of SUTS) {
      if (!up.has(keyOf(sut, one))) up.set(keyOf(sut, one), await raise(o, sut, one));
    }
  }
  const upFor = (sut: Sut, one: Case): Up => {
    const found = up.get(keyOf(sut, one));
    if (found === undefined) throw new Error(`${sut} is not up`);
    return found;
  };
  await costs(o, upFor);
  await maxima(o, upFor);
  for (const { stop } of up.values()) await stop();
}

async function maxima(o: SipBenchOptions, upFor: (sut: Sut, one: Case) => Up): Promise<void> {
  for (const one of CASES.filter(({ body, transport }) => body === "sdp" && transport !== "ln")) {
    const [own, peer] = [
      await highestRate(o, upFor("pequod", one), "pequod", one),
      await highestRate(o, upFor("kamailio", one), "kamailio", one),
    ];
    if (own === null || peer === null) return;
    row(`${words(one)}, most of one core`, "calls/s", own, peer);
  }
}

/** Pequod serves TLS or UDP with one proxy, Kamailio both; calls with and without SDP share Pequod. */
function keyOf(sut: Sut, { transport, body }: Case): string {
  return sut === "pequod"
    ? `pequod ${transport === "u1" ? "udp" : "tls"} ${body}`
    : `kamailio ${body}`;
}

function words({ transport, body }: Case): string {
  return `${WORDS[transport]}, ${body === "sdp" ? "with media" : "signalling"}`;
}

async function raise(o: SipBenchOptions, sut: Sut, one: Case): Promise<Up> {
  const number = 30 + [...CASES].findIndex((other) => keyOf(sut, other) === keyOf(sut, one));
  const place = addresses(sut === "pequod" ? number : number + 10);
  const isUdp = one.transport === "u1";
  const name = keyOf(sut, one).replaceAll(" ", "-");
  const { identity } = o;
  const system = startSystem(`system-${name}`, place.instance, one.body);
  if (sut === "kamailio") {
    const hasMedia = one.body === "sdp";
    const ngPort = 2230 + number;
    const kamailio = await startKamailio({ name, addresses: place, identity, hasMedia, ngPort });
    return stoppable({ pids: kamailio.pids, place, system, stop: kamailio.stop });
  }
  const pequod = await startPequod({
    name,
    addresses: place,
    sip: isUdp ? "udp" : "tls",
    outerMedia: isUdp ? "rtp" : "srtp",
    innerMedia: "rtp",
    identity,
    isRealTime: false,
  });
  return stoppable({ pids: [pequod.pid], place, system, stop: () => pequod.stop() });
}

function stoppable(up: Up): Up {
  const { stop } = up;
  up.stop = async () => {
    await up.system.stop();
    await stop();
  };
  return up;
}

async function costs(o: SipBenchOptions, upFor: (sut: Sut, one: Case) => Up): Promise<void> {
  const found = new Map<string, number[]>();
  for (const one of CASES) {
    if (one.transport === "ln") continue; // the same processes as l1
    for (const sut of SUTS) await measure(upFor(sut, one), one, WARM_RATE, o.warmSeconds);
  }
  for (let round = 0; round < o.rounds; round += 1) {
    for (const one of CASES) {
      for (const sut of round % 2 === 0 ? SUTS : SUTS.toReversed()) {
        const result = await measure(upFor(sut, one), one, RATE, o.seconds);
        tell("sip", { sut, ...one, round, rate: RATE, ...result });
        const key = `${sut} ${words(one)}`;
        found.set(key, [...(found.get(key) ?? []), result.cpuPer1000Calls]);
      }
    }
  }
  const figure = (sut: Sut, one: Case): number => median(found.get(`${sut} ${words(one)}`) ?? []);
  for (const one of CASES) {
    const peer = one.body === "sdp" ? "Kamailio+rtpengine" : "Kamailio";
    const what = `${words(one)}, CPU for 1000 calls (${peer})`;
    row(what, "s", figure("pequod", one), figure("kamailio", one));
  }
}

type Measured = CallsResult & { readonly cpuPer1000Calls: number };

async function measure(up: Up, one: Case, rate: number, seconds: number): Promise<Measured> {
  const { outer, phone } = up.place;
  const target = `${outer}:${one.transport === "u1" ? 5060 : 5061}`;
  const before = cpuSeconds(up.pids);
  const result = await placeCallsAtRate({ address: phone, target, rate, seconds, ...one });
  const cpu = cpuSeconds(up.pids) - before;
  const cpuPer1000Calls = Math.round((cpu * 1e6) / Math.max(1, result.calls)) / 1000;
  return { ...result, cpuPer1000Calls };
}

/** Null when the time was up before it was found. */
async function highestRate(
  o: SipBenchOptions,
  up: Up,
  sut: Sut,
  one: Case,
): Promise<number | null> {
  let good = 0;
  let bad = SEARCH_TO;
  let rate = SEARCH_FROM;
  while (bad - good > 0.2 * bad) {
    if (performance.now() > o.searchUntilMs) return null;
    const result = await measure(up, one, rate, 3);
    tell("sip-search", { sut, ...one, rate, ...result });
    if (result.isGood) good = rate;
    else {
      bad = rate;
      await delay(1500);
      await up.system.stop();
      up.system = startSystem(`system-${keyOf(sut, one)}`, up.place.instance, one.body);
      await delay(500);
    }
    rate = result.isGood && bad === SEARCH_TO ? Math.min(bad, rate * 2) : (good + bad) / 2;
  }
  return good;
}
