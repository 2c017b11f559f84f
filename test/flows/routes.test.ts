import { expect, test } from "bun:test";
import { OUTSIDE } from "./place.ts";
import { makeEnds, phoneCalls } from "./talk.ts";

test("a call with the outbound proxy's Route passes, the Route does not", async () => {
  const { phone, pbx, near } = await makeEnds();
  phone.sendsInvite("600", near.sdp(), { headers: [["Route", "<sip:mobydick.example.com;lr>"]] });
  const { message } = await pbx.receivesOn("INVITE");
  expect(message.has("Route")).toBe(false);
});

test("a Route to somebody else is refused and nothing is sent there", async () => {
  const { place, phone, pbx, near } = await makeEnds();
  const before = place.network.sent.length;
  for (const route of [
    "<sip:evil.example.org;lr>",
    "<sip:10.0.3.150;lr>",
    `<sip:${OUTSIDE};lr>, <sip:192.0.2.66;lr>`,
    "<tel:+4930>",
    `<sip:not-a-token@${OUTSIDE}:5061;lr>`,
  ]) {
    const sent = phone.sendsInvite("600", near.sdp(), { headers: [["Route", route]] });
    phone.acknowledges(sent, await phone.receives("403 INVITE"));
  }
  await pbx.receivesNothingMore();
  const places = new Set(place.network.sent.slice(before).map(({ to }) => to.address));
  expect([...places].sort()).toEqual(["198.51.100.9", OUTSIDE]);
  await place.expectNothingLeft();
});

test("each side sees our Record-Route with its own port and transport, lr stands bare", async () => {
  const { invite, answer } = await phoneCalls(await makeEnds());
  const [towardsPbx, ...beyond] = invite.message.values("Record-Route");
  const [towardsPhone, ...others] = answer.values("Record-Route");
  expect(towardsPbx).toMatch(/^<sip:[^@]+@10\.0\.3\.1:15060;transport=udp;lr>$/);
  expect(towardsPhone).toMatch(/^<sip:[^@]+@203\.0\.113\.5:5061;transport=tls;lr>$/);
  expect([...beyond, ...others]).toEqual([]);
});

test("a request in a dialog finds its way with our Route once, twice on one line, or without it", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { phone, pbx, phoneSide } = talk;
  for (const routes of [
    [[...phoneSide.routes, ...phoneSide.routes].join(", ")],
    phoneSide.routes,
    [],
  ]) {
    phoneSide.cseq += 1;
    phone.inDialog({ ...phoneSide, routes }, "INFO");
    const info = await pbx.receivesOn("INFO");
    expect(info.message.has("Route")).toBe(false);
    pbx.answers(info, 200);
    await phone.receives("200 INFO");
  }
});

test("too many hops end at 483, and Proxy-Require at 420", async () => {
  const { phone, pbx, near } = await makeEnds();
  const last = phone.sendsInvite("600", near.sdp(), { headers: [["Max-Forwards", "0"]] });
  phone.acknowledges(last, await phone.receives("483 INVITE"));
  phone.sendsInvite("600", near.sdp(), { headers: [["Proxy-Require", "privacy, magic"]] });
  const refused = await phone.receives("420 INVITE");
  expect(refused.header("Unsupported")).toBe("privacy, magic");
  phone.sendsInvite("600", near.sdp(), { headers: [["Max-Forwards", "1"]] });
  expect((await pbx.receives("INVITE")).header("Max-Forwards")).toBe("0");
});

test("every method passes, also unknown ones, with its body", async () => {
  const { phone, pbx } = await makeEnds();
  for (const method of ["MESSAGE", "SUBSCRIBE", "PUBLISH", "REFER", "BANANA"]) {
    phone.requests(method, {
      uri: "sip:101@mycompany",
      from: `<${phone.uri}>;tag=a`,
      to: "<sip:101@mycompany>",
      callId: phone.newId(),
      cseq: 1,
      headers: [
        ["Content-Type", "text/plain"],
        ["Contact", `<${phone.contact}>`],
      ],
      body: "hello",
    });
    const seen = await pbx.receivesOn(method);
    expect(seen.message.body).toBe("hello\r\n");
    pbx.answers(seen, 202);
    await phone.receives(`202 ${method}`);
  }
});

test("a number without a domain is dialled at the caller's own instance", async () => {
  const { phone, pbx, near } = await makeEnds();
  const from = "<sip:100@mycompany>;tag=a";
  const parts = { from, to: "<tel:+4930600>", callId: phone.newId(), cseq: 1, body: near.sdp() };
  phone.requests("INVITE", { ...parts, uri: "tel:+4930600" });
  const { message } = await pbx.receivesOn("INVITE");
  expect(message.text).toStartWith("INVITE tel:+4930600 SIP/2.0\r\n");
  const stranger = { ...parts, from: "<sip:100@nowhere.example>;tag=b", callId: phone.newId() };
  phone.requests("INVITE", { ...stranger, uri: "tel:+4930600" });
  expect((await phone.receives("404 INVITE")).status).toBe(404);
});
