/** SDP is found however its type is written: what we take for something else passes with its addresses. */
import { expect, test } from "bun:test";
import { answersExactly, sendsExactlyInDialog } from "./exact-body.ts";
import { INSIDE, OUTSIDE, PBX } from "./place.ts";
import { makeEnds, phoneCalls } from "./talk.ts";

const crlf = (text: string): string => text.replaceAll("\n", "\r\n");

/** RFC 3261 §25.1: SLASH may have white space around it. Without a type sofia-sip takes it for SDP. */
const TYPES = ["application / sdp", "Application/\tSDP;charset=utf-8", ""] as const;

for (const type of TYPES) {
  test(`an offer of the type ${JSON.stringify(type)} is carried`, async () => {
    const ends = await makeEnds();
    const { phone, pbx, near, phoneSide } = await phoneCalls(ends);
    const body = { type, bytes: crlf(near.sdp({ version: 2 })) };
    const headers = [["Contact", `<${phone.contact}>`]] as const;
    sendsExactlyInDialog(phone, phoneSide, "INVITE", { headers, body });
    const { message } = await pbx.receivesOn("INVITE");
    expect(message.body).toContain(`c=IN IP4 ${INSIDE}\r\n`);
    expect(message.body).not.toContain("crypto");
  });

  test(`an answer of the type ${JSON.stringify(type)} names no inside address`, async () => {
    const { phone, pbx, near, far } = await makeEnds();
    phone.sendsInvite("600", near.sdp());
    const invite = await pbx.receivesOn("INVITE");
    far.uses(invite.message.body);
    const exact = { type, bytes: crlf(far.sdp()) };
    answersExactly(pbx, invite, 200, { tag: "pbx", contact: pbx.contact, exact });
    const { body } = await phone.receives("200 INVITE");
    expect(body).toContain(`c=IN IP4 ${OUTSIDE}\r\n`);
    expect(body).not.toContain(PBX);
  });
}

test("a body without a type that is no SDP passes as it is", async () => {
  const { phone, pbx, phoneSide } = await phoneCalls(await makeEnds());
  const body = { type: "", bytes: "hello" };
  sendsExactlyInDialog(phone, phoneSide, "INFO", { body });
  expect((await pbx.receives("INFO")).body).toBe("hello");
});
