/** What the Test button says of an instance's web server, which shows a certificate where it speaks HTTPS. */
import { afterEach, expect, test } from "bun:test";
import { XmppPlace } from "../../test/flows/xmpp-place.ts";
import type { InstanceConfig } from "../config/config.ts";
import type { Identity, StreamListener } from "../io/types.ts";
import { realWorld } from "../io/world.ts";
import { selfSignedServerIdentity } from "../tls/self-signed.ts";
import { reachInstance } from "./reach.ts";

const HERE = "127.0.0.1";
const listeners: StreamListener[] = [];
afterEach(() => {
  for (const listener of listeners.splice(0)) listener.close();
});

const identityOf = (name: string): Promise<Identity> =>
  selfSignedServerIdentity({
    names: [name],
    notBefore: new Date("2026-01-01"),
    days: 36_500,
    serial: new Uint8Array(8).fill(1),
  });

async function listen(identity: Identity): Promise<number> {
  const listener = await realWorld.listenStream({
    local: { address: HERE, port: 0 },
    identity,
    handshakeTimeoutMs: 5000,
    accept: () => ({ data() {}, closed() {} }),
  });
  listeners.push(listener);
  return listener.local.port;
}

/** What is said of provisioning and web, of a server that shows this certificate. */
async function told(identity: Identity, web: Partial<InstanceConfig["web"]>) {
  const url = `https://localhost:${await listen(identity)}`;
  const instance = XmppPlace.instance({});
  const services = await reachInstance(realWorld, {
    ...instance,
    web: { ...instance.web, ...web, url },
    provisioning: { url },
  });
  return services.filter(({ service }) => service === "web" || service === "provisioning");
}

test("a web server by HTTPS is reached when the proxies would take its certificate", async () => {
  const good = await identityOf("localhost");
  const other = await identityOf("elsewhere");
  const cases: readonly [Identity, Partial<InstanceConfig["web"]>, boolean][] = [
    [good, { caPem: good.certificatePem }, true],
    [good, {}, false],
    [other, { caPem: other.certificatePem }, false],
    [other, { verifyTls: false }, true],
  ];
  const all = await Promise.all(cases.map(([identity, web]) => told(identity, web)));
  expect(all.map((services) => services.map(({ reachable }) => reachable))).toEqual(
    cases.map(([, , isGood]) => [isGood, isGood]),
  );
  expect(all[2]?.[0]?.reason).toContain("altnames");
});
