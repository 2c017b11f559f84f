import { expect, test } from "bun:test";
import { latin1 } from "../peers/sip-text.ts";
import { OUTSIDE, Place } from "./place.ts";
import { makeEnds, pbxCalls, phoneCalls, phoneHangsUp } from "./talk.ts";

const HEAD = `OPTIONS sip:mycompany SIP/2.0
Via: SIP/2.0/TLS 192.168.1.10:5061;branch=z9hG4bK-bad;rport
Max-Forwards: 70
From: <sip:100@mycompany>;tag=a
To: <sip:mycompany>
Call-ID: bad
CSeq: 1 OPTIONS`;

const raw = (text: string): Uint8Array => latin1(text.replace(/\r?\n/g, "\r\n"));

test("a malformed request is answered 400 and the connection stays", async () => {
  const place = await Place.open();
  const pbx = await place.pbx();
  const phone = await place.phone();
  for (const bad of [
    HEAD.replace("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"),
    HEAD.replace("CSeq: 1 OPTIONS", "CSeq: 4294967296 OPTIONS"),
    `${HEAD}\nTo: <sip:second@mycompany>`,
    `${HEAD}\nThis is no header`,
    HEAD.replace("Max-Forwards: 70", "Max-Forwards: many"),
  ]) {
    phone.sendsBytes(raw(`${bad}\nContent-Length: 0\n\n`));
    await phone.receives(/^SIP\/2\.0 400 /);
  }
  expect(place.status.drops["malformed"]).toBe(5);
  expect((await phone.registers()).status).toBe(200);
  await pbx.receivesNothingMore();
});

test("what is no SIP at all is counted and ends the connection, if at all, without a word", async () => {
  const place = await Place.open();
  await place.pbx();
  const phone = await place.phone();
  phone.sendsBytes(raw("GET / HTTP/1.1\nHost: x\n\n"));
  await phone.receivesNothingMore();
  const again = await place.phone();
  expect((await again.registers()).status).toBe(200);
});

test("lost framing on a connection: 400 when it can be built, then closed, counted", async () => {
  for (const lengths of [
    [],
    ["Content-Length: -1"],
    ["Content-Length: +5"],
    ["Content-Length: five"],
    ["Content-Length: 0", "Content-Length: 5"],
    ["Content-Length: 0", "l: 0"],
    ["Content-Length: 300000"],
  ]) {
    const place = await Place.open();
    const pbx = await place.pbx();
    const phone = await place.phone();
    phone.sendsBytes(raw(`${[HEAD, ...lengths].join("\n")}\n\n`));
    expect([lengths, (await phone.receives(/^SIP\/2\.0 4/)).status]).toEqual([lengths, 400]);
    await phone.sees("the end of its connection", () => phone.wire?.isOpen === false);
    await pbx.receivesNothingMore();
    const drops = Object.keys(place.status.drops);
    expect(drops.some((reason) => reason.startsWith("framing"))).toBe(true);
  }
});

test("a header block without end is cut off at 64 KiB", async () => {
  const place = await Place.open();
  const phone = await place.phone();
  phone.sendsBytes(raw(`${HEAD}\nX-Long: ${"a".repeat(70_000)}`));
  await phone.sees("the end of its connection", () => phone.wire?.isOpen === false);
  expect(place.status.sip.connections).toBe(0);
});

test("by UDP a body shorter than its length is 400, a longer one is cut", async () => {
  const place = await Place.open({ proxy: { voipSip: "udp" } });
  const pbx = await place.pbx();
  const phone = await place.phone({ transport: "udp" });
  const to = { address: OUTSIDE, port: 5060 };
  const message = HEAD.replaceAll("OPTIONS", "MESSAGE").replace("TLS", "UDP");
  phone.sendsBytes(raw(`${message}\nContent-Length: 50\n\nshort`), { to });
  await phone.receives(/^SIP\/2\.0 400 /);
  phone.sendsBytes(raw(`${message.replace("-bad", "-long")}\nContent-Length: 5\n\nhelloEVIL`), {
    to,
  });
  const seen = await pbx.receivesOn("MESSAGE");
  expect(seen.message.body).toBe("hello");
});

test("malformed answers and answers to nothing are dropped and counted", async () => {
  const { place, phone, pbx, near } = await makeEnds();
  const before = phone.inbox.length;
  phone.sends(`SIP/2.0 200 OK
    Via: SIP/2.0/TLS ${OUTSIDE}:5061;branch=z9hG4bKnever
    From: <sip:a@mycompany>;tag=a
    To: <sip:b@mycompany>;tag=b
    Call-ID: never
    CSeq: 1 INVITE

  `);
  phone.sends("SIP/2.0 999 What\nCSeq: x\n\n");
  await pbx.receivesNothingMore();
  expect(phone.inbox.length).toBe(before);
  expect(place.status.drops["stray-response"]).toBe(1);
  phone.sendsInvite("600", near.sdp());
  await pbx.receives("INVITE");
});

test("SDP that cannot be read is 488, with ports back", async () => {
  const { place, phone, pbx, near } = await makeEnds();
  for (const body of [
    "this is no SDP",
    near.sdp().replace("m=audio ", "m=audio 99999"),
    near.sdp().replace(/^c=.*\n/m, ""),
    Array.from({ length: 30 }, () => near.sdp().split("\n").slice(5).join("\n")).reduce(
      (all, more) => `${all}\n${more}`,
      near.sdp(),
    ),
  ]) {
    const sent = phone.sendsInvite("600", body);
    phone.acknowledges(sent, await phone.receives("488 INVITE"));
  }
  await pbx.receivesNothingMore();
  await place.expectNothingLeft();
});

test("with no port left: 503 with Retry-After, counted; free again after the call", async () => {
  const ends = await makeEnds({ proxy: { rtpPorts: { from: 30_000, to: 30_001 } } });
  const talk = await phoneCalls(ends);
  const { place, phone } = ends;
  expect(place.status.media.portsTotal).toBeGreaterThan(0);
  const second = await place.phone({ user: "101", address: "192.168.1.11" });
  await second.registers();
  const media = await place.phoneMedia(second);
  const sent = second.sendsInvite("600", media.sdp());
  const refused = await second.receives("503 INVITE");
  expect(Number(refused.header("Retry-After"))).toBeGreaterThan(0);
  second.acknowledges(sent, refused);
  expect(Object.keys(place.status.drops).some((reason) => /port/.test(reason))).toBe(true);
  await phoneHangsUp(talk);
  await place.network.elapse(31_000);
  await phoneCalls({ ...ends, phone });
});

test("a port that another program holds is skipped", async () => {
  const place = await Place.open({ proxy: { rtpPorts: { from: 30_000, to: 30_003 } } });
  const holder = place.network.world({ addresses: [OUTSIDE] });
  await holder.openDatagrams({ local: { address: OUTSIDE, port: 30_001 }, receive() {} });
  const pbx = await place.pbx();
  const phone = await place.phone();
  await phone.registers();
  const near = await place.phoneMedia(phone);
  const far = await place.pbxMedia(pbx);
  const { answer } = await phoneCalls({ place, phone, pbx, near, far });
  expect(answer.body).toContain("m=audio 30002 ");
});

test("SDP whose address is our own is no way to make the proxy talk to itself", async () => {
  const { place, phone, pbx, near, far } = await pbxCalls(await makeEnds());
  const before = place.network.sent.length;
  const loop = near.sdp().replace(/^c=.*$/m, `c=IN IP4 ${OUTSIDE}`);
  phone.sendsInvite("600", loop);
  const next = await pbx.receivesOn("INVITE").catch(() => null);
  if (next !== null) pbx.replies(next, 200, "pbx", far.sdp());
  far.says("round and round");
  await place.network.settle();
  const toOurselves = place.network.sent
    .slice(before)
    .filter(({ from, to }) => from.address === OUTSIDE && to.address === OUTSIDE);
  expect(toOurselves).toEqual([]);
});

test("a lying Via does not move the answer", async () => {
  const place = await Place.open({ proxy: { voipSip: "udp" } });
  const phone = await place.phone({ transport: "udp" });
  const to = { address: OUTSIDE, port: 5060 };
  const lying = HEAD.replace("TLS 192.168.1.10:5061", "UDP 192.0.2.66:9999").replaceAll(
    "sip:mycompany",
    `sip:${OUTSIDE}`,
  );
  phone.sendsBytes(raw(`${lying}\nContent-Length: 0\n\n`), { to });
  await phone.receives("200 OPTIONS");
  expect(place.network.sent.some((one) => one.to.address === "192.0.2.66")).toBe(false);
});
