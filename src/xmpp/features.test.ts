/** What of an instance's first features reaches a client. */
import { describe, expect, test } from "bun:test";
import { type Answer, InstanceFeatures, STARTTLS_FEATURES } from "./features.ts";
import { StartTlsQuestion } from "./starttls-question.ts";
import { formatOpening, formatStreamError } from "./stream-errors.ts";

const OPENING =
  "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='abc' from='mycompany' version='1.0'>";

function answer(pieces: readonly string[]): Answer | null {
  const features = new InstanceFeatures(65_536);
  let last: Answer | null = null;
  for (const piece of pieces) last ??= features.push(Buffer.from(piece));
  return last;
}

function passed(features: string): string | undefined {
  const got = answer([OPENING, features]);
  return got === null || got.kind === "broken"
    ? got?.kind
    : Buffer.from(got.bytes).toString().slice(OPENING.length);
}

const STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>";
const BINDING =
  "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/></sasl-channel-binding>";
const mechanisms = (...names: string[]) =>
  `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>${names.map((name) => `<mechanism>${name}</mechanism>`).join("\n ")}</mechanisms>`;
const within = (...all: string[]) => `<stream:features>${all.join("\n")}</stream:features>`;

describe("the first features of an instance", () => {
  test("pass byte by byte the same where nothing is wrong", () => {
    const text = within(
      mechanisms("SCRAM-SHA-1", "PLAIN"),
      "<x xmlns='a>b' ü=\"'\"><![CDATA[<-PLUS>]]></x>",
      "<compression xmlns='http://jabber.org/features/compress'><method>zlib</method></compression>",
    );
    expect(passed(text)).toBe(text);
    const bytes = [...Buffer.from(OPENING + text)];
    const features = new InstanceFeatures(65_536);
    let got: Answer | null = null;
    for (const byte of bytes) got = features.push(new Uint8Array([byte])) ?? got;
    expect(got).toMatchObject({ kind: "features", bytes: Buffer.from(OPENING + text) });
  });

  test("lose STARTTLS, mechanisms with channel binding and what is told of it", () => {
    const text = within(
      STARTTLS,
      mechanisms("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS"),
      BINDING,
    );
    const left = text
      .replace(STARTTLS, "")
      .replace(BINDING, "")
      .replace("<mechanism>SCRAM-SHA-1-PLUS</mechanism>", "")
      .replace("<mechanism>SCRAM-SHA-256-PLUS</mechanism>", "");
    expect(passed(text)).toBe(left);
    expect(answer([OPENING + text])).toMatchObject({
      offer: {
        startTls: "required",
        mechanisms: ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS"],
        tellsChannelBinding: true,
      },
    });
  });

  test("lose them in SASL 2 too", () => {
    const text = within(
      "<authentication xmlns='urn:xmpp:sasl:2'><mechanism> SCRAM-SHA-1-PLUS </mechanism><inline><bind xmlns='urn:xmpp:bind:0'/></inline></authentication>",
    );
    expect(passed(text)).toBe(text.replace("<mechanism> SCRAM-SHA-1-PLUS </mechanism>", ""));
  });

  test("keep what only looks like it", () => {
    const text = within(
      "<starttls xmlns='urn:other'/>",
      "<mechanism>SCRAM-SHA-1-PLUS</mechanism>",
      "<x xmlns='urn:other'><mechanism>A-PLUS</mechanism></x>",
    );
    expect(passed(text)).toBe(text);
  });

  test("take with them what comes behind in the same packet", () => {
    expect(passed(`${within(STARTTLS)}<iq id='${STARTTLS.length}'/>`)).toBe(
      `${within("")}<iq id='${STARTTLS.length}'/>`,
    );
  });

  test("may be a stream error, which passes as it is", () => {
    const text = formatStreamError("host-unknown");
    expect(passed(text)).toBe(text);
    expect(passed("</stream:stream>")).toBe("</stream:stream>");
  });

  test("are no features where another protocol is spoken, or where they never end", () => {
    expect(answer(["SSH-2.0-OpenSSH_9.9\r\n"])?.kind).toBe("broken");
    expect(answer(["<html>"])?.kind).toBe("broken");
    expect(answer([OPENING, `<stream:features>${"<a/>".repeat(20_000)}`])?.kind).toBe("broken");
    expect(answer([OPENING, `<stream:features>${"<a>".repeat(20)}`])?.kind).toBe("broken");
  });
});

describe("STARTTLS towards an instance", () => {
  const PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

  test("asks once it is offered and begins with <proceed/>", () => {
    const question = new StartTlsQuestion(65_536);
    expect(question.push(Buffer.from(OPENING))).toBeNull();
    expect(question.push(Buffer.from(within(STARTTLS, mechanisms("PLAIN"))))).toBe("ask");
    expect(question.push(Buffer.from(PROCEED.slice(0, 9)))).toBeNull();
    expect(question.push(Buffer.from(PROCEED.slice(9)))).toBe("proceed");
  });

  test("fails where it is not offered, refused, or more comes in the clear", () => {
    const failed = (...pieces: string[]) => {
      const question = new StartTlsQuestion(65_536);
      const last = pieces.map((piece) => question.push(Buffer.from(piece))).at(-1);
      return typeof last === "object" ? last?.failed : last;
    };
    expect(failed(OPENING, within(mechanisms("PLAIN")))).toBe("it offers no STARTTLS");
    expect(failed(OPENING, formatStreamError("host-unknown"))).toBe("it answers with <error/>");
    expect(failed("220 smtp\r\n")).toBe("it speaks no XMPP");
    const offered = within(STARTTLS);
    expect(failed(OPENING, offered, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")).toBe(
      "it answers with <failure/>",
    );
    expect(failed(OPENING, offered, `${PROCEED}<stream:features/>`)).toBe(
      "it says more than <proceed/>",
    );
    expect(failed(`${OPENING}${offered}${PROCEED} `)).toBe("it says more than <proceed/>");
  });
});

describe("what we say", () => {
  test("offers STARTTLS, required, and nothing else", () => {
    expect(STARTTLS_FEATURES).toBe(within(STARTTLS));
  });

  test("is well-formed whatever is put into it", () => {
    expect(formatOpening({ from: `a'<&>"`, id: "1" })).toBe(
      "<?xml version='1.0'?><stream:stream from='a&apos;&lt;&amp;&gt;&quot;' id='1' version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
    );
  });
});
