/**
 * What changes in the media of a call under way, against real Asterisk: another SSRC, another key, a picture,
 * another family of addresses. A scripted phone does what baresip cannot.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { setTimeout as delay } from "node:timers/promises";
import { measureTone, ToneSource } from "../../src/demo/tone.ts";
import type { MediaPort } from "../peers/media-port.ts";
import { startCapture } from "./capture.ts";
import { type InstanceName, type Lab, openLab } from "./lab.ts";
import { ANCHOR, INSIDE } from "./peers.ts";
import { dials, type ScriptedPhone, scriptedPhone } from "./scripted.ts";

const SUITE = "AES_CM_128_HMAC_SHA1_80";
const FRAME_MS = 20;
/** The payload type that baresip gives its VP8. */
const VP8 = 96;

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

type Path = {
  readonly name: string;
  readonly place: "lan" | "home-b";
  readonly instance: InstanceName;
};
const PATHS: readonly Path[] = [
  { name: "SRTP-RTP", place: "home-b", instance: "mycompany" },
  { name: "SRTP-SRTP", place: "home-b", instance: "othercompany" },
  { name: "RTP-RTP", place: "lan", instance: "mycompany" },
  { name: "RTP-SRTP", place: "lan", instance: "othercompany" },
];

/** A phone that is in a call with the instance's echo. */
async function echoCall({ place, instance }: Path) {
  const one = await scriptedPhone(place, "104", instance);
  scripted.push(one);
  const near = await one.media(place === "lan" ? undefined : SUITE);
  const dialog = await dials(one.phone, "600", near);
  return { phone: one.phone, near, dialog };
}

/** Says a second of a tone, packet by packet, and hears it come back from the echo. */
async function hearsItself(near: MediaPort, hz: number): Promise<void> {
  near.heard.splice(0);
  const tone = new ToneSource("PCMA", hz);
  for (let frame = 0; frame < 50; frame += 1) {
    near.says(Buffer.from(tone.nextFrame()).toString("latin1"));
    await delay(FRAME_MS);
  }
  const heard = await near.hearsAtLeast(45);
  const audio = new Uint8Array(Buffer.from(heard.slice(-40).join(""), "latin1"));
  expect(measureTone("PCMA", audio)?.frequencyHz).toBe(hz);
}

describe.each([...PATHS])("$name", (path) => {
  test("another SSRC with other sequence numbers in mid-call, and the first one again", async () => {
    const { phone, near, dialog } = await echoCall(path);
    await hearsItself(near, 425);
    const first = { ssrc: near.ssrc, sequence: near.sequence, timestamp: near.timestamp };
    Object.assign(near, { ssrc: first.ssrc ^ 0x5a5a, sequence: 65_500, timestamp: 7 });
    await hearsItself(near, 725); // and the sequence numbers begin anew at 65,536
    Object.assign(near, first);
    await hearsItself(near, 1025);
    await phone.hangsUp(dialog);
    await lab.portsAreFree();
  });
});

/** rtpengine as kamailio.cfg uses it is not asked for this. */
describe.each(ANCHOR ? [] : PATHS.filter(({ place }) => place === "home-b"))("$name", (path) => {
  test("re-INVITE with another key, twice: no packet is lost to a wrong one", async () => {
    const { phone, near, dialog } = await echoCall(path);
    await hearsItself(near, 425);
    for (const [version, hz] of [
      [2, 725],
      [3, 1025],
    ] as const) {
      const target = near.target;
      near.changesKey();
      phone.inDialog(dialog, "INVITE", {
        headers: [["Contact", `<${phone.contact}>`]],
        body: near.sdp({ version }),
      });
      const answer = await phone.receives("200 INVITE");
      phone.inDialog(dialog, "ACK");
      near.uses(answer.body);
      expect(near.target).toEqual(target);
      await hearsItself(near, hz);
    }
    expect(near.refused).toBe(0);
    await phone.hangsUp(dialog);
    await lab.portsAreFree();
  });
});

test("the instance begins another SSRC in mid-call, with SRTP of its own", async () => {
  const phone = await lab.phone("home-a", "101", "othercompany");
  phone.dial("604");
  await phone.expects("CALL_ESTABLISHED");
  await phone.hears(800, 2);
  await phone.hears(1200, 3);
  await phone.hangsUp();
  await lab.portsAreFree();
});

test("video: a picture goes both ways beside the audio, encrypted outside", async () => {
  const [inside, outside] = [await startCapture("eth0"), await startCapture("eth1")];
  const phone = await lab.phone("home-a", "105", "mycompany", { hasVideo: true });
  phone.dial("600");
  await phone.expects("CALL_ESTABLISHED");
  await phone.hears(phone.hz, 2);
  await phone.sees(176, 144);
  const port = phone.farPort("video");
  await phone.hangsUp();
  await lab.portsAreFree();
  const [plain, secret] = [await inside.stop(VP8), await outside.stop(VP8)];
  const count = (from: string) => plain.filter((packet) => packet.from === from).length;
  expect(count(INSIDE)).toBeGreaterThan(10);
  expect(count("10.0.1.10")).toBeGreaterThan(10);
  expect(secret.filter((packet) => packet.toPort === port).length).toBeGreaterThan(10);
  expect(secret.filter((packet) => packet.from === "203.0.113.1").length).toBeGreaterThan(10);
  const pictures = new Set(plain.map(({ payload }) => Buffer.from(payload).toString("latin1")));
  // Empty packets only open a NAT (RFC 6263 §4.6).
  for (const { payload } of secret.filter(({ payload }) => payload.length > 10)) {
    expect(pictures.has(Buffer.from(payload.subarray(0, -10)).toString("latin1"))).toBe(false);
  }
});

test.skipIf(ANCHOR)("a phone with IPv6 calls an instance with IPv4 and is called", async () => {
  const six = await lab.phone("open", "103", "mycompany", { isIpv6: true });
  six.dial("600");
  await six.expects("CALL_ESTABLISHED");
  await six.hears(six.hz, 2);
  await six.hangsUp();
  await lab.portsAreFree();
  const other = await lab.phone("home-a", "101");
  other.dial("103");
  await six.accept();
  await Promise.all([six.hears(other.hz, 2), other.hears(six.hz, 2)]);
  await other.hangsUp();
  await lab.portsAreFree();
});
