/**
 * Where the benches beside peers run: one network namespace (made by run.sh) with nothing but loopback, the
 * system under test on core 0, the load on core 1. Owns every process it started; stopAll() ends them.
 */
import { closeSync, mkdirSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** The tree of peers that test/lab/tree.sh builds. */
export const TREE = join(process.env["PEQUOD_LAB"] ?? "/var/tmp/pequod-lab", "tree");
/** Inside the tree, so that peers can read it too: IN_TREE is what they call it. */
export const FOLDER = join(TREE, "lab/bench");
export const IN_TREE = "/lab/bench";
export const BINARY = process.env["PEQUOD_BIN"] ?? join(import.meta.dir, "../../dist/pequod");

export type Core = "test" | "load";
const CORE: Readonly<Record<Core, string>> = { test: "0", load: "1" };

/** Other programs of the machine must not colour latencies; all threads of the child get it. */
const REAL_TIME = ["chrt", "-f", "10"];
/** The next best, for many processes that wait for one another: a session whose share of the core is large. */
const PREFERRED = [
  ...["setsid", "sh", "-c"],
  '(echo -15 >/proc/$$/autogroup) 2>/dev/null; exec nice -n -15 "$@"',
  "sh",
];

export type Child = {
  readonly pid: number;
  /** The next line of its stdout. */
  line(): Promise<string>;
  write(text: string): void;
  readonly exited: Promise<number>;
  stop(): Promise<void>;
};

export type ChildOptions = {
  /** Name of its log file. */
  readonly name: string;
  readonly core: Core;
  readonly isRealTime: boolean;
  /** A program of the tree, not of this machine. */
  readonly isPeer?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
};

const running = new Set<Child>();

export function freshFolder(): void {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
}

export function start(argv: readonly string[], o: ChildOptions): Child {
  const command = [
    ...(o.isRealTime ? REAL_TIME : PREFERRED),
    ...["taskset", "-c", CORE[o.core]],
    ...(o.isPeer === true ? ["chroot", TREE] : []),
    ...argv,
  ];
  const log = openSync(join(FOLDER, `${o.name}.log`), "w");
  const spawned = Bun.spawn(command, {
    ...{ stdin: "pipe", stdout: "pipe", stderr: log },
    env: { ...process.env, ...o.environment },
  });
  closeSync(log);
  const child: Child = {
    pid: spawned.pid,
    line: lineReader(spawned.stdout),
    write: (text) => {
      spawned.stdin.write(text);
      spawned.stdin.flush();
    },
    exited: spawned.exited,
    stop: async () => {
      spawned.kill("SIGTERM");
      const late = setTimeout(() => spawned.kill("SIGKILL"), 4000);
      await spawned.exited;
      clearTimeout(late);
      running.delete(child);
    },
  };
  running.add(child);
  return child;
}

export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((child) => child.stop()));
}

function lineReader(stdout: ReadableStream<Uint8Array>): () => Promise<string> {
  const reader = stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  return async () => {
    for (;;) {
      const end = text.indexOf("\n");
      if (end >= 0) {
        const line = text.slice(0, end);
        text = text.slice(end + 1);
        return line;
      }
      const { value, done } = await reader.read();
      if (done) throw new Error(`the process ended; it said: ${text}`);
      text += decoder.decode(value, { stream: true });
    }
  };
}

/** Asks every 100 ms until it is so. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 15_000;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`never came: ${what}; logs are in ${FOLDER}`);
    await delay(100);
  }
}
