/**
 * Two hundred calls for half an hour (PEQUOD_SOAK_MINUTES) through the compiled binary on loopback: half of them
 * stay and get other keys now and then, half come and go. Memory does not grow once it is warm, and in the end
 * no port, call or descriptor is left.
 */
import { afterAll, expect, test } from "bun:test";
import { setTimeout as delay } from "node:timers/promises";
import { endpointOf, LoopbackPlace, type Running } from "../e2e/binary.ts";
import { Line, type LineOptions, type SoakCall } from "./line.ts";
import { openDescriptors, residentMib } from "./process.ts";
import type { Heard } from "./soak-port.ts";

const MINUTES = Number(process.env["PEQUOD_SOAK_MINUTES"] ?? 30);
const SECONDS = MINUTES * 60;
/**
 * By then the engine has compiled and laid out what it will, and the history of calls is full; runs of less than
 * ten minutes prove little.
 */
const WARM_SECONDS = Math.min(SECONDS / 2, Math.max(300, SECONDS / 5));
const SAMPLE_SECONDS = 5;
const FRAME_MS = 20;
const GROWTH = 0.1;
/** Packets that a busy machine may lose on its loopback. */
const LOSS = 0.01;
const LIMITS = { requestsPerFlow: 1000, requestsPerSecond: 1000, portRest: 5 };

type Sample = { readonly second: number; readonly mib: readonly number[] };
type Media = Readonly<Record<"sessions" | "portsInUse" | "portsResting", number>>;

const places: LoopbackPlace[] = [];
afterAll(async () => {
  for (const place of places) await place.close();
});

/** Another instance's address at the same place. */
function neighbour(address: string): string {
  return address.replace(/\d+$/, (last) => `${Number(last) + 2}`);
}

async function startProxy(voip: object): Promise<{
  place: LoopbackPlace;
  running: Running;
  listening: Record<string, string>;
}> {
  const place = new LoopbackPlace();
  places.push(place);
  const second = { name: "othercompany", address: neighbour(place.pbx), media: "srtp" };
  place.writeConfig({ limits: LIMITS, ...voip }, {}, [second]);
  return { place, ...(await place.startProxy()) };
}

async function openLines(sums: Heard): Promise<{ lines: Line[]; pids: number[] }> {
  const secure = await startProxy({});
  const plain = await startProxy({ voipSip: "udp", voipMedia: "rtp" });
  const at = ({ place }: typeof secure, instance: string) => ({
    instance,
    phoneAddress: place.phone,
    instanceAddress: instance === "mycompany" ? place.pbx : neighbour(place.pbx),
  });
  const tls = { transport: "tls", proxy: endpointOf(secure.listening["sipTls"] ?? "") } as const;
  const udp = { transport: "udp", proxy: endpointOf(plain.listening["sipUdp"] ?? "") } as const;
  const options: LineOptions[] = [
    { name: "SRTP-RTP", ...at(secure, "mycompany"), ...tls, isSrtpInside: false, calls: 80 },
    { name: "SRTP-SRTP", ...at(secure, "othercompany"), ...tls, isSrtpInside: true, calls: 40 },
    { name: "RTP-RTP", ...at(plain, "mycompany"), ...udp, isSrtpInside: false, calls: 80 },
  ];
  const lines: Line[] = [];
  for (const one of options) lines.push(await Line.open(one, sums));
  return { lines, pids: [secure.running.pid, plain.running.pid] };
}

/** Until the time is up: a call of this line, a while, the next one. */
async function comesAndGoes(line: Line, seconds: number, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const call = await line.begin();
    await delay(seconds * 1000);
    await line.end(call);
  }
}

/** Until the time is up one call of those that stay gets another key, every second. */
async function changes(line: Line, calls: readonly SoakCall[], isOver: () => boolean) {
  for (let turn = 0; !isOver(); turn += 1) {
    const call = calls[turn % calls.length];
    if (call !== undefined) await line.change(call);
    await delay(1000);
  }
}

/** Speaks for all calls; after the machine held it up it does not make up for more than a moment. */
function speak(lines: readonly Line[]): () => void {
  let due = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    due = Math.max(due, now - 5 * FRAME_MS);
    for (; due <= now; due += FRAME_MS) {
      for (const line of lines) {
        for (const { near, far } of line.calls) {
          near.speaks();
          far.speaks();
        }
      }
    }
  }, FRAME_MS / 2);
  return () => clearInterval(timer);
}

async function watch(pids: readonly number[], begin: number): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (;;) {
    await delay(SAMPLE_SECONDS * 1000);
    const second = Math.round((performance.now() - begin) / 1000);
    if (second > SECONDS) return samples;
    samples.push({ second, mib: pids.map(residentMib) });
  }
}

/**
 * Of one process: the least of the first third of the warm time beside the least of the last. What is above the
 * least is garbage that has not been collected yet, and comes and goes by a tenth.
 */
function growth(samples: readonly Sample[], process: number): number {
  const warm = samples.filter(({ second }) => second >= WARM_SECONDS);
  const part = Math.max(1, Math.floor(warm.length / 3));
  const least = (some: readonly Sample[]) => Math.min(...some.map(({ mib }) => mib[process] ?? 0));
  const [first, last] = [least(warm.slice(0, part)), least(warm.slice(-part))];
  const curve = samples.filter((_, at) => at % 6 === 5).map(({ mib }) => mib[process]?.toFixed(0));
  console.log(`process ${process}: MiB each ${6 * SAMPLE_SECONDS} s: ${curve.join(" ")}`);
  console.log(`process ${process}: at least ${first.toFixed(1)} MiB, then ${last.toFixed(1)}`);
  return last / first - 1;
}

async function mediaOf(place: LoopbackPlace): Promise<Media> {
  return (await place.status()).media as unknown as Media;
}

async function untilRested(): Promise<void> {
  const end = performance.now() + (LIMITS.portRest + 10) * 1000;
  for (const place of places) {
    while ((await mediaOf(place)).portsResting > 0 && performance.now() < end) await delay(500);
  }
}

test(
  `200 calls for ${MINUTES} minutes leave nothing and grow nothing`,
  async () => {
    const sums: Heard = { sent: 0, received: 0, refused: 0 };
    const { lines, pids } = await openLines(sums);
    // The status connection that this test keeps open counts on both sides.
    for (const place of places) await place.status();
    const descriptors = pids.map(openDescriptors);
    const begin = performance.now();
    const isOver = (): boolean => performance.now() - begin > SECONDS * 1000;
    const silence = speak(lines);
    const work: Promise<void>[] = [];
    for (const line of lines) {
      const half = line.options.calls / 2;
      const steady: SoakCall[] = [];
      for (let count = 0; count < half; count += 1) steady.push(await line.begin());
      work.push(changes(line, steady, isOver));
      // From 4 to 23 seconds long, so that they do not keep in step.
      for (let at = 0; at < half; at += 1) work.push(comesAndGoes(line, 4 + (at % 20), isOver));
    }
    const samples = await watch(pids, begin);
    await Promise.all(work);
    silence();
    const loss = 1 - sums.received / sums.sent;
    const begun = lines.map(({ options, begun }) => `${options.name} ${begun}`).join(", ");
    console.log(`${begun} calls; ${sums.sent} packets, lost ${(loss * 100).toFixed(3)} %`);
    for (const line of lines) await line.endAll();
    for (const place of places) {
      expect(await mediaOf(place)).toMatchObject({ sessions: 0, portsInUse: 0 });
    }
    await untilRested();
    for (const place of places) {
      expect(await mediaOf(place)).toMatchObject({
        portsResting: 0,
        inside: { inUse: 0, resting: 0 },
      });
      expect((await place.status()).sip.dialogs).toBe(0);
    }
    expect(pids.map(openDescriptors)).toEqual(descriptors);
    expect(sums.refused).toBe(0);
    expect(loss).toBeLessThan(LOSS);
    for (const at of pids.keys()) expect(growth(samples, at)).toBeLessThan(GROWTH);
    for (const line of lines) line.close();
  },
  (SECONDS + 120) * 1000,
);
