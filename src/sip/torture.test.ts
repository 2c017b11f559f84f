// Every message of RFC 4475 and RFC 5118: read with these facts and written again with its own bytes, or
// refused with this status. What a running proxy does with them: test/flows/torture.test.ts.
import { describe, expect, test } from "bun:test";
import { type TortureRfc, tortureMessage, tortureNames } from "../../test/vectors/torture.ts";
import { formatMessage } from "./format-message.ts";
import type { SipMessage } from "./message.ts";
import { parseNameAddr, tagOf } from "./name-addr.ts";
import { parseMessage, partialRequest } from "./parse-message.ts";
import { StreamReader } from "./stream-reader.ts";
import { SipSyntaxError } from "./syntax-error.ts";
import { isSipUri, parseSipUri, uriParam } from "./uri.ts";
import { parseVia, viaParam } from "./via.ts";

type Facts = {
  /** "METHOD uri" or "status reason". */
  readonly start?: string;
  readonly from?: string;
  readonly fromTag?: string;
  readonly to?: string;
  readonly toTag?: string;
  /** transport host[:port] of every Via. */
  readonly vias?: readonly string[];
  readonly branch?: string;
  readonly cseq?: string;
  readonly callId?: string;
  readonly contacts?: readonly string[];
  readonly bodyBytes?: number;
  readonly headers?: Readonly<Record<string, string>>;
};

const addressOf = (value: string): string => parseNameAddr(value).uri;

function viaText(value: string): string {
  const { transport, host, port } = parseVia(value);
  return `${transport} ${host}${port === null ? "" : `:${port}`}`;
}

function factsOf(message: SipMessage, headers: readonly string[]): Facts {
  const value = (name: string): string => message.headers.get(name) ?? "";
  const isRequest = message.kind === "request";
  return {
    start: isRequest ? `${message.method} ${message.uri}` : `${message.status} ${message.reason}`,
    from: addressOf(value("from")),
    fromTag: tagOf(value("from")) ?? "",
    to: addressOf(value("to")),
    toTag: tagOf(value("to")) ?? "",
    vias: message.headers.values("via").map(viaText),
    branch: viaParam(parseVia(message.headers.firstValue("via") ?? ""), "branch") ?? "",
    cseq: value("cseq"),
    callId: value("call-id"),
    contacts: message.headers.values("contact").map(addressOf),
    bodyBytes: message.body.length,
    headers: Object.fromEntries(headers.map((name) => [name, value(name)])),
  };
}

const long = (word: string, count: number): string => word.repeat(count);

const CALLER_NAME = long("amazinglylongcallername", 5);

/** Read: [section, name, facts]. */
const READ_4475: readonly (readonly [string, string, Facts])[] = [
  [
    "3.1.1.1",
    "wsinv",
    {
      start: "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam",
      from: "sip:jdrosen@example.com",
      fromTag: "98asjd8",
      to: "sip:vivekg@chair-dnrc.example.com",
      toTag: "1918181833n",
      vias: ["UDP 192.0.2.2", "TCP spindle.example.com", "UDP 192.168.255.111"],
      branch: "390skdjuw",
      cseq: "0009 INVITE",
      callId: "wsinv.ndaksdj@192.0.2.1",
      contacts: ["sip:jdrosen@example.com"],
      bodyBytes: 150,
      headers: {
        subject: "",
        "max-forwards": "0068",
        newfangledheader: "newfangled value continued newfangled value",
        unknownheaderwithunusualvalue: ";;,,;;,;",
        route: "<sip:services.example.com;lr;unknownwith=value;unknown-no-value>",
      },
    },
  ],
  [
    "3.1.1.3",
    "esc01",
    {
      start: "INVITE sip:sips%3Auser%40example.com@example.net",
      to: "sip:%75se%72@example.com",
      from: "sip:I%20have%20spaces@example.net",
      contacts: ["sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31"],
      headers: { "content-type": "application/sdp" },
      bodyBytes: 150,
    },
  ],
  [
    "3.1.1.4",
    "escnull",
    {
      to: "sip:null-%00-null@example.com",
      contacts: ["sip:%00@host5.example.com", "sip:%00%00@host5.example.com"],
      bodyBytes: 0,
    },
  ],
  [
    "3.1.1.5",
    "esc02",
    {
      start: "RE%47IST%45R sip:registrar.example.com",
      cseq: "29344 RE%47IST%45R",
      branch: "z9hG4bK209%fzsnel234",
      // C%6Fntact is another header.
      contacts: ["sip:alias1@host1.example.com", "sip:alias3@host3.example.com"],
      headers: { "c%6fntact": "<sip:alias2@host2.example.com>" },
    },
  ],
  ["3.1.1.6", "lwsdisp", { from: "sip:caller@example.com", fromTag: "323" }],
  [
    "3.1.1.7",
    "longreq",
    {
      from: `sip:${CALLER_NAME}@example.net`,
      fromTag: `12${long("982", 50)}424`,
      callId: `longreq.one${long("really", 20)}longcallid`,
      branch: "",
      vias: [
        ...Array.from({ length: 33 }, (_, at) => `TCP sip${33 - at}.example.com`),
        "TCP host.example.com",
      ],
      contacts: [`sip:${CALLER_NAME}@host5.example.net`],
      bodyBytes: 150,
    },
  ],
  [
    "3.1.1.9",
    "semiuri",
    {
      start: "OPTIONS sip:user;par=u%40example.net@example.com",
      headers: {
        accept:
          "application/sdp, application/pkcs7-mime, multipart/mixed, multipart/signed, message/sip, message/sipfrag",
      },
    },
  ],
  [
    "3.1.1.10",
    "transports",
    {
      vias: [
        "UDP t1.example.com",
        "SCTP t2.example.com",
        "TLS t3.example.com",
        "UNKNOWN t4.example.com",
        "TCP t5.example.com",
      ],
    },
  ],
  ["3.1.1.11", "mpart01", { start: "MESSAGE sip:kumiko@example.org", bodyBytes: 553 }],
  [
    "3.1.1.12",
    "unreason",
    {
      start: Buffer.from("200 = 2**3 * 5**2 но сто девяносто девять - простое").toString("latin1"),
      bodyBytes: 154,
    },
  ],
  ["3.1.1.13", "noreason", { start: "100 " }],
  // Bad, but not in what a proxy reads: it goes on as it came, the endpoint judges.
  [
    "3.1.2.11",
    "escruri",
    { start: "INVITE sip:user@example.com?Route=%3Csip:example.com%3E", bodyBytes: 150 },
  ],
  ["3.1.2.12", "baddate", { headers: { date: "Fri, 01 Jan 2010 16:00:00 EST" } }],
  ["3.1.2.13", "regbadct", { contacts: ["sip:user@example.com?Route=%3Csip:sip.example.com%3E"] }],
  ["3.1.2.14", "badaspec", { to: "sip:t.watson@example.org", from: "sip:a.g.bell@example.com" }],
  ["3.2.1", "badbranch", { branch: "z9hG4bK" }],
  ["3.3.2", "unkscm", { start: "OPTIONS nobodyKnowsThisScheme:totallyopaquecontent" }],
  ["3.3.3", "novelsc", { start: "OPTIONS soap.beep://192.0.2.103:3002" }],
  [
    "3.3.4",
    "unksm2",
    { to: "isbn:2983792873", from: "http://www.example.com", contacts: ["name:John_Smith"] },
  ],
  [
    "3.3.5",
    "bext01",
    { headers: { "proxy-require": "noProxiesSupportThis, norDoAnyProxiesSupportThis" } },
  ],
  ["3.3.6", "invut", { headers: { "content-type": "application/unknownformat" }, bodyBytes: 40 }],
  [
    "3.3.7",
    "regaut01",
    { headers: { authorization: "NoOneKnowsThisScheme opaque-data=here" }, bodyBytes: 0 },
  ],
  ["3.3.10", "bcast", { vias: ["UDP 192.0.2.198", "UDP 255.255.255.255"], bodyBytes: 154 }],
  ["3.3.11", "zeromf", { headers: { "max-forwards": "0" } }],
  // Without <> the parameter is the header's, with them the URI's.
  ["3.3.12", "cparam01", { contacts: ["sip:+19725552222@gw1.example.net"] }],
  ["3.3.13", "cparam02", { contacts: ["sip:+19725552222@gw1.example.net;unknownparam"] }],
  ["3.3.14", "regescrt", { contacts: ["sip:user@example.com?Route=%3Csip:sip.example.com%3E"] }],
  ["3.3.15", "sdp01", { headers: { accept: "text/nobodyKnowsThis" }, bodyBytes: 150 }],
];

/** Read, but not with the same bytes: what lies behind the message, or a Content-Length that we add. */
const READ_OTHERWISE: readonly (readonly [string, string, Facts])[] = [
  [
    "3.1.1.8",
    "dblreq",
    { start: "REGISTER sip:example.com", branch: "z9hG4bKkdjuw23492", bodyBytes: 0 },
  ],
  [
    "3.4.1",
    "inv2543",
    {
      branch: "",
      fromTag: "",
      from: "sip:+13035551111@ift.client.example.net;user=phone",
      to: "sip:+16505552222@ss1.example.net",
      bodyBytes: 105,
    },
  ],
];

/** Refused: [section, name, status, why]; null = nothing that can be answered, so it is dropped. */
const REFUSED_4475: readonly (readonly [string, string, number | null, string])[] = [
  // Valid by the grammar; a NUL ends a string in many a telephone system behind us, so it stops here.
  ["3.1.1.2", "intmeth", null, "control character"],
  ["3.1.2.1", "badinv01", 400, "bad parameter name"],
  ["3.1.2.2", "clerr", 400, "Content-Length beyond the end"],
  ["3.1.2.3", "ncl", 400, "bad Content-Length"],
  ["3.1.2.4", "scalar02", 400, "bad Max-Forwards"],
  ["3.1.2.5", "scalarlg", null, "bad CSeq"],
  ["3.1.2.6", "quotbal", 400, "quoted string without end"],
  ["3.1.2.7", "ltgtruri", 400, "bad Request-URI"],
  ["3.1.2.8", "lwsruri", 400, "bad Request-URI"],
  ["3.1.2.9", "lwsstart", 400, "bad Request-URI"],
  ["3.1.2.10", "trws", 400, "bad SIP version"],
  ["3.1.2.15", "baddn", 400, "bad display name"],
  ["3.1.2.16", "badvers", 505, "other SIP version"],
  ["3.1.2.17", "mismatch01", 400, "CSeq of another method"],
  ["3.1.2.18", "mismatch02", 400, "CSeq of another method"],
  ["3.1.2.19", "bigcode", null, "bad status line"],
  ["3.3.1", "insuf", null, "no From"],
  ["3.3.8", "multi01", 400, "second cseq"],
  ["3.3.9", "mcl01", 400, "second content-length"],
];

const IPV6_SDP = 251;

const READ_5118: readonly (readonly [string, string, Facts])[] = [
  [
    "4.1",
    "ipv6-good",
    {
      start: "REGISTER sip:[2001:db8::10]",
      vias: ["UDP [2001:db8::9:1]"],
      contacts: ["sip:caller@[2001:db8::1]"],
    },
  ],
  ["4.3", "port-ambiguous", { start: "REGISTER sip:[2001:db8::10:5070]" }],
  ["4.4", "port-unambiguous", { start: "REGISTER sip:[2001:db8::10]:5070" }],
  ["4.5", "via-received-param-with-delim", { branch: "z9hG4bKas3-111" }],
  ["4.5", "via-received-param-no-delim", { branch: "z9hG4bKas3" }],
  ["4.6", "ipv6-in-sdp", { vias: ["UDP [2001:db8::20]"], bodyBytes: IPV6_SDP }],
  [
    "4.7",
    "mult-ip-in-header",
    { vias: ["UDP [2001:db8::9:1]:6050", "UDP 192.0.2.1", "TCP [2001:db8::9:255]"] },
  ],
  ["4.8", "mult-ip-in-sdp", { bodyBytes: 189 }],
  [
    "4.9",
    "ipv4-mapped-ipv6",
    { vias: ["UDP [::ffff:192.0.2.10]:19823", "UDP [::ffff:192.0.2.2]"], bodyBytes: 245 },
  ],
  // The colon too many comes from the grammar of RFC 3261; it is passed on, nobody here resolves it.
  ["4.10", "ipv6-bug-abnf-3-colons", { to: "sip:user@[2001:db8:::192.0.2.1]" }],
  ["4.10", "ipv6-correct-abnf-2-colons", { to: "sip:user@[2001:db8::192.0.2.1]" }],
];

function checkRead(rfc: TortureRfc, name: string, expected: Facts): Buffer {
  const message = parseMessage(tortureMessage(rfc, name));
  const facts = factsOf(message, Object.keys(expected.headers ?? {}));
  expect(facts).toMatchObject(expected);
  return Buffer.from(formatMessage(message));
}

describe("RFC 4475", () => {
  test.each(READ_4475)("%s %s is read, and leaves with its own bytes", (_, name, expected) => {
    const written = checkRead("rfc4475", name, expected);
    expect(written.toString("latin1")).toBe(tortureMessage("rfc4475", name).toString("latin1"));
  });

  test.each(READ_OTHERWISE)("%s %s is read, and completed or cut", (_, name, expected) => {
    const written = checkRead("rfc4475", name, expected).toString("latin1");
    const came = tortureMessage("rfc4475", name).toString("latin1");
    if (name === "dblreq") expect(came).toStartWith(written);
    else expect(written).toBe(came.replace("\r\n\r\n", "\r\nContent-Length: 105\r\n\r\n"));
  });

  test.each(REFUSED_4475)("%s %s is refused (%p: %s)", (_, name, status, why) => {
    const bytes = tortureMessage("rfc4475", name);
    let seen: unknown = null;
    try {
      parseMessage(bytes);
    } catch (error) {
      seen = error;
    }
    if (!(seen instanceof SipSyntaxError)) throw new Error(`${name} was not refused`);
    expect([seen.message, seen.partial === null ? null : seen.status]).toEqual([why, status]);
  });

  test("all of them are here", () => {
    const rows = [...READ_4475, ...READ_OTHERWISE, ...REFUSED_4475];
    expect(rows.map(([, name]) => name).sort()).toEqual(tortureNames("rfc4475"));
    expect(rows).toHaveLength(49);
  });

  test("an escaped NUL is all that is wrong with the unusual characters of §3.1.1.2", () => {
    const came = tortureMessage("rfc4475", "intmeth").toString("latin1");
    const bytes = Buffer.from(came.replace("\\\0", "\\ "), "latin1");
    const message = parseMessage(bytes);
    expect(Buffer.from(formatMessage(message)).equals(bytes)).toBe(true);
    expect(factsOf(message, ["extensionheader-!.%*+_`'~"])).toMatchObject({
      cseq: "139122385 !interesting-Method0123456789_*+`.%indeed'~",
      callId: "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{",
      branch: "z9hG4bK-.!%66*_+`'~",
      fromTag: "_token~1'+`*%!-.",
      to: "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com",
    });
  });

  test("user part, parameters and headers of the URIs are told apart", () => {
    const uriOf = (name: string) => {
      const message = parseMessage(tortureMessage("rfc4475", name));
      if (message.kind !== "request") throw new Error("no request");
      return parseSipUri(message.uri);
    };
    expect(uriOf("semiuri")).toMatchObject({ user: "user;par=u%40example.net", params: [] });
    expect(uriOf("esc01")).toMatchObject({
      user: "sips%3Auser%40example.com",
      host: "example.net",
    });
    expect(uriOf("escruri")).toMatchObject({
      host: "example.com",
      headers: "Route=%3Csip:example.com%3E",
    });
    expect(uriParam(uriOf("wsinv"), "unknownparam")).toBeNull();
    expect(isSipUri("soap.beep://192.0.2.103:3002")).toBe(false);
  });

  test("binary parts of a body keep every byte, NULs included", () => {
    const { body } = parseMessage(tortureMessage("rfc4475", "mpart01"));
    const text = Buffer.from(body).toString("latin1");
    expect(text).toStartWith("--7a9cbec02ceef655\r\n");
    expect(text).toEndWith("\r\n--7a9cbec02ceef655--\r\n");
    expect(text).toContain("\x30\x82\x01\x52\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02");
    expect(text).toContain("\x04\x81\x80\x8e\xf4\x66\xf9");
  });
});

describe("RFC 4475 on a stream", () => {
  /** What the reader makes of it, byte by byte. */
  function read(name: string): string[] {
    const events: string[] = [];
    const reader = new StreamReader(
      { headBytes: 65_536, messageBytes: 262_144 },
      {
        message: (bytes) => events.push(`message of ${bytes.length}`),
        keepAlive: () => events.push("keep-alive"),
        broken: ({ reason, partial }) => {
          const request = partial === null ? null : partialRequest(partial);
          events.push(`${reason}, ${request === null ? "no answer" : "answer"}`);
        },
      },
    );
    for (const byte of tortureMessage("rfc4475", name)) reader.push(Uint8Array.of(byte));
    if (reader.bufferedBytes > 0) events.push(`waits with ${reader.bufferedBytes}`);
    return events;
  }

  test("two messages back to back are two; the second one's length lies by a letter", () => {
    expect(read("dblreq")).toEqual([
      "message of 300",
      "message of 443",
      "no Content-Length, no answer", // C CRLF CRLF
    ]);
  });

  test("a length that is a lie makes it wait, a length that is none ends it", () => {
    expect(read("clerr")).toEqual(["waits with 498"]);
    expect(read("ncl")).toEqual(["bad Content-Length, answer"]);
    expect(read("mcl01")).toEqual(["second Content-Length, answer"]);
    expect(read("inv2543")).toEqual(["no Content-Length, answer"]);
  });
});

describe("RFC 5118", () => {
  test.each(READ_5118)("%s %s is read, and leaves with its own bytes", (_, name, expected) => {
    const written = checkRead("rfc5118", name, expected);
    expect(written.toString("latin1")).toBe(tortureMessage("rfc5118", name).toString("latin1"));
  });

  test("4.2 ipv6-bad is refused: an address without its brackets", () => {
    const bytes = tortureMessage("rfc5118", "ipv6-bad");
    expect(() => parseMessage(bytes)).toThrow("bad Request-URI");
    expect(partialRequest(bytes)?.headers.get("cseq")).toBe("98176 REGISTER");
  });

  test("all of them are here", () => {
    const names = [...READ_5118.map(([, name]) => name), "ipv6-bad"];
    expect(names.sort()).toEqual(tortureNames("rfc5118"));
  });

  test("an address and its port are told apart", () => {
    expect(parseSipUri("sip:[2001:db8::10:5070]")).toMatchObject({
      host: "[2001:db8::10:5070]",
      port: null,
    });
    expect(parseSipUri("sip:[2001:db8::10]:5070")).toMatchObject({ port: 5070 });
  });

  test("received may have brackets or not", () => {
    const received = (name: string) => {
      const { headers } = parseMessage(tortureMessage("rfc5118", name));
      return viaParam(parseVia(headers.firstValue("via") ?? ""), "received");
    };
    expect(received("via-received-param-with-delim")).toBe("[2001:db8::9:255]");
    expect(received("via-received-param-no-delim")).toBe("2001:db8::9:255");
  });
});
