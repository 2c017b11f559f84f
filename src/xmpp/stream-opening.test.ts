/** What a client may say before others take over, and what it may not. */
import { describe, expect, test } from "bun:test";
import { ClientOpening, type Heard } from "./stream-opening.ts";

const OPENING =
  "<?xml version='1.0'?><stream:stream to='mycompany' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
const STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

/** What is heard of these pieces, in order. */
function heard(
  pieces: readonly (string | Uint8Array<ArrayBuffer>)[],
  limitBytes = 10_240,
): Heard[] {
  const opening = new ClientOpening(limitBytes);
  const all: Heard[] = [];
  for (const piece of pieces) {
    opening.push(typeof piece === "string" ? Buffer.from(piece) : piece);
    for (let one = opening.next(); one !== null; one = opening.next()) all.push(one);
  }
  return all;
}

/** The condition that ends it. */
function refusal(text: string | Uint8Array<ArrayBuffer>, limitBytes?: number): string | undefined {
  const last = heard([text], limitBytes).at(-1);
  return last?.kind === "refused" ? `${last.condition} (${last.reason})` : last?.kind;
}

describe("a good opening", () => {
  test("and <starttls/>, in one piece and byte by byte", () => {
    const good: Heard[] = [{ kind: "opening", to: "mycompany" }, { kind: "starttls" }];
    const text = `${OPENING}\n ${STARTTLS}`;
    expect(heard([text])).toEqual(good);
    expect(heard([...Buffer.from(text)].map((byte) => new Uint8Array([byte])))).toEqual(good);
  });

  test("may be split within a character, and what follows it stays unread", () => {
    const name = Buffer.from(OPENING.replace("'mycompany'", "'mycompany' from='jörg@mycompany'"));
    const at = name.indexOf(0xc3) + 1;
    const pieces = [new Uint8Array(name.subarray(0, at)), new Uint8Array(name.subarray(at))];
    expect(heard(pieces)).toEqual([{ kind: "opening", to: "mycompany" }]);
  });

  test("may name nobody, or what is no name here", () => {
    for (const name of ["", "my company", "my<company".replace("<", "&lt;"), "mycompany\u212a"]) {
      const text = OPENING.replace("'mycompany'", `'${name}'`);
      expect(heard([text])).toEqual([{ kind: "opening", to: null }]);
    }
    expect(heard([OPENING.replace(" to='mycompany'", "")])[0]).toEqual({
      kind: "opening",
      to: null,
    });
  });

  test("may use another prefix, other quotes, a higher minor version and '>' in an attribute", () => {
    const text =
      '<s:stream id="a>b" to="mycompany" version="1.1" xmlns="jabber:client" xmlns:s="http://etherx.jabber.org/streams" >';
    expect(heard([text])).toEqual([{ kind: "opening", to: "mycompany" }]);
  });

  test("may be ended by its client", () => {
    expect(heard([OPENING, "</stream:stream>"]).at(-1)).toEqual({ kind: "end" });
  });
});

describe("is refused", () => {
  test("what is no stream of XMPP 1.0", () => {
    expect(refusal(OPENING.replace("stream:stream", "stream:beam"))).toBe("bad-format (no-stream)");
    expect(refusal(OPENING.replace("jabber:client", "jabber:server"))).toBe(
      "invalid-namespace (namespace)",
    );
    expect(refusal(OPENING.replace("etherx", "other"))).toBe("invalid-namespace (namespace)");
    expect(refusal(OPENING.replace(" version='1.0' xmlns", " xmlns"))).toBe(
      "unsupported-version (version)",
    );
    expect(refusal(OPENING.replace("version='1.0' xmlns", "version='2.0' xmlns"))).toBe(
      "unsupported-version (version)",
    );
    expect(refusal("GET / HTTP/1.1\r\n\r\n")).toBe("not-well-formed (not-well-formed)");
    expect(refusal("<a></b>")).toBe("bad-format (no-stream)");
    expect(refusal("\ufeff".concat(OPENING))).toBe("not-well-formed (not-well-formed)");
  });

  test("XML that XMPP forbids", () => {
    const bomb =
      "<!DOCTYPE a [<!ENTITY a '1'><!ENTITY b '&a;&a;&a;&a;'>]><stream:stream to='&b;' version='1.0'>";
    expect(refusal(bomb)).toBe("restricted-xml (restricted-xml)");
    expect(refusal(`<!-- a -->${OPENING}`)).toBe("restricted-xml (restricted-xml)");
    expect(refusal(`${OPENING}<!-- a -->`)).toBe("restricted-xml (restricted-xml)");
    expect(refusal(OPENING.replace("?><", "?><?pi a?><"))).toBe("restricted-xml (restricted-xml)");
    expect(refusal(OPENING.replace("mycompany", "my&company;"))).toBe(
      "not-well-formed (not-well-formed)",
    );
    expect(refusal(OPENING.replace("xmlns:stream", "xmlns:other"))).toBe(
      "not-well-formed (not-well-formed)",
    );
    expect(refusal(OPENING.replace("?xml version='1.0'", "?xml version='1.1'"))).toBe(
      "not-well-formed (not-well-formed)",
    );
  });

  test("another encoding than UTF-8, whether said or not", () => {
    const latin1 = OPENING.replace("'1.0'?", "'1.0' encoding='iso-8859-1'?");
    expect(refusal(latin1)).toBe("unsupported-encoding (unsupported-encoding)");
    const broken = Buffer.from(OPENING.replace("mycompany", "my\xe4company"), "latin1");
    expect(refusal(broken)).toBe("unsupported-encoding (unsupported-encoding)");
    expect(refusal(Buffer.from(OPENING, "utf16le"))).toBe("not-well-formed (not-well-formed)");
    expect(refusal(OPENING.replace("'1.0'?", "'1.0' encoding='UTF-8'?"))).toBe("opening");
  });

  test("too much, however it comes", () => {
    const long = OPENING.replace("'mycompany'", `'${"a".repeat(20_000)}'`);
    expect(refusal(long)).toBe("policy-violation (too-large)");
    expect(refusal(">".repeat(20_000))).toBe("not-well-formed (not-well-formed)");
    expect(refusal(`${OPENING}${" ".repeat(20_000)}`)).toBe("policy-violation (too-large)");
    const pieces = Array.from({ length: 100 }, () => "<a".padEnd(1000));
    expect(heard(pieces)).toHaveLength(1);
  });

  test("whatever comes in the clear and is not <starttls/>", () => {
    const behind = (text: string) => refusal(`${OPENING}${text}`);
    const before = "policy-violation (before-tls)";
    expect(behind("<iq type='get' id='1'/>")).toBe(before);
    expect(behind("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>")).toBe(
      before,
    );
    expect(behind("<compress xmlns='http://jabber.org/protocol/compress'/>")).toBe(before);
    expect(behind("<starttls/>")).toBe(before);
    expect(behind(STARTTLS.replace("/>", "><a/></starttls>"))).toBe(before);
    expect(behind(STARTTLS.replace("/>", ">now</starttls>"))).toBe(before);
    expect(behind("hello <a/>")).toBe(before);
  });

  test("any byte behind <starttls/>, but the end of its line", () => {
    expect(refusal(`${OPENING}${STARTTLS}\r\n`)).toBe("starttls");
    expect(refusal(`${OPENING}${STARTTLS}\0`)).toBe("policy-violation (starttls-injection)");
    expect(refusal(`${OPENING}${STARTTLS}\n<a/>`)).toBe("policy-violation (starttls-injection)");
    expect(refusal(`${OPENING}${STARTTLS}${OPENING}<auth/>`)).toBe(
      "policy-violation (starttls-injection)",
    );
  });
});
