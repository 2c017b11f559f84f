import { expect, test } from "bun:test";
import type { Phone } from "../peers/phone.ts";
import { uriOf } from "../peers/sip-text.ts";
import type { TelephoneSystem } from "../peers/telephone-system.ts";
import type { ExtraHeaders } from "../peers/user-agent.ts";
import { Place } from "./place.ts";

async function ends(instance = {}): Promise<{ place: Place; pbx: TelephoneSystem; phone: Phone }> {
  const place = await Place.open({ instance });
  return { place, pbx: await place.pbx(), phone: await place.phone() };
}

let cseq = 0;

function register(phone: Phone, headers: ExtraHeaders): void {
  cseq += 1;
  phone.requests("REGISTER", {
    uri: "sip:mycompany",
    from: `<${phone.uri}>;tag=r`,
    to: `<${phone.uri}>`,
    callId: "registering",
    cseq,
    headers,
  });
}

/** The telephone system answers by hand from now on. */
function byHand(pbx: TelephoneSystem): void {
  pbx.automatic = (received) => received.message.method === "OPTIONS";
}

const PHONE = "sip:100@192.168.1.10:5061;transport=tls";
const SECOND = "sip:100@192.168.1.10:5071;transport=tls";

for (const routing of ["path", "contact"]) {
  test(`several contacts with q and expires of their own, in ${routing} mode`, async () => {
    const { place, pbx, phone } = await ends({ sip: { routing } });
    byHand(pbx);
    register(phone, [
      ["Contact", `"Desk, 1" <${PHONE}>;q=0.7;expires=120;audio`],
      ["m", `<${SECOND}>;q=0.1`],
      ["Expires", "300"],
    ]);
    const came = await pbx.receivesOn("REGISTER");
    const contacts = came.message.values("Contact");
    expect(contacts.length).toBe(2);
    expect(contacts[0]).toStartWith('"Desk, 1" <sip:');
    expect(contacts[0]).toEndWith(">;q=0.7;expires=120;audio");
    expect(contacts[1]).toEndWith(">;q=0.1");
    expect(came.message.header("Expires")).toBe("300");
    const path = came.message.lines("Path").map((value) => ["Path", value] as const);
    pbx.answers(came, 200, {
      headers: [...path, ["Contact", `${contacts.join(", ")};expires=60`]],
    });
    const answer = await phone.receives("200 REGISTER");
    const shown = answer.values("Contact");
    expect(shown.map(uriOf)).toEqual([PHONE, SECOND]);
    expect(shown[0]).toContain(";q=0.7;expires=120");
    expect(shown[1]).toContain(";q=0.1;expires=60");
    expect(place.status.sip.flows).toBe(1);
  });
}

test("a star removes all contacts, untouched on its way", async () => {
  const { place, pbx, phone } = await ends();
  expect((await phone.registers()).status).toBe(200);
  byHand(pbx);
  register(phone, [
    ["Contact", "*"],
    ["Expires", "0"],
  ]);
  const came = await pbx.receivesOn("REGISTER");
  expect(came.message.lines("Contact")).toEqual(["*"]);
  expect(came.message.header("Expires")).toBe("0");
  pbx.answers(came, 200);
  expect((await phone.receives("200 REGISTER")).has("Contact")).toBe(false);
  expect(place.status.sip.flows).toBe(0);
});

test("expires=0 of one contact removes that one alone", async () => {
  const { pbx, phone } = await ends();
  expect((await phone.registers()).status).toBe(200);
  byHand(pbx);
  register(phone, [["Contact", `<${SECOND}>;expires=0, <${phone.contact}>;expires=600`]]);
  const came = await pbx.receivesOn("REGISTER");
  const [gone, kept = ""] = came.message.values("Contact");
  expect(gone).toEndWith(";expires=0");
  expect(kept).toEndWith(";expires=600");
  const path = [["Path", came.message.header("Path")]] as const;
  pbx.answers(came, 200, { headers: [...path, ["Contact", kept]] });
  const answer = await phone.receives("200 REGISTER");
  expect(answer.values("Contact").map(uriOf)).toEqual([phone.contact]);
});

test("a query without Contact asks what is registered, and shows the phone its own only", async () => {
  const { pbx, phone } = await ends();
  await phone.registers();
  byHand(pbx);
  const mine = pbx.registrationOf("100").contact;
  register(phone, []);
  const came = await pbx.receivesOn("REGISTER");
  expect(came.message.has("Contact")).toBe(false);
  const all = `<${mine}>;expires=99, <sip:100@192.0.2.7:5060>;expires=3600`;
  pbx.answers(came, 200, { headers: [["Contact", all]] });
  const answer = await phone.receives("200 REGISTER");
  expect(answer.values("Contact")).toEqual([`<${phone.contact}>;expires=99`]);
});

test("423 with Min-Expires goes back as it is, and the phone's longer try is another", async () => {
  const { place, pbx, phone } = await ends();
  byHand(pbx);
  phone.sendsRegister({ expires: 10 });
  const came = await pbx.receivesOn("REGISTER");
  expect(came.message.header("Expires")).toBe("10");
  pbx.answers(came, 423, { headers: [["Min-Expires", "1200"]] });
  expect((await phone.receives("423 REGISTER")).header("Min-Expires")).toBe("1200");
  expect(place.status.sip.flows).toBe(0);
  pbx.registersPhones();
  expect((await phone.registers({ expires: 1200 })).status).toBe(200);
});

/** As phones and telephone systems write them: order, spacing and case are theirs. */
const CHALLENGES = [
  'Digest  realm="a, b",nonce="==/+\\"x",opaque="",qop="auth,auth-int" ,algorithm=MD5-sess',
  'DIGEST realm="mycompany", nonce="1", algorithm=SHA-256, stale=TRUE, charset=UTF-8, userhash=false',
];
const CREDENTIALS =
  'Digest username="1\\"00", realm="a, b",nonce="==/+\\"x",uri="sip:mycompany;x=y",response="00",' +
  'qop=auth ,nc=00000001,cnonce="c,;"  , opaque=""';

for (const [status, asks, answers] of [
  [401, "WWW-Authenticate", "Authorization"],
  [407, "Proxy-Authenticate", "Proxy-Authorization"],
] as const) {
  test(`${status}: challenge and credentials keep every byte, also two challenges at once`, async () => {
    const { pbx, phone } = await ends();
    byHand(pbx);
    phone.sendsRegister();
    const headers = CHALLENGES.map((value) => [asks, value] as const);
    pbx.answers(await pbx.receivesOn("REGISTER"), status, { headers });
    const asked = await phone.receives(`${status} REGISTER`);
    for (const value of CHALLENGES) expect(asked.text).toContain(`\r\n${asks}: ${value}\r\n`);
    phone.sendsRegister({ headers: [[answers, CREDENTIALS]] });
    const came = await pbx.receives("REGISTER");
    expect(came.text).toContain(`\r\n${answers}: ${CREDENTIALS}\r\n`);
  });
}
