/** Datagrams beyond one packet, and how much of ours they carry (large ones are lost as fragments). */
import { expect, test } from "bun:test";
import type { SipText } from "../peers/sip-text.ts";
import { sipText } from "../peers/sip-text.ts";
import { OUTSIDE } from "./place.ts";
import { makeEnds } from "./talk.ts";

const UDP = { proxy: { voipSip: "udp" }, transport: "udp" } as const;
const MOST_ADDED_BYTES = 300;

/** Without the body: its SDP is another one. */
function headBytes(text: string): number {
  return text.indexOf("\r\n\r\n");
}

function added(sent: string, received: SipText): number {
  return headBytes(received.text) - headBytes(sipText(sent));
}

test("what we add to a message is less than 300 bytes, in either direction and transport", async () => {
  for (const options of [UDP, {}]) {
    const { phone, pbx, near, far } = await makeEnds(options);
    const registered = phone.sendsRegister();
    await phone.receives("200 REGISTER");
    const register = pbx.registers.at(-1);
    expect(register).toBeDefined();
    if (register !== undefined) expect(added(registered, register)).toBeWithin(1, MOST_ADDED_BYTES);
    const called = phone.sendsInvite("600", near.sdp());
    expect(added(called, await pbx.receives("INVITE"))).toBeWithin(1, MOST_ADDED_BYTES);
    const calling = pbx.sendsInvite("100", far.sdp());
    // Towards the phone the Route, its Path, goes away.
    expect(added(calling, await phone.receives("INVITE"))).toBeLessThan(MOST_ADDED_BYTES);
  }
});

test("the Path is one value of less than 200 bytes", async () => {
  for (const options of [UDP, {}]) {
    const { pbx } = await makeEnds(options);
    const [path, ...more] = pbx.registrationOf("100").path;
    expect(more).toEqual([]);
    expect(path?.length).toBeLessThan(200);
  }
});

test("a datagram of 60,000 bytes is forwarded whole, to the phone over its own flow", async () => {
  const { phone, pbx } = await makeEnds(UDP);
  const long = "x".repeat(59_000);
  phone.requests("MESSAGE", {
    uri: "sip:600@mycompany",
    from: `<${phone.uri}>;tag=a`,
    to: "<sip:600@mycompany>",
    callId: phone.newId(),
    cseq: 1,
    headers: [["Content-Type", "text/plain"]],
    body: long,
  });
  const outward = await pbx.receivesOn("MESSAGE");
  expect(outward.message.body.trim()).toBe(long);
  pbx.answers(outward, 200);
  await phone.receives("200 MESSAGE");
  pbx.requestsTo("100", "MESSAGE", { headers: [["Content-Type", "text/plain"]], body: long });
  const { message, wire } = await phone.receivesOn("MESSAGE");
  expect(message.body.trim()).toBe(long);
  expect([wire.transport, message.from.address]).toEqual(["udp", OUTSIDE]);
});
