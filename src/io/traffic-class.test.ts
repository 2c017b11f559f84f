import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { trafficClassesAt } from "../../test/peers/traffic-class.ts";
import { selfSignedIdentity } from "../tls/self-signed.ts";
import { closePacketSocket, openPacketSocket } from "./packet-sockets.ts";
import { connectStream, listenStream } from "./streams.ts";
import type { Connection, ConnectionEvents } from "./types.ts";
import { openDatagrams } from "./udp.ts";

const CS3 = 24 << 2;
const AF31 = 26 << 2;
const ignored: ConnectionEvents = { data() {}, closed() {} };
const identity = await selfSignedIdentity({
  fqdn: "proxy.example.com",
  notBefore: new Date(Date.now() - 1000),
  days: 2,
  serial: randomBytes(12),
});

describe.each(["127.0.0.1", "::1"])("%s", (address) => {
  test("datagrams are marked", async () => {
    const socket = await openDatagrams({
      local: { address, port: 0 },
      receive() {},
      trafficClass: AF31,
    });
    expect(trafficClassesAt(socket.local.port)).toEqual([AF31]);
    const { port } = socket.local;
    socket.close();
    const options = { trafficClass: CS3, receiveBufferBytes: null };
    const fd = openPacketSocket({ address, port }, options);
    expect(trafficClassesAt(port)).toEqual([CS3]);
    closePacketSocket(fd);
  });

  test.each(["tcp", "tls"])("connections by %s are marked at both ends", async (transport) => {
    const isTls = transport === "tls";
    const accepted = Promise.withResolvers<Connection>();
    const listener = await listenStream({
      local: { address, port: 0 },
      ...(isTls ? { identity } : {}),
      handshakeTimeoutMs: 1000,
      trafficClass: CS3,
      accept: (connection) => {
        accepted.resolve(connection);
        return ignored;
      },
    });
    const ours = await connectStream({
      local: { address },
      remote: listener.local,
      ...(isTls ? { tls: { serverName: address, verify: false, caPem: null } } : {}),
      timeoutMs: 1000,
      trafficClass: AF31,
      events: ignored,
    });
    await accepted.promise;
    // The listener and what it has accepted.
    expect(trafficClassesAt(listener.local.port)).toEqual([CS3, CS3]);
    expect(trafficClassesAt(ours.local.port)).toEqual([AF31]);
    ours.destroy();
    listener.close();
  });
});
