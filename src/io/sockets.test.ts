import { expect, test } from "bun:test";
import { selfSignedIdentity } from "../tls/self-signed.ts";
import { connectStream, listenStream } from "./streams.ts";
import { type Connection, type Endpoint, ListenError } from "./types.ts";
import { openDatagrams } from "./udp.ts";

const here = { address: "127.0.0.1", port: 0 };
const freshIdentity = (serial: number) =>
  selfSignedIdentity({
    fqdn: "127.0.0.1",
    notBefore: new Date(Date.now() - 86_400_000),
    days: 30,
    serial: new Uint8Array(16).fill(serial),
  });
const identity = await freshIdentity(1);

/** A promise and what resolves it. */
function event<T>() {
  let happen: (value: T) => void = () => {};
  const happened = new Promise<T>((resolve) => {
    happen = resolve;
  });
  return { happen, happened };
}

test("a datagram arrives with its sender's address", async () => {
  const got = event<[string, Endpoint]>();
  const left = await openDatagrams({ local: here, receive() {}, trafficClass: 0xb8 });
  const right = await openDatagrams({
    local: { address: "127.0.0.2", port: 0 },
    receive: (bytes, address, port) =>
      got.happen([Buffer.from(bytes).toString(), { address, port }]),
    receiveBufferBytes: 1 << 20,
  });
  expect(left.send(Buffer.from("hello"), "127.0.0.2", right.local.port)).toBe(true);
  expect(await got.happened).toEqual(["hello", left.local]);
  left.close();
  right.close();
});

test("a datagram of the largest size arrives whole", async () => {
  const got = event<Uint8Array>();
  const left = await openDatagrams({ local: here, receive() {} });
  const right = await openDatagrams({
    local: here,
    receive: got.happen,
    receiveBufferBytes: 4 << 20,
  });
  const sent = Buffer.alloc(65_507, "sip");
  expect(left.send(sent, right.local.address, right.local.port)).toBe(true);
  expect(sent.equals(await got.happened)).toBe(true);
  left.close();
  right.close();
});

test("a closed port of one peer costs another not a single packet", async () => {
  const dead = await openDatagrams({ local: here, receive() {} });
  const deadPort = dead.local.port;
  dead.close();
  const all = event<void>();
  let received = 0;
  const alive = await openDatagrams({
    local: here,
    receive: () => {
      if (++received === 200) all.happen();
    },
  });
  const socket = await openDatagrams({ local: here, receive() {} });
  let sent = 0;
  for (let i = 0; i < 200; i++) {
    socket.send(Buffer.from("to nobody"), "127.0.0.1", deadPort);
    if (socket.send(Buffer.from("to you"), "127.0.0.1", alive.local.port)) sent++;
    // Lets the ICMP error of the first come in before the next.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  expect(sent).toBe(200);
  await all.happened;
  alive.close();
  socket.close();
});

test("a send that cannot be is false and never throws", async () => {
  const socket = await openDatagrams({ local: here, receive() {} });
  expect(socket.send(Buffer.from("x"), "127.0.0.1", 0)).toBe(false);
  expect(socket.send(Buffer.from("x"), "not-an-address", 5060)).toBe(false);
  expect(socket.send(Buffer.from("x"), "::1", 5060)).toBe(false);
  expect(socket.send(Buffer.alloc(70_000), "127.0.0.1", 5060)).toBe(false);
  socket.close();
  expect(socket.send(Buffer.from("x"), "127.0.0.1", 5060)).toBe(false);
});

test("a port in use and an address that is not there are one clear line", async () => {
  const socket = await openDatagrams({ local: here, receive() {} });
  const { port } = socket.local;
  const taken = openDatagrams({ local: socket.local, receive() {} });
  await expect(taken).rejects.toThrow(
    new ListenError(
      `cannot listen on UDP 127.0.0.1:${port}: the port is in use by another program`,
    ),
  );
  const absent = openDatagrams({ local: { address: "192.0.2.77", port: 5060 }, receive() {} });
  await expect(absent).rejects.toThrow(
    "cannot listen on UDP 192.0.2.77:5060: the address is not on this machine",
  );
  socket.close();
});

/** A listener that echoes, with or without TLS. */
async function echo(
  secure: boolean,
  o: { readonly handshakeTimeoutMs: number; refused?(reason: string): void } = {
    handshakeTimeoutMs: 30_000,
  },
) {
  const closed = event<string>();
  const listener = await listenStream({
    local: here,
    ...(secure ? { identity } : {}),
    handshakeTimeoutMs: o.handshakeTimeoutMs,
    accept: (connection) => ({
      data: (bytes) => connection.write(bytes),
      closed: closed.happen,
    }),
    refused: (_remote, reason) => o.refused?.(reason),
  });
  return { listener, closed: closed.happened };
}

async function connect(remote: Endpoint, o: { ca?: string } = {}) {
  const data = event<string>();
  const closed = event<string>();
  const connection: Connection = await connectStream({
    local: { address: "127.0.0.3" },
    remote,
    ...(o.ca === undefined ? {} : { tls: { serverName: "127.0.0.1", verify: true, caPem: o.ca } }),
    timeoutMs: 30_000,
    events: { data: (bytes) => data.happen(Buffer.from(bytes).toString()), closed: closed.happen },
  });
  return { connection, data: data.happened, closed: closed.happened };
}

test.each([false, true])(
  "bytes go both ways and both ends hear of the end (TLS %p)",
  async (tls) => {
    const { listener, closed } = await echo(tls);
    const client = await connect(listener.local, tls ? { ca: identity.certificatePem } : {});
    expect(client.connection.transport).toBe(tls ? "tls" : "tcp");
    expect(client.connection.local.address).toBe("127.0.0.3");
    client.connection.write(Buffer.from("ahoy"));
    expect(await client.data).toBe("ahoy");
    client.connection.end();
    await Promise.all([closed, client.closed]);
    listener.close();
  },
);

test("a certificate that is not trusted is refused by us", async () => {
  const { listener } = await echo(true);
  const other = await freshIdentity(2);
  await expect(connect(listener.local, { ca: other.certificatePem })).rejects.toThrow(/self|cert/i);
  listener.close();
});

test("a client that never finishes its handshake is thrown out", async () => {
  const refused = event<string>();
  const { listener } = await echo(true, { handshakeTimeoutMs: 300, refused: refused.happen });
  const silent = await connect(listener.local);
  await silent.closed;
  expect(await refused.happened).toContain("imeout");
  listener.close();
});

test("a new certificate counts for new connections and leaves the old ones alone", async () => {
  const { listener } = await echo(true);
  const before = await connect(listener.local, { ca: identity.certificatePem });
  const fresh = await freshIdentity(3);
  listener.setIdentity(fresh);
  const after = await connect(listener.local, { ca: fresh.certificatePem });
  for (const one of [before, after]) {
    one.connection.write(Buffer.from("still here"));
    expect(await one.data).toBe("still here");
    one.connection.destroy();
  }
  listener.close();
});

test("nobody listens: one clear line", async () => {
  const { listener } = await echo(false);
  listener.close();
  await expect(connect(listener.local)).rejects.toThrow(/ECONNREFUSED|refused|connect/i);
});

test("who is not admitted is closed before his handshake, and counts as no failed one", async () => {
  const accepted = event<void>();
  const seen: string[] = [];
  let isOpen = false;
  const listener = await listenStream({
    local: here,
    identity,
    handshakeTimeoutMs: 5000,
    admits: ({ address }) => {
      seen.push(address);
      return isOpen;
    },
    accept: () => {
      seen.push("accepted");
      accepted.happen();
      return { data() {}, closed() {} };
    },
    refused: (_, reason) => void seen.push(reason),
  });
  const connecting = () =>
    connectStream({
      local: { address: "127.0.0.3" },
      remote: listener.local,
      tls: { serverName: "127.0.0.1", verify: false, caPem: null },
      timeoutMs: 5000,
      events: { data() {}, closed() {} },
    });
  await expect(connecting()).rejects.toThrow();
  isOpen = true;
  const connection = await connecting();
  await accepted.happened;
  expect(seen).toEqual(["127.0.0.3", "127.0.0.3", "accepted"]);
  connection.destroy();
  listener.close();
});
