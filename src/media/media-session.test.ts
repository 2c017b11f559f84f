import { expect, test } from "bun:test";
import {
  AT_INSTANCE,
  AT_PHONE,
  answeredCall,
  contextOf,
  INNER,
  INSTANCE,
  keyIn,
  keyOf,
  MediaLab,
  OUTER,
  PHONE,
  portIn,
  protect,
  RTP,
  rtcpPacket,
  rtpPacket,
  sdpOf,
  securedSdp,
  srtpCall,
  textOf,
  unprotect,
} from "../../test/flows/media-ends.ts";

test("SRTP of the phone reaches the instance as RTP, and the other way round", async () => {
  const at = await srtpCall(new MediaLab());
  await at.phone.send(protect(at.key, rtpPacket(1, { fill: 11 })), at.outer);
  expect(at.instance.received).toEqual([rtpPacket(1, { fill: 11 })]);
  await at.instance.send(rtpPacket(500, { fill: 22 }), at.inner);
  const [packet] = at.phone.received;
  expect(packet).not.toEqual(rtpPacket(500, { fill: 22 }));
  expect(unprotect(contextOf(keyIn(at.toPhone)), packet!)).toEqual(rtpPacket(500, { fill: 22 }));
});

test("SRTP on both sides is decrypted and encrypted anew", async () => {
  const lab = new MediaLab();
  const session = lab.session({ inner: { media: "srtp" } });
  const phone = await lab.peer(PHONE, 4000);
  const instance = await lab.peer(INSTANCE, 12_000);
  const offer = securedSdp({ ...AT_PHONE, fill: 1 });
  const at = await answeredCall(session, offer, securedSdp({ ...AT_INSTANCE, fill: 2 }));
  await phone.send(protect(contextOf(keyOf(1)), rtpPacket(1)), at.outer);
  const [inside] = instance.received;
  expect(unprotect(contextOf(keyIn(at.toInstance)), inside!)).toEqual(rtpPacket(1));
  await instance.send(protect(contextOf(keyOf(2)), rtpPacket(9)), at.inner);
  expect(unprotect(contextOf(keyIn(at.toPhone)), phone.received[0]!)).toEqual(rtpPacket(9));
  expect(keyIn(at.toInstance)).not.toEqual(keyIn(at.toPhone));
});

test("srtp-passthrough relays the packets untouched", async () => {
  const lab = new MediaLab();
  const session = lab.session({ inner: { media: "srtp-passthrough" } });
  const phone = await lab.peer(PHONE, 4000);
  const instance = await lab.peer(INSTANCE, 12_000);
  const offer = securedSdp({ ...AT_PHONE, fill: 1 });
  const at = await answeredCall(session, offer, securedSdp({ ...AT_INSTANCE, fill: 2 }));
  const packet = protect(contextOf(keyOf(1)), rtpPacket(1));
  await phone.send(packet, at.outer);
  expect(instance.received).toEqual([packet]);
});

test("SRTCP and RTCP go between the odd ports, each side in its own form", async () => {
  const lab = new MediaLab();
  const at = await srtpCall(lab);
  const phoneRtcp = await lab.peer(PHONE, 4001);
  const instanceRtcp = await lab.peer(INSTANCE, 12_001);
  const report = rtcpPacket({ lengthBytes: 32 });
  const bytes = new Uint8Array(64);
  bytes.set(report);
  const length = at.key.protectRtcp(bytes, report.length);
  await phoneRtcp.send(bytes.slice(0, length), { ...at.outer, port: at.outer.port + 1 });
  expect(instanceRtcp.received).toEqual([report]);
  await instanceRtcp.send(report, { ...at.inner, port: at.inner.port + 1 });
  const clear = phoneRtcp.received[0]!.slice();
  const clearLength = contextOf(keyIn(at.toPhone)).unprotectRtcp(clear, clear.length);
  expect(clear.slice(0, clearLength)).toEqual(report);
});

test("re-INVITE: our ports and keys stay, the same key of the phone keeps its rollover counter", async () => {
  const lab = new MediaLab();
  const at = await srtpCall(lab);
  await at.phone.send(protect(at.key, rtpPacket(65_535, { fill: 1 })), at.outer);
  await at.phone.send(protect(at.key, rtpPacket(0, { fill: 2 })), at.outer);
  const again = await answeredCall(at.session, securedSdp({ ...AT_PHONE, fill: 1 }));
  expect([again.toInstance, again.toPhone]).toEqual([at.toInstance, at.toPhone]);
  await at.phone.send(protect(at.key, rtpPacket(1, { fill: 3 })), at.outer);
  expect(at.instance.heard()).toBe("1,2,3");
});

test("re-INVITE with a new key: it counts from the answer, packets under the old one pass 3 s more", async () => {
  const lab = new MediaLab();
  const at = await srtpCall(lab);
  const fresh = contextOf(keyOf(5));
  const offer = securedSdp({ ...AT_PHONE, fill: 5 });
  await at.phone.send(protect(at.key, rtpPacket(1)), at.outer);
  await at.session.offer("outer", offer);
  await at.phone.send(protect(at.key, rtpPacket(2)), at.outer);
  at.session.answer("inner", sdpOf(AT_INSTANCE), { branch: "a", final: true });
  await at.phone.send(protect(fresh, rtpPacket(4)), at.outer);
  await at.phone.send(protect(at.key, rtpPacket(3)), at.outer);
  expect(at.instance.heard()).toBe("1,2,4,3");
  await lab.network.elapse(3100);
  await at.phone.send(protect(at.key, rtpPacket(5)), at.outer);
  await at.phone.send(protect(fresh, rtpPacket(6)), at.outer);
  expect(at.instance.heard()).toBe("6");
});

test("a refused re-INVITE leaves everything as it was", async () => {
  const lab = new MediaLab();
  const at = await srtpCall(lab);
  await at.phone.send(protect(at.key, rtpPacket(1)), at.outer);
  await at.session.offer("outer", securedSdp({ ...AT_PHONE, port: 6000, fill: 7 }));
  at.session.answer("inner", sdpOf(AT_INSTANCE), { branch: "a", final: false });
  at.session.offerFailed();
  await at.phone.send(protect(at.key, rtpPacket(2)), at.outer);
  expect(at.instance.heard()).toBe("1,2");
  await at.instance.send(rtpPacket(3), at.inner);
  expect(at.phone.received.length).toBe(1);
  expect(at.session.answer("inner", sdpOf(AT_INSTANCE), { branch: "a", final: true }).ok).toBe(
    false,
  );
});

test("several branches answer: the latest is live until a final one, which stays", async () => {
  const lab = new MediaLab();
  const session = lab.session(RTP);
  const phone = await lab.peer(PHONE, 4000);
  const one = await lab.peer(INSTANCE, 12_000);
  const two = await lab.peer(INSTANCE, 13_000);
  const inner = portIn(textOf(await session.offer("outer", sdpOf(AT_PHONE))));
  const answer = (port: number, branch: string, final: boolean) =>
    textOf(session.answer("inner", sdpOf({ address: INSTANCE, port }), { branch, final }));
  const outer = { address: OUTER, port: portIn(answer(12_000, "one", false)) };
  await phone.send(rtpPacket(1), outer);
  expect(portIn(answer(13_000, "two", false))).toBe(outer.port);
  await phone.send(rtpPacket(2), outer);
  expect([one.heard(), two.heard()]).toEqual(["1", "2"]);
  answer(12_000, "one", true);
  expect(portIn(answer(13_000, "two", true))).toBe(outer.port);
  await phone.send(rtpPacket(3), outer);
  await one.send(rtpPacket(4), { address: INNER, port: inner });
  expect([one.heard(), two.heard(), phone.heard()]).toEqual(["3", "", "4"]);
});

test("a 2xx that repeats its 18x does not undo an UPDATE in between", async () => {
  const lab = new MediaLab();
  const session = lab.session(RTP);
  const phone = await lab.peer(PHONE, 4000);
  const moved = await lab.peer(INSTANCE, 13_000);
  await session.offer("outer", sdpOf(AT_PHONE));
  const answer = (final: boolean) =>
    textOf(session.answer("inner", sdpOf(AT_INSTANCE), { branch: "a", final }));
  const outer = { address: OUTER, port: portIn(answer(false)) };
  await session.offer("inner", sdpOf({ address: INSTANCE, port: 13_000 }));
  session.answer("outer", sdpOf(AT_PHONE), { branch: "a", final: true });
  answer(true);
  await phone.send(rtpPacket(1), outer);
  expect(moved.heard()).toBe("1");
});

test("INVITE without SDP: the offer in the 200, the answer in the ACK", async () => {
  const lab = new MediaLab();
  const session = lab.session();
  const phone = await lab.peer(PHONE, 4000);
  const instance = await lab.peer(INSTANCE, 12_000);
  const toPhone = textOf(await session.offer("inner", sdpOf(AT_INSTANCE)));
  const answer = securedSdp({ ...AT_PHONE, fill: 3 });
  const toInstance = textOf(session.answer("outer", answer, { branch: "ack", final: true }));
  expect(portIn(toInstance)).toBeGreaterThanOrEqual(20_000);
  const outer = { address: OUTER, port: portIn(toPhone) };
  await phone.send(protect(contextOf(keyOf(3)), rtpPacket(1)), outer);
  expect(instance.heard()).toBe("1");
});

test("a video stream comes and goes: its ports are opened by the offer and given back by the answer", async () => {
  const lab = new MediaLab();
  const session = lab.session(RTP);
  const video = (port: number) => [`m=video ${port} RTP/AVP 99`];
  await answeredCall(session, sdpOf(AT_PHONE));
  expect(lab.sessions.status).toMatchObject({ streams: 1, portsInUse: 1 });
  const both = sdpOf({ ...AT_PHONE, lines: video(4002) });
  const at = await answeredCall(session, both, sdpOf({ ...AT_INSTANCE, lines: video(12_002) }));
  expect(lab.sessions.status).toMatchObject({ streams: 2, portsInUse: 2 });
  const phone = await lab.peer(PHONE, 4002);
  const instance = await lab.peer(INSTANCE, 12_002);
  await phone.send(rtpPacket(1), { address: OUTER, port: portIn(at.toPhone, 1) });
  expect(instance.heard()).toBe("1");
  const without = sdpOf({ ...AT_PHONE, lines: video(0) });
  await session.offer("outer", without);
  expect(lab.sessions.status.streams).toBe(2);
  session.answer("inner", sdpOf({ ...AT_INSTANCE, lines: video(0) }), { branch: "a", final: true });
  expect(lab.sessions.status).toMatchObject({ streams: 1, portsInUse: 1, portsResting: 1 });
  session.release();
  expect(lab.sessions.status).toMatchObject({ sessions: 0, streams: 0, portsInUse: 0 });
});

test("video that the answer declines gives its ports back with the final answer", async () => {
  const lab = new MediaLab();
  const session = lab.session(RTP);
  await session.offer("outer", sdpOf({ ...AT_PHONE, lines: ["m=video 4002 RTP/AVP 99"] }));
  session.answer("inner", sdpOf(AT_INSTANCE), { branch: "a", final: false });
  expect(lab.sessions.status.streams).toBe(2);
  const toPhone = textOf(session.answer("inner", sdpOf(AT_INSTANCE), { branch: "a", final: true }));
  expect(toPhone).toContain("m=video 0 RTP/AVP 99\r\n");
  expect(lab.sessions.status.streams).toBe(1);
});

test("every end gives the ports back: failed offer, release, release while ports open", async () => {
  const lab = new MediaLab();
  const failed = lab.session(RTP);
  await failed.offer("outer", sdpOf(AT_PHONE));
  failed.offerFailed();
  expect(lab.sessions.status).toMatchObject({ sessions: 1, streams: 0, portsInUse: 0 });
  failed.release();
  const released = lab.session(RTP);
  await answeredCall(released, sdpOf(AT_PHONE));
  released.release();
  released.release();
  const opening = lab.session(RTP);
  const pending = opening.offer("outer", sdpOf(AT_PHONE));
  opening.release();
  expect(await pending).toEqual({ ok: false, status: 503, reason: "media-offer-overtaken" });
  const cancelled = lab.session(RTP);
  const under = cancelled.offer("outer", sdpOf(AT_PHONE));
  cancelled.offerFailed("outer");
  expect((await under).ok).toBe(false);
  cancelled.release();
  expect(await cancelled.offer("outer", sdpOf(AT_PHONE))).toMatchObject({ status: 503 });
  expect(lab.sessions.status).toMatchObject({ sessions: 0, streams: 0, portsInUse: 0 });
  expect(lab.network.clock.pending).toBe(0);
});

test("a second offer of the same side replaces the first and its ports", async () => {
  const lab = new MediaLab();
  const session = lab.session(RTP);
  await session.offer("outer", sdpOf(AT_PHONE));
  const [one, two] = await Promise.all([
    session.offer("outer", sdpOf(AT_PHONE)),
    session.offer("outer", sdpOf(AT_PHONE)),
  ]);
  expect([one?.ok, two?.ok]).toEqual([false, true]);
  expect(lab.sessions.status.streams).toBe(1);
});

test("both sides offer at once: the one that fails does not undo the one that was answered", async () => {
  const lab = new MediaLab();
  const session = lab.session(RTP);
  const phone = await lab.peer(PHONE, 4000);
  const moved = await lab.peer(INSTANCE, 13_000);
  const at = await answeredCall(session, sdpOf(AT_PHONE));
  await session.offer("outer", sdpOf(AT_PHONE));
  await session.offer("inner", sdpOf({ address: INSTANCE, port: 13_000 }));
  session.answer("outer", sdpOf(AT_PHONE), { branch: "b", final: true });
  session.offerFailed("outer");
  await phone.send(rtpPacket(1), at.outer);
  expect(moved.heard()).toBe("1");
});

test("both sides offer at once and both fail: nothing is left over", async () => {
  const lab = new MediaLab();
  const session = lab.session(RTP);
  const phone = await lab.peer(PHONE, 4000);
  const instance = await lab.peer(INSTANCE, 12_000);
  const at = await answeredCall(session, sdpOf(AT_PHONE));
  const video = ["m=video 4002 RTP/AVP 99"];
  await session.offer("outer", sdpOf({ ...AT_PHONE, lines: video }));
  await session.offer("inner", sdpOf({ ...AT_INSTANCE, lines: video }));
  expect(lab.sessions.status.streams).toBe(3);
  session.offerFailed("inner");
  session.offerFailed("outer");
  expect(lab.sessions.status.streams).toBe(1);
  await phone.send(rtpPacket(1), at.outer);
  expect(instance.heard()).toBe("1");
});
