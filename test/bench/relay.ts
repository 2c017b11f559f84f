/**
 * The relay, on both its engines, beside rtpengine in userspace: CPU and delay of each packet at fixed rates,
 * memory of a call, and the highest rate of one core (less than 0.1 % lost and half of the packets within 1 ms;
 * loss alone says nothing, as socket buffers hide it). All systems stay up, and probes alternate between them, so
 * that a ratio is of one time.
 */
import type { Identity } from "../../src/io/types.ts";
import { median } from "./cost.ts";
import { addresses } from "./pequod.ts";
import { placeCalls } from "./relay-calls.ts";
import { row, tell } from "./report.ts";
import { type Probe, RtpLoad } from "./rtp-load.ts";
import { type RelayMode, rtpengineSessions, startRtpengine } from "./rtpengine.ts";

const MODES: readonly RelayMode[] = ["rtp-rtp", "srtp-rtp", "srtp-srtp"];
const SUTS = ["loop", "native", "rtpengine"] as const;
const WARM_RATES = [20_000, 50_000] as const;
const CALLS = 200;
const SEARCH_CALLS = 1000;
const SEARCH_FROM = 40_000;
const SEARCH_TO = 200_000;
const SEARCH_GRAIN = 0.12;

type Sut = (typeof SUTS)[number];

const FIGURES: readonly (readonly [string, string, (probe: Probe) => number])[] = [
  ["CPU a packet", "us", ({ cpuUsPerPacket }) => cpuUsPerPacket],
  ["p50", "us", ({ p50Us }) => p50Us],
  ["p99", "us", ({ p99Us }) => p99Us],
];

export type RelayBenchOptions = {
  readonly identity: Identity;
  /** Packets a second, over 200 calls. */
  readonly rates: readonly number[];
  readonly rounds: number;
  readonly seconds: number;
};

/** A system with its calls up and a load on them. */
type Loaded = { readonly load: RtpLoad; stop(): Promise<void> };

export type RatesBenchOptions = {
  readonly identity: Identity;
  /** performance.now() at which the search ends, found or not. */
  readonly untilMs: number;
};

export async function ratesBench(o: RatesBenchOptions): Promise<void> {
  for (const mode of MODES) {
    const own = await highestRate(o, "loop", mode);
    const peer = own === null ? null : await highestRate(o, "rtpengine", mode);
    if (own === null || peer === null) return;
    row(`relay ${mode}, most of one core, loop`, "packets/s", own, peer);
  }
}

export async function relayBench(o: RelayBenchOptions): Promise<void> {
  const up = new Map<string, Loaded>();
  const probes = new Map<string, Probe[]>();
  const plan = Array.from({ length: o.rounds }, (_, round) => round).flatMap((round) =>
    o.rates.flatMap((pps) => MODES.map((mode) => ({ round, pps, mode }))),
  );
  for (const { round, pps, mode } of plan) {
    for (const sut of round % 2 === 0 ? SUTS : SUTS.toReversed()) {
      const probe = await probeLiving(o, up, { sut, mode, pps });
      tell("relay", { sut, mode, round, ...probe });
      const key = `${sut} ${mode} ${pps}`;
      probes.set(key, [...(probes.get(key) ?? []), probe]);
    }
  }
  for (const { stop } of up.values()) await stop();
  for (const pps of o.rates) for (const mode of MODES) rows(probes, mode, pps);
}

/** Medians of the rounds. */
function rows(probes: ReadonlyMap<string, readonly Probe[]>, mode: RelayMode, pps: number): void {
  const of = (sut: Sut, what: (probe: Probe) => number): number =>
    median((probes.get(`${sut} ${mode} ${pps}`) ?? []).map(what));
  for (const [what, unit, read] of FIGURES) {
    for (const sut of ["loop", "native"] as const) {
      row(`relay ${mode} at ${pps}/s, ${what}, ${sut}`, unit, of(sut, read), of("rtpengine", read));
    }
  }
}

type ProbeOf = { readonly sut: Sut; readonly mode: RelayMode; readonly pps: number };

/**
 * A probe of a system that is up, or raised now. A stall of the machine makes rtpengine give streams up for
 * good ("receive queue exceeded"): such a probe says nothing, so its calls are set up again.
 */
async function probeLiving(
  o: RelayBenchOptions,
  up: Map<string, Loaded>,
  { sut, mode, pps }: ProbeOf,
): Promise<Probe> {
  const key = `${sut} ${mode}`;
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const loaded = up.get(key) ?? (await raise(o, sut, mode, CALLS));
    if (!up.has(key)) await warm(loaded.load);
    up.set(key, loaded);
    const probe = await loaded.load.probe(pps, o.seconds);
    if (probe.wrong > 0) throw new Error(`${key}: ${probe.wrong} packets arrived wrong`);
    if (probe.silentLegs === 0) return probe;
    tell("relay-lost", { sut, mode, ...probe });
    up.delete(key);
    await loaded.stop();
  }
  throw new Error(`${key}: legs are silent`);
}

/** Compilers run in the first seconds, on the same core here: gently, then at full rate. */
async function warm(load: RtpLoad): Promise<void> {
  await load.probe(WARM_RATES[0], 3);
  await load.probe(WARM_RATES[1], 1);
}

async function raise(
  o: { readonly identity: Identity },
  sut: Sut,
  mode: RelayMode,
  count: number,
): Promise<Loaded> {
  const number = MODES.indexOf(mode) + 1;
  const name = `${sut}-${mode}`;
  if (sut !== "rtpengine") {
    const place = addresses(number + (sut === "native" ? 20 : 0));
    const calls = await placeCalls({
      ...{ name, mode, addresses: place, count, identity: o.identity, mediaEngine: sut },
    });
    const load = await RtpLoad.start(name, calls.sessions, [calls.pequod.pid]);
    tell("relay-setup", {
      sut,
      mode,
      calls: count,
      setupMs: Math.round(calls.setupMs * 100) / 100,
      memoryKib: Math.round(calls.memoryKib * 10) / 10,
    });
    return { load, stop: () => load.stop().then(calls.stop) };
  }
  const { child, ng } = await startRtpengine({
    name,
    addresses: addresses(10 + number),
    ngPort: 2220 + number,
    threads: 1,
    isRealTime: true,
  });
  const sessions = await rtpengineSessions(ng, mode, count);
  ng.close();
  const load = await RtpLoad.start(name, sessions, [child.pid]);
  return { load, stop: () => load.stop().then(child.stop) };
}

/**
 * Fresh calls after a rate that failed: rtpengine gives flooded streams up for good. Null when the time was
 * up before it was found.
 */
async function highestRate(
  o: RatesBenchOptions,
  sut: Sut,
  mode: RelayMode,
): Promise<number | null> {
  let good = 0;
  let bad = SEARCH_TO;
  let pps = SEARCH_FROM;
  while (bad - good > SEARCH_GRAIN * bad) {
    if (performance.now() > o.untilMs) return null;
    const { load, stop } = await raise(o, sut, mode, SEARCH_CALLS);
    await warm(load);
    for (let isGood = true; isGood && bad - good > SEARCH_GRAIN * bad; ) {
      const probe = await load.probe(pps, 2);
      isGood = probe.loss < 0.001 && probe.p50Us <= 1000 && probe.wrong === 0;
      tell("relay-search", { sut, mode, isGood, ...probe });
      if (isGood) good = probe.achievedPps;
      else bad = pps;
      if (isGood && probe.achievedPps < 0.97 * pps) bad = good; // the load's own end
      pps = isGood && bad === SEARCH_TO ? Math.min(bad, pps * 1.5) : Math.round((good + bad) / 2);
    }
    await stop();
  }
  return good;
}
