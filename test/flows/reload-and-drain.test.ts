import { expect, test } from "bun:test";
import { INSIDE, OUTSIDE, sliceOf } from "./place.ts";
import { expectAudio, makeEnds, pbxHangsUp, phoneCalls, phoneHangsUp } from "./talk.ts";

const LOADED = { sha256: "1".repeat(64), loadedAt: "2026-02-02T00:00:00Z", error: null };

test("a reload keeps connections, bindings and calls with their audio", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, phone } = talk;
  await expectAudio(talk);
  const slice = sliceOf({
    proxy: { rtpPorts: { from: 31_000, to: 31_999 } },
    instances: [{ name: "new", address: "10.0.7.7" }],
  });
  await place.proxy.reload(slice, LOADED);
  expect(place.status.config).toEqual(LOADED);
  expect(place.status.sip).toMatchObject({ connections: 1, flows: 1, dialogs: 1 });
  await expectAudio(talk);
  await pbxHangsUp(talk);
  const { answer } = await phoneCalls(talk);
  expect(answer.body).toMatch(/m=audio 31\d\d\d /);
  expect(phone.wire?.isOpen).toBe(true);
});

test("a reload that cannot have its port changes nothing", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place } = talk;
  const holder = place.network.world({ addresses: [OUTSIDE] });
  await holder.listenStream({
    local: { address: OUTSIDE, port: 5099 },
    handshakeTimeoutMs: 1000,
    accept: () => ({ data() {}, closed() {} }),
  });
  const slice = sliceOf({ proxy: { ports: { sipTls: 5099 } } });
  await expect(place.proxy.reload(slice, LOADED)).rejects.toThrow(`${OUTSIDE}:5099`);
  expect(place.status.listening.sipTls).toBe(`${OUTSIDE}:5061`);
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

test("a change from TLS to UDP that cannot have its port keeps the TLS phones and their calls", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place } = talk;
  const holder = place.network.world({ addresses: [OUTSIDE] });
  await holder.openDatagrams({ local: { address: OUTSIDE, port: 5060 }, receive() {} });
  const slice = sliceOf({ proxy: { voipSip: "udp" } });
  await expect(place.proxy.reload(slice, LOADED)).rejects.toThrow(`${OUTSIDE}:5060`);
  expect(place.status.listening).toMatchObject({ sipTls: `${OUTSIDE}:5061` });
  expect(place.status.sip.connections).toBe(1);
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

test("two reloads at once come one after the other, and the last one counts", async () => {
  const { place } = await makeEnds();
  const to = (sipPort: number) => sliceOf({ proxy: { inside: { address: INSIDE, sipPort } } });
  const last = { ...LOADED, sha256: "2".repeat(64) };
  await Promise.all([
    place.proxy.reload(to(15_100), LOADED),
    place.proxy.reload(to(15_100), LOADED),
    place.proxy.reload(to(15_200), last),
  ]);
  expect(place.status.listening.sipInside).toEqual([`${INSIDE}:15200`]);
  expect(place.status.config).toEqual(last);
});

test("while the proxy is being stopped nothing is read again", async () => {
  const { place } = await makeEnds();
  place.proxy.close();
  await expect(place.proxy.reload(sliceOf(), LOADED)).rejects.toThrow("being stopped");
});

test("another SIP port opens before the old one closes", async () => {
  const { place } = await makeEnds();
  await place.proxy.reload(sliceOf({ proxy: { ports: { sipTls: 5071 } } }), LOADED);
  const phone = await place.phone({ user: "101", proxy: { address: OUTSIDE, port: 5071 } });
  expect((await phone.registers()).status).toBe(200);
  await expect(place.phone()).rejects.toThrow("ECONNREFUSED");
});

test("draining takes no new calls, lets the open ones end, then is done", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, phone, pbx, near, phoneSide } = talk;
  const ringing = phone.sendsInvite("601", near.sdp(), { callId: "ringing" });
  const invite = await pbx.receivesOn("INVITE");
  let isDone = false;
  const drained = place.proxy.drain().then(() => {
    isDone = true;
  });
  expect(place.status.state).toBe("draining");
  const refused = phone.sendsInvite("602", near.sdp());
  const answer = await phone.receives("503 INVITE");
  expect(answer.header("Retry-After")).toMatch(/^\d+$/);
  phone.acknowledges(refused, answer);
  await expect(place.phone()).rejects.toThrow("ECONNREFUSED");
  expect(isDone).toBe(false);
  await expectAudio(talk);
  pbx.answers(invite, 486, { tag: "pbx" });
  await pbx.receives("ACK");
  phone.acknowledges(ringing, await phone.receives("486 INVITE"));
  phone.inDialog(phoneSide, "BYE");
  await pbx.isHungUpOn();
  await phone.receives("200 BYE");
  await place.network.elapse(6000);
  await drained;
  place.proxy.close();
  await place.network.settle();
  expect(place.status.state).toBe("stopped");
  expect(place.status.media.portsInUse).toBe(0);
  expect(place.network.streams.open).toEqual([]);
  expect(phone.wire?.isOpen).toBe(false);
});

test("nothing moves after close(): no timer of the proxy is left", async () => {
  const { place } = await phoneCalls(await makeEnds());
  place.proxy.close();
  await place.network.elapse(200_000);
  expect(place.network.clock.pending).toBe(0);
});
