import { afterEach, expect, test } from "bun:test";
import net from "node:net";
import { pipeline } from "node:stream";
import tls from "node:tls";
import { selfSignedServerIdentity } from "../tls/self-signed.ts";
import { openHttpPool } from "./http-client.ts";
import { listenHttp } from "./http-server.ts";
import type {
  HttpExchange,
  HttpListener,
  HttpListenOptions,
  HttpPool,
  HttpServerLimits,
} from "./http-types.ts";
import type { Endpoint } from "./types.ts";

const LIMITS: HttpServerLimits = {
  headerBytes: 8192,
  headerLines: 50,
  headerMs: 10_000,
  bodyMs: 10_000,
  bodyBytes: 1024,
  idleMs: 10_000,
  silentMs: 10_000,
};
const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0).reverse()) one.close();
});

const identityFor = (name: string) =>
  selfSignedServerIdentity({
    names: [name, "127.0.0.1"],
    notBefore: new Date("2026-01-01T00:00:00Z"),
    days: 3650,
    serial: new Uint8Array(16).fill(7),
  });

type Place = { readonly listener: HttpListener; readonly drops: string[]; readonly gone: string[] };

async function serve(
  request: HttpListenOptions["request"],
  more: Partial<HttpListenOptions> & { readonly slow?: Partial<HttpServerLimits> } = {},
): Promise<Place> {
  const drops: string[] = [];
  const gone: string[] = [];
  const listener = await listenHttp({
    local: { address: "127.0.0.1", port: 0 },
    handshakeTimeoutMs: 5000,
    limits: () => ({ ...LIMITS, ...more.slow }),
    admits: () => true,
    closed: ({ address }) => void gone.push(address),
    request,
    upgrade: (upgrade) => upgrade.destroy(),
    count: (reason) => void drops.push(reason),
    ...more,
  });
  open.push({
    close() {
      listener.close();
      listener.closeFrom(() => true);
    },
  });
  return { listener, drops, gone };
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** All that comes back until the other end closes, or until `until` is in it. */
function talk(at: Endpoint, bytes: string, until?: string): Promise<string> {
  return new Promise((resolve) => {
    let heard = "";
    const socket = net.connect(at.port, at.address);
    open.push({ close: () => socket.destroy() });
    socket.on("error", () => {});
    socket.on("data", (some) => {
      heard += some.toString("latin1");
      if (until !== undefined && heard.includes(until)) resolve(heard);
    });
    socket.on("close", () => resolve(heard));
    socket.write(Buffer.from(bytes, "latin1"));
  });
}

const OK = { status: 200, reason: "Fine", headers: ["X-One", "1"] };
const hello = (exchange: HttpExchange): void => exchange.answer(OK, "hello");

function pool(remote: Endpoint, more: object = {}): HttpPool {
  const local = { address: "127.0.0.9" };
  const made = openHttpPool({ local, remote, connectTimeoutMs: 1000, connections: 8, ...more });
  open.push(made);
  return made;
}

/** Passes everything on and back, as it came. */
function forwardTo(instance: HttpPool): (exchange: HttpExchange) => void {
  return (exchange) => {
    const { method, target, headers, hasBody } = exchange;
    const up = instance.request({ method, target, headers, hasBody });
    if (hasBody) pipeline(exchange.readBody(), up.body, () => {});
    else up.body.end();
    exchange.onEnd((isComplete) => {
      if (!isComplete) up.destroy();
    });
    up.response.then(
      (response) => void pipeline(response.body, exchange.respond(response), () => {}),
      () => exchange.answer({ status: 502, reason: "Bad Gateway", headers: [] }),
    );
  };
}

test("targets and headers come as they were sent, and the answer as it was given", async () => {
  const seen: HttpExchange[] = [];
  const { listener } = await serve((exchange) => {
    seen.push(exchange);
    hello(exchange);
  });
  const request = "GET /a/../b//c%2e;x HTTP/1.1\r\nHost: h\r\nx-ODD: \xe4\r\nX-Odd: 2\r\n\r\n";
  const answer = await talk(listener.local, request, "hello");
  expect(seen[0]).toMatchObject({ method: "GET", target: "/a/../b//c%2e;x", isTls: false });
  expect(seen[0]?.headers).toEqual(["Host", "h", "x-ODD", "\xe4", "X-Odd", "2"]);
  expect(answer).toStartWith("HTTP/1.1 200 Fine\r\nX-One: 1\r\nContent-Length: 5\r\n");
});

const BAD: readonly (readonly [name: string, bytes: string, status?: number])[] = [
  [
    "a length beside a transfer coding",
    "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  ["two lengths", "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde"],
  ["two equal lengths", "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd"],
  ["a list of lengths", "Content-Length: 4, 4\r\n\r\nabcd"],
  ["a length with a sign", "Content-Length: +4\r\n\r\nabcd"],
  ["an unknown coding", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"],
  ["two codings", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
  ["identity", "Transfer-Encoding: identity\r\n\r\nabcd"],
  ["chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["a blank before the colon", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"],
  ["a folded line", "X-A: b\r\n c\r\n\r\n"],
  ["bare LF", "X-A: b\nX-B: c\r\n\r\n"],
  ["bare CR", "X-A: b\rX-B: c\r\n\r\n"],
  ["NUL", "X-A: b\0c\r\n\r\n"],
  ["two hosts", "Host: other\r\n\r\n"],
  ["many lines", `${"X: a\r\n".repeat(60)}\r\n`, 431],
  ["huge headers", `X: ${"a".repeat(9000)}\r\n\r\n`, 431],
  ["an unknown expectation", "Expect: miracles\r\n\r\n", 417],
];

for (const [name, rest, status = 400] of BAD) {
  test(`${name}: ${status}, closed, and a request behind it is none`, async () => {
    let asked = 0;
    const { listener, drops } = await serve((exchange) => {
      asked += 1;
      hello(exchange);
    });
    const smuggled = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
    const answer = await talk(listener.local, `POST / HTTP/1.1\r\nHost: h\r\n${rest}${smuggled}`);
    expect(answer).toStartWith(`HTTP/1.1 ${status} `);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(asked).toBe(0);
    expect(drops[0]).toMatch(/^http-(malformed|headers-too-large)$/);
  });
}

test("other versions, CONNECT and TRACE-like nonsense are refused", async () => {
  const { listener } = await serve(hello);
  const first = async (line: string) =>
    (await talk(listener.local, `${line}\r\nHost: h\r\n\r\n`)).slice(0, 12);
  expect(await first("GET / HTTP/2.0")).toBe("HTTP/1.1 505");
  expect(await first("CONNECT h:443 HTTP/1.1")).toBe("HTTP/1.1 400");
  expect(await first("GET / HTTP/1.1 x")).toBe("HTTP/1.1 400");
  const coded = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
  expect(await talk(listener.local, coded)).toStartWith("HTTP/1.1 400");
});

test("slow headers, slow bodies and idle connections end by themselves", async () => {
  const slow = { headerMs: 300, bodyMs: 300, idleMs: 300 };
  const drain = (exchange: HttpExchange) => void exchange.readBody().resume();
  const { listener, drops, gone } = await serve(drain, { slow });
  await talk(listener.local, "");
  await talk(listener.local, "GET / HTTP/1.1\r\nHost: h\r\nX-A: ");
  await talk(listener.local, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nabc");
  expect(drops).toEqual(["http-slow-headers", "http-slow-headers", "http-slow-body"]);
  expect(gone).toHaveLength(3);
  const idle = await serve(hello, { slow });
  const answer = await talk(idle.listener.local, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  expect(answer).toContain("hello");
  expect(idle.drops).toEqual([]);
});

test("who asks too late for the end of an exchange still hears of it", async () => {
  const late = Promise.withResolvers<boolean>();
  const { listener } = await serve((exchange) => {
    exchange.onEnd(() => exchange.onEnd((isComplete) => late.resolve(isComplete)));
  });
  const client = net.connect(listener.local.port, "127.0.0.1");
  client.end("GET / HTTP/1.1\r\nHost: h\r\n\r\n", () => client.destroy());
  expect(await late.promise).toBe(false);
});

test("a client that takes nothing of its answer is cut off, and so is one with whom nothing moves", async () => {
  const flood = (exchange: HttpExchange): void => {
    const body = exchange.respond({ ...OK, headers: [] });
    const more = (): void => {
      while (!body.destroyed) if (!body.write(Buffer.alloc(65_536))) return;
    };
    body.on("drain", more);
    more();
  };
  const slow = await serve(flood, { slow: { bodyMs: 300 } });
  const client = net.connect(slow.listener.local.port, "127.0.0.1");
  open.push({ close: () => client.destroy() });
  client.pause();
  client.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  while (slow.gone.length === 0) await nextTurn();
  expect(slow.drops).toEqual(["http-slow-reader"]);
  const silent = await serve(() => {}, { slow: { silentMs: 300 } });
  await talk(silent.listener.local, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  expect(silent.drops).toEqual(["http-silent"]);
});

test("a client that pipelines gets its answers in order; a bad second request closes", async () => {
  const { listener } = await serve((exchange) => exchange.answer(OK, exchange.target));
  const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: h\r\n\r\n`;
  const both = await talk(listener.local, get("/first") + get("/second"), "/second");
  expect(both.indexOf("/first")).toBeLessThan(both.indexOf("/second"));
  const bad = await talk(listener.local, `${get("/first")}GET / HTTP/1.1\nHost: h\n\n`);
  expect(bad).not.toContain("200 Fine\r\nX-One: 1\r\nContent-Length: 1\r\n");
});

test("what is malformed behind an answer that is under way puts nothing into that answer", async () => {
  const head = { ...OK, headers: ["Content-Length", "100"] };
  for (const bytes of ["\x01\r\n\r\n", "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"]) {
    const { listener, drops } = await serve(
      (exchange) => void exchange.respond(head).write("begun"),
    );
    const { address, port } = listener.local;
    let heard = "";
    const socket = net.connect(port, address);
    socket.on("data", (some) => {
      heard += some.toString();
      if (heard.endsWith("begun")) socket.write(bytes);
    });
    socket.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    await new Promise((closed) => socket.once("close", closed));
    expect(heard).toEndWith("begun");
    expect(drops).toEqual(["http-malformed"]);
  }
});

test("HTTPS: the new certificate is for new handshakes, connections stay; SNI is told", async () => {
  const { listener } = await serve((exchange) => exchange.answer(OK, `[${exchange.serverName}]`), {
    identity: await identityFor("one.test"),
  });
  const connect = (): Promise<tls.TLSSocket> =>
    new Promise((resolve) => {
      const options = { ...listener.local, host: "127.0.0.1", servername: "one.test" };
      const socket = tls.connect({ ...options, rejectUnauthorized: false }, () => resolve(socket));
      open.push({ close: () => socket.destroy() });
    });
  const ask = (socket: tls.TLSSocket): Promise<string> =>
    new Promise((resolve) => {
      socket.once("data", (bytes) => resolve(bytes.toString()));
      socket.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    });
  const first = await connect();
  expect(await ask(first)).toContain("[one.test]");
  listener.setIdentity(await identityFor("two.test"));
  const second = await connect();
  expect(first.getPeerCertificate().subjectaltname).toContain("one.test");
  expect(second.getPeerCertificate().subjectaltname).toContain("two.test");
  expect(await ask(first)).toContain("[one.test]");
});

test("a connection that is not admitted is closed before it is asked anything", async () => {
  const { listener, gone } = await serve(hello, { admits: () => false });
  expect(await talk(listener.local, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")).toBe("");
  expect(gone).toEqual([]);
});

test("forwarded: from the local address, connections are used again, bodies both ways", async () => {
  const seen: string[] = [];
  const instance = await serve((exchange) => {
    seen.push(`${exchange.remote.address}:${exchange.remote.port} ${exchange.target}`);
    const head = { status: 201, reason: "Made So", headers: ["x-Case", "\xe4", "x-Case", "2"] };
    pipeline(exchange.readBody(), exchange.respond(head), () => {});
  });
  const front = await serve(forwardTo(pool(instance.listener.local)));
  const post =
    "POST /a//b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  const first = await talk(front.listener.local, post, "\r\n0\r\n\r\n");
  expect(first).toStartWith("HTTP/1.1 201 Made So\r\nx-Case: \xe4\r\nx-Case: 2\r\n");
  expect(first).toContain("5\r\nhello\r\n");
  const sized = "POST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
  await talk(front.listener.local, sized, "\r\n0\r\n\r\n");
  expect(seen.map((line) => line.split(" ")[1])).toEqual(["/a//b", "/c"]);
  expect(seen[0]).toStartWith("127.0.0.9:");
  expect(seen[0]?.split(" ")[0]).toBe(seen[1]?.split(" ")[0]);
});

test("a client that waits for 100 Continue gets it when its body is wanted, else the answer alone", async () => {
  const wants = await serve((exchange) => {
    exchange
      .readBody()
      .on("end", () => hello(exchange))
      .resume();
  });
  const ask = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
  const told = await talk(wants.listener.local, `${ask}abc`, "hello");
  expect(told).toStartWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200");
  const refuses = await serve((exchange) => exchange.answer({ ...OK, status: 404 }));
  const answer = await talk(refuses.listener.local, ask, "\r\n\r\n");
  expect(answer).toStartWith("HTTP/1.1 404");
  expect(answer).toContain("Connection: close");
});

test("a change of protocol passes with its first bytes both ways; another answer is told", async () => {
  const instance = await serve(hello, {
    upgrade(upgrade) {
      if (upgrade.target !== "/ws") return upgrade.answer({ ...OK, status: 403 }, "no");
      const stream = upgrade.accept({
        status: 101,
        reason: "Switch",
        headers: ["Upgrade", "x", "Connection", "Upgrade"],
      });
      stream.on("data", (bytes) => stream.write(`echo ${bytes}`));
    },
  });
  const client = pool(instance.listener.local);
  const headers = ["Host", "h", "Connection", "Upgrade", "Upgrade", "x"];
  const ask = (target: string) => {
    const exchange = client.upgrade({ method: "GET", target, headers, hasBody: false });
    exchange.body.end();
    return exchange.response;
  };
  const upgraded = await ask("/ws");
  if (upgraded.kind !== "upgraded") throw new Error("not upgraded");
  open.push({ close: () => upgraded.stream.destroy() });
  expect(upgraded.head.reason).toBe("Switch");
  const heard = new Promise((resolve) => upgraded.stream.once("data", resolve));
  upgraded.stream.write("hi");
  expect(String(await heard)).toBe("echo hi");
  const refused = await ask("/other");
  expect(refused).toMatchObject({ kind: "answered", response: { status: 403 } });
});

test("an instance that is down, breaks off or answers nonsense is an error, told soon", async () => {
  const raw = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () =>
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    );
  });
  await new Promise<void>((done) => raw.listen(0, "127.0.0.1", done));
  open.push(raw);
  const { port } = raw.address() as net.AddressInfo;
  const ask = (at: number) => {
    const request = { method: "GET", target: "/", headers: ["Host", "h"], hasBody: false };
    const exchange = pool({ address: "127.0.0.1", port: at }).request(request);
    exchange.body.end();
    return exchange.response;
  };
  await expect(ask(port)).rejects.toMatchObject({ name: "HttpClientError", isConnected: true });
  await expect(ask(1)).rejects.toMatchObject({ name: "HttpClientError", isConnected: false });
});
