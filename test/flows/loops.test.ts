import { expect, test } from "bun:test";
import type { Received } from "../peers/sip-peer.ts";
import type { SipText } from "../peers/sip-text.ts";
import type { UserAgent } from "../peers/user-agent.ts";
import { INSIDE, OUTSIDE, Place } from "./place.ts";
import { makeEnds } from "./talk.ts";

/** Forwards a request as a proxy does that only adds its Via: to where it shall go, by another URI. */
function forwards(
  peer: UserAgent,
  { message }: Received,
  o: { uri: string; routes?: readonly string[]; branch: string },
): void {
  const [start = "", ...lines] = message.text.split("\r\n");
  const via = `Via: SIP/2.0/TLS 192.0.2.1:5060;branch=z9hG4bK-${o.branch}`;
  const hops = Number(message.header("Max-Forwards")) - 1;
  const text = [
    start.replace(/ \S+ /, ` ${o.uri} `),
    via,
    ...(o.routes ?? []).map((route) => `Route: ${route}`),
    ...lines.map((line) => (line.startsWith("Max-Forwards") ? `Max-Forwards: ${hops}` : line)),
  ].join("\r\n");
  const to = peer.destination(o.routes ?? []) ?? undefined;
  peer.sendsBytes(Buffer.from(text, "latin1"), to === undefined ? {} : { to });
}

const finalOf = (method: string): RegExp =>
  new RegExp(`^SIP/2\\.0 [3-6].*CSeq: \\d+ ${method}`, "s");

test("a request that goes round from the telephone system to the phone and back ends at 482", async () => {
  const { place, phone, pbx } = await makeEnds();
  const { contact, path } = pbx.registrationOf("100");
  pbx.requestsTo("100", "MESSAGE", { body: "round and round" });
  const first = await phone.receivesOn("MESSAGE");
  forwards(phone, first, { uri: "sip:100@mycompany", branch: "phone" });
  const back = await pbx.receivesOn("MESSAGE");
  forwards(pbx, back, { uri: contact, routes: path, branch: "pbx" });
  expect((await pbx.receives(finalOf("MESSAGE"))).status).toBe(482);
  await phone.receivesNothingMore();
  expect(place.status.drops["loop"]).toBe(1);
});

test("an INVITE likewise, and none of its ports stay taken", async () => {
  const { place, phone, pbx } = await makeEnds();
  const { contact, path } = pbx.registrationOf("100");
  const sent = pbx.sendsInvite("100", "");
  forwards(phone, await phone.receivesOn("INVITE"), { uri: "sip:100@mycompany", branch: "phone" });
  const back = await pbx.receivesOn("INVITE");
  forwards(pbx, back, { uri: contact, routes: path, branch: "pbx" });
  const looped = await pbx.receives("482 INVITE");
  const answer = (request: Received): void => pbx.answers(request, 482, { tag: "pbx" });
  answer(back);
  const ended: SipText = await phone.receives("482 INVITE");
  expect(ended.status).toBe(looped.status);
  pbx.cancels(sent);
  await place.network.elapse(400_000);
  const { sessions, portsInUse } = place.status.media;
  expect({ sessions, portsInUse }).toEqual({ sessions: 0, portsInUse: 0 });
  expect(place.status.sip.dialogs).toBe(0);
});

test("a spiral is none: through the telephone system to another phone it goes on", async () => {
  const { place, phone, pbx } = await makeEnds();
  const other = await place.phone({ user: "101", address: "192.168.1.11" });
  await other.registers();
  phone.requests("MESSAGE", {
    uri: "sip:101@mycompany",
    from: `<${phone.uri}>;tag=a`,
    to: "<sip:101@mycompany>",
    callId: "spiral",
    cseq: 1,
    headers: [["Content-Type", "text/plain"]],
    body: "hello",
  });
  const inside = await pbx.receivesOn("MESSAGE");
  const { contact, path } = pbx.registrationOf("101");
  forwards(pbx, inside, { uri: contact, routes: path, branch: "pbx" });
  expect((await other.receives("MESSAGE")).body).toContain("hello");
});

test("who dials our own address gets no way round: nothing is sent anywhere", async () => {
  const { place, phone, pbx } = await makeEnds();
  for (const uri of [`sip:100@${OUTSIDE}`, `sip:100@${OUTSIDE}:5061`, `sip:100@${INSIDE}:15060`]) {
    phone.requests("MESSAGE", {
      uri,
      from: `<${phone.uri}>;tag=a`,
      to: `<${uri}>`,
      callId: phone.newId(),
      cseq: 1,
    });
    expect((await phone.receives(finalOf("MESSAGE"))).status).toBe(404);
  }
  await pbx.receivesNothingMore();
  pbx.requests("MESSAGE", {
    uri: `sip:100@${INSIDE}:15060`,
    from: "<sip:200@mycompany>;tag=a",
    to: "<sip:100@mycompany>",
    callId: "own-inside",
    cseq: 1,
  });
  expect((await pbx.receives(finalOf("MESSAGE"))).status).toBe(404);
  await phone.receivesNothingMore();
  expect(place.status.drops["loop"]).toBeUndefined();
});

test("an instance whose address is our own ends at once, by one request to ourselves", async () => {
  const place = await Place.open({ instance: { address: INSIDE, sip: { port: 15060 } } });
  const phone = await place.phone();
  phone.sendsRegister();
  expect((await phone.receives(finalOf("REGISTER"))).status).toBeGreaterThan(399);
  const toOurselves = place.network.sent.filter(
    ({ bytes, to }) =>
      to.address === INSIDE && Buffer.from(bytes).toString().startsWith("REGISTER"),
  );
  expect(toOurselves.length).toBeLessThan(3);
});

test("hops beyond 70 are not believed, and the last one ends at 483", async () => {
  const { phone, pbx } = await makeEnds();
  const message = (hops: string): void =>
    void phone.requests("MESSAGE", {
      uri: "sip:200@mycompany",
      from: `<${phone.uri}>;tag=a`,
      to: "<sip:200@mycompany>",
      callId: phone.newId(),
      cseq: 1,
      headers: [["Max-Forwards", hops]],
    });
  message("255");
  expect((await pbx.receives("MESSAGE")).header("Max-Forwards")).toBe("69");
  message("0");
  await phone.receives("483 MESSAGE");
  await pbx.receivesNothingMore();
});
