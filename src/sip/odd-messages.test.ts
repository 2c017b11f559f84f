// Odd but valid messages (RFC 4475 §3.1.1): each is read, and written again with the same bytes.
import { expect, test } from "bun:test";
import { formatMessage } from "./format-message.ts";
import type { SipMessage, SipRequest } from "./message.ts";
import { parseMessage } from "./parse-message.ts";

const VIA = "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1";
const FROM = "From: <sip:a@a.example>;tag=1";
const TO = "To: <sip:b@a.example>";
const CALL_ID = "Call-ID: c1@192.0.2.1";
const CSEQ = "CSeq: 1 OPTIONS";
const START = "OPTIONS sip:b@a.example SIP/2.0";
const FIVE = [VIA, FROM, TO, CALL_ID, CSEQ];

function bytesOf(lines: readonly string[], body = ""): Buffer {
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`, "latin1");
}

function request(message: SipMessage): SipRequest {
  if (message.kind !== "request") throw new Error("not a request");
  return message;
}

/** Read, and written again with the same bytes. */
function checkLossless(bytes: Buffer): SipMessage {
  const message = parseMessage(bytes);
  expect(Buffer.from(formatMessage(message)).toString("latin1")).toBe(bytes.toString("latin1"));
  return message;
}

test("white space everywhere the grammar allows it (as RFC 4475 §3.1.1.1)", () => {
  const message = checkLossless(
    bytesOf(
      [
        "INVITE sip:vivekg@chair.example;unknownparam SIP/2.0",
        "TO :",
        " sip:vivekg@chair.example ;   tag    = 1918181833n",
        'from   : "J Rosenberg \\\\\\""       <sip:jdrosen@a.example>',
        "  ;",
        "  tag = 98asjd8",
        "MaX-fOrWaRdS: 0068",
        "Call-ID: wsinv.ndaksdj@192.0.2.1",
        "Content-Length   : 4",
        "cseq: 0009",
        "  INVITE",
        "Via  : SIP  /   2.0",
        " /UDP",
        "    192.0.2.2;branch=390skdjuw",
        "s :",
        "NewFangledHeader:   newfangled value",
        " continued newfangled value",
        "UnknownHeaderWithUnusualValue: ;;,,;;,;",
        "Route:",
        " <sip:services.a.example;lr;unknownwith=value;unknown-no-value>",
        "v:  SIP  / 2.0  / TCP     spindle.example   ;",
        "  branch  =   z9hG4bK9ikj8  ,",
        " SIP  /    2.0   / UDP  192.168.255.111   ; branch=",
        " z9hG4bK30239",
        'm:"Quoted string \\"\\"" <sip:jdrosen@a.example> ; newparam =',
        "      newvalue ;",
        "  secondparam ; q = 0.33",
      ],
      "v=0\n",
    ),
  );
  expect(message.headers.values("via")).toHaveLength(3);
  expect(message.headers.get("max-forwards")).toBe("0068");
  expect(message.headers.get("subject")).toBe("");
  expect(message.body).toHaveLength(4);
});

test("unusual tokens, quoted controls and UTF-8 (as RFC 4475 §3.1.1.2, NUL left out)", () => {
  const unusual =
    "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@a.example";
  const message = checkLossless(
    bytesOf([
      `!interesting-Method0123456789_*+\`.%indeed'~ ${unusual} SIP/2.0`,
      "Via: SIP/2.0/TCP host1.a.example;branch=z9hG4bK-.!%66*_+`'~",
      `To: "BEL:\\\x07 DEL:\\\x7f" <${unusual}>`,
      "From: token1~` token2'+_ token3*%!.- <sip:mundane@a.example>;fromParam''~+*_!.-%=\"\xd1\x80\";tag=_token~1'+`*%!-.",
      "Call-ID: intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
      "CSeq: 139122385 !interesting-Method0123456789_*+`.%indeed'~",
      "Max-Forwards: 255",
      "extensionHeader-!.%*+_`'~:\xef\xbb\xbf\xe5\xa4\xa7\xe5\x81\x9c\xe9\x9b\xbb",
      "Content-Length: 0",
    ]),
  );
  expect(request(message).uri).toBe(unusual);
  expect(message.headers.get("extensionheader-!.%*+_`'~")).toStartWith("\xef\xbb\xbf");
});

test("long names and values, in compact forms (as RFC 4475 §3.1.1.7)", () => {
  const long = "amplify".repeat(300);
  const message = checkLossless(
    bytesOf([
      `INVITE sip:user@${"l".repeat(50)}.a.example;x=${long} SIP/2.0`,
      `t: "I have a user name of ${long}" <sip:user@a.example:6000;x=${long}>`,
      `f: sip:${long}@a.example;tag=12${long};y=${long}`,
      "i: longreq.one",
      "CSeq: 3882340 INVITE",
      `Unknown-${long}-Name: unknown-${long}-value`,
      ...Array.from({ length: 34 }, (_, at) => `v: SIP/2.0/TCP sip${at}.a.example`),
      "l: 0",
    ]),
  );
  expect(message.headers.count("via")).toBe(34);
  expect(message.headers.get("from")).toContain(`;tag=12${long}`);
});

test("responses with UTF-8, long or empty reasons (as RFC 4475 §3.1.1.12, 13)", () => {
  const rest = [VIA, FROM, TO, CALL_ID, "CSeq: 1 INVITE", "Content-Length: 0"];
  const utf8 = "= 2**3 * 5**2 \xd0\xbd\xd0\xbe \xd1\x81\xd1\x82\xd0\xbe";
  const first = checkLossless(bytesOf([`SIP/2.0 200 ${utf8}`, ...rest]));
  expect(first).toMatchObject({ kind: "response", status: 200, reason: utf8 });
  expect(checkLossless(bytesOf(["SIP/2.0 100 ", ...rest]))).toMatchObject({ reason: "" });
  expect(parseMessage(bytesOf(["sip/2.0 699", ...rest]))).toMatchObject({
    status: 699,
    reason: "",
  });
});

test("unknown methods, schemes and transports", () => {
  for (const uri of [
    "tel:+4930123456;x=y",
    "urn:service:sos",
    "nobodyKnowsThisScheme:totallyopaque",
  ]) {
    const lines = [`NEWMETHOD ${uri} SIP/2.0`, VIA.replace("UDP", "QUIC"), FROM, TO, CALL_ID];
    const message = checkLossless(bytesOf([...lines, "CSeq: 0 NEWMETHOD", "Content-Length: 0"]));
    expect(request(message)).toMatchObject({ method: "NEWMETHOD", uri });
  }
});

test("a request from an element of RFC 2543: no branch, no tag, no Max-Forwards", () => {
  const lines = [START, "Via: SIP/2.0/UDP 192.0.2.1", "From: sip:a@a.example", TO, CALL_ID, CSEQ];
  checkLossless(bytesOf([...lines, "Content-Length: 0"]));
});

test("binary bodies", () => {
  const body = String.fromCharCode(...Array.from({ length: 256 }, (_, at) => at));
  const message = checkLossless(bytesOf([START, ...FIVE, "Content-Length: 256"], body));
  expect(message.body[255]).toBe(255);
});
