import { afterEach, describe, expect, test } from "bun:test";
import { type LoopSocket, PacketLoop } from "./packet-loop.ts";
import { closePacketSocket, openPacketSocket, wakePacketLoop } from "./packet-sockets.ts";
import { ListenError } from "./types.ts";
import { openDatagrams } from "./udp.ts";

const OPTIONS = { trafficClass: 0xb8, receiveBufferBytes: 1 << 20 };
const RECEIVE_BYTES = 1501;
const packet = new Uint8Array(new ArrayBuffer(2048));
type Socket = LoopSocket<string>;
const opened: number[] = [];
const closers: (() => void)[] = [];
const ignore = (): void => {};

afterEach(() => {
  for (const fd of opened.splice(0)) closePacketSocket(fd);
  for (const close of closers.splice(0)) close();
});

/** By io_uring where the kernel has it. */
const loops = {
  batches: new PacketLoop<string>(packet, RECEIVE_BYTES),
  "a call a packet": new PacketLoop<string>(packet, RECEIVE_BYTES, null),
};

describe.each(Object.keys(loops) as (keyof typeof loops)[])("%s", (name) => {
  const loop = loops[name];

  /** A socket of the loop on a free port; ports are tried because 0 would not tell which it became. */
  function watched(address: string): { readonly socket: Socket; readonly port: number } {
    for (let port = 20_000; port < 30_000; port++) {
      try {
        const fd = openPacketSocket({ address, port }, OPTIONS);
        opened.push(fd);
        return { socket: loop.watch(fd, address)!, port };
      } catch (error) {
        if (!(error instanceof ListenError)) throw error;
      }
    }
    throw new Error("no free port");
  }

  async function peer(address: string) {
    const heard: string[] = [];
    const got = Promise.withResolvers<string>();
    const socket = await openDatagrams({
      local: { address, port: 0 },
      receive: (bytes, from, port) => {
        heard.push(`${Buffer.from(bytes)} from ${from}:${port}`);
        got.resolve(heard[0]!);
      },
    });
    closers.push(() => socket.close());
    return { socket, first: got.promise };
  }

  /** The next packet of any socket: which, its text and source. */
  function next(): { readonly on: Socket; readonly text: string } | null {
    let found: { on: Socket; text: string } | null = null;
    loop.turn(
      1000,
      (on) => {
        const length = loop.receive(on);
        found = { on, text: Buffer.from(packet.subarray(0, Math.max(0, length))).toString() };
      },
      ignore,
    );
    return found;
  }

  test.each(["127.0.0.1", "::1"])(
    "on %s a packet comes in with its source and goes out again",
    async (address) => {
      const { socket, port } = watched(address);
      const phone = await peer(address);
      phone.socket.send(Buffer.from("hello"), address, port);
      expect(next()).toEqual({ on: socket, text: "hello" });
      expect(socket).toMatchObject({ sourceAddress: address, sourcePort: phone.socket.local.port });
      packet.set(Buffer.from("back!"));
      expect(loop.send(socket, 4, socket.sourceAddress, socket.sourcePort)).toBe(true);
      expect(await phone.first).toBe(`back from ${address}:${port}`);
      loop.forget(socket);
    },
  );

  test("what many sockets have heard goes out in one turn, each packet as it was made", async () => {
    const sockets = Array.from({ length: 40 }, () => watched("127.0.0.1"));
    const answers: string[] = [];
    const all = Promise.withResolvers<void>();
    const phone = await openDatagrams({
      local: { address: "127.0.0.1", port: 0 },
      receive: (bytes, _address, port) => {
        if (answers.push(`${Buffer.from(bytes)} from ${port}`) === sockets.length) all.resolve();
      },
    });
    closers.push(() => phone.close());
    for (const { port } of sockets) phone.send(Buffer.from(`to ${port}`), "127.0.0.1", port);
    for (let turns = 0, heard = 0; heard < sockets.length && turns < 100; turns++) {
      loop.turn(
        1000,
        (on) => {
          const length = loop.receive(on);
          if (length > 0) heard++;
          packet.set(Buffer.from("re"));
          loop.send(on, length, on.sourceAddress, on.sourcePort);
        },
        ignore,
      );
    }
    await all.promise;
    expect(answers.sort()).toEqual(sockets.map(({ port }) => `re ${port} from ${port}`).sort());
    for (const { socket } of sockets) loop.forget(socket);
  });

  test("a packet that cannot be sent is told, now or at the end of the turn", async () => {
    const { socket, port } = watched("127.0.0.1");
    (await peer("127.0.0.1")).socket.send(Buffer.from("hello"), "127.0.0.1", port);
    const unsent: Socket[] = [];
    loop.turn(
      1000,
      (on) => {
        if (!loop.send(on, loop.receive(on), "::1", 9)) unsent.push(on);
      },
      (on) => void unsent.push(on),
    );
    expect(unsent).toEqual([socket]);
    loop.forget(socket);
  });

  test("each packet has the source that it came from, also in turns", async () => {
    const { socket, port } = watched("127.0.0.1");
    const peers = [await peer("127.0.0.1"), await peer("127.0.0.1")];
    for (const at of [0, 1, 1, 0]) {
      peers[at]!.socket.send(Buffer.from(`from ${at}`), "127.0.0.1", port);
      expect(next()?.text).toBe(`from ${at}`);
      expect(socket.sourcePort).toBe(peers[at]!.socket.local.port);
    }
    loop.forget(socket);
  });

  test("a packet longer than was asked for is cut there, so that it can be told", async () => {
    const { socket, port } = watched("127.0.0.1");
    const phone = await peer("127.0.0.1");
    phone.socket.send(new Uint8Array(1800), "127.0.0.1", port);
    expect(next()?.text.length).toBe(1501);
    expect(loop.receive(socket)).toBe(-1);
    loop.forget(socket);
  });

  test("a wake ends the wait, a forgotten socket is not heard, its place is taken again", async () => {
    const { socket, port } = watched("127.0.0.1");
    loop.forget(socket);
    const phone = await peer("127.0.0.1");
    phone.socket.send(Buffer.from("nobody listens"), "127.0.0.1", port);
    wakePacketLoop(loop.wakeFd);
    expect(loop.turn(10_000, () => expect.unreachable(), ignore)).toBe(false);
    expect(loop.turn(0, () => expect.unreachable(), ignore)).toBe(true);
    expect(watched("127.0.0.1").socket.id).toBe(socket.id);
  });

  test("whoever wakes the loop is heard before the packets that wait", async () => {
    const { socket, port } = watched("127.0.0.1");
    (await peer("127.0.0.1")).socket.send(Buffer.from("later"), "127.0.0.1", port);
    wakePacketLoop(loop.wakeFd);
    expect(loop.turn(1000, () => expect.unreachable(), ignore)).toBe(false);
    expect(next()).toEqual({ on: socket, text: "later" });
    loop.forget(socket);
  });

  test("what cannot be opened says why, what is no descriptor is not watched", () => {
    const { port } = watched("127.0.0.1");
    const open = (address: string, at: number) => () =>
      openPacketSocket({ address, port: at }, OPTIONS);
    expect(open("127.0.0.1", port)).toThrow("the port is in use by another program");
    expect(open("192.0.2.1", port)).toThrow("the address is not on this machine");
    expect(loop.watch(-1, "")).toBeNull();
  });

  test("the loop proves itself, also while it is in use", () => {
    const { socket } = watched("127.0.0.1");
    loop.selfTest("test");
    loop.forget(socket);
  });

  test("a send to nowhere is told", () => {
    const { socket } = watched("127.0.0.1");
    expect(loop.send(socket, 4, "::1", 9)).toBe(false);
    loop.forget(socket);
  });
});
