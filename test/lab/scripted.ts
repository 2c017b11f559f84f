/**
 * A scripted phone in one place of the lab: the user agent of test/peers over TLS, for what baresip cannot
 * do (Event: dialog, RFC 4235). Its connection is a socat inside the place's namespace. Owns that process.
 */
import { join } from "node:path";
import type { Connection, World } from "../../src/io/types.ts";
import { onRealSockets } from "../peers/outside.ts";
import { Phone } from "../peers/phone.ts";
import { commandIn, LAB, type Peer, type Place, PROXY_DMZ, startPeer } from "./peers.ts";

const PROXY = { address: PROXY_DMZ, port: 5061 };
/** What the script's Contact and Via say: the private address of both homes. */
const HOME = { address: "192.168.77.50", port: 5070 };

export type ScriptedPhone = { readonly phone: Phone; stop(): Promise<void> };

/** A phone of mycompany that is connected and registered. */
export async function scriptedPhone(place: Place, user: string): Promise<ScriptedPhone> {
  const peers: Peer[] = [];
  const phone = new Phone(onRealSockets(worldIn(place, user, peers)), {
    user,
    domain: "mycompany",
    password: `secret-mycompany-${user}`,
    address: HOME.address,
    transport: "tls",
    proxy: PROXY,
  });
  const stop = async (): Promise<void> => {
    await Promise.all(peers.map((peer) => peer.stop()));
  };
  await phone.connects();
  const answer = await phone.registers();
  if (answer.status === 200) return { phone, stop };
  await stop();
  throw new Error(`${user} cannot register: ${answer.startLine}`);
}

/** A world that can do nothing but connect. */
function worldIn(place: Place, user: string, peers: Peer[]): World {
  const connectStream: World["connectStream"] = async ({ events }) => {
    const tls = `OPENSSL:${PROXY.address}:${PROXY.port},cafile=/lab/tls/ca.crt`;
    const peer = startPeer(
      commandIn(place, ["socat", "-", tls]),
      join(LAB, `run/scripted-${user}.log`),
      "read",
    );
    peers.push(peer);
    const read = async (): Promise<void> => {
      for await (const chunk of peer.stdout) events.data(chunk);
      events.closed("the end of the connection");
    };
    void read();
    return connection(peer);
  };
  return { connectStream } as World;
}

function connection(peer: Peer): Connection {
  const stop = (): void => void peer.stop();
  return {
    transport: "tls",
    local: HOME,
    remote: PROXY,
    pendingBytes: 0,
    write: (bytes) => peer.write(bytes),
    end: stop,
    destroy: stop,
  };
}
