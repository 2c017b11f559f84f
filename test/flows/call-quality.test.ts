/** What is told of a call's audio, while it runs and after it, and why somebody hears nothing. */
import { describe, expect, test } from "bun:test";
import type { CallReport } from "../../src/health/calls.ts";
import { rtpPacket } from "./media-ends.ts";
import { OUTSIDE, type PlaceOptions } from "./place.ts";
import {
  type EndsOptions,
  makeEnds,
  pbxCalls,
  phoneCalls,
  phoneReInvites,
  type Talk,
} from "./talk.ts";

const SECOND = 1000;

async function talk(o: PlaceOptions & EndsOptions = {}): Promise<Talk> {
  return await phoneCalls(await makeEnds(o));
}

const report = ({ place }: Talk): CallReport => place.proxy.calls("").calls[0]!;

/** The codes of the call's findings as they stand now. */
const diagnosis = (call: Talk): string[] => report(call).diagnosis.map(({ code }) => code);

/** Both sides speak evenly for so long, but for those that do not. */
async function speak(
  { place, near, far }: Talk,
  seconds: number,
  o: { phone?: boolean; instance?: boolean } = {},
): Promise<void> {
  for (let at = 0; at < seconds * 50; at += 1) {
    if (o.phone !== false) near.says("p");
    if (o.instance !== false) far.says("i");
    await place.network.elapse(20);
  }
}

async function hangUp({ place, phone, pbx, phoneSide }: Talk): Promise<void> {
  phone.inDialog(phoneSide, "BYE");
  await pbx.isHungUpOn();
  await phone.receives("200 BYE");
  await place.network.settle();
}

describe("a good call", () => {
  test("has figures of each leg while it runs", async () => {
    const call = await talk();
    await speak(call, 4);
    const { streams, ...rest } = report(call);
    expect(rest).toMatchObject({ instance: "mycompany", caller: "phone", seconds: 4, ended: null });
    expect([rest.from, rest.to]).toEqual(["100@mycompany", "600@mycompany"]);
    expect(rest.diagnosis).toEqual([{ code: "good", text: "good" }]);
    const leg = { codec: "PCMA", packets: 200, lost: 0, jitterMs: 0, foreign: 0, mos: 4.41 };
    expect(streams).toMatchObject([
      {
        type: "audio",
        phone: { ...leg, isEncrypted: true, source: expect.stringContaining("198.51.100.9:") },
        instance: { ...leg, isEncrypted: false, roundTripMs: null, peerLossPercent: null },
      },
    ]);
  });

  test("is kept after its end, and its line of the log says how it was", async () => {
    const call = await talk();
    await speak(call, 4);
    await hangUp(call);
    expect(call.place.proxy.calls("")).toMatchObject({ running: 0, ended: 1 });
    expect(report(call)).toMatchObject({ reason: "bye", seconds: 4 });
    expect(report(call).streams[0]?.instance.packets).toBe(200);
    const line = call.place.log.find(({ event }) => event === "call-ended");
    const heard = { phoneLoss: 0, phoneMos: 4.41, instanceJitter: 0, instanceMos: 4.41 };
    expect(line?.fields).toMatchObject({ diagnosis: "good", seconds: 4, ...heard });
    expect(call.place.status.calls.ended).toEqual({ good: 1 });
  });
});

describe("nothing is heard", () => {
  test("the instance sends nothing", async () => {
    const call = await talk();
    await speak(call, 1, { instance: false });
    expect(diagnosis(call)).toEqual(["too-short"]);
    await speak(call, 4, { instance: false });
    expect(diagnosis(call)).toEqual(["instance-never-sent"]);
  });

  test("the phone sends nothing", async () => {
    const call = await pbxCalls(await makeEnds());
    await speak(call, 4, { phone: false });
    expect(diagnosis(call)).toEqual(["phone-never-sent"]);
    expect(report(call)).toMatchObject({ caller: "instance", to: "100@mycompany" });
  });

  test("the instance's media comes from elsewhere than the configuration says", async () => {
    const call = await talk();
    const elsewhere = { address: "10.0.3.77", port: 4000 };
    const { world } = call.place.home(elsewhere.address, null);
    const socket = await world.openDatagrams({ local: elsewhere, receive() {} });
    const { address, port } = call.far.target!;
    socket.send(call.far.packet("lost"), address, port);
    await speak(call, 4, { instance: false });
    expect(diagnosis(call)).toEqual(["instance-elsewhere", "foreign-packets"]);
  });

  test("neither does", async () => {
    const call = await talk();
    await call.place.network.elapse(5 * SECOND);
    expect(diagnosis(call)).toEqual(["silent"]);
    await hangUp(call);
    expect(diagnosis(call)).toEqual(["silent"]);
  });

  test("the phone has another key than it said", async () => {
    const call = await talk();
    call.near.changesKey();
    await speak(call, 4);
    expect(diagnosis(call)).toEqual(["phone-wrong-key"]);
    expect(report(call).streams[0]?.phone.drops["auth"]).toBe(200);
  });

  test("one of them has stopped", async () => {
    const call = await talk();
    await speak(call, 4);
    await speak(call, 16, { phone: false });
    expect(diagnosis(call)).toEqual(["phone-stopped"]);
    await call.place.network.elapse(16 * SECOND);
    expect(diagnosis(call)).toEqual(["both-stopped"]);
  });

  test("it is held", async () => {
    const call = await talk();
    await speak(call, 4);
    await phoneReInvites(call, call.near.sdp({ direction: "sendonly", version: 2 }));
    await speak(call, 20, { phone: false });
    expect(diagnosis(call)).toEqual(["held"]);
  });
});

describe("it sounds bad", () => {
  test("much is lost from the phone; a packet that comes twice makes up for none", async () => {
    const call = await talk({ media: "rtp", proxy: { voipMedia: "rtp" } });
    const { near, place } = call;
    for (let at = 0; at < 100; at += 1) {
      near.sequence += at % 10 === 0 ? 1 : 0;
      const packet = near.packet("p");
      near.sendsPacket(packet);
      if (at === 50) near.sendsPacket(packet);
      await place.network.elapse(20);
    }
    await speak(call, 2);
    expect(diagnosis(call)).toEqual(["loss-from-phone"]);
    const { phone } = report(call).streams[0]!;
    expect(phone).toMatchObject({ lost: 9, duplicates: 1, lossPercent: 4.31 });
    expect(phone.mos).toBeLessThan(4.1);
  });

  test("the phone floods, and what is above its ceiling is dropped", async () => {
    const call = await talk({ proxy: { limits: { packetsPerSecond: 60 } } });
    await speak(call, 2);
    call.near.says(...Array.from({ length: 100 }, () => "flood"));
    await speak(call, 2);
    expect(diagnosis(call)).toContain("flood-from-phone");
  });
});

test("packets of strangers are counted for the call and spoil nothing", async () => {
  const call = await talk();
  await speak(call, 2);
  const stranger = call.place.home("192.168.7.7", null);
  const from = { address: "192.168.7.7", port: 4000 };
  const socket = await stranger.world.openDatagrams({ local: from, receive() {} });
  for (let at = 0; at < 7; at += 1) {
    socket.send(rtpPacket(at), OUTSIDE, call.near.target!.port);
  }
  await speak(call, 2);
  expect(diagnosis(call)).toEqual(["good", "foreign-packets"]);
  expect(report(call).streams[0]?.phone).toMatchObject({ foreign: 7 });
});

test("a call without media leaves no history, and only so many are kept", async () => {
  const ends = await makeEnds({ proxy: { limits: { callHistory: 2 } } });
  ends.phone.sendsInvite("600", ends.near.sdp());
  ends.pbx.replies(await ends.pbx.receivesOn("INVITE"), 486, "pbx");
  await ends.phone.receives("486 INVITE");
  expect(ends.place.proxy.calls("")).toMatchObject({ ended: 0 });
  for (let at = 0; at < 5; at += 1) await hangUp(await phoneCalls(ends));
  const { ended, calls } = ends.place.proxy.calls("");
  expect([ended, calls.length]).toEqual([2, 2]);
  expect(ends.place.status.calls.ended).toEqual({ "too-short": 5 });
  expect(ends.place.proxy.calls(calls[0]!.callId).calls).toEqual([calls[0]!]);
  expect(ends.place.proxy.calls("nobody").calls).toEqual([]);
});
