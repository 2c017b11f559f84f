import { expect, test } from "bun:test";
import { uriOf } from "../peers/sip-text.ts";
import { OUTSIDE, Place } from "./place.ts";
import { expectAudio, makeEnds, pbxCalls, phoneCalls, phoneHangsUp } from "./talk.ts";

test("a call for a phone whose connection is gone is answered 430 at once", async () => {
  const { place, phone, pbx, far } = await makeEnds();
  phone.wire?.close();
  await place.network.settle();
  const sent = pbx.sendsInvite("100", far.sdp());
  const answer = await pbx.receives("430 INVITE");
  expect(answer.startLine).toContain("Flow Failed");
  pbx.acknowledges(sent, answer);
  await place.expectNothingLeft();
});

test("a connection that breaks while the phone rings ends the INVITE at once", async () => {
  const { place, phone, pbx, far } = await makeEnds();
  const sent = pbx.sendsInvite("100", far.sdp());
  phone.replies(await phone.receivesOn("INVITE"), 180, "phone");
  await pbx.receives("180 INVITE");
  place.network.streams.break(() => true);
  const answer = await pbx.receives(/^SIP\/2\.0 [45].*CSeq: 1 INVITE/s);
  expect([430, 480, 500, 503]).toContain(answer.status);
  pbx.acknowledges(sent, answer);
  await place.expectNothingLeft();
});

test("a connection that breaks ends whatever waits on it at once, INVITE or not", async () => {
  const { place, phone, pbx } = await makeEnds();
  for (const method of ["INFO", "NOTIFY", "MESSAGE", "OPTIONS"]) {
    pbx.requestsTo("100", method);
    await phone.receives(method);
  }
  place.network.streams.break(() => true);
  for (const method of ["INFO", "NOTIFY", "MESSAGE", "OPTIONS"])
    await pbx.receives(`430 ${method}`);
  await place.expectNothingLeft();
});

test("a phone that reconnects and registers again is found by the old Path", async () => {
  const { place, phone, pbx, far } = await makeEnds();
  const old = pbx.registrationOf("100");
  place.network.streams.break(() => true);
  await phone.connects();
  expect((await phone.registers()).status).toBe(200);
  expect(place.status.sip.flows).toBe(1);
  pbx.registrations.set("100", { ...old });
  pbx.sendsInvite("100", far.sdp());
  const { message, wire } = await phone.receivesOn("INVITE");
  expect(wire).toBe(phone.wire as typeof wire);
  expect(uriOf(message.header("To"))).toBe("sip:100@mycompany");
});

test("a phone whose Contact stays the same keeps its very Path over a restart of the proxy", async () => {
  const { place, pbx, phone, far } = await makeEnds();
  phone.contact = "sip:100@192.168.1.10:5061;transport=tls";
  await phone.registers();
  const { path } = pbx.registrationOf("100");
  place.proxy.close();
  await place.network.settle();
  await Place.open({ state: place.state }, place.network);
  await phone.connects();
  phone.contact = "sip:100@192.168.1.10:5061;transport=tls;new";
  await phone.registers();
  expect(pbx.registrationOf("100").path).toEqual(path);
  pbx.sendsInvite("100", far.sdp());
  expect((await phone.receives("INVITE")).uri).toBe(phone.contact);
});

test("only phones of the same user and the same REGISTER Call-ID inherit a lost connection", async () => {
  const { place, pbx, phone, far } = await makeEnds();
  phone.wire?.close();
  await place.network.settle();
  const other = await place.phone({ address: "192.168.1.11" });
  const old = pbx.registrationOf("100");
  await other.registers();
  pbx.registrations.set("100", old);
  const sent = pbx.sendsInvite("100", far.sdp());
  pbx.acknowledges(sent, await pbx.receives("430 INVITE"));
  await other.receivesNothingMore();
});

test("a phone that reconnects in a call gets the BYE of that call, and its audio goes on", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, phone, pbx, pbxSide } = talk;
  await expectAudio(talk);
  place.network.streams.break(() => true);
  await phone.connects();
  await phone.registers();
  await expectAudio(talk);
  pbx.inDialog(pbxSide, "BYE");
  await phone.isHungUpOn();
  await pbx.receives("200 BYE");
  await place.expectNothingLeft();
});

test("a phone that reconnects in a call hangs up itself, without registering first", async () => {
  const talk = await pbxCalls(await makeEnds());
  const { place, phone } = talk;
  place.network.streams.break(() => true);
  await phone.connects();
  await phoneHangsUp(talk);
  expect(place.status.media.sessions).toBe(0);
});

test("a request in a dialog for a phone that is gone is answered 430", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { place, pbx, pbxSide, phone } = talk;
  phone.wire?.close();
  await place.network.settle();
  pbx.inDialog(pbxSide, "BYE");
  await pbx.receives("430 BYE");
  // The telephone system ended the call: there is nobody left to give the ports to.
  await place.expectNothingLeft();
});

test("after a restart of the proxy a TLS phone is unknown until it registers, then found", async () => {
  const ends = await makeEnds();
  const { place, phone, pbx, far } = ends;
  place.proxy.close();
  await place.network.settle();
  const again = await Place.open({ state: place.state }, place.network);
  const sent = pbx.sendsInvite("100", far.sdp());
  pbx.acknowledges(sent, await pbx.receives("430 INVITE"));
  await phone.connects();
  await phone.registers();
  pbx.sendsInvite("100", far.sdp());
  const { message } = await phone.receivesOn("INVITE");
  expect(message.header("Via")).toContain(OUTSIDE);
  expect(again.status.sip.flows).toBe(1);
});
