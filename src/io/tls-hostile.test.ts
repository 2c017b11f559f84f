/**
 * What a TLS listener does with peers that do not mean to be phones: each costs its own connection and nobody
 * else's. Renegotiation (RFC 5246 §7.4.1.1) is refused, so that nobody makes us do handshake after handshake
 * over one admitted connection.
 */
import { afterAll, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import tls from "node:tls";
import { APPLICATION_DATA, Tls12Client } from "../../test/peers/tls12-client.ts";
import { selfSignedIdentity } from "../tls/self-signed.ts";
import { listenStream } from "./streams.ts";

const heard: string[] = [];
const ends: string[] = [];
const refused: string[] = [];
let wake = (): void => {};

const listener = await listenStream({
  local: { address: "127.0.0.1", port: 0 },
  identity: await selfSignedIdentity({
    fqdn: "mobydick.example.com",
    notBefore: new Date(Date.now() - 86_400_000),
    days: 30,
    serial: new Uint8Array(16).fill(1),
  }),
  handshakeTimeoutMs: 10_000,
  accept: (connection) => ({
    data(bytes) {
      heard.push(Buffer.from(bytes).toString());
      connection.write(Buffer.from("heard"));
      wake();
    },
    closed(error) {
      ends.push(error ?? "");
      wake();
    },
  }),
  refused: (_remote, reason) => {
    refused.push(reason);
    wake();
  },
});

afterAll(() => listener.close());

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) {
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }
}

/** Somebody else is served as ever. */
async function expectServed(): Promise<void> {
  const { address, port } = listener.local;
  const phone = tls.connect({ host: address, port, rejectUnauthorized: false });
  const answer = new Promise((resolve, reject) => {
    phone.once("data", resolve);
    phone.once("error", reject);
  });
  phone.write("a phone");
  await answer;
  phone.destroy();
}

test("a second ClientHello within the connection is refused and ends it, what was said before counts", async () => {
  const client = new Tls12Client(listener.local);
  await client.handshake();
  client.record(APPLICATION_DATA, Buffer.from("said before"));
  await until(() => heard.includes("said before"));
  const before = ends.length;
  client.renegotiates();
  client.record(APPLICATION_DATA, Buffer.from("said after"));
  await client.closed;
  await until(() => ends.length > before);
  expect(ends.at(-1)).toContain("NO_RENEGOTIATION");
  expect(heard).not.toContain("said after");
  await expectServed();
});

const HELLO = "16030100f4010000f00303";

test.each([
  ["plain SIP", Buffer.from("OPTIONS sip:a SIP/2.0\r\n\r\n")],
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
  ["random bytes", randomBytes(4096)],
  ["a record of no type", Buffer.from("ff0303000141", "hex")],
  ["a record longer than any", Buffer.from(`160303ffff${"41".repeat(70_000)}`, "hex")],
  ["a ClientHello of zeros", Buffer.from(`${HELLO}${"00".repeat(238)}`, "hex")],
  ["an alert", Buffer.from("15030300020228", "hex")],
  ["SSL 2", Buffer.from("802e0100020015000000100100800200800300800400", "hex")],
])(
  "%s instead of a handshake ends the connection, and nothing reaches SIP",
  async (_what, bytes) => {
    const before = [heard.length, refused.length];
    const { address, port } = listener.local;
    const socket = connect({ host: address, port });
    socket.on("error", () => {});
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.resume();
    socket.write(bytes);
    await closed;
    await until(() => refused.length > before[1]!);
    expect(heard.length).toBe(before[0]!);
    await expectServed();
  },
);

test("garbage within the encrypted connection ends it", async () => {
  const client = new Tls12Client(listener.local);
  await client.handshake();
  client.record(APPLICATION_DATA, Buffer.from("first"));
  await until(() => heard.includes("first"));
  const before = ends.length;
  client.socket.write(Buffer.from(`170303${"0040"}${"41".repeat(64)}`, "hex"));
  await client.closed;
  await until(() => ends.length > before);
  await expectServed();
});
