import { expect, test } from "bun:test";
import { makeEnds, pbxCalls, phoneCalls } from "./talk.ts";

test("a BYE that is answered 481 ends the call with its ports", async () => {
  const { place, phone, pbx, phoneSide } = await phoneCalls(await makeEnds());
  phone.inDialog(phoneSide, "BYE");
  pbx.answers(await pbx.receivesOn("BYE"), 481);
  await phone.receives("481 BYE");
  await place.expectNothingLeft();
});

test("a BYE that nobody answers gives the ports back after 32 s", async () => {
  const { place, phone, pbx, phoneSide } = await phoneCalls(await makeEnds());
  phone.inDialog(phoneSide, "BYE");
  await pbx.receives("BYE");
  await place.network.elapse(33_000);
  await place.expectNothingLeft();
});

test("a re-INVITE answered 481 proves the dialog dead", async () => {
  const { place, phone, pbx, pbxSide, far } = await pbxCalls(await makeEnds());
  const sent = pbx.inDialog(pbxSide, "INVITE", {
    headers: [["Contact", `<${pbx.contact}>`]],
    body: far.sdp({ version: 2 }),
  });
  phone.answers(await phone.receivesOn("INVITE"), 481);
  await phone.receives("ACK");
  pbx.acknowledges(sent, await pbx.receives("481 INVITE"));
  await place.expectNothingLeft();
});

test("a dialog nobody touches for a day is taken for dead", async () => {
  const { place } = await phoneCalls(await makeEnds());
  for (let minute = 0; minute < 25 * 60; minute += 1) {
    place.network.clock.advance(60_000);
    await place.network.settle();
  }
  const { media, sip } = place.status;
  expect([media.sessions, media.portsInUse, sip.dialogs]).toEqual([0, 0, 0]);
});

test("an error to a re-INVITE that does not end the dialog leaves the ports alone", async () => {
  const { place, phone, pbx, phoneSide, near } = await phoneCalls(await makeEnds());
  const sent = phone.inDialog(phoneSide, "INVITE", {
    headers: [["Contact", `<${phone.contact}>`]],
    body: near.sdp({ version: 2 }),
  });
  pbx.answers(await pbx.receivesOn("INVITE"), 491);
  await pbx.receives("ACK");
  phone.acknowledges(sent, await phone.receives("491 INVITE"));
  expect(place.status.media).toMatchObject({ sessions: 1, streams: 1 });
});

test("a challenged BYE does not end the call, the second one does", async () => {
  const { place, phone, pbx, phoneSide } = await phoneCalls(await makeEnds());
  phone.inDialog(phoneSide, "BYE");
  pbx.answers(await pbx.receivesOn("BYE"), 401);
  await phone.receives("401 BYE");
  expect(place.status.media.sessions).toBe(1);
  phone.inDialog(phoneSide, "BYE");
  await pbx.isHungUpOn();
  await phone.receives("200 BYE");
  await place.expectNothingLeft();
});
