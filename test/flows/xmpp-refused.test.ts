/** XMPP clients that do wrong, instances that are not there, and what each is told (RFC 6120 §4.9). */
import { afterEach, describe, expect, test } from "bun:test";
import net from "node:net";
import { XmppEnd as End, OPENING, PROCEED, STARTTLS, type XmppEnd } from "../peers/xmpp-end.ts";
import { ANSWER, FEATURES, identity, insideIdentity, XmppPlace } from "./xmpp-place.ts";

const places: XmppPlace[] = [];
afterEach(() => {
  for (const place of places.splice(0)) place.close();
});

async function open(o: Parameters<typeof XmppPlace.open>[0] = {}): Promise<XmppPlace> {
  const place = await XmppPlace.open(o);
  places.push(place);
  return place;
}

const CA = identity.certificatePem;

const error = (condition: string): string =>
  `<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>`;

/** What a client hears to its end, the number of the stream apart. */
async function told(client: XmppEnd): Promise<string> {
  const all = await client.hearsTheEnd();
  return all.replace(/ id='[0-9a-f]{24}'/, "");
}

/** Our opening where none was given, and the error. */
const refusal = (condition: string): string =>
  `<?xml version='1.0'?><stream:stream from='example.com' version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>${error(condition)}`;

describe("a client is told and closed", () => {
  test("the same for a name that nobody has, one that is switched off and one of another proxy", async () => {
    const place = await open();
    const names = ["nobody", "switched-off", "elsewhere", "", "127.0.0.1", "my company"];
    for (const name of names) {
      const client = await place.connect();
      client.says(OPENING(name));
      expect(await told(client)).toBe(refusal("host-unknown"));
      const secret = await End.connectTls(place.port, CA);
      secret.says(OPENING(name));
      expect(await told(secret)).toBe(refusal("host-unknown"));
    }
    expect(place.drops).toEqual({ "xmpp-host-unknown": 2 * names.length });
    expect(place.instance.unanswered).toBe(0);
  });

  test("when a stanza, a sign-in or anything else comes before TLS", async () => {
    const place = await open();
    const early = [
      "<iq type='get' id='1'><query xmlns='jabber:iq:auth'/></iq>",
      "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>",
      "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>",
    ];
    for (const stanza of early) {
      const client = await place.connect();
      client.says(OPENING("mycompany"));
      await client.hears("</stream:features>");
      client.says(stanza);
      expect(await told(client)).toBe(error("policy-violation"));
    }
    expect(place.drops).toEqual({ "xmpp-before-tls": early.length });
    expect(place.instance.unanswered).toBe(0);
  });

  test("when it says more in the packet of <starttls/>, which nothing protects", async () => {
    const place = await open();
    for (const more of ["\n<iq/>", OPENING("mycompany"), "<auth/>", "\x16\x03\x01"]) {
      const client = await place.connect();
      client.says(OPENING("mycompany"));
      await client.hears("</stream:features>");
      client.says(STARTTLS + more);
      expect(await told(client)).toBe(error("policy-violation"));
    }
    expect(place.drops).toEqual({ "xmpp-starttls-injection": 4 });
  });

  test("when its two openings name two instances, or the second nobody", async () => {
    const place = await open({ instances: [{ name: "other", address: "127.0.0.9" }] });
    const client = await place.secured("mycompany");
    client.says(OPENING("other"));
    expect(await told(client)).toBe(refusal("policy-violation"));
    const lost = await place.secured("mycompany");
    lost.says(OPENING("nobody"));
    expect(await told(lost)).toBe(refusal("host-unknown"));
    // A name and an alias of one instance are one.
    const same = await place.secured("mycompany");
    same.says(OPENING("MyCompany.example.com"));
    await (await place.instance.accepts()).hears(OPENING("MyCompany.example.com"));
    expect(place.drops).toEqual({ "xmpp-other-host": 1, "xmpp-host-unknown": 1 });
  });

  test("when its handshake names another instance than its opening; any other name is of no matter", async () => {
    const place = await open({ instances: [{ name: "other", address: "127.0.0.9" }] });
    const free = { checkServerIdentity: () => undefined };
    const client = await End.connectTls(place.port, CA, { servername: "other", ...free });
    client.says(OPENING("mycompany"));
    expect(await told(client)).toBe(refusal("policy-violation"));
    const plain = await End.connectTls(place.port, CA, { servername: "whatever", ...free });
    plain.says(OPENING("mycompany"));
    await (await place.instance.accepts()).hears(OPENING("mycompany"));
  });

  test("for XML bombs, comments, other encodings and what is no XML", async () => {
    const place = await open();
    const wrong = [
      ["<!DOCTYPE a [<!ENTITY b 'bb'><!ENTITY c '&b;&b;&b;'>]><a>&c;</a>", "restricted-xml"],
      [`<!-- a -->${OPENING("mycompany")}`, "restricted-xml"],
      [OPENING("my&company;"), "not-well-formed"],
      ["GET / HTTP/1.1\r\nHost: mycompany\r\n\r\n", "not-well-formed"],
      [OPENING("mycompany").replace("'1.0'?", "'1.0' encoding='ibm-037'?"), "unsupported-encoding"],
      [OPENING("mycompany").replace("jabber:client", "jabber:server"), "invalid-namespace"],
      [OPENING("mycompany").replace(" version='1.0' xmlns", " xmlns"), "unsupported-version"],
    ] as const;
    for (const [text, condition] of wrong) {
      const client = await place.connect();
      client.says(text);
      expect(await told(client)).toBe(refusal(condition));
    }
    const deep = await place.secured();
    deep.says(`<!DOCTYPE a>${OPENING("mycompany")}`);
    expect(await told(deep)).toBe(refusal("restricted-xml"));
  });

  test("for a gigabyte of opening, after ten kilobytes", async () => {
    const place = await open();
    const client = await place.connect();
    client.says("<?xml version='1.0'?><stream:stream to='");
    const sent = client.floods(Buffer.alloc(65_536, "a"), 1 << 30);
    expect(await told(client)).toBe(refusal("policy-violation"));
    place.clock.advance(2000); // what it says now is not read for long
    expect(await sent).toBeLessThan(1 << 30);
    await client.isClosed();
    expect(place.drops).toEqual({ "xmpp-too-large": 1 });
    expect(place.clock.nextInMs).toBeGreaterThan(2000);
  });

  test("when it drips its opening, before TLS and after", async () => {
    const place = await open();
    const client = await place.connect();
    for (const byte of Buffer.from("<?xml")) client.says(new Uint8Array([byte]));
    const secret = await place.secured();
    secret.says("<?xml");
    await place.armed(2);
    place.clock.advance(9_999);
    expect(client.unheard + secret.unheard).toBe(0);
    place.clock.advance(1);
    expect(await told(client)).toBe(refusal("connection-timeout"));
    expect(await told(secret)).toBe(refusal("connection-timeout"));
    const silent = await place.connect();
    silent.says(OPENING("mycompany"));
    await silent.hears("</stream:features>");
    place.clock.advance(10_000);
    expect(await told(silent)).toBe(error("connection-timeout"));
  });

  test("that too many are there already, of its instance", async () => {
    const place = await open({ limits: { xmppClientsPerInstance: 1 } });
    await place.spliced();
    const client = await place.secured();
    client.says(OPENING("mycompany"));
    expect(await told(client)).toBe(refusal("resource-constraint"));
    expect(place.drops).toEqual({ "xmpp-instance-full": 1 });
  });
});

describe("a client is closed without a word", () => {
  test("when too many are there, in all or from its address", async () => {
    for (const limit of ["xmppClients", "xmppClientsPerAddress"]) {
      const place = await open({ limits: { [limit]: 1 } });
      const { client, pbx } = await place.spliced();
      expect(await (await place.connect()).hearsTheEnd()).toBe("");
      client.closes();
      await pbx.hearsTheEnd();
      pbx.closes();
      await place.gone();
      await place.spliced();
    }
  });

  test("when it says no TLS after <proceed/>, or wants another protocol by ALPN", async () => {
    const place = await open();
    const client = await place.connect();
    client.says(OPENING("mycompany") + STARTTLS);
    await client.hears(PROCEED);
    client.says(OPENING("mycompany"));
    await client.hearsTheEnd();
    client.closes();
    expect(End.connectTls(place.port, CA, { ALPNProtocols: ["h2"] })).rejects.toThrow();
    await place.gone();
    expect(place.drops["xmpp-tls-handshake"]).toBeGreaterThan(0);
  });

  test("when it has been silent for longer than any keep-alive", async () => {
    const place = await open({ limits: { xmppIdleTimeout: 3600 } });
    const { client, pbx } = await place.spliced();
    place.clock.advance(3_500_000);
    client.says(" ");
    await pbx.hears(" ");
    place.clock.advance(3_500_000);
    expect(place.service.clients).toBe(1);
    place.clock.advance(200_000);
    await client.hearsTheEnd();
    await pbx.hearsTheEnd();
    expect(place.drops).toEqual({ "xmpp-idle": 1 });
    expect(place.clock.pending).toBe(0);
  });
});

describe("an instance", () => {
  const cases: readonly [string, (pbx: XmppEnd) => void][] = [
    ["closes at once", (pbx) => pbx.closes()],
    ["speaks another protocol", (pbx) => pbx.says("SSH-2.0-OpenSSH_9.9\r\n")],
    [
      "wants STARTTLS and is not given it",
      (pbx) =>
        pbx.says(
          `${ANSWER}<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>`,
        ),
    ],
  ];
  for (const [what, act] of cases) {
    test(`that ${what} is told as remote-connection-failed`, async () => {
      const place = await open();
      const client = await place.secured();
      client.says(OPENING("mycompany"));
      const pbx = await place.instance.accepts();
      await pbx.hears(OPENING("mycompany"));
      act(pbx);
      expect(await told(client)).toBe(refusal("remote-connection-failed"));
      expect(place.drops).toEqual({ "xmpp-instance-unreachable": 1 });
    });
  }

  test("that does not answer is logged once, and so is that it answers again", async () => {
    const place = await open();
    for (let times = 0; times < 3; times++) {
      const client = await place.secured();
      client.says(OPENING("mycompany"));
      const pbx = await place.instance.accepts();
      await pbx.hears(OPENING("mycompany"));
      pbx.closes();
      await told(client);
    }
    expect(place.logged).toEqual([
      'warn xmpp-instance-failed instance=mycompany reason="closed without an answer"',
    ]);
    await place.spliced();
    expect(place.logged.slice(1)).toEqual(["info xmpp-instance-answers instance=mycompany"]);
  });

  test("that is down, or says nothing, is told as remote-connection-failed", async () => {
    const place = await open();
    const mute = await place.secured();
    mute.says(OPENING("mycompany"));
    await (await place.instance.accepts()).hears(OPENING("mycompany"));
    place.clock.advance(10_000);
    expect(await told(mute)).toBe(refusal("remote-connection-failed"));
    place.instance.close();
    const client = await place.secured();
    client.says(OPENING("mycompany"));
    expect(await told(client)).toBe(refusal("remote-connection-failed"));
  });

  test("with a certificate that is not good is told as remote-connection-failed", async () => {
    for (const xmpp of [{}, { caPem: insideIdentity.certificatePem }]) {
      const place = await open({ xmpp: { tls: "direct", ...xmpp } });
      const client = await place.secured();
      client.says(OPENING("mycompany"));
      const pbx = await place.instance.accepts();
      // Of another authority, then for another name.
      const shown = "caPem" in xmpp ? identity : insideIdentity;
      await pbx.acceptsTls(shown).catch(() => {});
      expect(await told(client)).toBe(refusal("remote-connection-failed"));
    }
  });

  test("that injects before TLS is not talked to", async () => {
    const place = await open({ xmpp: { tls: "starttls", verifyTls: false } });
    const client = await place.secured();
    client.says(OPENING("mycompany"));
    const pbx = await place.instance.accepts();
    await pbx.hears("streams'>");
    pbx.says(
      `${ANSWER}<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>`,
    );
    await pbx.hears(STARTTLS);
    pbx.says(`${PROCEED}${ANSWER}${FEATURES}`);
    expect(await told(client)).toBe(refusal("remote-connection-failed"));
  });

  test("may refuse the stream itself: its words pass", async () => {
    const place = await open();
    const client = await place.secured();
    client.says(OPENING("mycompany"));
    const pbx = await place.instance.accepts();
    await pbx.hears(OPENING("mycompany"));
    pbx.says(ANSWER + error("host-gone"));
    pbx.ends();
    expect(await client.hearsTheEnd()).toBe(ANSWER + error("host-gone"));
  });
});

describe("a proxy that is stopped", () => {
  test("tells those that it still can, and closes the others with their instances", async () => {
    const place = await open();
    const { client, pbx } = await place.spliced();
    const early = await place.connect();
    early.says(OPENING("mycompany"));
    await early.hears("</stream:features>");
    place.service.stopListening();
    expect(await told(early)).toBe(error("system-shutdown"));
    client.says("<still/>");
    await pbx.hears("<still/>");
    const { port } = place;
    place.close();
    await client.hearsTheEnd();
    await pbx.hearsTheEnd();
    const refused = net.connect(port, "127.0.0.1");
    expect(await new Promise((resolve) => refused.once("error", () => resolve("refused")))).toBe(
      "refused",
    );
  });

  test("and one that may not serve XMPP any more closes its port; a removed instance's clients end", async () => {
    const place = await open({ instances: [{ name: "other", address: "127.0.0.9" }] });
    const { client, pbx } = await place.spliced();
    const waiting = await place.connect();
    waiting.says(OPENING("other"));
    await waiting.hears("</stream:features>");
    place.service.endOthers(new Set(["mycompany"]));
    expect(await told(waiting)).toBe(error("host-unknown"));
    client.says("<still/>");
    await pbx.hears("<still/>");
    place.service.endOthers(new Set(["other"]));
    await client.hearsTheEnd();
    const last = await place.connect();
    last.says(OPENING("mycompany"));
    await last.hears("</stream:features>");
    await place.switchesOff();
    expect(await told(last)).toBe(error("system-shutdown"));
    expect(place.service.listening).toEqual({});
  });

  test("closes the clients of an address that was banned", async () => {
    const place = await open();
    const { client } = await place.spliced();
    place.service.closeFrom("192.0.2.1");
    expect(place.service.clients).toBe(1);
    place.service.closeFrom("127.0.0.1");
    await client.hearsTheEnd();
  });
});
