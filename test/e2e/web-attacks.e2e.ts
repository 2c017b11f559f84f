/**
 * What must stay outside, said byte for byte to the compiled binary: framing that two servers could read
 * differently, paths that lead elsewhere, slow clients, and a change of protocol that is none.
 * Started by name: bun test ./test/e2e/web-attacks.e2e.ts
 */
import { afterEach, expect, test } from "bun:test";
import { Client, closeAll, FQDN, statusOf, WebPlace } from "./web-place.ts";

afterEach(closeAll);

const HEAD = `POST /mycompany/form HTTP/1.1\r\nHost: ${FQDN}\r\n`;
const SMUGGLED = `GET /mycompany/smuggled HTTP/1.1\r\nHost: ${FQDN}\r\n\r\n`;

const FRAMING: readonly (readonly [what: string, bytes: string])[] = [
  [
    "Content-Length with Transfer-Encoding",
    "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  [
    "Transfer-Encoding with Content-Length",
    "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n",
  ],
  ["two lengths", "Content-Length: 0\r\nContent-Length: 60\r\n\r\n"],
  ["two equal lengths", "Content-Length: 2\r\nContent-Length: 2\r\n\r\nab"],
  ["a list of lengths", "Content-Length: 2, 2\r\n\r\nab"],
  ["a length with a sign", "Content-Length: +2\r\n\r\nab"],
  ["a length in hexadecimal", "Content-Length: 0x2\r\n\r\nab"],
  ["an unknown coding", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"],
  ["a coding before chunked", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
  ["identity", "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nab"],
  ["chunked with a tab", "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"],
  [
    "chunked in two lines",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
  ],
  ["a blank before the colon", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"],
  ["a folded header", "X-A: b\r\n Content-Length: 60\r\n\r\n"],
  ["a folded coding", "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"],
  ["bare LF after a header", "X-A: b\nContent-Length: 60\r\n\r\n"],
  ["bare CR within a header", "X-A: b\rContent-Length: 60\r\n\r\n"],
  ["NUL", "X-A: \0\r\n\r\n"],
  ["a header without a name", ": b\r\n\r\n"],
  ["two hosts", "Host: other.h.test\r\n\r\n"],
  ["a bad chunk size", "Transfer-Encoding: chunked\r\n\r\n2x\r\nab\r\n0\r\n\r\n"],
  [
    "a chunk size that overflows",
    "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nab\r\n0\r\n\r\n",
  ],
  ["a negative chunk size", "Transfer-Encoding: chunked\r\n\r\n-1\r\nab\r\n0\r\n\r\n"],
  ["a chunk with bare LF", "Transfer-Encoding: chunked\r\n\r\n2\nab\n0\n\n"],
  ["many headers", `${"X: a\r\n".repeat(500)}\r\n`],
  ["huge headers", `X: ${"a".repeat(100_000)}\r\n\r\n`],
];

test("framing that could be read in two ways is 400 and closed; what is behind it is no request", async () => {
  const place = new WebPlace();
  await place.start();
  for (const [what, bytes] of FRAMING) {
    const answer = await place.says(HEAD + bytes + SMUGGLED);
    const status = [400, 431].includes(statusOf(answer)) ? "refused" : answer;
    expect([what, status]).toEqual([what, "refused"]);
    expect([what, answer.match(/HTTP\/1\.1/g)?.length]).toEqual([what, 1]);
  }
  const bareLf = `GET /mycompany/ HTTP/1.1\nHost: ${FQDN}\n\n`;
  expect(statusOf(await place.says(bareLf + SMUGGLED))).toBe(400);
  expect(statusOf(await place.says(`GET /mycompany/\r\n${SMUGGLED}`))).toBe(400);
  expect(statusOf(await place.says("GET /mycompany/\r\n\r\n"))).toBe(505);
  expect(statusOf(await place.says(`GET / HTTP/2.0\r\nHost: ${FQDN}\r\n\r\n`))).toBe(505);
  expect(statusOf(await place.says("GET /mycompany/ HTTP/1.1\r\n\r\n"))).toBe(400);
  expect(place.paths.filter((path) => path.includes("smuggled"))).toEqual([]);
  const drops = (await place.at.status()) as { drops?: Record<string, number> };
  expect(drops.drops?.["http-malformed"]).toBeGreaterThan(20);
});

test("a body stays one, whatever Connection names", async () => {
  const place = new WebPlace();
  await place.start({ manageInstances: "rest" });
  const hidden = "GET /ui HTTP/1.1\r\nHost: inside\r\n\r\n";
  const body = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;
  for (const method of ["GET", "DELETE", "POST"]) {
    const head = `${method} /mycompany/services/x HTTP/1.1\r\nHost: ${FQDN}\r\n`;
    const framing = "Connection: close, transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n";
    expect(await place.says(head + framing + body)).toContain("path /services/x");
    expect(await place.asks("/mycompany/services/next")).toContain("path /services/next");
  }
  expect(place.paths.filter((path) => path.includes("/ui"))).toEqual([]);
});

/** Targets that lead out of `/mycompany/services` for one reader or another. */
const TRICKS = [
  "/mycompany/services/../ui",
  "/mycompany/services/%2e%2e/ui",
  "/mycompany/services/%2E%2e%2fui",
  "/mycompany/services/.%2e/ui",
  "/mycompany/services/..;x/ui",
  "/mycompany/services/..%3b/ui",
  "/mycompany/services/..%5cui",
  "/mycompany/services/..\\ui",
  "/mycompany/services%00/../ui",
  "/mycompany/services/%252e%252e/ui",
  "/mycompany/services/%c0%ae%c0%ae/ui",
  "/mycompany/services//../ui",
  "/mycompany/services/../../other/services/x",
  "/mycompany/%2e%2e/other/ui",
  "/mycompany//ui",
  "//mycompany/ui",
  "/mycompany/;/ui",
  "/mycompany/SERVICES/../ui",
  "/mycompany/Services",
  "/mycompany/SERVICES/x",
  "/mycompany/%73ervices/x",
  "/mycompany/services%2fx",
  "/mycompany/services;x",
  "/mycompany/services.json",
  "/mycompany/services2",
  "/mycompany/ui",
  "/mycompany/",
  "/mycompany",
  "/mycompany?/services/",
  "/mycompany/ui?x=/services/",
  "/mycompany/ui%23/services",
  "/mycompany/ui/..%2fservices/x",
  "http://h.test/mycompany/ui",
  "http://other.h.test/mycompany/services/x",
  "https://h.test/mycompany/services/x",
  "h.test:443",
  "*",
  "mycompany/services/x",
];

test("with REST only, no spelling of a path reaches the pages or another instance", async () => {
  const place = new WebPlace();
  await place.start({ manageInstances: "rest" });
  expect(await place.asks("/mycompany/services/x?y")).toContain("path /services/x?y");
  for (const target of TRICKS) {
    const answer = await place.asks(target);
    expect([target, [400, 404].includes(statusOf(answer))]).toEqual([target, true]);
  }
  for (const method of ["POST", "OPTIONS", "HEAD", "PROPFIND"]) {
    expect(statusOf(await place.asks("/mycompany/ui", { method }))).toBe(404);
  }
  const named = "X-Original-URL: /ui\r\nX-Rewrite-URL: /ui\r\nX_Original_URL: /ui\r\n";
  await place.asks("/mycompany/services/named", { headers: named });
  expect(place.paths).toEqual(["mycompany GET /services/x?y", "mycompany GET /services/named"]);
  expect(place.seen[1]?.headers.join().toLowerCase()).not.toContain("/ui");
});

test("a host that the handshake did not name is misdirected; each name leads to its instance only", async () => {
  const place = new WebPlace();
  await place.start();
  const get = (host: string, target = "/x"): string =>
    `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  expect(statusOf(await place.says(get("other.h.test"), "mycompany.h.test"))).toBe(421);
  expect(statusOf(await place.says(get("other.h.test"), FQDN))).toBe(421);
  expect(statusOf(await place.says(get("evil.test"), "evil.test"))).toBe(421);
  expect(statusOf(await place.says(get("nobody.h.test"), "nobody.h.test"))).toBe(404);
  expect(place.paths).toEqual([]);
  await place.says(get("other.h.test", "/mycompany/x"), "other.h.test");
  await place.says(get("mycompany.h.test", "/other/x"), "mycompany.h.test");
  expect(place.paths).toEqual(["other GET /mycompany/x", "mycompany GET /other/x"]);
});

test("a refused change of protocol is no way to the instance, and only websocket is one", async () => {
  const place = new WebPlace();
  await place.start({ manageInstances: "rest" });
  const upgrade = (protocol: string): string =>
    `GET /mycompany/services/ws HTTP/1.1\r\nHost: ${FQDN}\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;
  const direct = "GET /ui HTTP/1.1\r\nHost: inside\r\n\r\n";
  const answer = await place.says(upgrade("websocket") + direct);
  expect(statusOf(answer)).toBe(200);
  expect(answer).toContain("path /services/ws");
  expect(statusOf(await place.says(upgrade("h2c") + direct))).toBe(400);
  const withBody = upgrade("websocket").replace("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\nabc");
  expect(statusOf(await place.says(withBody + direct))).toBe(400);
  expect(place.paths).toEqual(["mycompany GET /services/ws"]);
});

test("slow headers, slow bodies and silent connections end; one address has its share", async () => {
  const place = new WebPlace();
  const limits = { httpHeaderTimeout: 1, httpBodyTimeout: 1, httpConnectionsPerAddress: 4 };
  await place.start({ limits });
  place.answer = (request, response) => void request.resume().on("end", () => response.end());
  const slow = await Promise.all([
    place.says(""),
    place.says(`GET /mycompany/ HTTP/1.1\r\nHost: ${FQDN}\r\nX-A`),
    place.says(`${HEAD}Content-Length: 1000000\r\n\r\nabc`),
  ]);
  expect(slow.filter((answer) => statusOf(answer) === 200)).toEqual([]);
  const dripping = await place.connects();
  const drip = setInterval(() => dripping.writes("X-A: b\r\n"), 100);
  dripping.writes(`GET /mycompany/ HTTP/1.1\r\nHost: ${FQDN}\r\n`);
  await dripping.hearsEnd();
  clearInterval(drip);
  const held = await Promise.all([1, 2, 3, 4].map(() => place.connects()));
  await expect(place.connects()).rejects.toThrow();
  for (const one of held) one.close();
  const { drops } = (await place.at.status()) as { drops?: Record<string, number> };
  expect(drops).toMatchObject({ "http-slow-headers": 3, "http-slow-body": 1 });
  expect(drops?.["http-connections-full"]).toBeGreaterThan(0);
});

test("nothing an error page says tells of us or of the inside; unknown and disabled are alike", async () => {
  const place = new WebPlace();
  await place.start({}, { web: { url: "http://127.255.255.254:9" } });
  const withoutId = (answer: string): string =>
    answer.replace(/Request [0-9a-f]+/, "").replace(/Date: .*/, "");
  const unknown = await place.asks("/nobody/x");
  expect(statusOf(unknown)).toBe(404);
  expect(withoutId(await place.asks("/off/x"))).toBe(withoutId(unknown));
  const down = await place.asks("/mycompany/x");
  expect(statusOf(down)).toBe(502);
  for (const answer of [
    unknown,
    down,
    await place.asks("/mycompany/../x"),
    await place.asks("/"),
  ]) {
    expect(answer).not.toMatch(/127\.|pequod|bun|node|mycompany|ECONN/i);
  }
  expect(down).toMatch(/Request [0-9a-f]{12}/);
});

test("plain HTTP on the port of HTTPS, and the reverse, come to nothing", async () => {
  const place = new WebPlace();
  await place.start();
  const plain = await Client.plain(place.web);
  plain.writes("GET / HTTP/1.1\r\nHost: h.test\r\n\r\n");
  expect(await plain.hearsEnd()).not.toContain("HTTP/1.1 2");
  const hello = await Client.plain(place.webHttp);
  hello.writes("\x16\x03\x01\x00\x05hello\r\n\r\n");
  expect(statusOf(await hello.hearsEnd())).toBe(400);
});
