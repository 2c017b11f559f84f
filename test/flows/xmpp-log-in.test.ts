/** XMPP clients that do all right: what reaches their instance, and what of it they hear. */
import { afterEach, describe, expect, test } from "bun:test";
import { OPENING, PROCEED, STARTTLS, XmppEnd } from "../peers/xmpp-end.ts";
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

describe("a client", () => {
  test("is offered STARTTLS and nothing else, shakes hands, and talks with its instance", async () => {
    const place = await open();
    const client = await place.connect();
    client.says(OPENING("mycompany"));
    expect(await client.hears("</stream:features>")).toMatch(
      /^<\?xml version='1.0'\?><stream:stream from='mycompany' id='[0-9a-f]{24}' version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='http:\/\/etherx.jabber.org\/streams'><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required\/><\/starttls><\/stream:features>$/,
    );
    client.says(STARTTLS);
    expect(await client.hears(PROCEED)).toBe(PROCEED);
    await client.startsTls(CA);
    expect(place.instance.unanswered).toBe(0);
    const opening = OPENING("MyCompany", ` from="jörg@mycompany" xml:lang='de'`);
    client.says(opening);
    const pbx = await place.instance.accepts();
    expect(await pbx.hears("streams'>")).toBe(opening);
    pbx.says(ANSWER);
    pbx.says(FEATURES);
    expect(await client.hears("</stream:features>")).toBe(ANSWER + FEATURES);
    client.says(
      "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'>biwsbg==</auth>",
    );
    await pbx.hears("biwsbg==</auth>");
    expect(place.service.clients).toBe(1);
    expect(place.service.perInstance).toEqual(new Map([["mycompany", 1]]));
    expect(place.drops).toEqual({});
    client.closes();
    await pbx.hearsTheEnd();
  });

  test("may begin with TLS, with ALPN and without, and is served on the same port", async () => {
    for (const protocols of [{ ALPNProtocols: ["xmpp-client"] }, {}]) {
      const place = await open();
      const client = await XmppEnd.connectTls(place.port, CA, protocols);
      client.says(OPENING("mycompany.example.com"));
      const pbx = await place.instance.accepts();
      await pbx.hears(OPENING("mycompany.example.com"));
      pbx.says(ANSWER + FEATURES);
      await client.hears(FEATURES);
    }
  });

  test("finds the certificate good for the alias of its instance below the proxy's name", async () => {
    const place = await open();
    const client = await place.connect();
    client.says(OPENING("mycompany.example.com"));
    await client.hears("</stream:features>");
    client.says(STARTTLS);
    await client.hears(PROCEED);
    await client.startsTls(CA, { servername: "mycompany.example.com" });
    const other = await place.connect();
    other.says(OPENING("mycompany"));
    await other.hears("</stream:features>");
    other.says(STARTTLS);
    await other.hears(PROCEED);
    // The bare name of an instance stands in no certificate.
    expect(other.startsTls(CA, { servername: "mycompany" })).rejects.toThrow(/altnames/);
  });

  test("may send <starttls/> with its opening, and its opening with what follows it", async () => {
    const place = await open();
    const client = await place.connect();
    client.says(`${OPENING("mycompany")}${STARTTLS}\n`);
    await client.hears(PROCEED);
    await client.startsTls(CA);
    client.says(`${OPENING("mycompany")}<auth>early</auth>`);
    const pbx = await place.instance.accepts();
    await pbx.hears(`${OPENING("mycompany")}<auth>early</auth>`);
  });

  test("may send its bytes one by one", async () => {
    const place = await open();
    const client = await place.connect();
    for (const byte of Buffer.from(OPENING("mycompany"))) client.says(new Uint8Array([byte]));
    await client.hears("</stream:features>");
    for (const byte of Buffer.from(STARTTLS)) client.says(new Uint8Array([byte]));
    await client.hears(PROCEED);
    await client.startsTls(CA);
    for (const byte of Buffer.from(OPENING("mycompany"))) client.says(new Uint8Array([byte]));
    const pbx = await place.instance.accepts();
    await pbx.hears(OPENING("mycompany"));
  });

  test("ends its stream before TLS and is answered", async () => {
    const place = await open();
    const client = await place.connect();
    client.says(OPENING("mycompany"));
    await client.hears("</stream:features>");
    client.says("</stream:stream>");
    expect(await client.hearsTheEnd()).toBe("</stream:stream>");
    expect(place.drops).toEqual({});
  });
});

describe("the instance's first features", () => {
  const OFFER =
    "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1-PLUS</mechanism><mechanism>SCRAM-SHA-1</mechanism></mechanisms><sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/></sasl-channel-binding></stream:features>";

  for (const tls of ["off", "starttls", "direct"] as const) {
    test(`lose STARTTLS and channel binding, xmpp.tls ${tls}`, async () => {
      const caPem = insideIdentity.certificatePem;
      const place = await open({ xmpp: { tls, caPem } });
      const client = await place.secured();
      client.says(OPENING("mycompany"));
      const pbx = await place.instance.accepts();
      if (tls === "starttls") {
        await pbx.hears(/^<\?xml.*<stream:stream to='mycompany' version='1.0'.*>/);
        pbx.says(ANSWER + OFFER);
        await pbx.hears(STARTTLS);
        pbx.says(PROCEED);
      }
      if (tls !== "off") await pbx.acceptsTls(insideIdentity);
      await pbx.hears(OPENING("mycompany"));
      pbx.says(`${ANSWER}${OFFER}<!-- what follows is the instance's business -->`);
      expect(await client.hears("</stream:features>")).toBe(ANSWER + FEATURES);
      // All later bytes are the client's and the instance's alone.
      client.says("<success/>");
      await pbx.hears("<success/>");
      pbx.says(`${ANSWER}${OFFER}`);
      expect(await client.hears("</stream:features>")).toEndWith(`business -->${ANSWER}${OFFER}`);
    });
  }
});

describe("between client and instance", () => {
  test("white space, compression refused, resumption and big stanzas pass as they are", async () => {
    const place = await open();
    const { client, pbx } = await place.spliced();
    const pairs = [
      [" ", "\n"],
      [
        "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>",
        "<failure xmlns='http://jabber.org/protocol/compress'><unsupported-method/></failure>",
      ],
      [
        "<resume xmlns='urn:xmpp:sm:3' h='5' previd='some'/>",
        "<resumed xmlns='urn:xmpp:sm:3' h='7' previd='some'/>",
      ],
      [`<message>${"ä".repeat(300_000)}</message>`, `<iq>${"b".repeat(700_000)}</iq>`],
      ["\u0000not XML at all <<<", "&neither; ]]>"],
    ] as const;
    for (const [said, answered] of pairs) {
      client.says(said);
      expect(await pbx.hears(said)).toBe(said);
      pbx.says(answered);
      expect(await client.hears(answered)).toBe(answered);
    }
    const { fromClients, toClients } = place.service.traffic;
    expect(fromClients).toBeGreaterThan(600_000);
    expect(toClients).toBeGreaterThan(700_000);
  });

  test("each way ends by itself", async () => {
    const place = await open();
    const { client, pbx } = await place.spliced();
    client.says("</stream:stream>");
    client.ends();
    expect(await pbx.hearsTheEnd()).toBe("</stream:stream>");
    pbx.says("<message>late</message></stream:stream>");
    pbx.ends();
    expect(await client.hearsTheEnd()).toBe("<message>late</message></stream:stream>");
    await client.isClosed();
    await pbx.isClosed();
  });

  test("an instance that closes or breaks closes its client, and the other way round", async () => {
    const place = await open();
    const first = await place.spliced();
    first.pbx.says("</stream:stream>");
    first.pbx.ends();
    expect(await first.client.hearsTheEnd()).toBe("</stream:stream>");
    const second = await place.spliced();
    second.client.closes();
    await second.pbx.hearsTheEnd();
  });

  test("two instances with the same user do not hear of one another", async () => {
    const other = await XmppPlace.open();
    const place = await open({
      instances: [
        {
          name: "other",
          address: "127.0.0.1",
          sip: { port: 5070 },
          xmpp: { port: other.instance.port },
        },
      ],
    });
    const mine = await place.spliced();
    const client = await place.secured("other");
    client.says(OPENING("other"));
    const pbx = await other.instance.accepts();
    await pbx.hears(OPENING("other"));
    pbx.says(ANSWER + FEATURES);
    await client.hears(FEATURES);
    pbx.says("<message>for the other</message>");
    await client.hears("<message>for the other</message>");
    expect(mine.client.unheard).toBe(0);
    expect(place.service.perInstance).toEqual(
      new Map([
        ["mycompany", 1],
        ["other", 1],
      ]),
    );
    other.close();
  });

  test("a slow client holds its instance back, and hears all once it listens", async () => {
    const place = await open();
    const { client, pbx } = await place.spliced();
    client.holds();
    const MOST = 32 << 20;
    let taken = 0;
    const flood = pbx.floods(Buffer.alloc(65_536, "x"), MOST).then((sent) => {
      taken = sent;
    });
    // What went through stands still at what the kernel's buffers hold, far below what was to be sent.
    let before = -1;
    while (before !== place.service.traffic.toClients) {
      before = place.service.traffic.toClients;
      for (let turn = 0; turn < 200; turn++) await new Promise((next) => setImmediate(next));
    }
    expect(taken).toBe(0);
    expect(before).toBeLessThan(MOST / 2);
    client.listens();
    await flood;
    await client.hearsAll(MOST);
    pbx.says("<end/>");
    await client.hears("<end/>");
  });
});
