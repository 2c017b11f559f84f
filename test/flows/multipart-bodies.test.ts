/** SDP as one part of several (RFC 5621): rewritten in its place, every other byte as it was. */
import { expect, test } from "bun:test";
import { calledDialog, callerDialog } from "../peers/user-agent.ts";
import { answersExactly, sendsExactlyInDialog } from "./exact-body.ts";
import { INSIDE, OUTSIDE, PBX } from "./place.ts";
import { type Ends, expectAudio, makeEnds, pbxCalls, phoneCalls, phoneHangsUp } from "./talk.ts";

const MIXED = "multipart/mixed;boundary=edge";
const LOCATION = [
  "Content-Type: application/pidf+xml",
  "Content-ID: <here@phone>",
  "",
  `<presence entity="sip:100@${PBX}"><tuple id="a"><contact>sip:${PBX}</contact></tuple></presence>\t `,
].join("\r\n");

const crlf = (text: string): string => text.replaceAll("\n", "\r\n");
const sdpHead = "Content-Type: application/sdp\r\nContent-Disposition: session;handling=required";

function around(sdp: string, head = sdpHead): string {
  const parts = [LOCATION, `${head}\r\n\r\n${crlf(sdp)}`, "\r\n\u00e4 odd \0 bytes \r\n"];
  const body = parts.map((part) => `--edge\r\n${part}\r\n`).join("");
  return `preamble\r\n${body}--edge--\r\nepilogue \u00ff`;
}

/** The description within, and everything else. */
function taken(body: string, head = sdpHead): { readonly sdp: string; readonly rest: string } {
  const start = body.indexOf(`${head}\r\n\r\n`) + head.length + 4;
  const end = body.indexOf("\r\n--edge", start);
  return { sdp: body.slice(start, end), rest: body.slice(0, start) + body.slice(end) };
}

function sendsInvite({ phone }: Ends, body: string, type = MIXED): void {
  const to = `<sip:600@${phone.options.domain}>`;
  const dialog = {
    callId: phone.newId("-multipart-"),
    local: `<sip:100@${phone.options.domain}>;tag=caller`,
    remote: to,
    target: `sip:600@${phone.options.domain}`,
    routes: [],
    cseq: 0,
  };
  const headers = [["Contact", `<${phone.contact}>`]] as const;
  sendsExactlyInDialog(phone, dialog, "INVITE", { headers, body: { type, bytes: body } });
}

test("an offer and its answer between other parts: only the descriptions change", async () => {
  const ends = await makeEnds();
  const { phone, pbx, near, far } = ends;
  const body = around(near.sdp());
  sendsInvite(ends, body);
  const invite = await pbx.receivesOn("INVITE");
  const offer = taken(invite.message.body);
  expect(offer.rest).toBe(taken(body).rest);
  expect(invite.message.header("Content-Length")).toBe(String(invite.message.body.length));
  expect(invite.message.header("Content-Type")).toBe(MIXED);
  expect(offer.sdp).toContain(`c=IN IP4 ${INSIDE}\r\n`);
  expect(offer.sdp).not.toContain("crypto");
  far.uses(offer.sdp);
  const answer = around(far.sdp());
  const exact = { type: MIXED, bytes: answer };
  answersExactly(pbx, invite, 200, { tag: "pbx", contact: pbx.contact, exact });
  const final = await phone.receives("200 INVITE");
  const taker = taken(final.body);
  expect(taker.rest).toBe(taken(answer).rest);
  expect(taker.sdp).toContain(`c=IN IP4 ${OUTSIDE}\r\n`);
  expect(taker.sdp).not.toContain(PBX);
  near.uses(taker.sdp);
  const phoneSide = callerDialog(final);
  phone.inDialog(phoneSide, "ACK");
  await pbx.receives("ACK");
  const pbxSide = calledDialog(invite.message, "pbx");
  const talk = { ...ends, phoneSide, pbxSide, invite, answer: final };
  await expectAudio(talk);
  await phoneHangsUp(talk);
});

const VARIANTS: readonly [string, string, (sdp: string) => string][] = [
  ["multipart/related", 'multipart/related;type="application/sdp";boundary=edge', around],
  ["multipart/alternative", "multipart/alternative;boundary=edge", around],
  ["a quoted boundary", 'multipart/mixed; boundary="edge"', around],
  [
    "white space around the slash of a type",
    "multipart /\tmixed;boundary=edge",
    (sdp) => around(sdp, sdpHead).replace("ion/pidf+xml", "ion / pidf+xml"),
  ],
  [
    "a part within a part",
    "multipart/mixed;boundary=outer",
    (sdp) =>
      `--outer\r\nContent-Type: ${MIXED}\r\n\r\n${around(sdp)}\r\n--outer\r\n\r\nx\r\n--outer--`,
  ],
];

for (const [name, type, make] of VARIANTS) {
  test(`${name} is read`, async () => {
    const ends = await makeEnds();
    const body = make(ends.near.sdp());
    sendsInvite(ends, body, type);
    const { message } = await ends.pbx.receivesOn("INVITE");
    expect(taken(message.body).rest).toBe(taken(body).rest);
    expect(taken(message.body).sdp).toContain(`c=IN IP4 ${INSIDE}\r\n`);
  });
}

test("a part that tells its length tells the new one", async () => {
  const ends = await makeEnds();
  const sdp = crlf(ends.near.sdp());
  const head = (length: number): string => `${sdpHead}\r\nContent-Length: ${length}`;
  sendsInvite(ends, around(sdp, head(sdp.length)));
  const { message } = await ends.pbx.receivesOn("INVITE");
  const length = Number(/Content-Length: (\d+)/.exec(message.body)?.[1]);
  expect(length).not.toBe(sdp.length);
  expect(taken(message.body, head(length)).sdp).toHaveLength(length);
});

test("without SDP in it a body passes as it is, inside addresses and all", async () => {
  const ends = await makeEnds();
  const talk = await phoneCalls(ends);
  const body = `--edge\r\n${LOCATION}\r\n--edge--`;
  sendsExactlyInDialog(ends.pbx, talk.pbxSide, "INFO", { body: { type: MIXED, bytes: body } });
  expect((await ends.phone.receives("INFO")).body).toBe(body);
});

const plain = `Content-Type: application/sdp\r\n\r\n`;
const HIDDEN: readonly [string, string, (sdp: string) => string][] = [
  ["no boundary", "multipart/mixed", around],
  ["no end", MIXED, (sdp) => around(sdp).replace("--edge--", "")],
  ["base64", MIXED, (sdp) => around(sdp, `${sdpHead}\r\nContent-Transfer-Encoding: base64`)],
  ["two descriptions", MIXED, (sdp) => around(sdp).replace(LOCATION, `${plain}v=0`)],
  ["an early session", MIXED, (sdp) => around(sdp, sdpHead.replace("session", "early-session"))],
  ["a description where we see none", MIXED, (sdp) => around(sdp).replace("preamble", plain)],
  ["a signed body", "multipart/signed;boundary=edge", around],
  ["a type twice", MIXED, (sdp) => around(sdp, `${sdpHead}\r\nContent-Type: text/plain`)],
  [
    "a second description whose type is written apart",
    MIXED,
    (sdp) => around(sdp).replace(LOCATION, "Content-Type: application /\r\n sdp\r\n\r\nv=0"),
  ],
];

for (const [name, type, make] of HIDDEN) {
  test(`415: SDP in a body with ${name}`, async () => {
    const ends = await makeEnds();
    sendsInvite(ends, make(ends.near.sdp()), type);
    await ends.phone.receives("415 INVITE");
    expect(await ends.pbx.receivesNothingMore()).toBeUndefined();
    expect(ends.place.status.media.portsInUse).toBe(0);
  });

  test(`an answer in a body with ${name} does not reach the phone`, async () => {
    const { phone, pbx, near, far } = await makeEnds();
    phone.sendsInvite("600", near.sdp());
    const invite = await pbx.receivesOn("INVITE");
    const exact = { type, bytes: make(far.sdp()) };
    answersExactly(pbx, invite, 200, { tag: "pbx", contact: pbx.contact, exact });
    const { body } = await phone.receives("200 INVITE");
    expect(body).toBe("");
  });
}

test("a refusal that lists what would do names no inside address in a part either", async () => {
  const { phone, pbx, near, far } = await makeEnds();
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  answersExactly(pbx, invite, 488, { tag: "p", exact: { type: MIXED, bytes: around(far.sdp()) } });
  expect((await phone.receives("488 INVITE")).body).toBe("");
});

test("an instance's offer in a part reaches the phone, and its answer comes back", async () => {
  const ends = await makeEnds();
  const talk = await pbxCalls(ends);
  const { phone, pbx, near, far, pbxSide } = talk;
  const body = around(far.sdp({ version: 2 }));
  const headers = [["Contact", `<${pbx.contact}>`]] as const;
  sendsExactlyInDialog(pbx, pbxSide, "INVITE", { headers, body: { type: MIXED, bytes: body } });
  const invite = await phone.receivesOn("INVITE");
  const { sdp, rest } = taken(invite.message.body);
  expect(rest).toBe(taken(body).rest);
  expect(sdp).toContain(`c=IN IP4 ${OUTSIDE}\r\n`);
  near.uses(sdp);
  phone.replies(invite, 200, "phone", near.sdp());
  far.uses((await pbx.receives("200 INVITE")).body);
  pbx.inDialog(pbxSide, "ACK");
  await phone.receives("ACK");
  await expectAudio(talk);
});

test("an offer in the 200 and its answer in the ACK, both among other parts", async () => {
  const ends = await makeEnds();
  const { phone, pbx, near, far } = ends;
  phone.sendsInvite("600", "");
  const invite = await pbx.receivesOn("INVITE");
  const exact = { type: MIXED, bytes: around(far.sdp()) };
  answersExactly(pbx, invite, 200, { tag: "pbx", contact: pbx.contact, exact });
  const offer = await phone.receives("200 INVITE");
  expect(taken(offer.body).sdp).toContain(`c=IN IP4 ${OUTSIDE}\r\n`);
  near.uses(taken(offer.body).sdp);
  const headers = [["Content-Type", MIXED]] as const;
  const body = around(near.sdp()).replaceAll("\r\n", "\n");
  phone.inDialog(callerDialog(offer), "ACK", { headers, body });
  const ack = taken((await pbx.receives("ACK")).body);
  expect(ack.sdp).toContain(`c=IN IP4 ${INSIDE}\r\n`);
  far.uses(ack.sdp);
  await expectAudio(ends);
});
