/** XMPP through the compiled binary: a client signs in, the port follows the configuration, a restart. */
import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FEATURES } from "../flows/xmpp-place.ts";
import { OPENING, PROCEED, STARTTLS, XmppEnd, XmppInstance } from "../peers/xmpp-end.ts";
import { endpointOf, LoopbackPlace } from "./binary.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const ANSWER =
  "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='1' from='mycompany' version='1.0'>";

async function open() {
  const at = new LoopbackPlace();
  closing.push(() => at.close());
  const instance = await XmppInstance.listen({ address: at.pbx, port: 0 });
  closing.push(() => instance.close());
  const write = (allowXmpp: boolean): void =>
    at.writeConfig(
      { allowXmpp, voipSip: "off", fqdn: "example.com", ports: { xmpp: 0 } },
      { xmpp: { port: instance.port }, sip: { healthCheck: false } },
    );
  write(true);
  const { running, listening } = await at.startProxy();
  return { at, instance, running, write, to: endpointOf(listening["xmpp"] ?? "") };
}

type Place = Awaited<ReturnType<typeof open>>;

/** A client that checks the certificate for what stands in it: the proxy's name and all below. */
async function spliced({ at, instance, to }: Place) {
  const ca = readFileSync(join(at.folder, "state/certificate.pem"), "utf8");
  const client = await XmppEnd.connect(to.port, to.address);
  client.says(OPENING("mycompany") + STARTTLS);
  await client.hears(PROCEED);
  await client.startsTls(ca, { servername: "mycompany.example.com" });
  client.says(OPENING("mycompany"));
  const pbx = await instance.accepts();
  await pbx.hears(OPENING("mycompany"));
  pbx.says(ANSWER + FEATURES);
  await client.hears(FEATURES);
  return { client, pbx };
}

test("a client signs in through the self-signed wildcard, and the status tells of it", async () => {
  const place = await open();
  const { client, pbx } = await spliced(place);
  client.says("<iq/>");
  await pbx.hears("<iq/>");
  const status = await place.at.status();
  expect(status).toMatchObject({
    listening: { xmpp: `${place.to.address}:${place.to.port}` },
    xmpp: { clients: 1, fromClients: OPENING("mycompany").length + 5 },
    instances: { mycompany: { xmppClients: 1 } },
  });
  const stranger = await XmppEnd.connect(place.to.port, place.to.address);
  stranger.says(OPENING("nobody"));
  expect(await stranger.hearsTheEnd()).toContain("<host-unknown ");
  expect((await place.at.status()) as object).toMatchObject({ drops: { "xmpp-host-unknown": 1 } });
});

test("off is a closed port without clients; a proxy that is stopped closes them, too", async () => {
  const place = await open();
  const first = await spliced(place);
  place.write(false);
  place.running.signal("SIGHUP");
  await place.running.prints(/reloaded/, "stderr");
  expect(XmppEnd.connect(place.to.port, place.to.address)).rejects.toThrow(/ECONNREFUSED/);
  await first.client.hearsTheEnd();
  await first.pbx.hearsTheEnd();
  place.write(true);
  place.running.signal("SIGHUP");
  await place.running.prints(/reloaded[\s\S]*reloaded/, "stderr");
  const { xmpp } = (await place.at.status()).listening;
  const second = await spliced({ ...place, to: endpointOf(xmpp ?? "") });
  place.running.signal("SIGTERM");
  await second.client.hearsTheEnd();
  await second.pbx.hearsTheEnd();
  expect(await place.running.exits()).toBe(0);
});

test("after kill -9 and a restart the same certificate serves the next client", async () => {
  const place = await open();
  const { client, pbx } = await spliced(place);
  place.running.signal("SIGKILL");
  await client.hearsTheEnd();
  await pbx.hearsTheEnd();
  const { listening } = await place.at.startProxy();
  await spliced({ ...place, to: endpointOf(listening["xmpp"] ?? "") });
});
