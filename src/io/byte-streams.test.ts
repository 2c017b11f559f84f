/** Streams that become TLS in their midst, hold back and end each way by itself, on loopback sockets. */
import { afterEach, expect, test } from "bun:test";
import net from "node:net";
import tls from "node:tls";
import { selfSignedServerIdentity } from "../tls/self-signed.ts";
import { connectByteStream, listenByteStreams } from "./byte-streams.ts";
import type { ByteStream, StreamListener } from "./types.ts";

const HERE = "127.0.0.1";
const identity = await selfSignedServerIdentity({
  names: ["inside.example"],
  notBefore: new Date("2026-01-01"),
  days: 36_500,
  serial: new Uint8Array(8).fill(1),
});

const listeners: StreamListener[] = [];
afterEach(() => {
  for (const listener of listeners.splice(0)) listener.close();
});

/** What one end hears, in order, and who waits for it. */
class Ear {
  readonly heard: string[] = [];
  #waiting: (() => void)[] = [];

  listen(stream: ByteStream): void {
    const note = (text: string): void => {
      this.heard.push(text);
      for (const wake of this.#waiting.splice(0)) wake();
    };
    stream.events = {
      data: (bytes) => note(Buffer.from(bytes).toString()),
      drained: () => {},
      ended: () => note("(ended)"),
      closed: (reason) => note(`(closed: ${reason})`),
    };
    stream.resume();
  }

  async until(text: string): Promise<void> {
    while (!this.heard.some((one) => one.startsWith(text))) {
      await new Promise<void>((wake) => this.#waiting.push(wake));
    }
  }
}

async function listen(accept: (stream: ByteStream) => void, handshakeTimeoutMs = 5000) {
  const listener = await listenByteStreams({
    local: { address: HERE, port: 0 },
    identity,
    protocol: "xmpp-client",
    handshakeTimeoutMs,
    admits: () => true,
    accept,
  });
  listeners.push(listener);
  return listener;
}

function connect(port: number, names: [string, ...string[]] = ["inside.example"], verify = true) {
  return connectByteStream({
    local: { address: HERE },
    remote: { address: HERE, port },
    tls: { names, verify, caPem: identity.certificatePem, protocol: "xmpp-client" },
    timeoutMs: 5000,
  });
}

test("both ends become TLS in the midst of a connection, and the name told is heard", async () => {
  const far = new Ear();
  let name: string | null = null;
  const listener = await listen((stream) => {
    stream.events = {
      ...stream.events,
      data(bytes) {
        expect(Buffer.from(bytes).toString()).toBe("now");
        stream.write(Buffer.from("go"));
        void stream.startTls().then(() => {
          name = stream.serverName;
          far.listen(stream);
          stream.write(Buffer.from("safe"));
        });
      },
    };
    stream.resume();
  });
  const near = new Ear();
  const stream = await connect(listener.local.port);
  near.listen(stream);
  stream.write(Buffer.from("now"));
  await near.until("go");
  await stream.startTls();
  near.listen(stream);
  await near.until("safe");
  stream.write(Buffer.from("here"));
  await far.until("here");
  expect(name as string | null).toBe("inside.example");
  stream.destroy();
  await far.until("(ended)");
});

test("one way ends and the other goes on, with TLS and without", async () => {
  for (const isTls of [false, true]) {
    const far = new Ear();
    let accepted: ByteStream | undefined;
    const listener = await listen((stream) => {
      accepted = stream;
      if (isTls) void stream.startTls().then(() => far.listen(stream));
      else far.listen(stream);
    });
    const stream = await connect(listener.local.port);
    if (isTls) await stream.startTls();
    const near = new Ear();
    near.listen(stream);
    stream.write(Buffer.from("the last"));
    stream.end();
    await far.until("(ended)");
    expect(far.heard).toEqual(["the last", "(ended)"]);
    accepted?.write(Buffer.from("an answer"));
    await near.until("an answer");
    accepted?.end();
    await near.until("(closed");
    await far.until("(closed");
    expect(near.heard.slice(0, 2)).toEqual(["an answer", "(ended)"]);
  }
});

test("a certificate for another name, or of another authority, is not taken", async () => {
  const listener = await listen((stream) => void stream.startTls().catch(() => {}));
  const { port } = listener.local;
  const other = await connect(port, ["other.example"]);
  expect(other.startTls()).rejects.toThrow(/other\.example/);
  const either = await connect(port, ["other.example", "inside.example"]);
  await either.startTls();
  either.destroy();
  const unchecked = await connect(port, ["other.example"], false);
  await unchecked.startTls();
  unchecked.destroy();
});

test("a handshake that does not come to its end is ended", async () => {
  const ended = Promise.withResolvers<string>();
  const listener = await listen((stream) => {
    stream.startTls().catch((error: Error) => ended.resolve(error.message));
  }, 50);
  const silent = net.connect(listener.local.port, HERE);
  const closed = new Promise((resolve) => silent.once("close", resolve));
  expect(await ended.promise).toBe("no TLS within 50 ms");
  await closed;
});

test("text instead of a handshake, and a client that wants another protocol, are refused", async () => {
  const failures: string[] = [];
  const listener = await listen((stream) => {
    stream.startTls().catch((error: Error) => failures.push(error.message));
  });
  const { port } = listener.local;
  const talker = net.connect(port, HERE, () => talker.write("<stream:stream>"));
  talker.on("error", () => {}).resume();
  await new Promise((resolve) => talker.once("close", resolve));
  const browser = tls.connect({
    host: HERE,
    port,
    ALPNProtocols: ["h2"],
    ca: identity.certificatePem,
  });
  browser.on("error", () => {});
  await new Promise((resolve) => browser.once("close", resolve));
  expect(failures.join()).toMatch(/WRONG_VERSION_NUMBER.*NO_APPLICATION_PROTOCOL/);
});

test("a handshake whose first bytes were read already goes on with them", async () => {
  const far = new Ear();
  const listener = await listen((stream) => {
    stream.events = {
      ...stream.events,
      data: (bytes) => void stream.startTls(bytes).then(() => far.listen(stream)),
    };
    stream.resume();
  });
  const client = tls.connect({
    host: HERE,
    port: listener.local.port,
    servername: "inside.example",
    ca: identity.certificatePem,
  });
  client.write("first");
  await far.until("first");
  client.destroy();
});

test("a new certificate serves the next handshake", async () => {
  const listener = await listen((stream) => void stream.startTls().catch(() => {}));
  const other = await selfSignedServerIdentity({
    names: ["new.example"],
    notBefore: new Date("2026-01-01"),
    days: 36_500,
    serial: new Uint8Array(8).fill(2),
  });
  listener.setIdentity(other);
  const stream = await connect(listener.local.port);
  expect(stream.startTls()).rejects.toThrow();
});

test("what a peer does not take is held back, not piled up", async () => {
  const MOST_BYTES = 65_536;
  const source = net.createServer((socket) => {
    const fill = (): void => {
      while (socket.write(Buffer.alloc(65_536)));
    };
    socket.on("error", () => {}).on("drain", fill);
    fill();
  });
  await new Promise<void>((resolve) => source.listen(0, HERE, resolve));
  const { port } = source.address() as net.AddressInfo;
  const from = await connect(port);
  const stalled = Promise.withResolvers<void>();
  const listener = await listen((to) => {
    let last = 0;
    to.events = { ...to.events, drained: () => from.resume() };
    from.events = {
      ...from.events,
      data(bytes) {
        last = bytes.length;
        if (to.write(bytes)) return;
        from.pause();
        if (last <= MOST_BYTES) stalled.resolve();
      },
    };
    void to.startTls().then(() => from.resume());
  });
  const slow = await connect(listener.local.port);
  await slow.startTls();
  await stalled.promise;
  from.destroy();
  slow.destroy();
  source.close();
});
