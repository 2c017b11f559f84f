/**
 * Socket options that Bun has no call for, set by bun:ffi on the file descriptor (Linux x64/arm64 numbers).
 * Every function is best effort: an option that cannot be set costs quality, never the socket.
 */
import { addressOf, optionalLibc } from "./libc.ts";

const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const IPPROTO_IP = 0;
const IP_TOS = 1;
const IP_RECVERR = 11;
const IPPROTO_IPV6 = 41;
const IPV6_RECVERR = 25;
const IPV6_TCLASS = 67;
const IPPROTO_TCP = 6;
const SO_KEEPALIVE = 9;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const TCP_USER_TIMEOUT = 18;

/** The value of the call under way: a call of a phone sets twelve options. Over an ArrayBuffer, whose memory never moves. */
const optionValue = new Int32Array(new ArrayBuffer(4));
let optionValueAt: number | undefined;

function setOption(fd: number, level: number, name: number, value: number): boolean {
  const calls = optionalLibc();
  optionValueAt ??= addressOf(optionValue);
  optionValue[0] = value;
  return calls !== null && calls.setsockopt(fd, level, name, optionValueAt, 4) === 0;
}

/**
 * Bun sets IP_RECVERR on UDP sockets: an ICMP error of one peer then makes the next send() to any
 * other peer fail. Off: a phone that hung up costs nobody a packet.
 */
export function ignoreIcmpErrors(fd: number, isIpv6: boolean): boolean {
  return isIpv6
    ? setOption(fd, IPPROTO_IPV6, IPV6_RECVERR, 0)
    : setOption(fd, IPPROTO_IP, IP_RECVERR, 0);
}

/** `trafficClass` is the whole byte: DSCP << 2 (RFC 2474), 0xb8 = EF. */
export function setTrafficClass(fd: number, isIpv6: boolean, trafficClass: number): boolean {
  return isIpv6
    ? setOption(fd, IPPROTO_IPV6, IPV6_TCLASS, trafficClass)
    : setOption(fd, IPPROTO_IP, IP_TOS, trafficClass);
}

/** Capped by net.core.rmem_max. */
export function setReceiveBuffer(fd: number, lengthBytes: number): boolean {
  return setOption(fd, SOL_SOCKET, SO_RCVBUF, lengthBytes);
}

/**
 * A dead peer is found within about two minutes while a phone on a sleeping radio link is given time:
 * first probe after 60 s, then every 15 s, four in all; unacknowledged bytes wait 60 s.
 */
export function setKeepAlive(fd: number): boolean {
  return (
    setOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1) &&
    setOption(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60) &&
    setOption(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15) &&
    setOption(fd, IPPROTO_TCP, TCP_KEEPCNT, 4) &&
    setOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 60_000)
  );
}
