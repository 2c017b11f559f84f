/** Real handshakes: every version and suite against each kind of TLS server that we have. */
import { afterAll, expect, test } from "bun:test";
import net from "node:net";
import tls from "node:tls";
import { selfSignedIdentity, selfSignedServerIdentity } from "../tls/self-signed.ts";
import { serveHttps } from "./https-server.ts";
import { listenStream } from "./streams.ts";
import { serverTlsOptions } from "./tls-options.ts";
import type { Identity } from "./types.ts";

const made = {
  notBefore: new Date(Date.now() - 86_400_000),
  days: 30,
  serial: new Uint8Array(16).fill(1),
};
const rsa = await selfSignedIdentity({ fqdn: "mobydick.example.com", ...made });
const ecdsa = await selfSignedServerIdentity({ names: ["mobydick.example.com"], ...made });

const closing: (() => void)[] = [];
afterAll(() => {
  for (const close of closing) close();
});

async function streams(identity: Identity, allowsTls10: boolean): Promise<number> {
  const listener = await listenStream({
    local: { address: "127.0.0.1", port: 0 },
    identity,
    allowsTls10,
    handshakeTimeoutMs: 10_000,
    accept: () => ({ data() {}, closed() {} }),
  });
  closing.push(() => listener.close());
  return listener.local.port;
}

/** As XMPP does it: TLS on a connection that was accepted without. */
async function upgraded(identity: Identity, allowsTls10: boolean): Promise<number> {
  const secureContext = tls.createSecureContext(serverTlsOptions(identity, allowsTls10));
  const server = net.createServer((plain) => {
    const secure = new tls.TLSSocket(plain, { isServer: true, secureContext });
    secure.on("error", () => plain.destroy());
    plain.on("error", () => {});
  });
  closing.push(() => void server.close());
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return (server.address() as net.AddressInfo).port;
}

function admin(identity: Identity): number {
  const { local, close } = serveHttps({
    local: { address: "127.0.0.1", port: 0 },
    identity,
    longestBodyBytes: 1000,
    isStream: () => false,
    answer: () => new Response(),
  });
  closing.push(close);
  return local.port;
}

/** Version and suite of a handshake, or null when the server refuses it. */
function meet(port: number, options: tls.ConnectionOptions): Promise<string | null> {
  return new Promise((met) => {
    const at = { host: "127.0.0.1", port, rejectUnauthorized: false };
    const socket = tls.connect({ ...at, ...options }, () => {
      met(`${socket.getProtocol()} ${socket.getCipher().name}`);
      socket.destroy();
    });
    socket.on("error", () => met(null));
  });
}

const only = (version: tls.SecureVersion, ciphers?: string): tls.ConnectionOptions => ({
  minVersion: version,
  maxVersion: version,
  ...(ciphers === undefined ? {} : { ciphers }),
});

/** With forward secrecy and AEAD; the first is that of the certificate's kind. */
const good = (kind: "RSA" | "ECDSA"): string[] => [
  `ECDHE-${kind}-AES128-GCM-SHA256`,
  `ECDHE-${kind}-AES256-GCM-SHA384`,
  `ECDHE-${kind}-CHACHA20-POLY1305`,
];

const OLD = "ECDHE-RSA-AES128-SHA";
/** Without forward secrecy, with CBC, or both. */
const BAD = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA"];
const CBC = ["ECDHE-RSA-AES256-SHA", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA"];

const strict: readonly (readonly [string, "RSA" | "ECDSA", () => Promise<number> | number])[] = [
  ["a listener", "RSA", () => streams(rsa, false)],
  ["a listener with an EC key", "ECDSA", () => streams(ecdsa, false)],
  ["STARTTLS", "RSA", () => upgraded(rsa, false)],
  ["the admin", "ECDSA", () => admin(ecdsa)],
];

for (const [name, kind, open] of strict) {
  test(`${name} speaks TLS 1.3, and 1.2 with forward secrecy and AEAD only`, async () => {
    const port = await open();
    expect(await meet(port, only("TLSv1.3"))).toMatch(/^TLSv1.3 TLS_/);
    for (const suite of good(kind)) {
      expect(await meet(port, only("TLSv1.2", suite))).toBe(`TLSv1.2 ${suite}`);
    }
    for (const suite of [OLD, ...BAD, ...CBC]) {
      expect([suite, await meet(port, only("TLSv1.2", suite))]).toEqual([suite, null]);
    }
    for (const version of ["TLSv1.1", "TLSv1"] as const) {
      expect(await meet(port, only(version))).toBeNull();
    }
  });
}

for (const [name, open] of [
  ["a listener", streams],
  ["STARTTLS", upgraded],
] as const) {
  test(`${name} for old phones adds TLS 1.0, 1.1 and one suite, nothing else`, async () => {
    const port = await open(rsa, true);
    for (const version of ["TLSv1", "TLSv1.1", "TLSv1.2"] as const) {
      expect(await meet(port, only(version, OLD))).toBe(`${version} ${OLD}`);
      for (const suite of [...BAD, ...CBC]) {
        expect([suite, await meet(port, only(version, suite))]).toEqual([suite, null]);
      }
    }
    expect(await meet(port, only("TLSv1.3"))).toMatch(/^TLSv1.3 TLS_/);
    const [best = ""] = good("RSA");
    expect(await meet(port, only("TLSv1.2", `${OLD}:${best}`))).toBe(`TLSv1.2 ${best}`);
  });
}

test("the switch for old phones works on an open listener, both ways", async () => {
  const listener = await listenStream({
    local: { address: "127.0.0.1", port: 0 },
    identity: rsa,
    handshakeTimeoutMs: 10_000,
    accept: () => ({ data() {}, closed() {} }),
  });
  const asOld = (): Promise<string | null> => meet(listener.local.port, only("TLSv1.2", OLD));
  expect(await asOld()).toBeNull();
  listener.setIdentity(rsa, true);
  expect(await asOld()).toBe(`TLSv1.2 ${OLD}`);
  listener.setIdentity(rsa, false);
  expect(await asOld()).toBeNull();
  listener.close();
});
