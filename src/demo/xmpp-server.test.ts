/** The demonstration's XMPP server with scripted clients, straight and through a proxy's splice. */
import { afterEach, expect, test } from "bun:test";
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { identity, XmppPlace } from "../../test/flows/xmpp-place.ts";
import { OPENING, XmppEnd } from "../../test/peers/xmpp-end.ts";
import { realWorld } from "../io/world.ts";
import { DemoXmppServer } from "./xmpp-server.ts";

const PASSWORD = "secret";
const closing: { close(): void }[] = [];
afterEach(() => {
  for (const one of closing.splice(0)) one.close();
});

async function open(): Promise<DemoXmppServer> {
  const server = await DemoXmppServer.open({
    world: realWorld,
    local: { address: "127.0.0.1", port: 0 },
    domain: "mycompany",
    users: ["100", "101"],
    password: PASSWORD,
  });
  closing.push(server);
  return server;
}

const base64 = (text: string) => Buffer.from(text).toString("base64");
const hmac = (key: Uint8Array, text: string) => createHmac("sha1", key).update(text).digest();

/** SCRAM-SHA-1 as RFC 5802 §3 writes it down, from the client's side; what the server says at its end. */
async function signsIn(client: XmppEnd, user: string, password = PASSWORD, gs2 = "n,,") {
  client.says(OPENING("mycompany"));
  expect(await client.hears("</stream:features>")).toContain("<mechanism>SCRAM-SHA-1<");
  const first = `n=${user},r=fyko+d2lbbFgONRv9qkxdawL`;
  const sasl = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
  client.says(`<auth ${sasl} mechanism='SCRAM-SHA-1'>${base64(gs2 + first)}</auth>`);
  const challenge = await client.hears(/<\/challenge>|<\/failure>/);
  if (challenge.includes("failure")) return challenge;
  const server = Buffer.from(/>(.*)</.exec(challenge)?.[1] ?? "", "base64").toString();
  const [, nonce = "", salt = "", rounds = ""] = /^r=(.*),s=(.*),i=(.*)$/.exec(server) ?? [];
  const salted = pbkdf2Sync(password, Buffer.from(salt, "base64"), Number(rounds), 20, "sha1");
  const key = hmac(salted, "Client Key");
  const bare = `c=biws,r=${nonce}`;
  const signature = hmac(createHash("sha1").update(key).digest(), `${first},${server},${bare}`);
  const proof = Buffer.from(key.map((byte, at) => byte ^ (signature[at] ?? 0)));
  client.says(`<response ${sasl}>${base64(`${bare},p=${proof.toString("base64")}`)}</response>`);
  return client.hears(/<\/success>|<\/failure>/);
}

/** Up to its presence. */
async function comes(client: XmppEnd, user: string): Promise<void> {
  expect(await signsIn(client, user)).toContain("<success");
  client.says(OPENING("mycompany"));
  await client.hears("</stream:features>");
  client.says(
    "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>desk</resource></bind></iq>",
  );
  await client.hears(`<jid>${user}@mycompany/desk</jid></bind></iq>`);
  client.says("<iq type='get' id='2'><query xmlns='jabber:iq:roster'/></iq>");
  const roster = await client.hears("</iq>");
  expect(roster).toContain("echo@mycompany");
  expect(roster).not.toContain(`'${user}@mycompany'`);
  client.says("<presence/>");
  await client.hears("<presence");
}

test("a client signs in, sees the others, and hears itself from echo", async () => {
  const server = await open();
  const first = await XmppEnd.connect(server.local.port);
  const second = await XmppEnd.connect(server.local.port);
  await comes(first, "100");
  await comes(second, "101");
  first.says("<message to='echo@mycompany' type='chat'><body>1 &lt; 2 &amp; ä</body></message>");
  expect(await first.hears("</message>")).toContain("<body>1 &lt; 2 &amp; ä</body>");
  first.says("<message to='101@mycompany/desk' type='chat'><body>hello</body></message>");
  expect(await second.hears("<body>hello</body>")).toContain("from='100@mycompany/desk'");
  first.says("<iq type='get' id='3'><query xmlns='urn:nothing'/></iq>");
  await first.hears("service-unavailable");
  first.says("</stream:stream>");
  expect(await first.hearsTheEnd()).toContain("</stream:stream>");
  second.closes();
});

test("a wrong password, an unknown user and a claim of channel binding are refused", async () => {
  const server = await open();
  const tries = [
    ["100", "wrong", "n,,"],
    ["999", PASSWORD, "n,,"],
    ["100", PASSWORD, "y,,"],
  ] as const;
  for (const [user, password, gs2] of tries) {
    const client = await XmppEnd.connect(server.local.port);
    expect(await signsIn(client, user, password, gs2)).toContain("not-authorized");
    client.closes();
  }
});

test("all that goes through the splice of a proxy", async () => {
  const server = await open();
  const place = await XmppPlace.open({ xmpp: { port: server.local.port } });
  closing.push(place);
  const client = await place.secured("mycompany");
  await comes(client, "100");
  expect(place.service.clients).toBe(1);
  const direct = await XmppEnd.connectTls(place.port, identity.certificatePem);
  await comes(direct, "101");
  direct.says("<message to='100@mycompany' type='chat'><body>there</body></message>");
  await client.hears("<body>there</body>");
});
