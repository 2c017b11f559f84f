import { expect, test } from "bun:test";
import { latin1, type SipText, sipText } from "../peers/sip-text.ts";
import { answerText } from "../peers/user-agent.ts";
import { makeEnds, phoneCalls, phoneHangsUp } from "./talk.ts";

/** What others would put right: odd case, spacing, order, compact names, doubled and unknown headers. */
const ODD_LINES = [
  "subject:  spaces   kept \t inside",
  "k: 100rel , timer,replaces",
  "Allow: INVITE,ACK, BYE,CANCEL",
  "Allow: x-%2aodd",
  'P-Asserted-Identity: "M\u00fcller, \\"A\\"" <sip:100@mycompany>',
  "Remote-Party-ID: <sip:100@mycompany>;party=calling;privacy=off",
  "Privacy: id;critical",
  "Date: Mon,  29 Feb 2027 24:61:00 CET",
  "Call-Info: <http://www.example.com/alice/photo.jpg> ;purpose=icon",
  "Alert-Info: <http://127.0.0.1/ring>;info=alert-internal;x-line-id=0",
  "Geolocation: <cid:x@y>",
  'Reason: SIP ;cause=200 ;text="Call completed elsewhere"',
  "User-to-User: 00ff;encoding=hex",
  "X-Empty:",
  "x-lower: \u00ff\u0080",
  "Timestamp: 54.7",
  "In-Reply-To: a@b, c@d",
  "Accept-Contact: *;audio;require",
];

/** Those the proxy has to change, and those it adds (RFC 3261 §16.6, RFC 5658). */
const ROUTING = /^(Via|Max-Forwards|Record-Route|Route|Contact|Content-Length|X-Forwarded-For):/;

const headOf = (text: string): string[] => (text.split("\r\n\r\n")[0] ?? "").split("\r\n").slice(1);
const plain = (text: string): string[] => headOf(text).filter((line) => !ROUTING.test(line));

/** With these lines before its Content-Length. */
const withLines = (template: string): Uint8Array =>
  latin1(
    sipText(template.replace("Content-Length: *", "Content-Length: 0\nMARK")).replace(
      "MARK",
      ODD_LINES.join("\r\n"),
    ),
  );

const FROM = '"Al \\"B\\" \u00fc"<sip:100@mycompany;x=%41?h=v>;TAG=Ab.c~1;epid=0';
const TO = "sip:200@mycompany;not-a-uri-param";
const CALL_ID = 'Odd(Call)<ID>:\\{x}"?@[::1]';

function sentBy(text: Uint8Array): string {
  return Buffer.from(text).toString("latin1");
}

function expectSame(sent: Uint8Array, seen: SipText): void {
  expect(plain(seen.text)).toEqual(plain(sentBy(sent)));
}

test("a request of a phone and its answer keep every line that routing does not need", async () => {
  const { phone, pbx } = await makeEnds();
  const parts = { uri: "sip:200@mycompany;p=1", from: FROM, to: TO, callId: CALL_ID, cseq: 4711 };
  const contact = [["Contact", `<${phone.contact}>`]] as const;
  const sent = withLines(phone.requestText("INVITE", { ...parts, headers: contact }));
  phone.sendsBytes(sent);
  const came = await pbx.receivesOn("INVITE");
  expectSame(sent, came.message);
  expect(came.message.uri).toBe(parts.uri);
  expect(came.message.lines("Max-Forwards")).toEqual(["69"]);
  const answer = withLines(
    answerText(came.message, 486, { tag: "T.x", reason: "Odd  r\u00e9ason" }),
  );
  pbx.sendsBytes(answer, { to: came.message.from, wire: came.wire });
  const seen = await phone.receives("486 INVITE");
  expect(plain(seen.text)).toEqual(plain(sentBy(answer)));
  expect(seen.startLine).toBe("SIP/2.0 486 Odd  r\u00e9ason");
});

test("a request of the telephone system and its answer likewise", async () => {
  const { phone, pbx } = await makeEnds();
  const { contact, path } = pbx.registrationOf("100");
  const headers = [
    ...path.map((route) => ["Route", route] as const),
    ["Contact", `<${pbx.contact}>`] as const,
  ];
  const parts = { uri: contact, from: FROM, to: TO, callId: CALL_ID, cseq: 2147483647, headers };
  const sent = withLines(pbx.requestText("INVITE", parts));
  pbx.sendsBytes(sent, { to: pbx.destination(path) ?? { address: "", port: 0 } });
  const came = await phone.receivesOn("INVITE");
  expectSame(sent, came.message);
  const answer = withLines(answerText(came.message, 603, { tag: "T.y" }));
  phone.sendsBytes(answer);
  expect(plain((await pbx.receives("603 INVITE")).text)).toEqual(plain(sentBy(answer)));
});

test("Call-ID, tags and CSeq are the same on both sides for the whole of a call", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { phone, pbx, invite, answer, phoneSide, pbxSide } = talk;
  const ids = (message: SipText): string[] =>
    ["Call-ID", "From", "CSeq"].map((name) => message.header(name));
  expect(ids(answer)).toEqual(ids(invite.message));
  expect(phoneSide.remote).toBe(pbxSide.local);
  expect(pbxSide.remote).toBe(phoneSide.local);
  pbx.inDialog(pbxSide, "INFO");
  const info = await phone.receivesOn("INFO");
  expect(ids(info.message)).toEqual([pbxSide.callId, pbxSide.local, `${pbxSide.cseq} INFO`]);
  phone.answers(info, 200);
  await pbx.receives("200 INFO");
  await phoneHangsUp(talk);
});
