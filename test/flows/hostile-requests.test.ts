/** Requests of strangers and odd peers: none of them may cost somebody's call its media, or hold ports. */
import { expect, test } from "bun:test";
import { callerDialog } from "../peers/user-agent.ts";
import { OUTSIDE, Place } from "./place.ts";
import { expectAudio, makeEnds, pbxHangsUp, phoneCalls, phoneHangsUp } from "./talk.ts";

test("a BYE for one early dialog leaves the others their media", async () => {
  const ends = await makeEnds();
  const { place, phone, pbx, near, far } = ends;
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  pbx.replies(invite, 180, "first");
  const early = callerDialog(await phone.receives("180 INVITE"));
  phone.inDialog(early, "BYE");
  pbx.answers(await pbx.receivesOn("BYE"), 481);
  await phone.receives("481 BYE");
  pbx.replies(invite, 200, "second", far.sdp());
  const { answer, dialog } = await phone.isAnswered();
  near.uses(answer.body);
  await pbx.receives("ACK");
  await expectAudio(ends);
  phone.inDialog(dialog, "BYE");
  await pbx.isHungUpOn();
  await phone.receives("200 BYE");
  await place.expectNothingLeft();
});

test.each([401, 403, 481, 500])(
  "a re-INVITE of a dialog nobody knows leaves nothing behind when it is answered %p",
  async (status) => {
    const { place, phone, pbx, near } = await makeEnds();
    const sent = phone.requests("INVITE", {
      uri: "sip:600@mycompany",
      from: `<${phone.uri}>;tag=mine`,
      to: "<sip:600@mycompany>;tag=nobodys",
      callId: "unheard-of",
      cseq: 7,
      headers: [["Contact", `<${phone.contact}>`]],
      body: near.sdp(),
    });
    pbx.answers(await pbx.receivesOn("INVITE"), status);
    phone.acknowledges(sent, await phone.receives(`${status} INVITE`));
    await place.expectNothingLeft();
  },
);

test("an offer that comes after the call has failed takes no ports", async () => {
  const { place, phone, pbx, far } = await makeEnds();
  const sent = phone.sendsInvite("600", "");
  const invite = await pbx.receivesOn("INVITE");
  pbx.answers(invite, 486, { tag: "first" });
  phone.acknowledges(sent, await phone.receives("486 INVITE"));
  pbx.replies(invite, 200, "second", far.sdp());
  expect((await phone.receives("200 INVITE")).body).toBe("");
  await place.expectNothingLeft();
});

test("SDP in OPTIONS and MESSAGE is no offer: the call goes on and the bytes pass", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { phone, pbx, phoneSide, near } = talk;
  await expectAudio(talk);
  phone.inDialog(phoneSide, "MESSAGE", { body: near.sdp({ version: 9 }) });
  const message = await pbx.receivesOn("MESSAGE");
  expect(message.message.body).toContain("RTP/SAVP");
  pbx.answers(message, 200);
  await phone.receives("200 MESSAGE");
  pbx.inDialog(talk.pbxSide, "OPTIONS");
  phone.replies(await phone.receivesOn("OPTIONS"), 200, "phone", near.sdp({ version: 9 }));
  await pbx.receives("200 OPTIONS");
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

test("who knows Call-ID and tags but gets no 2xx moves no media to its own address", async () => {
  const ends = await makeEnds({
    proxy: { voipMedia: "rtp", voipSip: "udp" },
    media: "rtp",
    transport: "udp",
  });
  const talk = await phoneCalls(ends);
  const { place, pbx, phoneSide } = talk;
  await expectAudio(talk);
  const attacker = await place.phone({ address: "192.0.2.66", nat: null, transport: "udp" });
  const thief = await place.phoneMedia(attacker, { isPlain: true });
  attacker.inDialog({ ...phoneSide, routes: [...phoneSide.routes] }, "INFO");
  pbx.answers(await pbx.receivesOn("INFO"), 403);
  await attacker.receives("403 INFO");
  thief.uses(talk.answer.body);
  thief.says("give it to me", "me", "me", "me", "me", "me", "me");
  await expectAudio(talk);
  expect(await thief.hasHeard()).toEqual([]);
  await pbxHangsUp(talk);
});

test("a token in a Route does not let a request without dialog speak for another instance", async () => {
  const place = await Place.open({ instances: [{ name: "other", address: "10.0.4.150" }] });
  const pbx = await place.pbx();
  const phone = await place.phone();
  await phone.registers();
  const near = await place.phoneMedia(phone);
  const far = await place.pbxMedia(pbx);
  const { phoneSide } = await phoneCalls({ place, phone, pbx, near, far });
  const routes = phoneSide.routes.map((route) => ["Route", route] as const);
  const asks = async (method: string, uri: string, from: string, to: string): Promise<void> => {
    const headers = [...routes, ["Contact", `<${phone.contact}>`] as const];
    const parts = { uri, to, callId: phone.newId(), cseq: 1, headers };
    phone.requests(method, { ...parts, from: `${from};tag=${phone.newId()}` });
    await phone.receives(`403 ${method}`);
  };
  await asks("REGISTER", "sip:other", "<sip:100@other>", "<sip:100@other>");
  await asks("REGISTER", "sip:mycompany", "<sip:100@mycompany>", "<sip:100@other>");
  await asks("REGISTER", "sip:mycompany", "<sip:100@mycompany>", "<sip:100@other>;tag=x");
  await asks("MESSAGE", "sip:600@other", "<sip:100@mycompany>", "<sip:600@other>");
  await asks("MESSAGE", "sip:600@mycompany", "<sip:100@other>", "<sip:600@mycompany>");
  await pbx.receivesNothingMore();
});

test("a Path of the phone's own making does not reach the instance, in either mode", async () => {
  for (const routing of ["path", "contact"]) {
    const place = await Place.open({ instance: { sip: { routing } } });
    const pbx = await place.pbx();
    const phone = await place.phone();
    await phone.registers({ headers: [["Path", "<sip:192.0.2.66;lr>"]] });
    const seen = pbx.registers.at(-1)?.values("Path") ?? [];
    expect(seen.length).toBe(routing === "path" ? 1 : 0);
    expect(seen.join()).not.toContain("192.0.2.66");
  }
});

test("a domain with the final dot of DNS is the same domain", async () => {
  const place = await Place.open({ instances: [{ name: "other", address: "10.0.4.150" }] });
  const pbx = await place.pbx();
  const phone = await place.phone();
  const parts = { to: "<sip:600@mycompany>", cseq: 1 };
  const from = `<${phone.uri}>;tag=a`;
  phone.requests("MESSAGE", { ...parts, uri: "sip:600@MyCompany.", from, callId: "1" });
  pbx.answers(await pbx.receivesOn("MESSAGE"), 200);
  await phone.receives("200 MESSAGE");
  const spoofed = "<sip:1@OTHER.>;tag=a";
  phone.requests("MESSAGE", { ...parts, uri: "sip:600@mycompany", from: spoofed, callId: "2" });
  await phone.receives("403 MESSAGE");
  expect(place.status.listening.sipTls).toBe(`${OUTSIDE}:5061`);
});

test("what stands behind the tenth request for an unknown domain is not read", async () => {
  const place = await Place.open();
  const pbx = await place.pbx();
  const phone = await place.phone();
  const text = (uri: string): string =>
    phone
      .requestText("MESSAGE", {
        uri,
        from: `<${phone.uri}>;tag=a`,
        to: `<${uri}>`,
        callId: phone.newId(),
        cseq: 1,
      })
      .replace("*", "0")
      .replaceAll("\n", "\r\n");
  const unknown = Array.from({ length: 10 }, (_, at) => text(`sip:600@nobody-${at}`));
  phone.sendsBytes(Buffer.from([...unknown, text("sip:600@mycompany")].join(""), "latin1"));
  for (let at = 0; at < 10; at += 1) await phone.receives("404 MESSAGE");
  await pbx.receivesNothingMore();
  expect(place.status.drops["unknown-domain"]).toBe(10);
  expect(phone.wire?.isOpen).toBe(false);
});
