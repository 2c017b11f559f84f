/** UDP on both sides in bad weather: what is lost is sent again, what comes twice counts once. */
import { expect, test } from "bun:test";
import { callerDialog } from "../peers/user-agent.ts";
import { INSIDE, OUTSIDE, PBX } from "./place.ts";
import type { Fate, Sent } from "./simulated-network.ts";
import { type Ends, expectAudio, makeEnds, phoneHangsUp } from "./talk.ts";

const UDP = {
  proxy: { voipSip: "udp", voipMedia: "rtp" },
  media: "rtp",
  transport: "udp",
} as const;

/** The first `count` datagrams whose text fits meet this fate. */
function first(count: number, pattern: RegExp, between: [string, string], fate: Fate) {
  let left = count;
  return (packet: Sent): Fate => {
    const isBetween = packet.from.address === between[0] && packet.to.address === between[1];
    const isMeant = isBetween && pattern.test(Buffer.from(packet.bytes).toString("latin1"));
    if (!isMeant || left === 0) return "deliver";
    left -= 1;
    return fate;
  };
}

const udpEnds = (): Promise<Ends> => makeEnds(UDP);

test("an INVITE that is lost inside is sent again after 500 ms and rings once", async () => {
  const { place, phone, pbx, near } = await udpEnds();
  place.network.weather = first(1, /^INVITE/, [INSIDE, PBX], "lose");
  phone.sendsInvite("600", near.sdp());
  await pbx.receivesNothingMore();
  await place.network.elapse(500);
  const invite = await pbx.receivesOn("INVITE");
  pbx.replies(invite, 180, "pbx");
  await phone.receives("180 INVITE");
  await place.network.elapse(20_000);
  await pbx.receivesNothingMore();
});

test("an INVITE the phone repeats is absorbed and its last answer repeated", async () => {
  const { phone, pbx, near } = await udpEnds();
  const sent = phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  pbx.replies(invite, 180, "pbx");
  await phone.receives("180 INVITE");
  phone.repeats(sent);
  await phone.receives("180 INVITE");
  await pbx.receivesNothingMore();
});

test("everything comes twice and nothing happens twice", async () => {
  const ends = await udpEnds();
  const { place, phone, pbx, near, far } = ends;
  place.network.weather = () => "duplicate";
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  place.network.weather = () => "deliver";
  pbx.replies(invite, 200, "pbx", far.sdp());
  const { answer, dialog } = await phone.isAnswered();
  near.uses(answer.body);
  pbx.inbox.length = 0; // the doubled INVITE on its own last leg, and the ACK
  await expectAudio(ends);
  place.network.weather = () => "duplicate";
  phone.inDialog(dialog, "BYE");
  pbx.answers(await pbx.receivesOn("BYE"), 200);
  await phone.receives("200 BYE");
  place.network.weather = () => "deliver";
  await place.expectNothingLeft();
});

test("a lost BYE answer makes the phone repeat, the telephone system hears it once", async () => {
  const { place, phone, pbx, near, far } = await udpEnds();
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  pbx.replies(invite, 200, "pbx", far.sdp());
  const { dialog } = await phone.isAnswered();
  await pbx.receives("ACK");
  place.network.weather = first(1, /^SIP\/2\.0 200/, [OUTSIDE, "198.51.100.9"], "lose");
  const bye = phone.inDialog(dialog, "BYE");
  pbx.answers(await pbx.receivesOn("BYE"), 200);
  await phone.receivesNothingMore();
  phone.repeats(bye);
  await phone.receives("200 BYE");
  await pbx.receivesNothingMore();
  await place.expectNothingLeft();
});

test("a lost final error is repeated until the phone's ACK, and the ACK stays here", async () => {
  const { place, phone, pbx, near } = await udpEnds();
  const sent = phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  place.network.weather = first(2, /^SIP\/2\.0 486/, [OUTSIDE, "198.51.100.9"], "lose");
  pbx.answers(invite, 486, { tag: "pbx" });
  await pbx.receives("ACK");
  await phone.receivesNothingMore();
  await place.network.elapse(500 + 1000);
  const answer = await phone.receives("486 INVITE");
  phone.acknowledges(sent, answer);
  await pbx.receivesNothingMore();
  await place.network.elapse(10_000);
  await phone.receivesNothingMore();
  await place.expectNothingLeft();
});

test("a lost 200 is repeated by the telephone system and passed on each time", async () => {
  const { place, phone, pbx, near, far } = await udpEnds();
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  place.network.weather = first(1, /^SIP\/2\.0 200/, [OUTSIDE, "198.51.100.9"], "lose");
  pbx.replies(invite, 200, "pbx", far.sdp());
  await phone.receivesNothingMore();
  pbx.replies(invite, 200, "pbx", far.sdp());
  const answer = await phone.receives("200 INVITE");
  const dialog = callerDialog(answer);
  phone.inDialog(dialog, "ACK");
  await pbx.receives("ACK");
  const talk = { place, phone, pbx, near, far, answer, invite };
  await phoneHangsUp({ ...talk, phoneSide: dialog, pbxSide: dialog });
});

test("a request to a phone by UDP is repeated and given up after 32 s with ports back", async () => {
  const { place, phone, pbx, far } = await udpEnds();
  place.network.weather = first(100, /^INVITE/, [OUTSIDE, "198.51.100.9"], "lose");
  const sent = pbx.sendsInvite("100", far.sdp());
  await place.network.elapse(33_000);
  await phone.receivesNothingMore();
  const invites = place.network.sent.filter(
    ({ from, bytes }) =>
      from.address === OUTSIDE && Buffer.from(bytes).toString().startsWith("INVITE"),
  );
  expect(invites.length).toBe(7); // at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s
  pbx.acknowledges(sent, await pbx.receives("408 INVITE"));
  await place.expectNothingLeft();
});
