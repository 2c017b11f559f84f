/** What phones of all ages meet at a TLS listener: versions, names, tickets, and how dead ones are found. */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import tls from "node:tls";
import { selfSignedIdentity } from "../tls/self-signed.ts";
import { listenStream } from "./streams.ts";
import type { Identity, StreamListener } from "./types.ts";

const made = (serial: number): Promise<Identity> =>
  selfSignedIdentity({
    fqdn: "mobydick.example.com",
    notBefore: new Date(Date.now() - 86_400_000),
    days: 30,
    serial: new Uint8Array(16).fill(serial),
  });
const identity = await made(1);

async function listen(allowsTls10 = false): Promise<StreamListener> {
  return await listenStream({
    local: { address: "127.0.0.1", port: 0 },
    identity,
    allowsTls10,
    handshakeTimeoutMs: 10_000,
    accept: (connection) => {
      connection.write(Buffer.from("hello"));
      return { data() {}, closed() {} };
    },
  });
}

type Met = {
  readonly version: string | null;
  readonly serial: string;
  readonly isResumed: boolean;
  readonly session: Buffer | undefined;
  readonly localPort: number | undefined;
};

/** Connects, waits for the hello (a TLS 1.3 ticket comes before it) and says what was met; then `use`s it. */
function phone(
  listener: StreamListener,
  options: tls.ConnectionOptions = {},
  use: (met: Met) => void = () => {},
): Promise<Met> {
  return new Promise((resolve, reject) => {
    let session: Buffer | undefined;
    const { address, port } = listener.local;
    const socket = tls.connect({ host: address, port, rejectUnauthorized: false, ...options });
    socket.on("session", (fresh) => {
      session = fresh;
    });
    socket.on("error", reject);
    socket.once("data", () => {
      const met = {
        version: socket.getProtocol(),
        serial: socket.getPeerCertificate().serialNumber,
        isResumed: socket.isSessionReused(),
        session,
        localPort: socket.localPort,
      };
      use(met);
      socket.destroy();
      resolve(met);
    });
  });
}

test("TLS 1.2 and 1.3 are spoken, 1.0 and 1.1 only where they are allowed", async () => {
  const strict = await listen();
  const lenient = await listen(true);
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    expect((await phone(strict, { maxVersion: version })).version).toBe(version);
  }
  for (const version of ["TLSv1", "TLSv1.1"] as const) {
    const old = { minVersion: version, maxVersion: version };
    expect((await phone(lenient, old)).version).toBe(version);
    await expect(phone(strict, old)).rejects.toThrow(/version/i);
    strict.setIdentity(identity, true);
    expect((await phone(strict, old)).version).toBe(version);
    strict.setIdentity(identity, false);
  }
  strict.close();
  lenient.close();
});

test("a phone that names nobody, or somebody unknown, gets the one certificate", async () => {
  const listener = await listen();
  const serials = [
    await phone(listener),
    await phone(listener, { servername: "mobydick.example.com" }),
    await phone(listener, { servername: "somebody.else.example" }),
  ].map((met) => met.serial);
  expect(new Set(serials)).toEqual(new Set(["01".repeat(16)]));
  listener.close();
});

test("a phone's session ticket is good after a reload, until the certificate changes", async () => {
  const listener = await listen();
  const { session, isResumed, serial } = await phone(listener);
  expect(isResumed).toBe(false);
  if (session === undefined) throw new Error("no ticket came");
  expect((await phone(listener, { session })).isResumed).toBe(true);
  listener.setIdentity({ ...identity }, false);
  expect((await phone(listener, { session })).isResumed).toBe(true);
  listener.setIdentity(await made(2), false);
  const after = await phone(listener, { session });
  expect(after.isResumed).toBe(false);
  expect(after.serial).not.toBe(serial);
  listener.close();
});

/**
 * Tickets end with the process, since Bun takes their key neither as an option nor later (oven-sh/bun#14604).
 * When this fails, their key can be kept over a restart.
 */
test("the runtime cannot set ticket keys yet", async () => {
  const ticketKeys = Buffer.alloc(48, 7);
  const tickets = await Promise.all(
    [1, 2].map(async () => {
      const server = tls.createServer(
        { key: identity.keyPem, cert: identity.certificatePem, ticketKeys },
        (socket) => void socket.on("error", () => {}).write("hello"),
      );
      expect(() => server.setTicketKeys(ticketKeys)).toThrow("Bun");
      await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
      const local = server.address() as { address: string; port: number };
      return { local, setIdentity() {}, close: () => void server.close() } satisfies StreamListener;
    }),
  );
  const [before, after] = tickets;
  if (before === undefined || after === undefined) throw new Error("no server");
  const { session } = await phone(before);
  if (session === undefined) throw new Error("no ticket came");
  expect((await phone(before, { session })).isResumed).toBe(true);
  expect((await phone(after, { session })).isResumed).toBe(false);
  for (const server of tickets) server.close();
});

const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;
const { i32, ptr: pointer } = FFIType;
const libc = dlopen("libc.so.6", {
  getsockopt: { args: [i32, i32, i32, pointer, pointer], returns: i32 },
  getpeername: { args: [i32, pointer, pointer], returns: i32 },
}).symbols;

function socketOption(fd: number, level: number, name: number): number {
  const value = new Int32Array(1);
  expect(libc.getsockopt(fd, level, name, ptr(value), ptr(new Uint32Array([4])))).toBe(0);
  return value[0] ?? -1;
}

/** The descriptor of our end of the connection from that port. */
function acceptedFrom(port: number | undefined): number {
  const name = Buffer.alloc(28);
  const found = readdirSync("/proc/self/fd")
    .map(Number)
    .find((fd) => {
      const isSocket = libc.getpeername(fd, ptr(name), ptr(new Uint32Array([name.length]))) === 0;
      return isSocket && name.readUInt16BE(2) === port;
    });
  if (found === undefined) throw new Error(`no connection from port ${port}`);
  return found;
}

test("the kernel keeps an accepted connection alive as gently as a sleeping radio link needs", async () => {
  const listener = await listen();
  let options: readonly number[] = [];
  await phone(listener, {}, ({ localPort }) => {
    const fd = acceptedFrom(localPort);
    const tcp = (name: number): number => socketOption(fd, IPPROTO_TCP, name);
    // SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT
    options = [socketOption(fd, SOL_SOCKET, 9), tcp(4), tcp(5), tcp(6), tcp(18)];
  });
  expect(options).toEqual([1, 60, 15, 4, 60_000]);
  listener.close();
});
