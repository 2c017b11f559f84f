/** A media thread that dies leaves its successor every SSRC of a leg, its rollover counter included. */
import { afterEach, expect, test } from "bun:test";
import {
  call,
  closeAll,
  closers,
  counted,
  drop,
  key,
  LOOP_OPTIONS,
  POISON,
  SCRIPT,
} from "../../test/flows/engine-ends.ts";
import { protect, rtpPacket, unprotect } from "../../test/flows/media-ends.ts";
import { startThread, type Thread } from "../io/threads.ts";
import { SrtpContext } from "../rtp/srtp-context.ts";
import { LoopEngine } from "./loop-engine.ts";

/** Voice, music on hold, and the far end after a transfer: the last has come round its 65,536 numbers. */
const SSRCS = [0x0101_0101, 0x0202_0202, 0x0303_0303] as const;
const ROUND = [65_534, 65_535, 0, 1] as const;

afterEach(closeAll);

async function startEngine() {
  const threads: Thread[] = [];
  const engine = await LoopEngine.start({
    ...LOOP_OPTIONS,
    startThread: (listeners) => {
      const thread = startThread(SCRIPT, listeners);
      threads.push(thread);
      return thread;
    },
    threads: 1,
  });
  closers.push(() => engine.stop());
  return { engine, threads };
}

test("three SSRCs each way go on after a thread's death, and nothing of them is taken twice", async () => {
  const { engine, threads } = await startEngine();
  const keys = { inbound: key(1), outbound: key(2) };
  const { handle, outer, inner, phone, instance, settings } = await call(engine, keys);
  const [sealer, opener] = [new SrtpContext(key(1)), new SrtpContext(key(2))];
  const used = new Set<string>();
  const exchange = async (ssrc: number, sequence: number): Promise<Uint8Array> => {
    const plain = rtpPacket(sequence, { ssrc });
    const sealed = protect(sealer, plain);
    phone.send(sealed, outer);
    expect(await instance.next()).toEqual(plain);
    instance.send(plain, inner);
    const back = await phone.next();
    const clear = unprotect(opener, back);
    // Its number may have jumped at the restart, so that no index of a key is used twice.
    expect([...clear.subarray(4)]).toEqual([...plain.subarray(4)]);
    used.add(`${ssrc} ${clear[2]} ${clear[3]}`);
    return sealed;
  };
  const before: Uint8Array[] = [];
  for (const ssrc of SSRCS) {
    for (const sequence of ssrc === SSRCS[2] ? ROUND : [10, 11, 12, 13]) {
      before.push(await exchange(ssrc, sequence));
    }
  }
  await counted(engine, handle, "outer", { packets: 12 });
  threads[0]?.post([POISON]);
  engine.configure(handle, "inner", settings.inner); // wakes it
  while (threads.length < 2) await new Promise((resolve) => setImmediate(resolve));
  for (const packet of before) phone.send(packet, outer);
  await drop(engine, "replay", before.length);
  for (const ssrc of [SSRCS[1], SSRCS[2], SSRCS[0]]) {
    await exchange(ssrc, ssrc === SSRCS[2] ? 2 : 14);
  }
  expect(used.size).toBe(15);
  await counted(engine, handle, "outer", { packets: 15 });
});
