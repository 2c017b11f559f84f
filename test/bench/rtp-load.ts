/**
 * Drives rtpload (rtpload.c): one process for each set of sessions, which goes on with their sequence
 * numbers over all its probes, as calls do.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { cpuSeconds } from "./cost.ts";
import { type Child, FOLDER, start, TREE } from "./place.ts";

export const RTPLOAD = join(TREE, "lab/rtpload");

export type Leg = {
  readonly address: string;
  readonly port: number;
  /** The relay's port for this leg, from the SDP it sent. */
  readonly destination: { readonly address: string; readonly port: number };
  /** Null: plain RTP. */
  readonly srtp: LegSrtp | null;
};

/** Keys are 30 bytes of master key and salt; the suite's tag has 80 or 32 bits. */
export type LegSrtp = {
  readonly tagBits: 80 | 32;
  readonly sendKey: Buffer;
  readonly receiveKey: Buffer;
};

/** What leg `a` (the phone) sends arrives at leg `b` (the telephone system), and back. */
export type Session = { readonly a: Leg; readonly b: Leg };

export type Probe = {
  readonly pps: number;
  readonly achievedPps: number;
  readonly received: number;
  readonly loss: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly silentLegs: number;
  readonly foreign: number;
  readonly checked: number;
  readonly wrong: number;
  /** Of the system under test. */
  readonly cpuUsPerPacket: number;
};

export class RtpLoad {
  readonly #child: Child;
  readonly #pids: readonly number[];

  private constructor(child: Child, pids: readonly number[]) {
    this.#child = child;
    this.#pids = pids;
  }

  /** `pids`: the system under test. */
  static async start(
    name: string,
    sessions: readonly Session[],
    pids: readonly number[],
  ): Promise<RtpLoad> {
    const plan = join(FOLDER, `${name}.plan`);
    writeFileSync(plan, sessions.flatMap(({ a, b }) => [planLine(a), planLine(b)]).join(""));
    const child = start([RTPLOAD, plan], { name: `load-${name}`, core: "load", isRealTime: true });
    await child.line();
    return new RtpLoad(child, pids);
  }

  async probe(pps: number, seconds: number): Promise<Probe> {
    const child = this.#child;
    child.write(`probe ${pps} ${seconds}\n`);
    await child.line();
    const before = cpuSeconds(this.#pids);
    child.write("go\n");
    await child.line();
    const cpu = cpuSeconds(this.#pids) - before;
    child.write("done\n");
    const result = JSON.parse(await child.line()) as Omit<Probe, "cpuUsPerPacket">;
    const cpuUsPerPacket = Math.round((cpu * 1e8) / Math.max(1, result.received)) / 100;
    return { ...result, cpuUsPerPacket };
  }

  async stop(): Promise<void> {
    await this.#child.stop();
  }
}

function planLine({ address, port, destination, srtp }: Leg): string {
  const keys = srtp === null ? [] : [srtp.sendKey.toString("hex"), srtp.receiveKey.toString("hex")];
  const [sendKey = "-", receiveKey = "-"] = keys;
  const suite = srtp === null ? "rtp" : srtp.tagBits;
  const far = `${destination.address} ${destination.port}`;
  return `${address} ${port} ${far} ${suite} ${sendKey} ${receiveKey}\n`;
}
