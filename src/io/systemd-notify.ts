/**
 * Tells systemd how this process is doing: one datagram of NAME=VALUE lines to $NOTIFY_SOCKET (sd_notify(3)).
 * Sent by bun:ffi because Node has no unix datagram sockets, and from this very process because a child
 * (the program systemd-notify) would need NotifyAccess=all and a fork for each watchdog beat.
 */
import { addressOf, optionalLibc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const LONGEST_PATH_BYTES = 107;

/** struct sockaddr_un; a name that begins with @ is an abstract one. Null: not an address of this kind. */
function unixAddress(name: string): Uint8Array | null {
  const path = Buffer.from(name);
  if (!/^[/@]./.test(name) || path.length > LONGEST_PATH_BYTES) return null;
  const address = new Uint8Array(2 + path.length);
  address[0] = AF_UNIX;
  address.set(path, 2);
  if (name.startsWith("@")) address[2] = 0;
  return address;
}

/** A line break in a value would begin a field of its own. */
function formatFields(fields: Readonly<Record<string, string>>): Uint8Array {
  const lines = Object.entries(fields).map(
    ([name, value]) => `${name}=${value.replace(/[\0-\x1f\x7f]+/g, " ")}`,
  );
  return Buffer.from(lines.join("\n"));
}

/**
 * Sends the fields (READY, STOPPING, STATUS, WATCHDOG ...) in one datagram. False: not started by systemd,
 * or it did not take the datagram; never throws, never waits. `socket` is $NOTIFY_SOCKET.
 */
export function notify(
  fields: Readonly<Record<string, string>>,
  socket: string | undefined = process.env["NOTIFY_SOCKET"],
): boolean {
  const address = socket === undefined ? null : unixAddress(socket);
  const calls = address === null ? null : optionalLibc();
  if (address === null || calls === null) return false;
  const fd = calls.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const text = formatFields(fields);
  const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  const sent = calls.sendto(
    fd,
    addressOf(text),
    text.length,
    flags,
    addressOf(address),
    address.length,
  );
  calls.close(fd);
  return Number(sent) === text.length;
}

/**
 * How often to send WATCHDOG=1: half of the time after which systemd takes this process for hung
 * (sd_watchdog_enabled(3)). Null: nobody watches this process.
 */
export function watchdogIntervalMs(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): number | null {
  const { WATCHDOG_USEC: limitUsec, WATCHDOG_PID: pid } = environment;
  if (limitUsec === undefined || !/^[1-9][0-9]{0,15}$/.test(limitUsec)) return null;
  if (pid !== undefined && pid !== String(process.pid)) return null;
  return Math.max(1, Math.floor(Number(limitUsec) / 2000));
}
