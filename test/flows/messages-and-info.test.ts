import { expect, test } from "bun:test";
import type { SipText } from "../peers/sip-text.ts";
import { answersExactly, ODD_BYTES, sendsExactly, sendsExactlyInDialog } from "./exact-body.ts";
import { makeEnds, phoneCalls, phoneHangsUp } from "./talk.ts";

const METHODS = ["MESSAGE", "INFO", "OPTIONS", "PUBLISH", "BANANA", "x-%2a!"];
const HEADERS = [
  ["Info-Package", "dtmf-odd;q=1"],
  ["Content-Disposition", "render;handling=optional"],
  ["X-Whatever", 'a  "b,c" ;;'],
] as const;

/** Here the script answers OPTIONS, and no other than its own shall come. */
const UNASKED = { instance: { sip: { healthCheck: false } } };

function expectExact(seen: SipText, type: string): void {
  expect(seen.body).toBe(ODD_BYTES);
  expect(seen.header("Content-Type")).toBe(type);
  for (const [name, value] of HEADERS) expect(seen.text).toContain(`\r\n${name}: ${value}\r\n`);
}

test("any method passes outside dialogs both ways, its body and its answer's byte for byte", async () => {
  const { phone, pbx } = await makeEnds(UNASKED);
  pbx.automatic = () => false;
  const { contact, path } = pbx.registrationOf("100");
  const routes = path.map((value) => ["Route", value] as const);
  for (const method of METHODS) {
    const body = { type: `application/${method.toLowerCase()}`, bytes: ODD_BYTES };
    const type = `application/${method.toLowerCase()}`;
    const users = { from: "<sip:100@mycompany>;tag=a", to: "<sip:200@mycompany>" };
    sendsExactly(phone, method, { uri: "sip:200@mycompany", ...users, headers: HEADERS, body });
    const inside = await pbx.receivesOn(method);
    expectExact(inside.message, type);
    answersExactly(pbx, inside, 202, { headers: HEADERS, exact: body });
    expectExact(await phone.receives(`202 ${method}`), type);
    const headers = [...routes, ...HEADERS];
    sendsExactly(pbx, method, { uri: contact, ...users, headers, body });
    const outside = await phone.receivesOn(method);
    expectExact(outside.message, type);
    answersExactly(phone, outside, 415, { headers: HEADERS, exact: body });
    expectExact(await pbx.receives(`415 ${method}`), type);
  }
});

test("any method passes within a call both ways", async () => {
  const talk = await phoneCalls(await makeEnds(UNASKED));
  const { phone, pbx, phoneSide, pbxSide } = talk;
  pbx.automatic = () => false;
  for (const method of METHODS) {
    const type = "application/x-odd";
    const body = { type, bytes: ODD_BYTES };
    sendsExactlyInDialog(phone, phoneSide, method, { headers: HEADERS, body });
    const inside = await pbx.receivesOn(method);
    expectExact(inside.message, type);
    answersExactly(pbx, inside, 200, { headers: HEADERS, exact: body });
    expectExact(await phone.receives(`200 ${method}`), type);
    sendsExactlyInDialog(pbx, pbxSide, method, { headers: HEADERS, body });
    const outside = await phone.receivesOn(method);
    expectExact(outside.message, type);
    answersExactly(phone, outside, 200, { headers: HEADERS, exact: body });
    expectExact(await pbx.receives(`200 ${method}`), type);
  }
  await phoneHangsUp(talk);
});

test("DTMF by INFO, in the forms of dtmf-relay, dtmf and SIP-INFO with a package", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { phone, pbx, phoneSide } = talk;
  for (const [type, bytes] of [
    ["application/dtmf-relay", "Signal=5\r\nDuration=160"],
    ["application/dtmf-relay", "Signal= #\nDuration= 250\n\n"],
    ["application/dtmf", "*"],
    ["application/hook-flash", "signal=hf"],
  ] as const) {
    sendsExactlyInDialog(phone, phoneSide, "INFO", { body: { type, bytes } });
    const info = await pbx.receivesOn("INFO");
    expect(info.message.body).toBe(bytes);
    expect(info.message.header("Content-Type")).toBe(type);
    pbx.answers(info, 200);
    await phone.receives("200 INFO");
  }
  await phoneHangsUp(talk);
});

test("a provisional answer to what is no INVITE stays here (RFC 4320 §4.1)", async () => {
  const { phone, pbx } = await makeEnds();
  const users = { from: "<sip:100@mycompany>;tag=a", to: "<sip:200@mycompany>" };
  const body = { type: "text/plain", bytes: "hi" };
  sendsExactly(phone, "MESSAGE", { uri: "sip:200@mycompany", ...users, body });
  const message = await pbx.receivesOn("MESSAGE");
  pbx.answers(message, 180);
  pbx.answers(message, 200);
  await phone.receives("200 MESSAGE");
  await phone.receivesNothingMore();
});
