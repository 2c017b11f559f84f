/** Who is at the other end of a unix socket (SO_PEERCRED, unix(7)), as the kernel saw it at connect. */
import { addressOf, libc } from "./libc.ts";

const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** struct ucred: pid, uid, gid, each 32 bits. */
const UCRED_BYTES = 12;

export type PeerCredentials = { readonly pid: number; readonly uid: number; readonly gid: number };

/** null = not a unix socket, or closed: then nobody is trusted. */
export function peerCredentials(fd: number): PeerCredentials | null {
  const credentials = new Int32Array(3);
  const lengthBytes = new Uint32Array([UCRED_BYTES]);
  const [into, length] = [addressOf(credentials), addressOf(lengthBytes)];
  const failed = libc().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, into, length);
  const [pid, uid, gid] = credentials;
  if (failed !== 0 || lengthBytes[0] !== UCRED_BYTES) return null;
  if (pid === undefined || uid === undefined || gid === undefined || pid <= 0) return null;
  return { pid, uid: uid >>> 0, gid: gid >>> 0 };
}
