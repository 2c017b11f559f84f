import { expect, test } from "bun:test";
import { latin1 } from "../peers/sip-text.ts";
import { HOME_PUBLIC, INSIDE, Place } from "./place.ts";
import { type Ends, makeEnds } from "./talk.ts";

let count = 0;

/** A MESSAGE of the phone with these lines as they stand; null: it was refused with 400. */
async function passes({ phone, pbx }: Ends, lines: string): Promise<string | null> {
  count += 1;
  const text = `MESSAGE sip:200@mycompany SIP/2.0
Via: SIP/2.0/TLS 192.168.1.10:5061;branch=z9hG4bK-smuggled-${count};rport
From: <sip:100@mycompany>;tag=a
To: <sip:200@mycompany>
Call-ID: smuggled-${count}
CSeq: 1 MESSAGE
LINES
Content-Length: 0

`;
  // Where the end of the message is in doubt the connection has been ended.
  if (phone.wire?.isOpen !== true) await phone.connects();
  const bytes = latin1(text.replaceAll("\n", "\r\n").replace("LINES", lines));
  phone.sendsBytes(bytes);
  const seen = await phone.outside.waitFor(
    () => pbx.inbox.shift() ?? phone.inbox.shift(),
    () => `nothing came of ${lines}`,
  );
  if (seen.message.status > 0) {
    expect(seen.message.status).toBe(400);
    return null;
  }
  pbx.answers(seen, 200);
  await phone.receives("200 MESSAGE");
  return seen.message.text;
}

/** One header line that the inside believes, as a stranger may spell it (CVE-2020-28361). */
const spellings = (name: string, value: string): readonly string[] => [
  `${name}: ${value}`,
  `${name.toUpperCase()}:${value}`,
  `${name.toLowerCase()} : ${value}`,
  `${name}\t: ${value}`,
  `${name}  \t:\t${value}`,
  `${name}:\r\n ${value}`,
  `${name}: \r\n\t \r\n ${value}`,
  `${name} \r\n : ${value}`,
  `X-A: 1\r\n${name}: ${value}\r\n${name} : ${value}`,
  `X-A: 1\n${name}: ${value}`,
  `X-A: 1\r${name}: ${value}`,
  `X-A: 1\0\r\n${name}: ${value}`,
  `X-A: "\r\n${name}: ${value}\r\nX-B: "`,
  `X-A: (\r\n${name}: ${value}\r\nX-B: )`,
];

test("the source header is ours, however a stranger spells it", async () => {
  const ends = await makeEnds();
  let refused = 0;
  for (const lines of spellings("X-Forwarded-For", "10.9.9.9")) {
    const seen = await passes(ends, lines);
    if (seen === null) refused += 1;
    else {
      expect(seen).not.toContain("10.9.9.9");
      expect(seen.match(/^X-Forwarded-For/gim)).toEqual(["X-Forwarded-For"]);
      expect(seen).toContain(`\r\nX-Forwarded-For: ${HOME_PUBLIC}\r\n`);
    }
  }
  expect(refused).toBeLessThan(7);
});

test("a configured one likewise, and the usual one is not believed beside it", async () => {
  const ends = await makeEnds({ instance: { sip: { sourceHeader: "X-Real-Ip" } } });
  for (const lines of [
    ...spellings("X-Real-IP", "10.9.9.9"),
    ...spellings("X-Forwarded-For", "10.9.9.9"),
  ]) {
    const seen = await passes(ends, lines);
    expect(seen ?? "").not.toContain("10.9.9.9");
  }
});

test("Record-Route and Path of a stranger's making do not pass in any spelling", async () => {
  const ends = await makeEnds();
  for (const name of ["Record-Route", "Path"]) {
    for (const lines of spellings(name, "<sip:evil.example;lr>")) {
      const seen = await passes(ends, lines);
      if (name === "Record-Route") expect(seen ?? "").not.toContain("evil.example");
    }
  }
  ends.phone.sendsBytes(
    latin1(
      [
        "REGISTER sip:mycompany SIP/2.0",
        "v: SIP/2.0/TLS 192.168.1.10:5061;branch=z9hG4bK-path;rport",
        "f: <sip:100@mycompany>;tag=a",
        "t: <sip:100@mycompany>",
        "i: path",
        "CSeq: 1 REGISTER",
        "m: <sip:100@192.168.1.10:5061>",
        "pAtH \t: <sip:evil.example;lr>",
        "l: 0",
        "",
        "",
      ].join("\r\n"),
    ),
  );
  await ends.phone.receives("200 REGISTER");
  const path = ends.pbx.registers.at(-1)?.values("Path") ?? [];
  expect(path.length).toBe(1);
  expect(path[0]).toContain(`@${INSIDE}:15060`);
});

test("a header that may stand once and stands twice is refused, long, short or mixed", async () => {
  const ends = await makeEnds();
  for (const lines of [
    "To: <sip:200@mycompany>",
    "t: <sip:200@mycompany>",
    "From : <sip:999@mycompany>;tag=b",
    "f:<sip:100@mycompany>;tag=a",
    "i: other",
    "call-id: other",
    "CSeq: 2 MESSAGE",
    "Max-Forwards: 1\r\nMAX-FORWARDS: 70",
    "l: 0",
    "Content-Type: text/plain\r\nc: application/sdp",
  ]) {
    expect([lines, await passes(ends, lines)]).toEqual([lines, null]);
  }
});

test("two parsers read the same end of the head: the inside gets CRLF and one length alone", async () => {
  const place = await Place.open({ proxy: { voipSip: "udp", voipMedia: "rtp" } });
  const pbx = await place.pbx();
  const phone = await place.phone({ transport: "udp" });
  const text = `MESSAGE sip:200@mycompany SIP/2.0
Via: SIP/2.0/UDP 192.168.1.10:5060;branch=z9hG4bK-lf;rport
From: <sip:100@mycompany>;tag=a
To: <sip:200@mycompany>
Call-ID: lf
CSeq: 1 MESSAGE
Content-Length : 00011

X-Body: 1

`;
  phone.sendsBytes(latin1(text), { to: { address: "203.0.113.5", port: 5060 } });
  const seen = await pbx.receivesOn("MESSAGE");
  expect(seen.message.body).toBe("X-Body: 1\n\n");
  expect(seen.message.text.replaceAll("\r\n", "").indexOf("\n")).toBeGreaterThan(0);
  const head = seen.message.text.slice(0, -seen.message.body.length);
  expect(head.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
  expect(seen.message.lines("Content-Length").map(Number)).toEqual([11]);
});
