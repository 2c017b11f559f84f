/**
 * Tries an instance from here and now, as the Test button of the pages: does SIP answer an OPTIONS request,
 * does its web server take a connection (and show a certificate that will do), what does its XMPP server offer. Nothing of it is kept.
 */
import type { InstanceConfig } from "../config/config.ts";
import type { Connection, World } from "../io/types.ts";
import { formatMessage } from "../sip/format-message.ts";
import { inOrder, locate } from "../sip/locate.ts";
import { makeRequest } from "../sip/make-message.ts";
import type { ReachAdvice, ServiceReach } from "./operations.ts";
import { reachXmpp } from "./reach-xmpp.ts";

const PATIENCE_MS = 3000;
const TOKEN_BYTES = 9;

type Try = (instance: InstanceConfig) => Promise<ReachAdvice | null>;

function optionsRequest(world: World, transport: string, local: string, remote: string) {
  const token = Buffer.from(world.random(TOKEN_BYTES)).toString("base64url");
  const host = (address: string) => (address.includes(":") ? `[${address}]` : address);
  return formatMessage(
    makeRequest({
      method: "OPTIONS",
      uri: `sip:${remote}`,
      headers: [
        ["Via", `SIP/2.0/${transport.toUpperCase()} ${host(local)};rport;branch=z9hG4bK${token}`],
        ["Max-Forwards", "70"],
        ["From", `<sip:pequod@${host(local)}>;tag=${token}`],
        ["To", `<sip:${remote}>`],
        ["Call-ID", `${token}@pequod`],
        ["CSeq", "1 OPTIONS"],
      ],
    }),
  );
}

/** Resolves when anything comes back: an instance that says 404 to OPTIONS is there. */
async function trySip(world: World, instance: InstanceConfig): Promise<null> {
  const { transport, verifyTls, caPem } = instance.sip;
  const asked = { host: instance.address, port: instance.sip.port, transport };
  const [first] = inOrder((await locate(world, asked, false)).locations, "");
  if (first === undefined) throw new Error("it has no address");
  const { address, port } = first;
  const local = await world.sourceAddressFor(address);
  if (local === null) throw new Error("there is no route");
  const host = address.includes(":") ? `[${address}]` : address;
  const request = optionsRequest(world, transport, local, `${host}:${port}`);
  let answered: () => void = () => undefined;
  const answer = new Promise<void>((settle) => {
    answered = settle;
  });
  if (transport === "udp") {
    const receive = (_: Uint8Array, from: string): void => {
      if (from === address) answered();
    };
    const socket = await world.openDatagrams({ local: { address: local, port: 0 }, receive });
    socket.send(request, address, port);
    await inTime(world, answer).finally(() => socket.close());
    return null;
  }
  const connection = await world.connectStream({
    local: { address: local },
    remote: { address, port },
    timeoutMs: PATIENCE_MS,
    events: { data: () => answered(), closed: () => undefined },
    ...(transport === "tls"
      ? { tls: { serverName: instance.address, verify: verifyTls, caPem } }
      : {}),
  });
  connection.write(request);
  await inTime(world, answer).finally(() => connection.destroy());
  return null;
}

/** By HTTPS the certificate is looked at as the proxies do, with what is set for the web. */
async function tryUrl(world: World, text: string, web: InstanceConfig["web"]): Promise<null> {
  const url = new URL(text);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const [remote] = (await world.resolve(host)).addresses;
  if (remote === undefined) throw new Error(`${host} has no address`);
  const local = await world.sourceAddressFor(remote);
  if (local === null) throw new Error("there is no route");
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  const connection: Connection = await world.connectStream({
    local: { address: local },
    remote: { address: remote, port },
    timeoutMs: PATIENCE_MS,
    events: { data: () => undefined, closed: () => undefined },
    ...(url.protocol === "https:"
      ? { tls: { serverName: host, verify: web.verifyTls, caPem: web.caPem } }
      : {}),
  });
  connection.destroy();
  return null;
}

function inTime(world: World, answer: Promise<void>): Promise<void> {
  return new Promise((settle, fail) => {
    const timer = world.clock.after(PATIENCE_MS, () => fail(new Error("no answer")));
    void answer.then(() => {
      timer.cancel();
      settle();
    });
  });
}

/** Never rejects; a service that is not reached says why. */
export async function reachInstance(
  world: World,
  instance: InstanceConfig,
): Promise<readonly ServiceReach[]> {
  const attempt = async (service: ServiceReach["service"], work: Try): Promise<ServiceReach> => {
    const startMs = world.clock.now();
    const took = () => world.clock.now() - startMs;
    try {
      const advice = await work(instance);
      return { service, reachable: true, reason: null, advice, tookMs: took() };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { service, reachable: false, reason, advice: null, tookMs: took() };
    }
  };
  return Promise.all([
    attempt("sip", (one) => trySip(world, one)),
    attempt("web", ({ web }) => tryUrl(world, web.url, web)),
    attempt("provisioning", ({ provisioning, web }) => tryUrl(world, provisioning.url, web)),
    attempt("xmpp", (one) => reachXmpp(world, one)),
  ]);
}
