/**
 * Ends a process that was left behind by a parent that was killed: it is known by the unix socket that it
 * listens on, in a folder that only we can write.
 */
import { peerCredentials } from "./peer-credentials.ts";

const STEP_MS = 100;

/** The process that listens there; null = nobody does. */
async function listenerOf(path: string): Promise<number | null> {
  try {
    let pid: number | null = null;
    const socket = await Bun.connect({
      unix: path,
      socket: {
        open(one) {
          // `fd` is missing in the types.
          const { fd = -1 } = one as { readonly fd?: number };
          pid = peerCredentials(fd)?.pid ?? null;
        },
        data() {},
        error() {},
      },
    });
    socket.terminate();
    return pid;
  } catch {
    return null;
  }
}

/** Asks it to end, waits, kills it after `patienceMs`. Answers its process number; null = there was none. */
export async function endListener(path: string, patienceMs: number): Promise<number | null> {
  const pid = await listenerOf(path);
  if (pid === null || pid === process.pid) return null;
  signal(pid, "SIGTERM");
  for (let waitedMs = 0; isAlive(pid); waitedMs += STEP_MS) {
    if (waitedMs >= patienceMs) signal(pid, "SIGKILL");
    await Bun.sleep(STEP_MS);
  }
  return pid;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function signal(pid: number, name: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}
