/**
 * `pequod demo`: the demonstration instance, a proxy before it, one call by a small phone, then both stay up
 * for softphones until the signal. The proxy comes in as a function: demo/ knows nothing of proxy/.
 *
 * The call of its own always goes over loopback, since a proxy on another address never sends media to its
 * own machine. With `listen` a second proxy, for softphones, stands on that address.
 */

import type { Endpoint, Log, World } from "../io/types.ts";
import { ListenError } from "../io/types.ts";
import { ProvisioningTokens } from "../provisioning/token.ts";
import { provisioningUrls } from "../provisioning/urls.ts";
import { DemoInstance } from "./instance.ts";
import { managementPages } from "./management-pages.ts";
import { call, register, unregister } from "./phone.ts";
import { macOf, phoneConfigurations } from "./phone-configuration.ts";
import { type Account, PhoneConnection } from "./phone-connection.ts";
import { callScreen, hasWorked, softphoneScreen } from "./screen.ts";
import { openDemoWeb } from "./web.ts";
import { DemoXmppServer } from "./xmpp-server.ts";

/** A running proxy as the demonstration needs it. */
export type DemoProxy = {
  /** "address:port" of SIP over TLS, of phone provisioning and of XMPP. */
  readonly listening: {
    readonly sipTls?: string;
    readonly provisioningHttps?: string;
    readonly xmpp?: string;
    /** Of management. */
    readonly web?: string;
  };
  /** SHA-256 of its certificate, to be compared by a person; null = not known. */
  readonly fingerprint: string | null;
  close(): void | Promise<void>;
};

export type DemoOptions = {
  readonly world: World;
  readonly log: Log;
  /** An address of this machine for softphones in the LAN; null = loopback only. */
  readonly listen: string | null;
  /** Starts the proxy `name` of a configuration document. Rejects with ListenError, everything closed. */
  startProxy(document: unknown, name: string): Promise<DemoProxy>;
  print(text: string): void;
  /** What else there is to see, told after the call. */
  beside?(): Promise<string>;
  /** Ends the demonstration. */
  readonly signal: AbortSignal;
  /** Length of its own call in frames of 20 ms; left out = 3 s. */
  readonly frames?: number;
};

const LOOPBACK = "127.0.0.1";
const INSTANCE_ADDRESS = "127.0.0.2";
const DOMAIN = "demo";
const USERS = Array.from({ length: 10 }, (_, index) => String(100 + index));
const FRAMES = 150;
const PRODUCT = "Pequod demonstration";
/** Without letters that are taken for others, and typed on a telephone without shift. */
const PASSWORD_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789";
const PASSWORD_LENGTH = 10;
const PORT_TRIES = 20;
const FIRST_INSIDE_PORT = 15_060;
const KEY_BYTES = 32;
/** 443 belongs to root. */
const WEB_PORT = 4443;

/** Where the demonstration instance is, and the key of its phones' URLs. */
type Inside = {
  readonly sip: Endpoint;
  readonly web: Endpoint;
  readonly xmpp: Endpoint;
  readonly key: Uint8Array;
};

/** Resolves after the signal, with everything closed: true when its own call went through. */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const { world, log, listen } = options;
  const password = newPassword(world);
  const instance = await openInstance(options, password);
  const proxies: DemoProxy[] = [];
  const forPhones = (): Endpoint | null => {
    const last = proxies.at(-1);
    return last === undefined ? null : tlsEndpoint(last);
  };
  const accounts = { domain: DOMAIN, users: USERS, password, proxy: forPhones };
  const web = await openDemoWeb(world, { address: INSTANCE_ADDRESS, port: 0 }, [
    phoneConfigurations(accounts),
    managementPages({
      domain: DOMAIN,
      users: USERS,
      registered: () => instance.registered,
      calls: () => instance.callCount,
    }),
  ]);
  const at = { address: INSTANCE_ADDRESS, port: 0 };
  const xmpp = await DemoXmppServer.open({ ...accounts, world, local: at });
  const key = world.random(KEY_BYTES);
  const inside: Inside = { sip: instance.local, web: web.local, xmpp: xmpp.local, key };
  try {
    const loopback = await startProxyOn(options, inside, LOOPBACK, 0);
    proxies.push(loopback);
    const isLoopbackOnly = listen === null || listen === LOOPBACK;
    const outside = isLoopbackOnly ? loopback : await startProxyOn(options, inside, listen, 1);
    if (outside !== loopback) proxies.push(outside);
    const account = { domain: DOMAIN, username: USERS[0]!, password };
    const hasGoneThrough = await placeCall(options, loopback, instance.local, account);
    const proxy = tlsEndpoint(outside);
    const { fingerprint } = outside;
    const here = outside === loopback ? null : tlsEndpoint(loopback);
    const phoneUrl = urlOfPhone(outside, inside.key);
    const chat = outside.listening.xmpp === undefined ? null : endpointOf(outside.listening.xmpp);
    const accountsShown = { domain: DOMAIN, users: USERS, password };
    const { web: pages = null } = outside.listening;
    const webUrl = pages === null ? null : `https://${pages}/${DOMAIN}/`;
    const screen = { ...accountsShown, proxy, here, phoneUrl, webUrl, chat, fingerprint };
    const beside = await options.beside?.();
    if (beside !== undefined) options.print(beside);
    options.print(softphoneScreen(screen));
    await aborted(options.signal);
    return hasGoneThrough;
  } finally {
    instance.close();
    web.close();
    xmpp.close();
    for (const proxy of proxies) await proxy.close();
    log.info("demonstration-ended");
  }
}

function newPassword(world: World): string {
  const random = world.random(PASSWORD_LENGTH);
  return Array.from(random, (byte) => PASSWORD_LETTERS[byte % PASSWORD_LETTERS.length]).join("");
}

async function openInstance(options: DemoOptions, password: string): Promise<DemoInstance> {
  const { world, log } = options;
  return await DemoInstance.open({
    world,
    log: log.with({ part: "demo-instance" }),
    local: { address: INSTANCE_ADDRESS, port: 0 },
    domain: DOMAIN,
    users: USERS,
    password,
    product: PRODUCT,
  });
}

/** The usual ports when they are free, else any; the next inside port while others hold one. */
async function startProxyOn(
  options: DemoOptions,
  inside: Inside,
  address: string,
  index: number,
): Promise<DemoProxy> {
  let failure: unknown;
  for (let attempt = 0; attempt < PORT_TRIES; attempt++) {
    const sipPort = FIRST_INSIDE_PORT + 2 * (index + 2 * attempt);
    const isUsual = attempt % 2 === 0;
    try {
      const name = index === 0 ? DOMAIN : "lan";
      const document = demoDocument({ name, inside, address, sipPort, isUsual });
      return await options.startProxy(document, name);
    } catch (error) {
      if (!(error instanceof ListenError)) throw error;
      failure ??= error;
    }
  }
  throw failure;
}

type DocumentParts = {
  readonly name: string;
  readonly inside: Inside;
  readonly address: string;
  readonly sipPort: number;
  /** On the usual ports. */
  readonly isUsual: boolean;
};

/** The configuration of the demonstration's proxy: every service is on. */
function demoDocument({ name, inside, address, sipPort, isUsual }: DocumentParts): unknown {
  const { sip, web, xmpp, key } = inside;
  return {
    version: 1,
    instances: [
      {
        name: DOMAIN,
        address: sip.address,
        sip: { port: sip.port },
        web: { url: `http://${web.address}:${web.port}` },
        provisioning: { url: `http://${web.address}:${web.port}` },
        xmpp: { port: xmpp.port },
      },
    ],
    proxies: [
      {
        name,
        fqdn: address,
        bindAddress: address,
        provisioningKey: Buffer.from(key).toString("base64"),
        redirectHttp: false,
        inside: { address: LOOPBACK, sipPort },
        ports: isUsual ? { web: WEB_PORT } : { sipTls: 0, provisioningHttps: 0, xmpp: 0, web: 0 },
      },
    ],
  };
}

function tlsEndpoint(proxy: DemoProxy): Endpoint {
  return endpointOf(proxy.listening.sipTls ?? "");
}

/** Of the second user; null where the proxy serves no phones so. */
function urlOfPhone({ listening }: DemoProxy, key: Uint8Array): string | null {
  if (listening.provisioningHttps === undefined) return null;
  const { address: fqdn, port } = endpointOf(listening.provisioningHttps);
  const ports = { provisioningHttps: port, provisioningHttp: 0 };
  const parts = {
    mode: "https-encrypted",
    fqdn,
    ports,
    tokens: new ProvisioningTokens(key),
  } as const;
  return provisioningUrls(parts, DOMAIN, macOf(USERS[1]!))[0] ?? null;
}

function endpointOf(text: string): Endpoint {
  const colon = text.lastIndexOf(":");
  const address = text.slice(0, colon).replace(/[[\]]/g, "");
  return { address, port: Number(text.slice(colon + 1)) };
}

/** Registers, calls 600, prints the screen. A failure is printed too and does not end the demonstration. */
async function placeCall(
  options: DemoOptions,
  proxy: DemoProxy,
  instance: Endpoint,
  account: Account,
): Promise<boolean> {
  const { world, log, print, signal } = options;
  const endpoint = tlsEndpoint(proxy);
  let phone: PhoneConnection | null = null;
  try {
    phone = await PhoneConnection.open({
      world,
      proxy: endpoint,
      localAddress: LOOPBACK,
      account,
      product: PRODUCT,
    });
    const registration = await register(phone);
    const report = await call(phone, "600", { frames: options.frames ?? FRAMES, signal });
    await unregister(phone);
    const { username: user, domain } = account;
    print(callScreen({ user, domain, proxy: endpoint, instance, registration, call: report }));
    return hasWorked(report);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    log.error("demonstration-call-failed", { reason });
    print(`\nThe demonstration's own call failed: ${reason}\n`);
    return false;
  } finally {
    phone?.close();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}
