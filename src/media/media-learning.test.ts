import { expect, test } from "bun:test";
import {
  AT_INSTANCE,
  AT_PHONE,
  answeredCall,
  contextOf,
  INNER,
  INSTANCE,
  keyOf,
  MediaLab,
  OUTER,
  PHONE,
  portIn,
  protect,
  RTP,
  rtpPacket,
  sdpOf,
  srtpCall,
  textOf,
} from "../../test/flows/media-ends.ts";
import { Nat } from "../../test/flows/simulated-nat.ts";

test("an echo that never sends first: the phone's packets reach it at once", async () => {
  const lab = new MediaLab();
  const instance = await lab.peer(INSTANCE, 12_000);
  const phone = await lab.peer(PHONE, 4000);
  const at = await answeredCall(lab.session(RTP), sdpOf(AT_PHONE));
  await phone.send(rtpPacket(1), at.outer);
  expect(instance.heard()).toBe("1");
});

test("early media reaches a phone that has sent nothing yet", async () => {
  const lab = new MediaLab();
  const session = lab.session(RTP);
  const instance = await lab.peer(INSTANCE, 12_000);
  const phone = await lab.peer(PHONE, 4000);
  const inner = portIn(textOf(await session.offer("outer", sdpOf(AT_PHONE))));
  await instance.send(rtpPacket(1), { address: INNER, port: inner });
  expect(phone.heard()).toBe("");
  session.answer("inner", sdpOf(AT_INSTANCE), { branch: "a", final: false });
  await instance.send(rtpPacket(2), { address: INNER, port: inner });
  expect(phone.heard()).toBe("2");
});

test("an SDP address of the phone that is not its SIP source gets nothing until it sends", async () => {
  const lab = new MediaLab();
  const victim = await lab.peer("192.0.2.66", 4000);
  const phone = await lab.peer(PHONE, 4000);
  const instance = await lab.peer(INSTANCE, 12_000);
  const at = await answeredCall(lab.session(RTP), sdpOf({ address: "192.0.2.66", port: 4000 }));
  await instance.send(rtpPacket(1), at.inner);
  expect([victim.heard(), phone.heard()]).toEqual(["", "1"]);
});

test("loopback, multicast, our own and inside addresses are never sent to outside", async () => {
  for (const address of ["127.0.0.1", "224.0.0.5", "0.1.2.3", OUTER, INNER, INSTANCE]) {
    const lab = new MediaLab();
    const session = lab.session({ outer: { media: "rtp", signallingAddress: address } });
    const instance = await lab.peer(INSTANCE, 12_000);
    const at = await answeredCall(session, sdpOf({ address, port: 4000 }));
    const before = lab.network.sent.length;
    await instance.send(rtpPacket(1), at.inner);
    expect(lab.network.sent.length - before).toBe(1);
    expect(session.snapshot().streams[0]?.outer.drops[9]).toBe(1);
    expect(lab.sessions.status.drops).toEqual({ "waiting-for-latch": 1 });
  }
});

test("inside, an SDP address outside the instance's networks gets nothing", async () => {
  const lab = new MediaLab();
  const victim = await lab.peer("10.9.9.9", 22);
  const phone = await lab.peer(PHONE, 4000);
  const at = await answeredCall(
    lab.session(RTP),
    sdpOf(AT_PHONE),
    sdpOf({ address: "10.9.9.9", port: 22 }),
  );
  await phone.send(rtpPacket(1), at.outer);
  expect(victim.heard()).toBe("");
  expect(lab.sessions.status.drops).toEqual({ "waiting-for-latch": 1 });
  await victim.send(rtpPacket(2), at.inner);
  expect(lab.sessions.status.drops).toEqual({ "waiting-for-latch": 1, "foreign-source": 1 });
});

test("media networks of the instance may send and be sent to", async () => {
  const lab = new MediaLab();
  const session = lab.session({ ...RTP, inner: { networks: ["10.9.9.0/24"] } });
  const mixer = await lab.peer("10.9.9.9", 7000);
  const phone = await lab.peer(PHONE, 4000);
  const at = await answeredCall(
    session,
    sdpOf(AT_PHONE),
    sdpOf({ address: "10.9.9.9", port: 7000 }),
  );
  await phone.send(rtpPacket(1), at.outer);
  await mixer.send(rtpPacket(2), at.inner);
  expect([mixer.heard(), phone.heard()]).toEqual(["1", "2"]);
});

test("RTP behind NAT: the phone is found by its SIP source, a sprayer is not", async () => {
  const lab = new MediaLab();
  const nat = new Nat({ name: "home", publicAddress: PHONE });
  const world = lab.network.world({ addresses: ["192.168.1.9"], nat });
  const received: Uint8Array[] = [];
  const socket = await world.openDatagrams({
    local: { address: "192.168.1.9", port: 4000 },
    receive: (bytes) => void received.push(bytes),
  });
  const instance = await lab.peer(INSTANCE, 12_000);
  const attacker = await lab.peer("192.0.2.66", 4000);
  const session = lab.session(RTP);
  const at = await answeredCall(session, sdpOf({ address: "192.168.1.9", port: 4000 }));
  for (let i = 0; i < 20; i++) await attacker.send(rtpPacket(i, { fill: 66 }), at.outer);
  for (let i = 1; i <= 6; i++) {
    socket.send(rtpPacket(i), at.outer.address, at.outer.port);
    await lab.network.settle();
  }
  await attacker.send(rtpPacket(30, { fill: 66 }), at.outer);
  expect(instance.heard()).toBe("1,2,3,4,5,6");
  await instance.send(rtpPacket(9), at.inner);
  expect(received.map((packet) => packet[12])).toEqual([9]);
  expect(attacker.heard()).toBe("");
  expect(session.snapshot().streams[0]?.outer.latched?.address).toBe(PHONE);
  expect(lab.sessions.status.drops).toEqual({ "foreign-source": 21 });
});

test("SRTP: forged, replayed and old packets from elsewhere neither pass nor move the peer", async () => {
  const lab = new MediaLab();
  const at = await srtpCall(lab);
  const attacker = await lab.peer("192.0.2.66", 4000);
  const first = protect(at.key, rtpPacket(1));
  const late = protect(at.key, rtpPacket(2));
  const third = protect(at.key, rtpPacket(3));
  await at.phone.send(first, at.outer);
  await at.phone.send(third, at.outer);
  await attacker.send(first, at.outer);
  await attacker.send(protect(contextOf(keyOf(9)), rtpPacket(4)), at.outer);
  await attacker.send(late, at.outer);
  expect(at.instance.heard()).toBe("1,3,2");
  await at.instance.send(rtpPacket(1), at.inner);
  expect([at.phone.received.length, attacker.received.length]).toEqual([1, 0]);
  expect(lab.sessions.status.drops).toEqual({ replay: 1, auth: 1 });
});

test("SRTP: wifi to LTE, the first authentic packet from a new address moves the peer", async () => {
  const lab = new MediaLab();
  const at = await srtpCall(lab);
  const lte = await lab.peer("192.0.2.20", 55_555);
  await at.phone.send(protect(at.key, rtpPacket(1)), at.outer);
  await lte.send(protect(at.key, rtpPacket(2)), at.outer);
  await at.instance.send(rtpPacket(1), at.inner);
  expect([at.phone.received.length, lte.received.length]).toEqual([0, 1]);
});

test("a new SSRC in mid-call passes (music on hold, transfer)", async () => {
  const lab = new MediaLab();
  const at = await srtpCall(lab);
  await at.phone.send(protect(at.key, rtpPacket(1)), at.outer);
  await at.phone.send(protect(at.key, rtpPacket(40_000, { fill: 2, ssrc: 99 })), at.outer);
  await at.instance.send(rtpPacket(7, { ssrc: 5 }), at.inner);
  await at.instance.send(rtpPacket(9, { ssrc: 6 }), at.inner);
  expect(at.instance.heard()).toBe("1,2");
  expect(at.phone.received.length).toBe(2);
});

test("re-INVITE with a new port of the phone: audio goes there at once, also when it never sends", async () => {
  const lab = new MediaLab();
  const session = lab.session(RTP);
  const old = await lab.peer(PHONE, 4000);
  const moved = await lab.peer(PHONE, 5000);
  const instance = await lab.peer(INSTANCE, 12_000);
  const at = await answeredCall(session, sdpOf(AT_PHONE));
  await old.send(rtpPacket(1), at.outer);
  await answeredCall(session, sdpOf({ ...AT_PHONE, port: 5000 }));
  await instance.send(rtpPacket(2), at.inner);
  expect([old.heard(), moved.heard()]).toEqual(["", "2"]);
  await moved.send(rtpPacket(3), at.outer);
  await old.send(rtpPacket(4), at.outer);
  expect(instance.heard()).toBe("1,3");
});

test("re-INVITE of the instance to another port of its own", async () => {
  const lab = new MediaLab();
  const session = lab.session(RTP);
  const phone = await lab.peer(PHONE, 4000);
  const instance = await lab.peer(INSTANCE, 13_000);
  const at = await answeredCall(session, sdpOf(AT_PHONE));
  await phone.send(rtpPacket(1), at.outer);
  const toPhone = textOf(await session.offer("inner", sdpOf({ address: INSTANCE, port: 13_000 })));
  expect(portIn(toPhone)).toBe(at.outer.port);
  session.answer("outer", sdpOf(AT_PHONE), { branch: "a", final: true });
  await phone.send(rtpPacket(2), at.outer);
  await instance.send(rtpPacket(3), at.inner);
  expect([instance.heard(), phone.heard()]).toEqual(["2", "3"]);
});

test("hold by 0.0.0.0 stops what goes to the phone, resume brings it back", async () => {
  const lab = new MediaLab();
  const session = lab.session(RTP);
  const phone = await lab.peer(PHONE, 4000);
  const instance = await lab.peer(INSTANCE, 12_000);
  const at = await answeredCall(session, sdpOf(AT_PHONE));
  await phone.send(rtpPacket(1), at.outer);
  await answeredCall(session, sdpOf({ address: "0.0.0.0", port: 4000 }));
  expect(session.isOnHold).toBe(true);
  await instance.send(rtpPacket(2), at.inner);
  expect(phone.heard()).toBe("");
  expect(lab.sessions.status.drops).toEqual({ held: 1 });
  await answeredCall(session, sdpOf(AT_PHONE));
  expect(session.isOnHold).toBe(false);
  await instance.send(rtpPacket(3), at.inner);
  expect(phone.heard()).toBe("3");
});

test("hold by direction keeps music on hold flowing", async () => {
  const lab = new MediaLab();
  const session = lab.session(RTP);
  const phone = await lab.peer(PHONE, 4000);
  const instance = await lab.peer(INSTANCE, 12_000);
  const at = await answeredCall(session, sdpOf(AT_PHONE));
  const held = sdpOf({ ...AT_INSTANCE, lines: ["a=sendonly"] });
  expect(textOf(await session.offer("inner", held))).toContain("a=sendonly");
  session.answer("outer", sdpOf({ ...AT_PHONE, lines: ["a=recvonly"] }), {
    branch: "a",
    final: true,
  });
  expect(session.isOnHold).toBe(true);
  await instance.send(rtpPacket(2), at.inner);
  expect(phone.heard()).toBe("2");
});

test("SDP of a phone that names a port of ours is 488", async () => {
  const lab = new MediaLab();
  const at = await answeredCall(lab.session(RTP), sdpOf(AT_PHONE));
  const result = await lab.session({ ...RTP, callId: "call-2" }).offer("outer", sdpOf(at.outer));
  expect(result).toEqual({ ok: false, status: 488, reason: "sdp-names-ourselves" });
});

test("an instance may join two of its calls through us, another instance may not", async () => {
  const lab = new MediaLab();
  const phone = await lab.peer(PHONE, 4000);
  const other = await lab.peer(PHONE, 6000);
  const first = lab.session(RTP);
  const at = await answeredCall(first, sdpOf(AT_PHONE));
  const joined = lab.session({ ...RTP, callId: "call-2" });
  const back = await answeredCall(joined, sdpOf({ ...AT_PHONE, port: 6000 }), sdpOf(at.inner));
  await first.offer("inner", sdpOf(back.inner));
  first.answer("outer", sdpOf(AT_PHONE), { branch: "a", final: true });
  await phone.send(rtpPacket(1), at.outer);
  await other.send(rtpPacket(2), back.outer);
  expect([other.heard(), phone.heard()]).toEqual(["1", "2"]);
  const thief = lab.session({ ...RTP, callId: "call-3", instance: "thief" });
  const stolen = await answeredCall(thief, sdpOf({ ...AT_PHONE, port: 7000 }), sdpOf(at.inner));
  await (await lab.peer(PHONE, 7000)).send(rtpPacket(3), stolen.outer);
  expect(phone.heard()).toBe("");
});

test("the phone's SIP comes back from elsewhere: its media may too", async () => {
  const lab = new MediaLab();
  const session = lab.session(RTP);
  const instance = await lab.peer(INSTANCE, 12_000);
  const phone = await lab.peer(PHONE, 4000);
  const at = await answeredCall(session, sdpOf({ address: "192.168.1.9", port: 4000 }));
  for (let i = 1; i <= 5; i++) await phone.send(rtpPacket(i), at.outer);
  const moved = await lab.peer("192.0.2.20", 7000);
  await moved.send(rtpPacket(6), at.outer);
  session.setSignallingAddress("192.0.2.20");
  await moved.send(rtpPacket(7), at.outer);
  await instance.send(rtpPacket(8), at.inner);
  expect([instance.heard(), moved.heard()]).toEqual(["1,2,3,4,5,7", "8"]);
});

test("a trial wholly on 127.0.0.1: phone, instance and both our sides share the address", async () => {
  const local = "127.0.0.1";
  const lab = new MediaLab({}, { addresses: [local] });
  const session = lab.session({
    outer: { bindAddress: local, advertise: local, media: "rtp", signallingAddress: local },
    inner: { bindAddress: local, addresses: [local] },
  });
  const phone = await lab.peer(local, 4000);
  const instance = await lab.peer(local, 12_000);
  const answer = sdpOf({ address: local, port: 12_000 });
  const at = await answeredCall(session, sdpOf({ address: local, port: 4000 }), answer);
  await instance.send(rtpPacket(1), { address: local, port: at.inner.port });
  await phone.send(rtpPacket(2), { address: local, port: at.outer.port });
  expect([phone.heard(), instance.heard()]).toEqual(["1", "2"]);
});
