import { expect, test } from "bun:test";
import {
  AT_INSTANCE,
  AT_PHONE,
  answeredCall,
  INSTANCE,
  MEDIA_OPTIONS,
  MediaLab,
  OUTER,
  PHONE,
  RTP,
  rtpPacket,
  sdpOf,
} from "../../test/flows/media-ends.ts";

test("status counts the pairs of each side; an ended call's ports rest 30 s", async () => {
  const lab = new MediaLab();
  const inside = { inUse: 0, resting: 0, total: 50 };
  const ports = { portsInUse: 0, portsResting: 0, portsTotal: 50, inside };
  const empty = { sessions: 0, streams: 0, ...ports };
  expect(lab.sessions.status).toEqual({ engine: "native", ...empty, drops: {} });
  const session = lab.session(RTP);
  await answeredCall(session, sdpOf(AT_PHONE));
  expect(lab.sessions.status).toMatchObject({
    sessions: 1,
    streams: 1,
    portsInUse: 1,
    inside: { inUse: 1, resting: 0, total: 50 },
  });
  session.release();
  expect(lab.sessions.status).toMatchObject({
    ...empty,
    portsResting: 1,
    inside: { ...inside, resting: 1 },
  });
  await lab.network.elapse(30_000);
  expect(lab.sessions.status).toMatchObject(empty);
});

test("no port left is 503, and what was opened for the offer is given back", async () => {
  const lab = new MediaLab({ outerPorts: { from: 30_000, to: 30_001 } });
  const session = lab.session(RTP);
  const offer = sdpOf({ ...AT_PHONE, lines: ["m=video 4002 RTP/AVP 99"] });
  const result = await session.offer("outer", offer);
  expect(result).toEqual({ ok: false, status: 503, reason: "media-no-port" });
  expect(lab.counted).toEqual(["media-no-port"]);
  expect(lab.sessions.status).toMatchObject({ streams: 0, portsInUse: 0 });
});

test("one of several instances cannot hold all ports, however many m= lines its calls have", async () => {
  const lab = new MediaLab({ instances: 2 });
  const lines = Array.from({ length: 18 }, (_, at) => `m=video ${5000 + 2 * at} RTP/AVP 99`);
  const greedy = sdpOf({ ...AT_PHONE, lines });
  const offer = (instance: string, sdp: string) =>
    lab.session({ ...RTP, instance }).offer("outer", sdp);
  expect((await offer("a", greedy)).ok).toBe(true);
  const refused = { ok: false, status: 503, reason: "media-no-port" } as const;
  expect(await offer("a", greedy)).toEqual(refused);
  expect(lab.counted).toEqual(["instance-media-ports", "media-no-port"]);
  expect(lab.sessions.status.portsInUse).toBe(19);
  expect((await offer("b", sdpOf(AT_PHONE))).ok).toBe(true);
  lab.sessions.reload({ ...MEDIA_OPTIONS, instances: 1 });
  expect((await offer("a", greedy)).ok).toBe(true);
});

test("above the limit of sessions an offer is 503 and the table does not grow", async () => {
  const lab = new MediaLab({ sessionsMax: 1 });
  const first = lab.session(RTP);
  const second = lab.session(RTP);
  const result = await second.offer("outer", sdpOf(AT_PHONE));
  expect(result).toEqual({ ok: false, status: 503, reason: "media-sessions-full" });
  expect(lab.sessions.status.sessions).toBe(1);
  second.release();
  first.release();
  expect((await lab.session(RTP).offer("outer", sdpOf(AT_PHONE))).ok).toBe(true);
});

test("an instance that has as many sessions as one may have leaves the others theirs", async () => {
  const lab = new MediaLab({ instanceSessionsMax: 1 });
  const of = (instance: string) => lab.session({ ...RTP, instance });
  const offer = (instance: string) => of(instance).offer("outer", sdpOf(AT_PHONE));
  const first = of("a");
  const full = { ok: false, status: 503, reason: "instance-media-sessions" } as const;
  expect(await offer("a")).toEqual(full);
  expect(lab.counted).toEqual(["instance-media-sessions"]);
  expect((await offer("b")).ok).toBe(true);
  first.release();
  first.release();
  expect((await offer("a")).ok).toBe(true);
  expect(await offer("a")).toEqual(full);
});

test("a phone that floods is cut to the ceiling, and told of once, with its call", async () => {
  const lab = new MediaLab();
  const session = lab.session(RTP);
  const { outer } = await answeredCall(session, sdpOf(AT_PHONE));
  const phone = await lab.peer(PHONE, AT_PHONE.port);
  const flood = async (): Promise<void> => {
    for (let i = 0; i < 1500; i++) await phone.send(rtpPacket(i), outer);
    await lab.network.elapse(1000);
  };
  await flood();
  await flood();
  expect(lab.sessions.status.drops).toEqual({ excess: 1000 });
  expect(lab.counted).toEqual(["media-flood"]);
  const { callId, instance } = session.request;
  expect(lab.warned).toEqual([["media-flood", { callId, instance, leg: "outer" }]]);
});

test("ports that another program holds are passed over", async () => {
  const lab = new MediaLab({ outerPorts: { from: 30_000, to: 30_005 } });
  const elsewhere = lab.network.world({ addresses: [OUTER] });
  for (const port of [30_000, 30_003]) {
    await elsewhere.openDatagrams({ local: { address: OUTER, port }, receive() {} });
  }
  const session = lab.session(RTP);
  const { outer } = await answeredCall(session, sdpOf(AT_PHONE));
  expect(outer.port).toBe(30_004);
  expect(lab.sessions.status.portsInUse).toBe(1);
});

test("an inside address that is not there is 503 and holds nothing", async () => {
  const lab = new MediaLab();
  const session = lab.session({ ...RTP, inner: { bindAddress: "10.0.2.2" } });
  expect(await session.offer("outer", sdpOf(AT_PHONE))).toMatchObject({ ok: false, status: 503 });
  expect(lab.sessions.status).toMatchObject({ streams: 0, portsInUse: 0 });
});

test("both ways silent for 60 s is reported once, and again after packets came", async () => {
  const lab = new MediaLab();
  const session = lab.session(RTP);
  const phone = await lab.peer(PHONE, 4000);
  const { outer } = await answeredCall(session, sdpOf(AT_PHONE));
  await lab.network.elapse(30_000);
  await phone.send(rtpPacket(1), outer);
  await lab.network.elapse(59_000);
  expect(lab.silent).toEqual([]);
  await lab.network.elapse(2_000);
  expect(lab.silent).toEqual([session]);
  await lab.network.elapse(60_000);
  expect(lab.silent.length).toBe(1);
  await phone.send(rtpPacket(2), outer);
  await lab.network.elapse(61_000);
  expect(lab.silent.length).toBe(2);
});

test.each([3_600_000, -3_600_000])(
  "a clock that is set by %d ms takes no call's ports",
  async (ms) => {
    const lab = new MediaLab();
    const phone = await lab.peer(PHONE, 4000);
    const { outer } = await answeredCall(lab.session(RTP), sdpOf(AT_PHONE));
    await phone.send(rtpPacket(1), outer);
    await lab.network.elapse(1500);
    lab.network.clock.jump(ms);
    await lab.network.elapse(1000);
    expect([lab.silent.length, lab.sessions.status.streams]).toEqual([0, 1]);
    // What is silent from then on is so after the same time as ever.
    await lab.network.elapse(58_000);
    expect(lab.silent.length).toBe(0);
    await lab.network.elapse(5_000);
    expect(lab.silent.length).toBe(1);
  },
);

test("one way is enough: a caller who listens to a queue is not silent", async () => {
  const lab = new MediaLab();
  const instance = await lab.peer(INSTANCE, 12_000);
  const { inner } = await answeredCall(lab.session(RTP), sdpOf(AT_PHONE));
  for (let i = 0; i < 12; i++) {
    await instance.send(rtpPacket(i), inner);
    await lab.network.elapse(30_000);
  }
  expect([lab.silent.length, lab.sessions.status.streams]).toEqual([0, 1]);
});

test("ringing and hold may be silent for as long as they like", async () => {
  const lab = new MediaLab();
  const ringing = lab.session(RTP);
  await ringing.offer("outer", sdpOf(AT_PHONE));
  ringing.answer("inner", sdpOf(AT_INSTANCE), { branch: "a", final: false });
  const held = lab.session(RTP);
  await answeredCall(held, sdpOf({ ...AT_PHONE, lines: ["a=sendonly"] }));
  await lab.network.elapse(400_000);
  expect(lab.silent).toEqual([]);
  expect(lab.sessions.status.streams).toBe(2);
  await answeredCall(held, sdpOf(AT_PHONE));
  await lab.network.elapse(59_000);
  expect(lab.silent).toEqual([]);
  await lab.network.elapse(2_000);
  expect(lab.silent).toEqual([held]);
});

test("after 300 s of silence the ports go back; a later offer of the call opens new ones", async () => {
  const lab = new MediaLab();
  const session = lab.session(RTP);
  const phone = await lab.peer(PHONE, 4000);
  const instance = await lab.peer(INSTANCE, 12_000);
  await answeredCall(session, sdpOf(AT_PHONE));
  await lab.network.elapse(301_000);
  expect(lab.sessions.status).toMatchObject({ sessions: 1, streams: 0, portsInUse: 0 });
  expect(lab.counted).toEqual(["media-silent", "media-timeout"]);
  const { outer } = await answeredCall(session, sdpOf(AT_PHONE));
  await phone.send(rtpPacket(1), outer);
  expect(instance.heard()).toBe("1");
  session.release();
  expect(lab.sessions.status).toMatchObject({ sessions: 0, streams: 0, portsInUse: 0 });
  expect(lab.network.clock.pending).toBe(0);
});

test("new port ranges count for new calls; a running call keeps its ports", async () => {
  const lab = new MediaLab();
  const running = lab.session(RTP);
  const before = await answeredCall(running, sdpOf(AT_PHONE));
  lab.sessions.reload({ ...MEDIA_OPTIONS, outerPorts: { from: 40_000, to: 40_009 } });
  const after = await answeredCall(lab.session(RTP), sdpOf(AT_PHONE));
  expect([before.outer.port < 30_100, after.outer.port >= 40_000]).toEqual([true, true]);
  expect(lab.sessions.status).toMatchObject({ portsInUse: 2, portsTotal: 5 });
  expect((await answeredCall(running, sdpOf(AT_PHONE))).outer).toEqual(before.outer);
});

test("close() ends every session", async () => {
  const lab = new MediaLab();
  await answeredCall(lab.session(RTP), sdpOf(AT_PHONE));
  await lab.session(RTP).offer("outer", sdpOf(AT_PHONE));
  lab.sessions.close();
  expect(lab.sessions.status).toMatchObject({ sessions: 0, streams: 0, portsInUse: 0 });
  expect(lab.network.clock.pending).toBe(0);
});

test("a snapshot names what was signalled, what was learnt and what was counted", async () => {
  const lab = new MediaLab();
  const session = lab.session(RTP);
  const phone = await lab.peer(PHONE, 4000);
  const { outer } = await answeredCall(session, sdpOf(AT_PHONE));
  await phone.send(rtpPacket(1), outer);
  const { streams, ...call } = session.snapshot();
  expect(call).toEqual({ callId: "call-1", instance: "mycompany", isOnHold: false });
  expect(streams.length).toBe(1);
  expect(streams[0]).toMatchObject({
    type: "audio",
    outer: { signalled: AT_PHONE, latched: AT_PHONE, packets: 1, octets: 172, isSrtp: false },
    inner: { signalled: AT_INSTANCE, latched: null, packets: 0 },
  });
});
