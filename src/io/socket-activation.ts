/** Socket activation: the socket that systemd has opened for this process (sd_listen_fds(3)). */

/** The first socket that was passed. */
const FIRST_FD = 3;

/** null = started by hand. More than one socket is our unit's mistake and throws. */
export function listenFd(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): number | null {
  if (environment["LISTEN_PID"] !== String(pid)) return null;
  const count = environment["LISTEN_FDS"] ?? "0";
  if (count === "0") return null;
  if (count !== "1") throw new Error(`systemd passed ${count} sockets, one is expected`);
  return FIRST_FD;
}
