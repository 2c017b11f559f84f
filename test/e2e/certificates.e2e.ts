/** Certificates of the compiled binary: what is served, and that a new one costs nobody his connection. */
import { afterEach, expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import tls from "node:tls";
import { type Issued, issue, rsa } from "../peers/certificates.ts";
import { endpointOf, type LoopbackPlace, type Running } from "./binary.ts";
import {
  closeAll,
  closing,
  expectTones,
  makeEnds,
  phoneCalls,
  phoneHangsUp,
  place,
} from "./call.ts";

afterEach(closeAll);

const root = await issue({ name: "Root", algorithm: rsa(2048) });
const intermediate = await issue({ name: "Intermediate", issuer: root, algorithm: rsa(2048) });
const ca = root.certificatePem;

/** In an order that TLS does not know, with a PKCS#1 or SEC1 key. */
function configured({ certificatePem, keyPem }: Issued): object {
  const key = createPrivateKey(keyPem);
  const type = key.asymmetricKeyType === "rsa" ? "pkcs1" : "sec1";
  return {
    certificatePem: ca + certificatePem + intermediate.certificatePem,
    certificateKey: key.export({ type, format: "pem" }).toString(),
  };
}

const leafFor = (address: string, algorithm = rsa(2048)): Promise<Issued> =>
  issue({
    name: address,
    issuer: intermediate,
    names: [address, "mobydick.example.com"],
    algorithm,
  });

const fingerprint = (pem: string): string => new X509Certificate(pem).fingerprint256;

/** A client that trusts the root alone; its name is checked, too. */
function connect(at: string): Promise<tls.TLSSocket> {
  const { address: host, port } = endpointOf(at);
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host, port, ca }, () => resolve(closing(withClose(socket))));
    socket.on("error", reject);
  });
}

const withClose = (socket: tls.TLSSocket): tls.TLSSocket & { close(): void } =>
  Object.assign(socket, { close: () => void socket.destroy() });

async function served(at: string): Promise<string> {
  return (await connect(at)).getPeerCertificate().fingerprint256;
}

/** What the other end says next, up to where that matches. */
function says(socket: tls.TLSSocket, pattern: RegExp): Promise<string> {
  let text = "";
  return new Promise((resolve, reject) => {
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
      if (pattern.test(text)) resolve(text);
    });
    socket.on("close", () => reject(new Error(`closed after: ${text}`)));
  });
}

async function reload(at: LoopbackPlace, running: Running, proxy: object): Promise<void> {
  const before = (await at.status()).config.sha256;
  at.writeConfig(proxy);
  running.signal("SIGHUP");
  for (;;) {
    if ((await at.status()).config.sha256 !== before) return;
  }
}

test("a chain in any order is served as a chain, and clients that check it are content", async () => {
  const at = place();
  const leaf = await leafFor(at.outside);
  at.writeConfig(configured(leaf));
  const { listening } = await at.startProxy();
  const socket = await connect(listening["sipTls"] ?? "");
  expect(socket.authorized).toBe(true);
  expect(socket.getPeerCertificate().fingerprint256).toBe(fingerprint(leaf.certificatePem));
});

test("a reload with another certificate loses neither a connection nor a call nor a note of it", async () => {
  const at = place();
  const [first, second] = [
    await leafFor(at.outside),
    await issue({
      name: "second",
      issuer: intermediate,
      names: [at.outside],
    }),
  ];
  const talk = await phoneCalls(await makeEnds({ proxy: configured(first) }, at));
  const { running, phone } = talk;
  const sipTls = `${at.outside}:${phone.wire?.remote?.port}`;
  const idle = await connect(sipTls);
  await reload(at, running, configured(second));
  expect(await served(sipTls)).toBe(fingerprint(second.certificatePem));
  await expectTones(talk);
  await phoneHangsUp(talk);
  expect(phone.wire?.isOpen).toBe(true);
  const pong = says(idle, /\r\n/);
  idle.write("\r\n\r\n");
  expect(await pong).toBe("\r\n");
  expect(idle.getPeerCertificate().fingerprint256).toBe(fingerprint(first.certificatePem));
});

test("a certificate whose key is another's is refused at the reload, the old one stays", async () => {
  const at = place();
  const [good, other] = [await leafFor(at.outside), await leafFor(at.outside)];
  at.writeConfig(configured(good));
  const { running, listening } = await at.startProxy();
  at.writeConfig({ ...configured(good), certificateKey: other.keyPem });
  running.signal("SIGHUP");
  await running.prints(/config-refused/, "stderr");
  expect((await at.status()).config.error).toContain("does not belong to any certificate");
  expect(await served(listening["sipTls"] ?? "")).toBe(fingerprint(good.certificatePem));
});

test("an encrypted key and a short one are told before anything is listened on", async () => {
  const at = place();
  const leaf = await leafFor(at.outside);
  const cipher = { cipher: "aes-256-cbc", passphrase: "secret" } as const;
  const key = createPrivateKey(leaf.keyPem).export({ type: "pkcs8", format: "pem", ...cipher });
  at.writeConfig({ ...configured(leaf), certificateKey: key.toString() });
  const encrypted = at.run(["check", at.config]);
  expect(await encrypted.exits()).toBe(1);
  expect(encrypted.stdout).toContain("certificateKey: is encrypted with a passphrase");
  at.writeConfig(configured(await leafFor(at.outside, rsa(1024))));
  const short = at.run(["proxy", "dmz", "--config", at.config]);
  expect(await short.exits()).toBe(1);
  expect(short.stderr).toContain("must have 2048 bits, not 1024");
});
