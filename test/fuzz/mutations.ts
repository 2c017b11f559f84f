/**
 * Makes broken, lying and merely odd messages out of real ones: what a bad line, a bad phone and a bad
 * person do to them. Text is latin1, one character a byte. The same Random gives the same message.
 */
import type { Random } from "./random.ts";

type Mutation = (text: string, random: Random, corpus: readonly string[]) => string;

const HUGE = [
  "0",
  "-1",
  "+1",
  "00000000000000000000000001",
  "255",
  "256",
  "65535",
  "65536",
  "2147483647",
  "2147483648",
  "4294967295",
  "4294967296",
  "9007199254740993",
  "36893488147419103232",
  "9".repeat(400),
  "1e9",
  "0x10",
  "NaN",
  "",
];

const SPLINTERS = [
  "\r\n",
  "\n",
  "\r",
  "\r\n ",
  "\r\n\r\n",
  "\0",
  "\\\0",
  " ",
  "\t",
  ":",
  ";",
  ";;",
  ",",
  "<",
  ">",
  '"',
  "\\",
  "@",
  "?",
  "[",
  "]",
  "(((",
  "%00",
  "%0d%0a",
  "sip:",
  "tel:+49",
  ";lr",
  ";rport",
  ";maddr=127.0.0.1",
  ";received=127.0.0.1",
  ";tag=",
  ";transport=tls",
  ";branch=z9hG4bK",
  "SIP/2.0",
  "*",
  "\xff\xfe",
  "\xc3",
  "x".repeat(3000),
  ",".repeat(500),
  ";a".repeat(500),
  "(".repeat(500),
  '"\\'.repeat(200),
];

/** Whole lines that change what a message means. */
const LINES = [
  "Route: <sip:evil.example;lr>",
  "Route: <sip:203.0.113.5;lr>, <sip:10.0.3.150;lr>",
  "Record-Route: <sip:evil.example;lr>",
  "Path: <sip:evil.example;lr>",
  "Contact: *",
  "Contact: <sip:100@127.0.0.1>;expires=4294967296",
  "Contact: <sip:1@h>,<sip:2@h>,<sip:3@h>,<sip:4@h>",
  "m: sip:a@b?Route=%3Csip:c%3E",
  "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx",
  "v: SIP / 2.0 / UDP 255.255.255.255 : 5060",
  "Max-Forwards: 0",
  "Max-Forwards: 1",
  "Expires: 0",
  "Expires: 99999999999",
  "Session-Expires: 90;refresher=uac",
  "Min-SE: 4294967295",
  "Require: 100rel, timer",
  "Proxy-Require: x",
  "RSeq: 0",
  "RAck: 1 1 INVITE",
  "Replaces: a;to-tag=b;from-tag=c",
  "Refer-To: <sip:a@b?Replaces=c>",
  "Event: dialog",
  "Subscription-State: terminated",
  "Supported: path, outbound, gruu",
  "Authorization: Digest username=",
  "Content-Type: application/sdp",
  "Content-Type: multipart/mixed;boundary=x",
  "Content-Encoding: gzip",
  "Timestamp: x",
  "Subject:",
  ":",
  " folded",
  "X",
  `X-Long: ${"y".repeat(70_000)}`,
];

const SDP_LINES = [
  "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
  "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^64|1:200",
  "a=crypto:99999999999 X inline:",
  "m=audio 0 RTP/SAVP 0",
  "m=audio 65536 RTP/AVP 0",
  "m=audio -1/99 RTP/AVP",
  "m=video 5000 UDP/TLS/RTP/SAVPF 96",
  "m=",
  "c=IN IP4 0.0.0.0",
  "c=IN IP4 224.2.1.1/127/3",
  "c=IN IP6 ::1",
  "c=IN IP4 evil.example",
  "a=rtcp:1",
  "a=rtcp-mux",
  "a=ice-ufrag:x",
  "a=candidate:1 1 UDP 1 127.0.0.1 1 typ host",
  "a=sendonly",
  "a=inactive",
  "o=- 1 99999999999999999999 IN IP4 1.2.3.4",
  "b=AS:-1",
  "=",
];

const METHODS = [
  "INVITE",
  "ACK",
  "BYE",
  "CANCEL",
  "REGISTER",
  "OPTIONS",
  "PRACK",
  "UPDATE",
  "INFO",
  "REFER",
  "SUBSCRIBE",
  "NOTIFY",
  "MESSAGE",
  "PUBLISH",
  "NEWMETHOD",
  "invite",
];

const replaceAt = (text: string, from: number, to: number, by: string): string =>
  text.slice(0, from) + by + text.slice(to);

function headAndBody(text: string): [string[], string] {
  const end = text.indexOf("\r\n\r\n");
  const head = end < 0 ? text : text.slice(0, end);
  return [head.split("\r\n"), end < 0 ? "" : text.slice(end + 4)];
}

const joined = (lines: readonly string[], body: string): string =>
  `${lines.join("\r\n")}\r\n\r\n${body}`;

/** Changes one of the header lines, by its index, which is 1 at least. */
function withLine(
  text: string,
  random: Random,
  change: (lines: string[], at: number) => void,
): string {
  const [lines, body] = headAndBody(text);
  if (lines.length < 2) return text;
  change(lines, 1 + random.below(lines.length - 1));
  return joined(lines, body);
}

/** A random match of the pattern becomes what `by` gives. */
function replaceOne(
  text: string,
  random: Random,
  pattern: RegExp,
  by: (found: string) => string,
): string {
  const matches = [...text.matchAll(pattern)];
  if (matches.length === 0) return text;
  const { index, 0: found } = random.pick(matches);
  return replaceAt(text, index, index + found.length, by(found));
}

const flipBits: Mutation = (text, random) => {
  let out = text;
  for (let flips = 1 + random.below(8); flips > 0 && out.length > 0; flips -= 1) {
    const at = random.below(out.length);
    const code = out.charCodeAt(at) ^ (1 << random.below(8));
    out = replaceAt(out, at, at + 1, String.fromCharCode(code));
  }
  return out;
};

const cutPiece: Mutation = (text, random) => {
  const at = random.below(text.length);
  return replaceAt(text, at, at + random.below(60), "");
};

const cutEnd: Mutation = (text, random) => text.slice(0, random.below(text.length));
const cutStart: Mutation = (text, random) => text.slice(random.below(text.length));

const doublePiece: Mutation = (text, random) => {
  const at = random.below(text.length);
  return text.slice(0, at + random.below(200)) + text.slice(at);
};

const splice: Mutation = (text, random, corpus) => {
  const other = random.pick(corpus);
  return text.slice(0, random.below(text.length)) + other.slice(random.below(other.length));
};

const insertSplinter: Mutation = (text, random) => {
  const at = random.below(text.length);
  return replaceAt(text, at, at + (random.once(2) ? random.below(20) : 0), random.pick(SPLINTERS));
};

const doubleLine: Mutation = (text, random) =>
  withLine(text, random, (lines, at) => lines.splice(at, 0, lines[at] ?? ""));

const dropLine: Mutation = (text, random) =>
  withLine(text, random, (lines, at) => lines.splice(at, 1));

const swapLines: Mutation = (text, random) =>
  withLine(text, random, (lines, at) => {
    const other = random.below(lines.length);
    const [one = "", two = ""] = [lines[at], lines[other]];
    lines[at] = two;
    lines[other] = one;
  });

const repeatHeader: Mutation = (text, random) =>
  withLine(text, random, (lines, at) => {
    const line = lines[at] ?? "";
    const colon = line.indexOf(":");
    const times = random.pick([2, 10, 255, 257, 600]);
    if (random.once(2) || colon < 0) lines.splice(at, 0, ...Array(times).fill(line));
    else lines[at] = `${line}${`,${line.slice(colon + 1)}`.repeat(times)}`;
  });

const addLine: Mutation = (text, random) =>
  withLine(text, random, (lines, at) => lines.splice(at, 0, random.pick(LINES)));

const foldLine: Mutation = (text, random) =>
  withLine(text, random, (lines, at) => {
    const line = lines[at] ?? "";
    const cut = random.below(line.length + 1);
    lines[at] = `${line.slice(0, cut)}\r\n${random.pick([" ", "\t", " \t "])}${line.slice(cut)}`;
  });

/** The same header of another message: another call, another phone, another side. */
const foreignLine: Mutation = (text, random, corpus) =>
  withLine(text, random, (lines, at) => {
    const name = (lines[at] ?? "").split(":")[0] ?? "";
    const [others] = headAndBody(random.pick(corpus));
    const found = others.filter((line) => line.startsWith(`${name}:`));
    if (found.length > 0) lines[at] = random.pick(found);
  });

const foreignBody: Mutation = (text, random, corpus) =>
  joined(headAndBody(text)[0], headAndBody(random.pick(corpus))[1]);

const lieAboutLength: Mutation = (text, random) => {
  const [lines, body] = headAndBody(text);
  const wanted = random.pick([...HUGE, `${body.length + 1}`, `${Math.max(0, body.length - 1)}`]);
  const others = lines.filter((line) => !/^(content-length|l)\s*:/i.test(line));
  const line = `${random.pick(["Content-Length", "l", "content-length "])}: ${wanted}`;
  return joined([...others, ...Array(random.pick([0, 1, 1, 1, 2])).fill(line)], body);
};

const hugeNumber: Mutation = (text, random) =>
  replaceOne(text, random, /\d+/g, () => random.pick(HUGE));

const otherMethod: Mutation = (text, random) => {
  const method = random.pick(METHODS);
  const renamed = text.replace(/^[A-Za-z]+(?= )/, method);
  return random.once(4) ? renamed : renamed.replace(/^(CSeq:\s*\d+ )\S+/im, `$1${method}`);
};

const otherStatus: Mutation = (text, random) =>
  text.replace(/^SIP\/2\.0 \d+/, () => `SIP/2.0 ${100 + random.below(650)}`);

/** A request of its own instead of a retransmission. */
const newIds: Mutation = (text, random) => {
  const id = random.below(1_000_000_000).toString(36);
  let out = text.replace(/branch=[^;,\s]*/i, `branch=z9hG4bK${id}`);
  if (random.once(2)) out = out.replace(/^((?:Call-ID|i)\s*:\s*).*$/im, `$1${id}`);
  if (random.once(2)) out = out.replace(/(CSeq:\s*)\d+/i, `$1${random.below(2 ** 31)}`);
  return out;
};

const sdpLine: Mutation = (text, random) => {
  const [lines, body] = headAndBody(text);
  if (body === "") return text;
  const sdp = body.split("\r\n");
  sdp.splice(random.below(sdp.length), random.below(2), random.pick(SDP_LINES));
  return joined(lines, sdp.join("\r\n"));
};

const MUTATIONS: readonly Mutation[] = [
  flipBits,
  cutPiece,
  cutEnd,
  cutStart,
  doublePiece,
  splice,
  insertSplinter,
  insertSplinter,
  doubleLine,
  dropLine,
  swapLines,
  repeatHeader,
  addLine,
  addLine,
  foldLine,
  foreignLine,
  foreignLine,
  foreignBody,
  lieAboutLength,
  hugeNumber,
  hugeNumber,
  otherMethod,
  otherStatus,
  newIds,
  newIds,
  newIds,
  sdpLine,
  sdpLine,
];

/** With the Content-Length that the body has, so that the damage elsewhere is looked at. */
function withRightLength(text: string): string {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return text;
  return text.replace(/^(content-length\s*:).*$/im, `$1 ${text.length - end - 4}`);
}

/** One message of the corpus with one to four mutations, mostly one or two; most have the right length afterwards. */
export function mutant(random: Random, corpus: readonly string[]): string {
  let text = random.pick(corpus);
  for (let count = 1 + random.below(random.pick([1, 2, 4])); count > 0; count -= 1) {
    if (text.length > 0) text = random.pick(MUTATIONS)(text, random, corpus);
  }
  return random.once(4) ? text : withRightLength(text);
}
