/** The instances' web through the product, with curl and openssl as clients and nginx as one of the servers. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { commandIn, eventually, runCommand } from "./peers.ts";
import {
  BIG,
  curl,
  FQDN,
  growth,
  MAC,
  nginxConnections,
  phoneUrl,
  startWeb,
  type WebPlace,
} from "./web/place.ts";

let web: WebPlace;
beforeAll(async () => {
  web = await startWeb();
}, 60_000);
afterAll(() => web.stop());

const NOTHING = ["-o", "/dev/null"];
const APP = `https://${FQDN}/app`;
/** Of 2048: what lies in buffers of both ends, and what the collector has not looked at yet. */
const MOST_MIB = 384;

test("a sign-in: cookies and redirects stay within the instance's part of the origin", async () => {
  const form = ["-i", "-d", "user=anna&password=secret"];
  const shared = await curl(...form, `${APP}/login`);
  expect(shared).toContain(" 303 ");
  expect(shared).toMatch(/^location: https:\/\/pequod\.example\/app\/home\r$/im);
  expect(shared).toMatch(/^set-cookie: session=5f1c; Path=\/app\/; HttpOnly; SameSite=Lax\r$/im);
  expect(await curl("-i", `${APP}/`)).toMatch(/^location: \/app\/login\r$/im);
  const own = await curl(...form, `https://app.${FQDN}/login`);
  expect(own).toMatch(/^location: https:\/\/app\.pequod\.example\/home\r$/im);
  expect(own).toMatch(/^set-cookie: session=5f1c; Path=\/; HttpOnly/im);
  const jar = ["-b", "session=5f1c", "-L"];
  expect(await curl(...jar, `${APP}/home`)).toContain("Welcome, anna");
});

test("Content-Location, Link and cookies with a path, a domain or __Host-", async () => {
  const head = await curl("-i", `${APP}/headers`);
  expect(head).toMatch(/^content-location: \/app\/here\r$/im);
  expect(head).toMatch(/^link: <\/app\/style\.css>; rel=preload\r$/im);
  expect(head).toMatch(/^set-cookie: __Host-a=1; Path=\/; Secure\r$/im);
  expect(head).toMatch(/^set-cookie: b=2; Path=\/app\/sub\r$/im);
});

test("the instance hears who asks from us, and nothing of it from the client", async () => {
  const lies = ["X-Forwarded-For: 10.0.0.1", "Forwarded: for=10.0.0.1", "X-Forwarded-Host: evil"];
  const sent = lies.flatMap((line) => ["-H", line]);
  const asked = JSON.parse(await curl(...sent, `${APP}/asked`));
  expect(asked).toMatchObject({
    host: "10.0.1.11:8080",
    "x-forwarded-for": "203.0.113.50",
    "x-forwarded-proto": "https",
    "x-forwarded-host": FQDN,
    "x-forwarded-prefix": "/app",
  });
  expect(asked.forwarded).toContain("for=203.0.113.50");
});

test("the same instance with HTTPS inside, checked against its authority", async () => {
  expect(await curl(`https://${FQDN}/secure/1k`)).toBe("x".repeat(1024));
});

test("a range of a file is that range", async () => {
  const head = await curl("-i", "-r", "5-14", `https://${FQDN}/mycompany/text.txt`);
  expect(head).toContain(" 206 ");
  expect(head).toMatch(/^content-range: bytes 5-14\/\d+\r$/im);
  expect(head.endsWith("\r\n\r\n0\nline 1\nl")).toBe(true);
});

test("a compressed body arrives as nginx has compressed it", async () => {
  const hash = "curl -sS --noproxy '*' -H 'Accept-Encoding: gzip' \"$@\" | sha256sum";
  const path = "text.txt";
  const inside = await runCommand(
    commandIn("app", ["sh", "-c", hash, "-", `http://10.0.1.10/${path}`]),
  );
  const through = ["--cacert", "/lab/web/ca.pem", "--resolve", "*:443:203.0.113.1"];
  const url = `https://${FQDN}/mycompany/${path}`;
  expect(await runCommand(commandIn("open", ["sh", "-c", hash, "-", ...through, url]))).toBe(
    inside,
  );
  const plain = createHash("sha256")
    .update(await curl(url))
    .digest("hex");
  expect(inside).not.toContain(plain);
  expect(await curl("--compressed", url)).toBe(await curl(url));
});

test("two gigabytes down and up take no memory", async () => {
  const sizes = ["-w", "%{size_download} %{http_code}"];
  const down = await growth(web.pid, async () =>
    expect(await curl(...NOTHING, ...sizes, `https://${FQDN}/mycompany/big`)).toBe(`${BIG} 200`),
  );
  const file = ["-T", "/lab/web/files/big", "-H", "Transfer-Encoding: chunked"];
  const up = await growth(web.pid, async () =>
    expect(JSON.parse(await curl(...file, `${APP}/count`))).toEqual({
      bytes: BIG,
      transfer: "chunked",
    }),
  );
  console.log(`2 GiB: ${down.toFixed(1)} MiB more down, ${up.toFixed(1)} MiB up`);
  expect(down).toBeLessThan(MOST_MIB);
  expect(up).toBeLessThan(MOST_MIB);
}, 180_000);

test("who waits to be told to go on is told, and an upload with a length arrives with it", async () => {
  const flags = ["-i", "-T", "/lab/web/files/text.txt", "-H", "Expect: 100-continue"];
  const heard = await curl(...flags, `${APP}/count`);
  expect(heard).toMatch(/^HTTP\/1\.1 100 Continue\r\n/);
  expect(heard).toContain('"transfer":null');
});

test("a client that goes away stops what the instance sends", async () => {
  const open = async (count: number): Promise<boolean> =>
    await eventually(
      20_000,
      async () => (JSON.parse(await curl(`${APP}/open`)).endless === count ? true : null),
      () => `there were never ${count} of it`,
    );
  const slowly = ["--max-time", "6", "--limit-rate", "1M"];
  const gone = curl(...NOTHING, ...slowly, `${APP}/endless`).catch(() => "gone");
  await open(1);
  expect(await gone).toBe("gone");
  await open(0);
});

test("clients that come one after the other share connections to the instance", async () => {
  for (let turn = 0; turn < 10; turn += 1)
    await curl(...NOTHING, `https://${FQDN}/mycompany/1k?kept`);
  expect(nginxConnections("/1k?kept").size).toBeLessThanOrEqual(2);
});

test("port 80 leads to the same place by HTTPS, whose answer asks to stay there", async () => {
  const head = await curl("-i", `http://${FQDN}/mycompany/1k?x=1`);
  expect(head).toMatch(/^location: https:\/\/pequod\.example\/mycompany\/1k\?x=1\r$/im);
  expect(await curl("-i", `https://${FQDN}/mycompany/1k`)).toMatch(/^strict-transport-security:/im);
});

test("a phone fetches its configuration and a firmware by its URL, and nobody without it", async () => {
  const url = await phoneUrl();
  expect(url).toMatch(/^https:\/\/pequod\.example:8884\/p\/[A-Za-z0-9_-]{20,}$/);
  expect(await curl(url)).toContain("<password>secret</password>");
  expect(await curl("-i", "-r", "0-9", `${url}/text.txt`)).toMatch(
    / 206 [\s\S]*\r\n\r\nline 0\nlin$/,
  );
  const sizes = ["-w", "%{size_download} %{http_code}"];
  expect(await curl(...NOTHING, ...sizes, `${url}/firmware.bin`)).toBe(`${BIG / 16} 200`);
  const code = ["-w", "%{http_code}", ...NOTHING];
  for (const other of [
    `${url.slice(0, -1)}${url.endsWith("A") ? "B" : "A"}`,
    `https://${FQDN}:8884/p/mycompany/${MAC}`,
  ]) {
    expect(await curl(...code, other)).toBe("404");
  }
});

/** What openssl says of a handshake, or null when it is refused. */
async function handshake(port: number, ...flags: string[]): Promise<string | null> {
  const at = `203.0.113.1:${port}`;
  const command = `openssl s_client -connect ${at} -CAfile /lab/web/ca.pem -verify_return_error -verify_hostname ${FQDN} ${flags.join(" ")} </dev/null 2>&1 || true`;
  const said = await runCommand(commandIn("open", ["sh", "-c", command]));
  return /^New, (TLSv[\d.]+, Cipher is [A-Z0-9_-]+)$/m.exec(said)?.[1] ?? null;
}

test("OpenSSL finds the same on every port: 1.3, 1.2 with ECDHE and AEAD, and nothing else", async () => {
  for (const port of [443, 8884, 5061]) {
    expect(await handshake(port, "-tls1_3")).toMatch(/^TLSv1\.3, Cipher is TLS_/);
    expect(await handshake(port, "-tls1_2")).toMatch(/GCM|CHACHA20/);
    const old = "-cipher ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA256:AES128-SHA@SECLEVEL=0";
    expect(await handshake(port, "-tls1_2", old)).toBeNull();
    for (const version of ["-tls1_1", "-tls1"]) {
      expect(await handshake(port, version, "-cipher ALL@SECLEVEL=0")).toBeNull();
    }
  }
});
