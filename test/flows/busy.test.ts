import { expect, test } from "bun:test";
import { makeEnds } from "./talk.ts";

test("busy from inside reaches the phone, the ACK is ours and the ports are back", async () => {
  const { place, phone, pbx, near } = await makeEnds();
  const sent = phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  expect(place.status.media.portsInUse).toBeGreaterThan(0);
  pbx.answers(invite, 486, { tag: "pbx", reason: "Busy Here", headers: [["X-Reason", "lunch"]] });
  const ack = await pbx.receives("ACK");
  expect(ack.header("CSeq")).toBe("1 ACK");
  const answer = await phone.receives("486 INVITE");
  expect(answer.startLine).toBe("SIP/2.0 486 Busy Here");
  expect(answer.header("X-Reason")).toBe("lunch");
  expect(place.status.media.portsInUse).toBe(0);
  phone.acknowledges(sent, answer);
  await pbx.receivesNothingMore();
  await place.expectNothingLeft();
});

test("a busy phone says so to the telephone system", async () => {
  const { place, phone, pbx, far } = await makeEnds();
  const sent = pbx.sendsInvite("100", far.sdp());
  const invite = await phone.receivesOn("INVITE");
  phone.answers(invite, 486, { tag: "phone" });
  await phone.receives("ACK");
  pbx.acknowledges(sent, await pbx.receives("486 INVITE"));
  await place.expectNothingLeft();
});

test("a challenge and a redirection are passed on as they are", async () => {
  const { place, phone, pbx, near } = await makeEnds();
  for (const [status, header, value] of [
    [401, "WWW-Authenticate", 'Digest realm="asterisk", nonce="x"'],
    [407, "Proxy-Authenticate", 'Digest realm="asterisk", nonce="y"'],
    [302, "Contact", "<sip:elsewhere@mycompany>"],
  ] as const) {
    const sent = phone.sendsInvite("600", near.sdp());
    const invite = await pbx.receivesOn("INVITE");
    pbx.answers(invite, status, { tag: "pbx", headers: [[header, value]] });
    await pbx.receives("ACK");
    const answer = await phone.receives(`${status} INVITE`);
    expect(answer.header(header)).toBe(value);
    phone.acknowledges(sent, answer);
  }
  const ended = place.log.filter(({ event }) => event === "call-ended");
  expect(ended.map(({ level }) => level)).toEqual(["debug", "debug", "info"]);
  await place.expectNothingLeft();
});

test("a telephone system that does not answer at all: 408 after 32 s, ports back", async () => {
  const { place, phone, pbx, near } = await makeEnds();
  const sent = phone.sendsInvite("600", near.sdp());
  await pbx.receives("INVITE");
  await place.network.elapse(32_500);
  const answer = await phone.receives("408 INVITE");
  phone.acknowledges(sent, answer);
  await place.expectNothingLeft();
});
