/**
 * Where the lab's processes run and how they start: the tree of peers, the namespaces of topology.sh, and a
 * child process that surely ends with its test. Owns nothing but the processes it was asked for.
 */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname, join } from "node:path";

export const LAB = process.env.PEQUOD_LAB ?? "/var/tmp/pequod-lab";
export const TREE = join(LAB, "tree");
/** Minutes of ringing and of hold instead of seconds. */
export const LONG = process.env.PEQUOD_LAB_LONG === "1";
/** Kamailio and rtpengine in the product's place; both instances then speak UDP and RTP. */
export const ANCHOR = process.env.PEQUOD_LAB_FRONT === "anchor";
export const HERE = import.meta.dir;

/** The places of topology.sh where something can run. */
export type Place =
  | "app"
  | "lan"
  | "open"
  | "home-a"
  | "home-b"
  | "instance-a"
  | "instance-b"
  | "stranger";

export const PROXY_DMZ = "203.0.113.1";
export const PROXY_LAN = "192.168.10.1";
export const PROXY_SIX = "2001:db8::1";
export const INSIDE = "10.0.1.1";

export type Peer = {
  readonly pid: number;
  /** Empty at once when stdout goes to the log. */
  readonly stdout: ReadableStream<Uint8Array>;
  readonly exited: Promise<number>;
  write(bytes: Uint8Array): void;
  /** SIGTERM, after 15 s SIGKILL (the product waits for open requests); resolves with the exit code. */
  stop(): Promise<number>;
};

/** The command line that runs `argv` in a place: a program of the tree, or (`outside`) of the host. */
export function commandIn(place: Place, argv: readonly string[], outside = false): string[] {
  if (outside) return ["ip", "netns", "exec", `pqlab-${place}`, ...argv];
  return [join(HERE, "in-tree.sh"), place, ...argv];
}

const CHRT = ["chrt", "--rr", "10"];
const hasRealtime = Bun.spawnSync([...CHRT, "true"]).exitCode === 0;

/**
 * The same command before all ordinary processes of the machine, where that is allowed: softphones tear
 * their own sound when neighbours take their 20 ms. Programs that spin on locks must not run so.
 */
export function onTime(command: readonly string[]): string[] {
  return hasRealtime ? [...CHRT, ...command] : [...command];
}

/** Starts a long-running command; stderr, and stdout unless it is read here, go to `logFile`. */
export function startPeer(
  command: readonly string[],
  logFile: string,
  stdout: "log" | "read" = "log",
): Peer {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, "w");
  const child = Bun.spawn([...command], {
    stdin: "pipe",
    stdout: stdout === "read" ? "pipe" : log,
    stderr: log,
    env: { PATH: process.env.PATH ?? "", HOME: "/root", PEQUOD_LAB: LAB },
  });
  closeSync(log);
  return {
    pid: child.pid,
    stdout: child.stdout instanceof ReadableStream ? child.stdout : new Blob().stream(),
    exited: child.exited,
    write: (bytes) => {
      child.stdin.write(bytes);
      child.stdin.flush();
    },
    stop: () => stopProcess(child),
  };
}

async function stopProcess(child: Bun.Subprocess): Promise<number> {
  child.kill("SIGTERM");
  const deadline = setTimeout(() => child.kill("SIGKILL"), 15_000);
  const code = await child.exited;
  clearTimeout(deadline);
  return code;
}

/** Runs a short command to its end and gives its output; throws with both outputs when it fails. */
export async function runCommand(command: readonly string[]): Promise<string> {
  const child = Bun.spawn([...command], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { PATH: process.env.PATH ?? "", PEQUOD_LAB: LAB },
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}:\n${out}${err}`);
  return out;
}

/** Asks every 200 ms until the answer is not null; throws `whatFailed()` after the time. */
export async function eventually<T>(
  timeoutMs: number,
  ask: () => T | null | Promise<T | null>,
  whatFailed: () => string | Promise<string>,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (performance.now() > end) throw new Error(await whatFailed());
    await Bun.sleep(200);
  }
}
