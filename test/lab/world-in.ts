/**
 * What a scripted peer may do in one place of the lab: UDP sockets opened within its network namespace, and
 * TLS connections to the proxy, each of them a socat in there. Owns those processes.
 */
import { dlopen, FFIType } from "bun:ffi";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Connection, World } from "../../src/io/types.ts";
import { realWorld } from "../../src/io/world.ts";
import { commandIn, LAB, type Peer, type Place, startPeer } from "./peers.ts";

/** setns(2) of one kind of namespace. */
const CLONE_NEWNET = 0x4000_0000;

const { symbols: libc } = dlopen("libc.so.6", {
  setns: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
});

/** Both ends of the work are the same thread, and a socket stays in the namespace where it was made. */
function inNamespace<T>(place: Place, make: () => T): T {
  const own = openSync("/proc/thread-self/ns/net", "r");
  const other = openSync(`/run/netns/pqlab-${place}`, "r");
  try {
    if (libc.setns(other, CLONE_NEWNET) !== 0) throw new Error(`cannot enter ${place}`);
    return make();
  } finally {
    libc.setns(own, CLONE_NEWNET);
    closeSync(own);
    closeSync(other);
  }
}

export type WorldIn = { readonly world: World; stop(): Promise<void> };

/** `name`: of the log files. */
export function worldIn(place: Place, name: string): WorldIn {
  const peers: Peer[] = [];
  const openDatagrams: World["openDatagrams"] = (options) =>
    inNamespace(place, () => realWorld.openDatagrams(options));
  const connectStream: World["connectStream"] = async ({ local, remote, events }) => {
    const tls = `OPENSSL:${remote.address}:${remote.port},cafile=/lab/tls/ca.crt`;
    const log = join(LAB, `run/scripted-${name}.log`);
    const peer = startPeer(commandIn(place, ["socat", "-", tls]), log, "read");
    peers.push(peer);
    const read = async (): Promise<void> => {
      for await (const chunk of peer.stdout) events.data(chunk);
      events.closed("the end of the connection");
    };
    void read();
    const stop = (): void => void peer.stop();
    const connection: Connection = {
      transport: "tls",
      local: { address: local.address, port: 5070 },
      remote,
      pendingBytes: 0,
      write: (bytes) => peer.write(bytes),
      end: stop,
      destroy: stop,
    };
    return connection;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(peers.map((peer) => peer.stop()));
  };
  return { world: { openDatagrams, connectStream } as World, stop };
}
