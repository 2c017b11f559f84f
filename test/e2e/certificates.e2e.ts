/** Certificates of the compiled binary: what is served, and that a new one costs nobody his connection. */
import { afterEach, expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { createServer } from "node:http";
import net, { type AddressInfo } from "node:net";
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
function says(socket: net.Socket, pattern: RegExp): Promise<string> {
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

/** The instance's web: a page, and an echo behind a change of protocol. */
async function openWeb(address: string): Promise<string> {
  const server = createServer((_, response) => void response.end("page"));
  server.on("upgrade", (_, socket) => {
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
    socket.on("error", () => {}).pipe(socket);
  });
  await new Promise<void>((listening) => server.listen(0, address, listening));
  closing({ close: () => void server.close() });
  return `http://${address}:${(server.address() as AddressInfo).port}`;
}

/** TLS within an XMPP connection (RFC 6120 section 5). */
async function servedByXmpp(at: string): Promise<string> {
  const { address: host, port } = endpointOf(at);
  const plain = net.connect({ host, port });
  const hears = (pattern: RegExp): Promise<string> => says(plain, pattern);
  const features = hears(/<\/stream:features>/);
  plain.write(
    "<stream:stream to='mycompany' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>",
  );
  await features;
  const proceed = hears(/<proceed/);
  plain.write("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  await proceed;
  plain.removeAllListeners("data");
  return await new Promise((resolve, reject) => {
    const secure = tls.connect({ socket: plain, ca, servername: "mobydick.example.com" }, () => {
      resolve(secure.getPeerCertificate().fingerprint256);
      secure.destroy();
    });
    secure.on("error", reject);
  });
}

test("SIP, web, provisioning and XMPP show one certificate, and all the new one after a reload", async () => {
  const at = place();
  const url = await openWeb(at.pbx);
  const [first, second] = [await leafFor(at.outside), await leafFor(at.outside)];
  const services = {
    ...{ phoneProvisioning: "https", allowXmpp: true, manageInstances: "web-ui-and-rest" },
    ...{ redirectHttp: false, ports: { sipTls: 0, provisioningHttps: 0, web: 0, xmpp: 0 } },
  };
  at.writeConfig({ ...services, ...configured(first) }, { web: { url } });
  const { running, listening } = await at.startProxy();
  const open = (name: string): string => listening[name] ?? "";
  const all = async (): Promise<string[]> => {
    const direct = ["sipTls", "provisioningHttps", "web"].map((name) => served(open(name)));
    return await Promise.all([...direct, servedByXmpp(open("xmpp"))]);
  };
  expect(new Set(await all())).toEqual(new Set([fingerprint(first.certificatePem)]));

  const [kept, socket] = [await connect(open("web")), await connect(open("web"))];
  const asks = async (asked: tls.TLSSocket, more: string, answer: RegExp): Promise<void> => {
    const answered = says(asked, answer);
    asked.write(`GET /mycompany/ HTTP/1.1\r\nHost: ${at.outside}\r\n${more}\r\n`);
    await answered;
  };
  await asks(kept, "", /page/);
  await asks(socket, "Connection: Upgrade\r\nUpgrade: websocket\r\n", / 101 [\s\S]*\r\n\r\n/);
  const before = (await at.status()).config.sha256;
  at.writeConfig({ ...services, ...configured(second) }, { web: { url } });
  running.signal("SIGHUP");
  await running.prints(/reloaded/, "stderr");
  expect((await at.status()).config.sha256).not.toBe(before);

  expect(new Set(await all())).toEqual(new Set([fingerprint(second.certificatePem)]));
  await asks(kept, "", /page/);
  const echo = says(socket, /whale/);
  socket.write("whale");
  await echo;
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
  expect(short.stderr).toContain("must have at least 2048 bits, not 1024");
});
