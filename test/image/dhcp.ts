/**
 * The smallest DHCP server (RFC 2131): gives everybody who asks the one address. Answers by broadcast, as a
 * client without an address needs it.
 */
import { createSocket, type Socket } from "node:dgram";

export type Lease = {
  readonly server: string;
  readonly broadcast: string;
  readonly address: string;
  readonly netmask: string;
};

const COOKIE_AT = 236;
const [DISCOVER, OFFER, REQUEST, ACK] = [1, 2, 3, 5];
const LEASE_S = 86_400;

const bytesOf = (address: string): number[] => address.split(".").map(Number);

function messageType(packet: Uint8Array): number {
  for (let at = COOKIE_AT + 4; at + 2 < packet.length; at += 2 + (packet[at + 1] ?? 0)) {
    if (packet[at] === 53) return packet[at + 2] ?? 0;
  }
  return 0;
}

function reply(asked: Uint8Array, type: number, lease: Lease): Uint8Array {
  const packet = new Uint8Array(300);
  packet.set(asked.subarray(0, COOKIE_AT + 4));
  packet[0] = 2;
  packet.set(bytesOf(lease.address), 16);
  packet.set(bytesOf(lease.server), 20);
  const seconds = [...new Uint8Array(new Uint32Array([LEASE_S]).buffer)].reverse();
  const options = [
    ...[53, 1, type],
    ...[54, 4, ...bytesOf(lease.server)],
    ...[51, 4, ...seconds],
    ...[1, 4, ...bytesOf(lease.netmask)],
    ...[3, 4, ...bytesOf(lease.server)],
    255,
  ];
  packet.set(options, COOKIE_AT + 4);
  return packet;
}

export async function serveDhcp(lease: Lease): Promise<Socket> {
  const socket = createSocket({ type: "udp4", reuseAddr: true });
  socket.on("message", (asked) => {
    const type = messageType(asked);
    const answer = type === DISCOVER ? OFFER : type === REQUEST ? ACK : null;
    if (answer !== null) socket.send(reply(asked, answer, lease), 68, lease.broadcast);
  });
  await new Promise<void>((bound) => socket.bind(67, "0.0.0.0", bound));
  socket.setBroadcast(true);
  return socket;
}
