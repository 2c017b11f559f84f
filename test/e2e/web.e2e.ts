/**
 * The instances' web pages and REST through the compiled binary: what an application inside needs to work.
 * Started by name: bun test ./test/e2e/web.e2e.ts
 */
import { afterEach, expect, test } from "bun:test";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { issue } from "../peers/certificates.ts";
import { Client, closeAll, FQDN, headersOf, statusOf, WebPlace } from "./web-place.ts";

afterEach(closeAll);

test("requests go to the instance with what was sent, ours added; its URLs come back as ours", async () => {
  const place = new WebPlace();
  await place.start();
  place.answer = (_request, response) => {
    response.writeHead(302, "Over There", [
      ...["Location", "/login", "Set-Cookie", "sid=1; Path=/; HttpOnly", "Link", "</a.css>; rel=x"],
      ...["Set-Cookie", "__Host-b=2; Path=/; Secure", "X-Odd", "\xe4", "Content-Length", "0"],
    ]);
    response.end();
  };
  const headers = "X-Mine: \xe4\r\nX-Forwarded-For: 6.6.6.6\r\nCookie: a=1\r\nTE: trailers\r\n";
  const answer = await place.asks("/mycompany/a%20b?c=/../d", { headers });
  expect(answer).toStartWith("HTTP/1.1 302 Over There\r\nLocation: /mycompany/login\r\n");
  expect(answer).toContain("\r\nSet-Cookie: sid=1; Path=/mycompany/; HttpOnly\r\n");
  expect(answer).toContain("\r\nSet-Cookie: __Host-b=2; Path=/; Secure\r\n");
  expect(answer).toContain("\r\nLink: </mycompany/a.css>; rel=x\r\n");
  expect(answer).toContain("\r\nX-Odd: \xe4\r\n");
  const [seen] = place.seen;
  expect(seen?.line).toBe("GET /a%20b?c=/../d");
  expect(seen?.remote).toStartWith(`${place.at.inside}:`);
  const sent = seen?.headers.join("\n") ?? "";
  expect(sent).toStartWith(`Host\n${FQDN}\nX-Mine\n\xe4\nCookie\na=1\nX-Forwarded-For\n127.`);
  expect(sent).toContain(`X-Forwarded-Prefix\n/mycompany\nForwarded\nfor=127.`);
  expect(sent).not.toMatch(/6\.6\.6\.6|TE\n/);
});

test("each instance on its own origin, REST beside the pages, a kept prefix, a kept Host or not", async () => {
  const place = new WebPlace();
  const { reload } = await place.start();
  const own = await place.asks("/page", { host: "mycompany.h.test" });
  expect(own).toContain("path /page");
  expect(place.seen[0]?.headers.join()).not.toContain("X-Forwarded-Prefix");
  expect(await place.asks("/mycompany/services/x")).toContain("path /services/x");
  expect(headersOf(await place.asks("/mycompany?a"))["location"]).toBe("/mycompany/?a");
  await reload({ manageInstances: "rest" });
  expect(statusOf(await place.asks("/mycompany/page"))).toBe(404);
  expect(await place.asks("/mycompany/services/x")).toContain("path /services/x");
  await reload({ manageInstances: "off", redirectionUrl: "https://elsewhere.test/" });
  expect(statusOf(await place.asks("/mycompany/services/x"))).toBe(404);
  expect(headersOf(await place.asks("/"))["location"]).toBe("https://elsewhere.test/");
});

test("the root names no instance; HTTP leads to HTTPS; no HSTS with a certificate of our own making", async () => {
  const place = new WebPlace();
  await place.start();
  const root = await place.asks("/");
  expect(statusOf(root)).toBe(200);
  expect(headersOf(root)["strict-transport-security"]).toBeUndefined();
  const plain = await Client.plain(place.webHttp);
  plain.writes(
    "GET /mycompany/a?b HTTP/1.1\r\nHost: mycompany.h.test\r\nConnection: close\r\n\r\n",
  );
  const moved = await plain.hearsEnd();
  expect(statusOf(moved)).toBe(308);
  const at = `https://mycompany.h.test:${place.web.port}/mycompany/a?b`;
  expect(headersOf(moved)["location"]).toBe(at);
  const elsewhere = await Client.plain(place.webHttp);
  elsewhere.writes("GET /x HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n");
  expect(headersOf(await elsewhere.hearsEnd())["location"]).toBe(
    `https://${FQDN}:${place.web.port}/x`,
  );
});

test("with no web there is no port; a redirection alone opens it", async () => {
  const place = new WebPlace();
  const { reload } = await place.start({ manageInstances: "off" });
  expect(place.web.port).toBe(0);
  await reload({ manageInstances: "off", redirectionUrl: "https://elsewhere.test/" });
  const { listening } = (await place.at.status()) as { listening?: Record<string, string> };
  expect(listening?.["web"]).toBeDefined();
  expect(listening?.["webHttp"]).toBeDefined();
});

test("a WebSocket: first bytes, both ways, and either end ends it", async () => {
  const place = new WebPlace();
  await place.start();
  const closed: Promise<unknown>[] = [];
  const ends: { destroy(): void }[] = [];
  place.servers[0]?.on("upgrade", (request, socket) => {
    place.seen.push({
      instance: "ws",
      line: request.url ?? "",
      headers: request.rawHeaders,
      remote: "",
    });
    socket.write(
      "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: k\r\n\r\nfirst",
    );
    socket.on("data", (bytes: Buffer) => socket.write(`echo ${bytes}`));
    closed.push(once(socket, "end"));
    ends.push(socket);
  });
  const client = await place.connects();
  client.writes(
    `GET /mycompany/ws?x HTTP/1.1\r\nHost: ${FQDN}\r\nConnection: keep-alive, Upgrade\r\n`,
  );
  client.writes(`Upgrade: websocket\r\nSec-WebSocket-Key: k\r\nOrigin: https://${FQDN}\r\n\r\n`);
  expect(await client.hears("first")).toStartWith("HTTP/1.1 101 Go\r\nSec-WebSocket-Accept: k\r\n");
  client.writes("hello");
  await client.hears("echo hello");
  expect(place.seen[0]?.line).toBe("/ws?x");
  expect(place.seen[0]?.headers.join()).toContain("Connection,Upgrade,Upgrade,websocket");
  client.close();
  await closed[0];
  const other = await place.connects();
  other.writes(
    `GET /mycompany/ws HTTP/1.1\r\nHost: ${FQDN}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
  );
  await other.hears("first");
  ends[1]?.destroy();
  await other.hearsEnd();
});

test("BOSH and WebSocket of XMPP go to the XMPP server, with the web pages off as well", async () => {
  const place = new WebPlace();
  await place.start(
    { manageInstances: "off", allowXmpp: true, ports: { web: 0, webHttp: 0, xmpp: 0 } },
    (urls) => ({
      web: { url: urls[0] },
      xmpp: { http: true, httpUrl: urls[1] },
    }),
  );
  const body = "<body/>";
  const headers = `Content-Length: ${body.length}\r\n`;
  await place.asks("/mycompany/http-bind", { method: "POST", headers, body });
  await place.asks("/http-bind", { method: "POST", headers, body, host: "mycompany.h.test" });
  expect(statusOf(await place.asks("/mycompany/page"))).toBe(404);
  expect(statusOf(await place.asks("/"))).toBe(404);
  place.servers[1]?.on("upgrade", (request, socket) => {
    const lines = ["HTTP/1.1 101 Go", "Connection: Upgrade", "Upgrade: websocket"];
    socket.end(`${[...lines, "Sec-WebSocket-Protocol: xmpp"].join("\r\n")}\r\n\r\n${request.url}`);
  });
  const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: xmpp\r\n";
  const client = await place.connects();
  client.writes(`GET /mycompany/xmpp-websocket HTTP/1.1\r\nHost: ${FQDN}\r\n${upgrade}\r\n`);
  expect(await client.hearsEnd()).toContain("Sec-WebSocket-Protocol: xmpp\r\n");
  expect(client.heard).toEndWith("/xmpp-websocket");
  expect(place.paths).toEqual(["other POST /http-bind", "other POST /http-bind"]);
});

test("events come as they are written; a client that goes away ends the request inside", async () => {
  const place = new WebPlace();
  await place.start();
  const gone = Promise.withResolvers<void>();
  place.answer = (_request, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write("data: 1\n\n");
    response.on("close", () => gone.resolve());
  };
  const client = await place.connects();
  client.writes(`GET /mycompany/events HTTP/1.1\r\nHost: ${FQDN}\r\n\r\n`);
  await client.hears("data: 1\n\n");
  client.close();
  await gone.promise;
});

test("100 Continue, Range, a compressed body untouched, and connections inside used again", async () => {
  const place = new WebPlace();
  await place.start();
  place.answer = (request, response) => {
    const bytes: Buffer[] = [];
    request.on("data", (some: Buffer) => bytes.push(some));
    request.on("end", () => {
      const range = request.headers.range ?? "";
      response.writeHead(206, { "Content-Range": range, "Content-Encoding": "gzip" });
      response.end(Buffer.concat(bytes));
    });
  };
  const client = await place.connects();
  const head = `POST /mycompany/x HTTP/1.1\r\nHost: ${FQDN}\r\nRange: bytes=1-2\r\n`;
  client.writes(`${head}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n`);
  await client.hears("HTTP/1.1 100 Continue\r\n\r\n");
  client.writes("\x1f\x8b\x00\xff");
  await client.hears("\x1f\x8b\x00\xff");
  client.writes(`${head}Transfer-Encoding: chunked\r\n\r\n3\r\n\x1f\x8b\x01\r\n0\r\n\r\n`);
  expect(await client.hears("\x1f\x8b\x01")).toContain("Content-Range: bytes=1-2");
  expect(place.seen[0]?.remote).toBe(place.seen[1]?.remote);
  expect(place.seen[0]?.headers.join().toLowerCase()).not.toContain("expect");
});

test("an instance that is down is 502 soon, one that is silent 504; both with an id", async () => {
  const place = new WebPlace();
  await place.start(
    { limits: { httpResponseTimeout: 1 } },
    { web: { url: "http://127.255.255.254:9" } },
  );
  const before = performance.now();
  expect(statusOf(await place.asks("/mycompany/x"))).toBe(502);
  expect(performance.now() - before).toBeLessThan(3000);
  place.answer = () => {};
  const late = await place.asks("/other/x", {
    method: "POST",
    headers: "Content-Length: 2\r\n",
    body: "ab",
  });
  expect(statusOf(late)).toBe(504);
  expect(late).toMatch(/Request [0-9a-f]{12}/);
  const { http } = (await place.at.status()) as { http?: { requests: number } };
  expect(http?.requests).toBe(2);
});

test("an answer that the instance cuts off is cut off for the client, too", async () => {
  const place = new WebPlace();
  await place.start();
  place.answer = (request, response) => {
    const length = request.url === "/sized" ? { "Content-Length": 100 } : {};
    response.writeHead(200, length);
    response.write("a part", () => response.destroy());
  };
  for (const target of ["/mycompany/sized", "/mycompany/chunked"]) {
    const answer = await place.asks(target);
    expect(answer).toContain("a part");
    expect(answer).not.toContain("\r\n0\r\n");
  }
});

test("with a certificate of an authority HSTS is told, and each instance has its origin if it is named", async () => {
  const root = await issue({ name: "An Authority" });
  const names = [FQDN, "mycompany.h.test"];
  const leaf = await issue({ name: FQDN, issuer: root, names });
  const place = new WebPlace();
  await place.start({
    certificatePem: leaf.certificatePem + root.certificatePem,
    certificateKey: leaf.keyPem,
  });
  place.answer = (_request, response) => {
    response.setHeader("Strict-Transport-Security", "max-age=1; includeSubDomains");
    response.end("ok");
  };
  const expected = "max-age=31536000";
  const page = await place.asks("/mycompany/x");
  expect(headersOf(page)["strict-transport-security"]).toBe(expected);
  expect(headersOf(await place.asks("/"))["strict-transport-security"]).toBe(expected);
  const inClear = await Client.plain(place.webHttp);
  inClear.writes(`GET /x HTTP/1.1\r\nHost: ${FQDN}\r\nConnection: close\r\n\r\n`);
  expect(headersOf(await inClear.hearsEnd())["strict-transport-security"]).toBeUndefined();
  expect(statusOf(await place.asks("/x", { host: "mycompany.h.test" }))).toBe(200);
  expect(statusOf(await place.asks("/x", { host: "other.h.test" }))).toBe(421);
});

/** Of the proxy, in bytes. */
function memory(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]);
  return pages * 4096;
}

const BIG = 256 << 20;
const PIECE = 1 << 20;

test(
  "256 MB up and down are streamed: the proxy keeps a small part of them at most",
  async () => {
    const place = new WebPlace();
    await place.start();
    let received = 0;
    place.answer = (request, response) => {
      if (request.method === "POST") {
        request.on("data", (bytes: Buffer) => {
          received += bytes.length;
          most = Math.max(most, memory(place.pid));
        });
        request.on("end", () => response.end("done"));
        return;
      }
      response.writeHead(200, { "Content-Length": BIG });
      let left = BIG;
      const more = (): void => {
        while (left > 0) {
          left -= PIECE;
          most = Math.max(most, memory(place.pid));
          if (!response.write(Buffer.alloc(PIECE))) return void response.once("drain", more);
        }
        response.end();
      };
      more();
    };
    await place.asks("/");
    const before = memory(place.pid);
    let most = before;
    const up = await place.connects();
    up.writes(`POST /mycompany/up HTTP/1.1\r\nHost: ${FQDN}\r\nContent-Length: ${BIG}\r\n\r\n`);
    for (let sent = 0; sent < BIG; sent += PIECE) {
      if (!up.socket.write(Buffer.alloc(PIECE))) await once(up.socket, "drain");
    }
    await up.hears("done");
    expect(received).toBe(BIG);
    const down = await place.connects();
    let got = 0;
    down.socket.removeAllListeners("data");
    down.socket.on("data", (bytes: Buffer) => {
      got += bytes.length;
    });
    down.writes(`GET /mycompany/down HTTP/1.1\r\nHost: ${FQDN}\r\nConnection: close\r\n\r\n`);
    await down.hearsEnd();
    expect(got).toBeGreaterThan(BIG);
    expect(most - before).toBeLessThan(BIG * 0.8);
  },
  { retry: 4, timeout: 60_000 },
);

test("an instance that is taken away ends what goes on with it, and no other", async () => {
  const place = new WebPlace();
  const { reload } = await place.start();
  place.answer = (_request, response) => void response.write("begun");
  const taken = await place.connects();
  taken.writes(`GET /mycompany/x HTTP/1.1\r\nHost: ${FQDN}\r\n\r\n`);
  await taken.hears("begun");
  const kept = await place.connects();
  kept.writes(`GET /other/x HTTP/1.1\r\nHost: ${FQDN}\r\n\r\n`);
  await kept.hears("begun");
  await reload({ instances: ["other"] });
  await taken.hearsEnd();
  expect(kept.isClosed).toBe(false);
});
