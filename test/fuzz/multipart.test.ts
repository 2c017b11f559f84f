/** Mutants of multipart bodies: what is read lies within the body, in order, and can be put back as it was. */
import { expect, test } from "bun:test";
import { sdpPartOf } from "../../src/proxy/sdp-part.ts";
import { bodyParts } from "../../src/sip/multipart.ts";
import { parseMessage } from "../../src/sip/parse-message.ts";
import { mutant } from "./mutations.ts";
import { Random } from "./random.ts";

const TRIES = 20_000;
const TYPES = ["multipart/mixed;boundary=b", 'multipart/related; type="x"; boundary="b"'];
const SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nm=audio 4000 RTP/AVP 8";

const part = (type: string, text: string): string =>
  `--b\r\nContent-Type: ${type}\r\n\r\n${text}\r\n`;
const CORPUS = [
  `${part("application/sdp", SDP)}${part("application/xml", "<a/>")}--b--\r\n`,
  `pre\r\n${part("text/plain", "--b ")}${part("application/sdp\r\nContent-Length: 9", SDP)}--b--`,
  `${part("multipart/mixed;boundary=c", `--c\r\n\r\nx\r\n--c--`)}${part("application/sdp", SDP)}--b--`,
];

function message(body: string, type: string) {
  const head = `MESSAGE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bKx\r\nMax-Forwards: 70\r\n`;
  const ends = `From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 MESSAGE\r\n`;
  const length = `Content-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n`;
  return parseMessage(Buffer.from(head + ends + length + body, "latin1"));
}

test("parts of mutants are in order and within; a description is exchanged and nothing else", () => {
  const outcomes = { none: 0, hidden: 0, part: 0 };
  for (let seed = 0; seed < TRIES; seed++) {
    const random = new Random(seed);
    const body = mutant(random, CORPUS).slice(0, 60_000);
    const type = random.pick(TYPES);
    let last = 0;
    for (const { headersStart, start, end } of bodyParts(body, type) ?? []) {
      expect(last <= headersStart && headersStart <= start && start <= end).toBe(true);
      last = end;
    }
    expect(last).toBeLessThanOrEqual(body.length);
    const found = sdpPartOf(message(body, type));
    outcomes[typeof found === "string" ? found : "part"]++;
    if (typeof found === "string") continue;
    const length = /content-length[ \t]*:[ \t]*\d+/gi;
    expect(found.bodyWith(found.text).replace(length, "")).toBe(body.replace(length, ""));
  }
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(TRIES / 100);
});
