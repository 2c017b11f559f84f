// Properties over generated messages, seeded: the same seeds give the same messages on every machine.
import { expect, test } from "bun:test";
import { formatMessage } from "./format-message.ts";
import { parseMessage } from "./parse-message.ts";
import { StreamReader } from "./stream-reader.ts";
import { SipSyntaxError } from "./syntax-error.ts";

/** Mulberry32: a number in [0, 1) a call. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

type Random = () => number;

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]!;
}

const upTo = (random: Random, limit: number) => Math.floor(random() * limit);
const blank = (random: Random) => pick(random, ["", " ", " ", "  ", "\t", "\r\n ", " \r\n\t "]);
const anyCase = (random: Random, text: string) =>
  pick(random, [text, text, text.toLowerCase(), text.toUpperCase()]);

function textOf(random: Random, alphabet: string, limit: number): string {
  return Array.from({ length: 1 + upTo(random, limit) }, () => pick(random, [...alphabet])).join(
    "",
  );
}

const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~";
const TEXT = `${LETTERS} \t,;:<>"()/\\@\xe4\xa0\xff`;
const URIS = [
  "sip:a@b.example",
  "sips:a,b;x@[2001:db8::1]:5061;lr",
  "tel:+49",
  "sip:b?h=<",
  "urn:x:y",
];
const HOSTS = ["192.0.2.1", "A.example:5060", "[2001:db8::1]:5061", "[::1]", "a : 5060"];

const tokenOf = (random: Random) => textOf(random, LETTERS, 12);

function paramsOf(random: Random): string {
  const count = upTo(random, 4);
  const one = () => {
    const value = pick(random, ["", "=v", `=${tokenOf(random)}`, '="a;,<\\"b"']);
    return `${blank(random)};${blank(random)}${tokenOf(random)}${value.replace("=", `${blank(random)}=`)}`;
  };
  return Array.from({ length: count }, one).join("");
}

function addressOf(random: Random): string {
  const uri = pick(
    random,
    URIS.filter((one) => !one.includes("<")),
  );
  const name = pick(random, ["", "Bob ", '"A, \\"<b>\\"" ', "J\xfcrgen  X ", '""']);
  if (name === "" && !/[,;?]/.test(uri) && random() < 0.5) return `${uri}${paramsOf(random)}`;
  return `${name}<${uri}>${paramsOf(random)}`;
}

function viaOf(random: Random): string {
  const slash = () => `${blank(random)}/${blank(random)}`;
  const transport = pick(random, ["UDP", "tls", "X-1"]);
  return `SIP${slash()}2.0${slash()}${transport} ${pick(random, HOSTS)}${paramsOf(random)}`;
}

function shuffled(random: Random, lines: string[]): string[] {
  return lines
    .map((line) => ({ line, rank: random() }))
    .sort((left, right) => left.rank - right.rank)
    .map(({ line }) => line);
}

/** A valid message with everything in odd places. */
function messageOf(random: Random): Buffer {
  const body = textOf(random, `${TEXT}\r\n\0`, 80);
  const method = pick(random, ["INVITE", "OPTIONS", tokenOf(random)]);
  const isRequest = random() < 0.6;
  const line = (names: string[], value: string) =>
    anyCase(random, pick(random, names)) +
    pick(random, ["", "", " ", "\t"]) +
    `:${blank(random)}${value}`;
  const vias = Array.from({ length: 1 + upTo(random, 3) }, () => viaOf(random));
  const lines = [
    line(["Via", "v"], vias.join(`${blank(random)},${blank(random)}`)),
    line(["From", "f"], addressOf(random)),
    line(["To", "t"], addressOf(random)),
    line(["Call-ID", "i"], tokenOf(random)),
    line(["CSeq"], `${upTo(random, 2 ** 31)} ${method}`),
    line(["Content-Length", "l"], `${body.length}`),
  ];
  for (let count = upTo(random, 6); count > 0; count--) {
    lines.push(line([`X-${tokenOf(random)}`, "Via", "Subject", "m"], textOf(random, TEXT, 40)));
  }
  const start = isRequest
    ? `${method} ${pick(
        random,
        URIS.filter((one) => !one.includes("<")),
      )} SIP/2.0`
    : `SIP/2.0 ${100 + upTo(random, 600)} ${pick(random, ["", "OK", "\xd0\xbd a"])}`;
  const [via, ...rest] = lines;
  // A generated second Via may be junk: only the top one must be right.
  return Buffer.from(
    `${[start, via, ...shuffled(random, rest)].join("\r\n")}\r\n\r\n${body}`,
    "latin1",
  );
}

test("3,000 valid messages are written with the bytes they came with", () => {
  for (let seed = 1; seed <= 3_000; seed++) {
    const bytes = messageOf(randomOf(seed));
    const written = Buffer.from(formatMessage(parseMessage(bytes)));
    if (!written.equals(bytes)) {
      expect(written.toString("latin1"), `seed ${seed}`).toBe(bytes.toString("latin1"));
    }
  }
});

test("200 streams of messages and keep-alives are cut alike, whatever the chunks", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = randomOf(seed);
    const messages = Array.from({ length: 5 }, () => messageOf(random));
    const between = () => Buffer.from(pick(random, ["", "", "\r\n", "\r\n\r\n"]));
    const stream = Buffer.concat(messages.flatMap((message) => [between(), message]));
    const seen: Buffer[] = [];
    const reader = new StreamReader(
      { headBytes: 65_536, messageBytes: 262_144 },
      {
        message: (bytes) => seen.push(Buffer.from(bytes)),
        keepAlive() {},
        broken: ({ reason }) => expect(reason, `seed ${seed}`).toBe("never"),
      },
    );
    for (let at = 0; at < stream.length; ) {
      const end = at + 1 + upTo(random, pick(random, [3, 100, 2_000]));
      reader.push(stream.subarray(at, end));
      at = end;
    }
    expect(Buffer.concat(seen).equals(Buffer.concat(messages)), `seed ${seed}`).toBe(true);
  }
});

/** A few bytes changed, doubled or lost. */
function mutated(random: Random, bytes: Buffer): Buffer {
  let result = Buffer.from(bytes);
  for (let count = 1 + upTo(random, 4); count > 0; count--) {
    const at = upTo(random, result.length);
    const piece = pick(random, [
      "\r\n",
      "\n",
      "\r",
      "\0",
      ",",
      ";",
      '"',
      "<",
      ">",
      ":",
      " ",
      "\\",
      "9",
    ]);
    const lost = upTo(random, 3);
    result = Buffer.concat([
      result.subarray(0, at),
      Buffer.from(piece),
      result.subarray(at + lost),
    ]);
  }
  return result;
}

test("5,000 damaged messages are refused with the one error, or read the same a second time", () => {
  let refused = 0;
  for (let seed = 1; seed <= 5_000; seed++) {
    const random = randomOf(seed);
    const bytes = mutated(random, messageOf(random));
    try {
      const written = formatMessage(parseMessage(bytes));
      const again = Buffer.from(formatMessage(parseMessage(written)));
      if (!again.equals(written)) expect(again.toString("latin1"), `seed ${seed}`).toBe("stable");
    } catch (error) {
      if (!(error instanceof SipSyntaxError)) throw error;
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(1_000);
  expect(refused).toBeLessThan(4_900);
});
