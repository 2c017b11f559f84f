/**
 * Broken packets against a call on either packet engine, over real sockets: to both ports of its SRTP leg, from
 * the phone itself and from another port of its address, and from there to the instance's RTP port too. The loop
 * reads them by calls into libc, where a mistake would end the process.
 */
import { afterEach, expect, test } from "bun:test";
import { systemClock } from "../../src/io/clock.ts";
import { openDatagrams } from "../../src/io/udp.ts";
import type { MediaEngine } from "../../src/media/engine.ts";
import { LoopEngine } from "../../src/media/loop-engine.ts";
import { NativeEngine } from "../../src/media/native-engine.ts";
import { SrtpContext } from "../../src/rtp/srtp-context.ts";
import { call, closeAll, closers, key, LOOP_OPTIONS, peer } from "../flows/engine-ends.ts";
import { protect, rtpPacket } from "../flows/media-ends.ts";
import { brokenPacket } from "./packets.ts";
import { Random } from "./random.ts";

const PACKETS = Math.round(Number(process.env["PEQUOD_FUZZ"] ?? 20_000) / 4);
const SEED = Number(process.env["PEQUOD_SEED"] ?? 1);
const TIMEOUT_MS = Math.max(60_000, PACKETS * 4);
/** No ceiling comes into it. */
const relay = { packetsPerSecond: 1_000_000_000, maxSsrcs: 16 };
/** Fewer than any socket's buffer holds, so that none is lost. */
const BURST = 64;
const RECENT = 64;

const engines: Record<string, () => Promise<MediaEngine>> = {
  native: async () =>
    new NativeEngine({ clock: systemClock, openDatagrams, relay, trafficClass: 0 }),
  loop: () => LoopEngine.start({ ...LOOP_OPTIONS, relay, threads: 1 }),
};

afterEach(closeAll);

test.each(Object.keys(engines))(
  "%s: the phone's packets come through, nothing else does, each is counted",
  async (name) => {
    const engine = await engines[name]!();
    closers.push(() => engine.stop());
    const random = new Random(SEED);
    const keys = { inbound: key(1), outbound: key(2) };
    const { outer, inner, phone, instance } = await call(engine, keys);
    const other = await peer();
    const sealer = new SrtpContext(key(1));
    const recent: Uint8Array<ArrayBuffer>[] = [];
    let sequence = 65_000;
    let sent = 0;
    const speaks = async (): Promise<void> => {
      sequence += 1;
      const plain = rtpPacket(sequence & 0xffff);
      const sealed = new Uint8Array(protect(sealer, plain));
      recent.push(sealed);
      if (recent.length > RECENT) recent.shift();
      phone.send(sealed, outer);
      expect(await instance.next()).toEqual(plain);
    };
    await speaks();
    instance.send(rtpPacket(1), inner);
    await phone.next();
    while (sent < PACKETS) {
      for (let count = 0; count < BURST; count += 1, sent += 1) {
        const packet = brokenPacket(random, recent);
        if (random.once(5)) other.send(packet, inner);
        else (random.once(3) ? other : phone).send(packet, outer + (random.once(6) ? 1 : 0));
      }
      await speaks();
    }
    const dropped = () => Object.values(engine.drops).reduce((sum, count) => sum + count, 0);
    while (dropped() < sent) await new Promise((resolve) => setImmediate(resolve));
    expect(dropped()).toBe(sent);
    expect(engine.drops["fault"]).toBeUndefined();
    for (const reason of ["auth", "replay", "not-rtp", "malformed", "oversize", "foreign-source"]) {
      expect(engine.drops[reason] ?? 0, reason).toBeGreaterThan(PACKETS / 1000);
    }
  },
  TIMEOUT_MS,
);
