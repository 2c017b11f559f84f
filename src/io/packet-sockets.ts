/**
 * UDP sockets as bare descriptors, for a receive loop in a thread (packet-loop.ts): made and closed here, in
 * the thread that decides about ports, so that they outlive a loop that dies. By bun:ffi, Linux only.
 */
import { isIPv6 } from "node:net";
import { addressOf, lastErrno, libc } from "./libc.ts";
import { SOCKET_ADDRESS_BYTES, writeSocketAddress } from "./socket-address.ts";
import { setReceiveBuffer, setTrafficClass } from "./socket-options.ts";
import type { Endpoint } from "./types.ts";
import { listenError } from "./udp.ts";

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;

const ERRORS: Readonly<Record<number, string>> = {
  13: "EACCES",
  24: "EMFILE",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
};

export type PacketSocketOptions = {
  readonly trafficClass: number;
  /** null = the system's. */
  readonly receiveBufferBytes: number | null;
};

/** A non-blocking socket, bound. Throws ListenError, nothing open. IP_RECVERR is off, as the kernel makes it. */
export function openPacketSocket(local: Endpoint, o: PacketSocketOptions): number {
  const isIpv6 = isIPv6(local.address);
  const type = SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  const fd = libc().socket(isIpv6 ? AF_INET6 : AF_INET, type, 0);
  if (fd < 0) throw listenError(lastError(), "UDP", local);
  const length = writeSocketAddress(place, 0, local.address, local.port);
  if (libc().bind(fd, addressOf(place), length) !== 0) {
    const error = lastError();
    libc().close(fd);
    throw listenError(error, "UDP", local);
  }
  setTrafficClass(fd, isIpv6, o.trafficClass);
  if (o.receiveBufferBytes !== null) setReceiveBuffer(fd, o.receiveBufferBytes);
  return fd;
}

export function closePacketSocket(fd: number): void {
  libc().close(fd);
}

/** Ends the wait of the packet loop that made this descriptor. */
export function wakePacketLoop(wakeFd: number): void {
  one[0] = 1n;
  libc().write(wakeFd, addressOf(one), 8);
}

// Over ArrayBuffers, whose memory never moves.
const place = new Uint8Array(new ArrayBuffer(SOCKET_ADDRESS_BYTES));
const one = new BigUint64Array(new ArrayBuffer(8));

function lastError(): Error & { code: string } {
  const number = lastErrno();
  const code = ERRORS[number] ?? `errno ${number}`;
  return Object.assign(new Error(code), { code });
}
