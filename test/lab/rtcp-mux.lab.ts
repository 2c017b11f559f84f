/**
 * A phone that has RTCP at the port of RTP (RFC 5761) and real Asterisk, which here has it at a port of its
 * own: each one's reports reach the other, and say so.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Lab, openLab } from "./lab.ts";
import { ANCHOR, eventually } from "./peers.ts";
import { dials, type ScriptedPhone, scriptedPhone } from "./scripted.ts";

const SUITE = "AES_CM_128_HMAC_SHA1_80";
/** Asterisk reports every five seconds. */
const REPORT_MS = 20_000;
const MARK = 0x5ecd_0042;

let lab: Lab;
const scripted: ScriptedPhone[] = [];
beforeAll(async () => {
  lab = await openLab();
});
afterEach(async () => {
  await Promise.all(scripted.splice(0).map((one) => one.stop()));
  await lab.clear();
});
afterAll(() => lab.close());

/** The report block about this SSRC in a sender report, null = there is none (RFC 3550 §6.4.1). */
function blockAbout(report: Uint8Array, ssrc: number) {
  const bytes = Buffer.from(report);
  if (bytes.length < 52 || bytes[1] !== 200 || bytes.readUInt32BE(28) !== ssrc) return null;
  return { highest: bytes.readUInt32BE(36) & 0xffff, lastReport: bytes.readUInt32BE(44) };
}

/** rtpengine as kamailio.cfg uses it is not asked for this. */
test.each(ANCHOR ? [] : (["lan", "home-b"] as const))(
  "reports of both cross between one port and two, from %s",
  async (place) => {
    const one = await scriptedPhone(place, "104");
    scripted.push(one);
    const near = await one.media(place === "lan" ? undefined : SUITE, { mux: true });
    const dialog = await dials(one.phone, "600", near);
    expect(near.isMux).toBe(true);
    let isOver = false;
    const talking = (async () => {
      while (!isOver) {
        near.says("\xd5".repeat(160));
        await delay(20);
      }
    })();
    near.sendsRtcp(MARK);
    const found = await eventually(
      REPORT_MS,
      () => {
        near.sendsRtcp(MARK);
        return (
          near.heardRtcp
            .splice(0)
            .map((report) => blockAbout(report, near.ssrc))
            .find((block) => block?.lastReport === MARK) ?? null
        );
      },
      () => `no report that knows of ours; ${near.refused} refused`,
    );
    isOver = true;
    await talking;
    expect(found.highest).toBeGreaterThan(100);
    await one.phone.hangsUp(dialog);
    await lab.portsAreFree();
  },
  40_000,
);
