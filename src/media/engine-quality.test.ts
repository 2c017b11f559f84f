/** What every media engine counts of each leg, on real sockets of the loopback interface. */
import { afterEach, expect, test } from "bun:test";
import { call, closeAll, closers, counted, engines, peer } from "../../test/flows/engine-ends.ts";
import { receiverReport, rtpPacket, senderReport } from "../../test/flows/media-ends.ts";
import { elapsedMs } from "../io/clock.ts";

afterEach(closeAll);

test.each(Object.keys(engines))(
  "%s counts loss, strangers and the round trip of each leg",
  async (name) => {
    const engine = await engines[name]!();
    closers.push(() => engine.stop());
    const { handle, outer, inner, phone, instance, reports } = await call(engine);
    for (const sequence of [1, 2, 5, 5, 4]) {
      phone.send(rtpPacket(sequence), outer);
      await instance.next();
    }
    instance.send(rtpPacket(9, { ssrc: 9 }), inner);
    await phone.next();
    (await peer()).send(rtpPacket(6), outer);
    phone.send(senderReport(0x01020304, 0x1234), outer + 1);
    await reports.next();
    reports.send(receiverReport(9, { about: 0x01020304, lost: 3, lastReport: 0x1234 }), inner + 1);
    const figures = { expected: 5, lost: 1, duplicates: 1, reordered: 1, foreign: 1 };
    await counted(engine, handle, "outer", {
      ...figures,
      packets: 5,
      payloadType: 0,
      peerLost: -1,
    });
    await counted(engine, handle, "inner", { expected: 1, lost: 0, foreign: 0, peerLost: 3 });
    const { outer: near, inner: far } = engine.counters(handle)!;
    expect([near.roundTripMs, far.roundTripMs >= 0]).toEqual([-1, true]);
    expect(far.roundTripMs).toBeLessThan(5000);
  },
);

test.each(Object.keys(engines))("%s knows when a packet came", async (name) => {
  const engine = await engines[name]!();
  closers.push(() => engine.stop());
  const { handle, outer, phone, instance } = await call(engine);
  const send = async (sequence: number, timestamp: number): Promise<void> => {
    const packet = rtpPacket(sequence);
    new DataView(packet.buffer).setUint32(4, timestamp);
    phone.send(packet, outer);
    await instance.next();
  };
  await send(1, 0);
  const begun = elapsedMs();
  while (elapsedMs() - begun < 10) await new Promise((resolve) => setImmediate(resolve));
  // Half a second later by its own clock, sooner by ours: jitter is a sixteenth of the difference.
  await send(2, 4000);
  await counted(engine, handle, "outer", { packets: 2 });
  const { jitterMs } = engine.counters(handle)!.outer;
  expect(jitterMs).toBeGreaterThan(0);
  expect(jitterMs).toBeLessThan((500 - 5) / 16);
});
