/**
 * Broken and lying messages by the thousand, seeded, from a phone, a stranger and an instance: the proxy
 * makes no mistake of its own (internal-error), keeps no state of it, and goes on serving.
 */
import { expect, test } from "bun:test";
import { latin1, sipText } from "../peers/sip-text.ts";
import { INSIDE, OUTSIDE, PBX, Place, UNHURRIED } from "./place.ts";
import { type Ends, expectAudio, makeEnds, phoneCalls, phoneHangsUp } from "./talk.ts";

const ROUNDS = 1500;

/** A small linear congruential generator: the same numbers on every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return Math.floor((state / 4_294_967_296) * below);
  };
}

const SPLINTERS = [
  "\r\n",
  "\r\n ",
  "\r\n\r\n",
  "\0",
  ":",
  ";",
  ",",
  "<",
  ">",
  '"',
  "@",
  "%00",
  "sip:",
  ";lr",
  ";tag=",
  ";branch=z9hG4bK",
  "Content-Length: 99999\r\n",
  "Route: <sip:evil.example>\r\n",
  "Contact: *\r\n",
  "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx\r\n",
  "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\n",
  "m=audio 0 RTP/SAVP 0\r\n",
  "c=IN IP4 127.0.0.1\r\n",
  "4294967296",
  "-1",
  "\xff\xfe",
  "x".repeat(300),
];

/** One to four cuts, doublings, swaps and splinters. */
function broken(text: string, below: (limit: number) => number): string {
  let out = text;
  for (let cut = below(4); cut >= 0; cut -= 1) {
    const at = below(out.length);
    const to = Math.min(out.length, at + below(40));
    const kind = below(5);
    if (kind === 0) out = out.slice(0, at) + out.slice(to);
    else if (kind === 1) out = out.slice(0, to) + out.slice(at);
    else if (kind === 2)
      out = out.slice(0, at) + SPLINTERS[below(SPLINTERS.length)] + out.slice(at);
    else if (kind === 3)
      out = out.slice(0, at) + SPLINTERS[below(SPLINTERS.length)] + out.slice(to);
    else out = out.slice(0, at) + String.fromCharCode(below(256)) + out.slice(at + 1);
  }
  return out;
}

/** Every kind of message of a call, as texts. */
function texts(place: Place, addresses: [string, string]): string[] {
  const [from, to] = addresses;
  const seen = place.network.sent.filter(
    (one) => one.from.address === from && one.to.address === to,
  );
  return seen
    .map(({ bytes }) => Buffer.from(bytes).toString("latin1"))
    .filter((text) => /^(SIP\/2\.0|[A-Z]+ sip)/.test(text));
}

/** The instance takes what it can read and refuses the rest. */
function toughen({ pbx }: Ends): void {
  const usual = pbx.automatic;
  pbx.automatic = (received) => {
    try {
      return usual(received);
    } catch {
      return true; // not even an answer can be made of it
    }
  };
}

async function expectSound({ place }: Ends): Promise<void> {
  const { drops } = place.status;
  const mistakes = place.log.filter(({ event }) => event === "internal-error");
  expect(mistakes).toEqual([]);
  expect(drops["internal-error"]).toBeUndefined();
}

const UDP = {
  proxy: { voipSip: "udp", voipMedia: "rtp", limits: UNHURRIED },
  media: "rtp",
  transport: "udp",
} as const;

test("INVITEs that claim a dialog nobody knows leave nothing behind once they were refused", async () => {
  const ends = await makeEnds();
  const { place, phone, pbx, near } = ends;
  for (const status of [401, 403, 404, 480, 481, 488, 500, 603]) {
    const sent = phone.requests("INVITE", {
      uri: "sip:600@mycompany",
      from: `<${phone.uri}>;tag=a${status}`,
      to: "<sip:600@mycompany>;tag=invented",
      callId: `invented-${status}`,
      cseq: 7,
      headers: [["Contact", `<${phone.contact}>`]],
      body: near.sdp(),
    });
    pbx.answers(await pbx.receivesOn("INVITE"), status);
    await pbx.receives("ACK");
    phone.acknowledges(sent, await phone.receives(`${status} INVITE`));
  }
  await place.expectNothingLeft();
});

test("a re-INVITE after a restart brings a call's media back", async () => {
  const talk = await phoneCalls(await makeEnds({ ...UDP, nat: null }));
  const { phone, pbx, near, far, phoneSide } = talk;
  talk.place.proxy.close();
  const place = await Place.open({ ...UDP, state: talk.place.state }, talk.place.network);
  phone.inDialog(phoneSide, "INVITE", {
    headers: [["Contact", `<${phone.contact}>`]],
    body: near.sdp({ version: 2 }),
  });
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  pbx.replies(invite, 200, "pbx", far.sdp({ version: 2 }));
  near.uses((await phone.receives("200 INVITE")).body);
  phone.inDialog(phoneSide, "ACK");
  await pbx.receives("ACK");
  await expectAudio(talk);
  await phoneHangsUp({ ...talk, place });
});

test("broken datagrams from the phone's own address and from a stranger's", async () => {
  const ends = await makeEnds({ ...UDP, nat: null });
  const { place, phone } = ends;
  await phoneHangsUp(await phoneCalls(ends));
  toughen(ends);
  const samples = texts(place, [phone.options.address, OUTSIDE]);
  expect(samples.length).toBeGreaterThan(3);
  const stranger = await place.network.world({ addresses: ["192.0.2.66"] }).openDatagrams({
    local: { address: "192.0.2.66", port: 5060 },
    receive() {},
  });
  const below = numbers(1);
  const to = { address: OUTSIDE, port: 5060 };
  for (let round = 0; round < ROUNDS; round += 1) {
    const bytes = latin1(broken(samples[below(samples.length)] ?? "", below));
    if (below(2) === 0) phone.sendsBytes(bytes, { to });
    else stranger.send(bytes, to.address, to.port);
    if (round % 50 === 0) await place.network.settle();
  }
  await place.network.settle();
  await expectSound(ends);
  await place.network.elapse(1_000_000); // what still rang has ended
  ends.pbx.inbox.length = 0;
  phone.inbox.length = 0;
  expect(place.status.media).toMatchObject({ sessions: 0, portsInUse: 0 });
  expect(place.status.sip.dialogs).toBe(0);
  const good = await phoneCalls(ends);
  await expectAudio(good);
});

test("broken messages from the instance, as datagrams", async () => {
  const ends = await makeEnds({ ...UDP, nat: null });
  const { place, pbx, phone } = ends;
  await phoneHangsUp(await phoneCalls(ends));
  toughen(ends);
  const samples = texts(place, [PBX, INSIDE]);
  const below = numbers(2);
  for (let round = 0; round < ROUNDS; round += 1) {
    const bytes = latin1(broken(samples[below(samples.length)] ?? "", below));
    pbx.sendsBytes(bytes, { to: { address: INSIDE, port: 15_060 } });
    if (round % 50 === 0) await place.network.settle();
  }
  await place.network.settle();
  await expectSound(ends);
  await place.network.elapse(1_000_000);
  pbx.inbox.length = 0;
  phone.inbox.length = 0;
  await expectAudio(await phoneCalls(ends));
});

test("broken streams over TLS, a new connection whenever one was closed", async () => {
  const ends = await makeEnds({ nat: null, proxy: { limits: UNHURRIED } });
  const { place, phone } = ends;
  await phoneHangsUp(await phoneCalls(ends));
  toughen(ends);
  const samples = texts(place, [phone.options.address, OUTSIDE]);
  const below = numbers(3);
  let attacker = await place.phone({ address: "192.168.1.66" });
  for (let round = 0; round < ROUNDS; round += 1) {
    if (attacker.wire?.isOpen === false) attacker = await place.phone({ address: "192.168.1.66" });
    const bytes = latin1(broken(samples[below(samples.length)] ?? "", below));
    const at = below(bytes.length);
    attacker.sendsBytes(bytes.subarray(0, at));
    attacker.sendsBytes(bytes.subarray(at));
    if (round % 10 === 0) await place.network.settle();
  }
  await place.network.settle();
  await expectSound(ends);
  await place.network.elapse(1_000_000);
  expect(place.status.sip.connections).toBeLessThanOrEqual(2);
  expect(place.status.media).toMatchObject({ sessions: 0, portsInUse: 0 });
  phone.inbox.length = 0;
  ends.pbx.inbox.length = 0;
  await expectAudio(await phoneCalls(ends));
});

test("broken answers of the phone and of the instance to real requests", async () => {
  const ends = await makeEnds(UDP);
  const { place, phone, pbx, near, far } = ends;
  const below = numbers(4);
  for (let round = 0; round < 150; round += 1) {
    const isFromPhone = below(2) === 0;
    const [asking, answering] = isFromPhone ? [pbx, phone] : [phone, pbx];
    if (isFromPhone) pbx.sendsInvite("100", far.sdp());
    else phone.sendsInvite("600", near.sdp());
    const invite = await answering.receivesOn("INVITE");
    const body = isFromPhone ? near.sdp() : far.sdp();
    const via = invite.message.lines("Via").map((value) => `Via: ${value}`);
    const answer = sipText(
      [
        `SIP/2.0 ${[183, 200, 200, 302, 404, 503][below(6)]} X`,
        ...via,
        ...invite.message.lines("Record-Route").map((value) => `Record-Route: ${value}`),
        `From: ${invite.message.header("From")}`,
        `To: ${invite.message.header("To")};tag=x${round}`,
        `Call-ID: ${invite.message.header("Call-ID")}`,
        `CSeq: ${invite.message.header("CSeq")}`,
        `Contact: <${answering.contact}>`,
        "Content-Type: application/sdp",
        "",
        body,
      ].join("\n"),
    );
    // The top Via stays whole, so that the answer is taken for one.
    const head = answer.indexOf("\r\n", answer.indexOf("Via:")) + 2;
    const mutilated = answer.slice(0, head) + broken(answer.slice(head), below);
    answering.sendsBytes(latin1(mutilated), { to: invite.message.from, wire: invite.wire });
    await place.network.settle();
    asking.inbox.length = 0;
    answering.inbox.length = 0;
  }
  await expectSound(ends);
  // Calls that were answered but never ended wait for a BYE or for the end of the day.
  for (let minute = 0; minute < 25 * 60; minute += 1) {
    place.network.clock.advance(60_000);
    await place.network.settle();
  }
  const { sessions, portsInUse } = place.status.media;
  expect([sessions, portsInUse]).toEqual([0, 0]);
}, 60_000);
