/** What the product tells of real calls: figures from real RTP and RTCP, and why somebody hears nothing. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import type { CallReport } from "../../src/health/calls.ts";
import { type Lab, openLab } from "./lab.ts";
import { ANCHOR, eventually } from "./peers.ts";
import { proxyCalls } from "./pequod.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterEach(() => lab.clear());
afterAll(() => lab.close());

const codes = ({ diagnosis }: CallReport): string[] => diagnosis.map(({ code }) => code);

/** The newest call of that proxy as soon as it is as wished. */
async function call(proxy: string, isWished: (call: CallReport) => boolean): Promise<CallReport> {
  let seen: CallReport | undefined;
  return eventually(
    25_000,
    async () => {
      [seen] = (await proxyCalls(proxy)).calls;
      return seen !== undefined && isWished(seen) ? seen : null;
    },
    () => `the call should be told otherwise: ${JSON.stringify(seen)}`,
  );
}

test.skipIf(ANCHOR)(
  "a good call says so: nothing lost, little jitter, the round trip of both ends by their reports",
  async () => {
    const phone = await lab.phone("home-a", "101");
    phone.dial("600");
    await phone.expects("CALL_ESTABLISHED");
    await phone.hears(phone.hz, 4);
    const known = await call("dmz", ({ streams: [stream] }) =>
      [stream?.phone, stream?.instance].every((leg) => leg?.roundTripMs != null),
    );
    expect(codes(known)).toEqual(["good"]);
    await phone.hangsUp();
    await lab.portsAreFree();
    const ended = await call("dmz", (one) => one.ended !== null);
    expect(codes(ended)).toEqual(["good"]);
    expect([ended.from, ended.to, ended.reason]).toEqual(["101@mycompany", "600@mycompany", "bye"]);
    const [audio] = ended.streams;
    for (const leg of [audio!.phone, audio!.instance]) {
      expect(leg).toMatchObject({ codec: "PCMA", lost: 0, duplicates: 0, foreign: 0 });
      expect(leg.jitterMs).toBeLessThan(30);
      expect(leg.roundTripMs).toBeLessThan(200);
      expect(leg.peerLossPercent).toBeLessThan(1);
      expect(leg.mos).toBeGreaterThan(4);
    }
    expect([audio!.phone.isEncrypted, audio!.instance.isEncrypted]).toEqual([true, false]);
  },
);

test.skipIf(ANCHOR)(
  "a phone that has said that it only listens is not to blame for sending nothing",
  async () => {
    const phone = await lab.phone("open", "103");
    phone.dialToListen("602");
    await phone.expects("CALL_ESTABLISHED", 12_000);
    await phone.hears(1000, 3);
    const told = await call("dmz", (one) => one.seconds > 3);
    expect(codes(told)).toEqual(["held"]);
    expect(told.streams[0]?.phone).toMatchObject({ packets: 0, mos: null, source: null });
    await phone.hangsUp();
    await lab.portsAreFree();
  },
);
