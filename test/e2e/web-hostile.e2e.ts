/**
 * Instances and clients that mean harm to others, byte for byte before the compiled binary: what they hold
 * open must end, and nobody else waits for them.
 * Started by name: bun test ./test/e2e/web-hostile.e2e.ts
 */
import { afterEach, expect, test } from "bun:test";
import net from "node:net";
import { closeAll, closing, FQDN, statusOf, WebPlace } from "./web-place.ts";

afterEach(closeAll);

/** An instance that says what it wants when a request has come, and tells when its connections end. */
async function hostile(says: (socket: net.Socket, request: string) => void) {
  const place = new WebPlace();
  const open = new Set<net.Socket>();
  const waiting = new Set<() => void>();
  const server = net.createServer((socket) => {
    open.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      open.delete(socket);
      for (const look of waiting) look();
    });
    socket.on("data", (bytes: Buffer) => says(socket, bytes.toString("latin1")));
  });
  await new Promise<void>((done) => server.listen(0, place.at.pbx, done));
  closing({
    close: () => {
      for (const socket of open) socket.destroy();
      server.close();
    },
  });
  const { port } = server.address() as net.AddressInfo;
  await place.start({}, { web: { url: `http://${place.at.pbx}:${port}` } });
  const nobody = (): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => void (open.size === 0 && resolve());
      waiting.add(look);
      look();
    });
  return { place, nobody };
}

test("an answer that is none is a page of ours, and the connection is not used again", async () => {
  let bytes = "";
  const { place, nobody } = await hostile((socket) => socket.write(Buffer.from(bytes, "latin1")));
  for (const line of [
    "HTTP/1.1 000 Odd\r\nContent-Length: 0",
    "HTTP/1.1 099 Odd\r\nContent-Length: 0",
    "HTTP/1.1 101 Switching Protocols",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked",
  ]) {
    bytes = `${line}\r\n\r\n`;
    expect([line, statusOf(await place.asks("/mycompany/x"))]).toEqual([line, 502]);
    await nobody();
  }
  bytes = "HTTP/1.1 200 A\x01\x7fB\r\nContent-Length: 2\r\n\r\nok";
  expect(await place.asks("/mycompany/x")).toStartWith("HTTP/1.1 200 OK\r\n");
});

test("an instance that only says that it will answer is cut off", async () => {
  const interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(100);
  const { place, nobody } = await hostile((socket) =>
    socket.write(`${interim}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok`),
  );
  expect(statusOf(await place.asks("/mycompany/x"))).toBe(502);
  await nobody();
});

test("a client that leaves in the midst of a body that was answered early leaves nothing open", async () => {
  const { place, nobody } = await hostile((socket) =>
    socket.write("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"),
  );
  const client = await place.connects();
  client.writes(`POST /mycompany/x HTTP/1.1\r\nHost: ${FQDN}\r\nContent-Length: 100000\r\n\r\nabc`);
  await client.hears("\r\n\r\nno");
  client.close();
  await nobody();
});

test("a client that leaves while it pipelines leaves nothing open", async () => {
  const asked = Promise.withResolvers<void>();
  const requests: string[] = [];
  const { place, nobody } = await hostile((_, request) => {
    requests.push(request);
    if (requests.length === 3) asked.resolve();
  });
  const client = await place.connects();
  client.writes(`GET /mycompany/x HTTP/1.1\r\nHost: ${FQDN}\r\n\r\n`.repeat(2));
  client.writes(`POST /mycompany/x HTTP/1.1\r\nHost: ${FQDN}\r\nContent-Length: 9999\r\n\r\nabc`);
  await asked.promise;
  client.close();
  await nobody();
});

test("a body of single bytes is cut off; one of greater pieces is not", async () => {
  const place = new WebPlace();
  await place.start();
  place.answer = (request, response) => void request.resume().on("end", () => response.end("all"));
  const head = `POST /mycompany/x HTTP/1.1\r\nHost: ${FQDN}\r\nTransfer-Encoding: chunked\r\n\r\n`;
  const flood = await place.connects();
  flood.writes(head + "1\r\na\r\n".repeat(5000));
  expect(await flood.hearsEnd()).toBe("");
  const big = `64\r\n${"a".repeat(100)}\r\n`.repeat(5000);
  const honest = await place.connects();
  honest.writes(`${head}${big}0\r\n\r\n`);
  await honest.hears("all");
  expect(await place.at.status()).toMatchObject({ drops: { "http-tiny-chunks": 1 } });
});

test("who asks while as many wait as may is told so at once, and other instances are as quick as ever", async () => {
  const place = new WebPlace();
  await place.start({ limits: { httpInstanceConnections: 2 } });
  place.answer = (request, response) => void (request.url === "/now" && response.end("now"));
  const get = `GET /mycompany/never HTTP/1.1\r\nHost: ${FQDN}\r\n\r\n`;
  const client = await place.connects();
  client.writes(get.repeat(4));
  const answers = await Promise.all([1, 2, 3, 4, 5].map(() => place.asks("/mycompany/now")));
  expect(answers.map(statusOf)).toEqual([503, 503, 503, 503, 503]);
  expect(statusOf(await place.asks("/other/now"))).toBe(200);
  expect(await place.at.status()).toMatchObject({ drops: { "http-instance-busy": 5 } });
});

test("what a new configuration would not let begin ends; what it still lets goes on", async () => {
  const place = new WebPlace();
  const { reload } = await place.start();
  place.servers[0]?.on("upgrade", (_request, socket: net.Socket) => {
    socket.on("error", () => {});
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
  });
  const webSocket = async (path: string) => {
    const client = await place.connects();
    const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    client.writes(`GET ${path} HTTP/1.1\r\nHost: ${FQDN}\r\n${upgrade}\r\n`);
    await client.hears("HTTP/1.1 101");
    return client;
  };
  const ui = await webSocket("/mycompany/ui");
  const rest = await webSocket("/mycompany/services/events");
  await reload({ manageInstances: "rest" });
  await ui.hearsEnd();
  expect(rest.isClosed).toBe(false);
});
