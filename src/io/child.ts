/** A long-lived child process: its stderr line by line, signals to it, and how it ended. */
import { constants } from "node:os";

export type ChildProcess = {
  readonly pid: number;
  kill(signal: "SIGTERM" | "SIGHUP" | "SIGKILL"): void;
  /** `exit code 1` or `signal SIGKILL`. */
  readonly ended: Promise<string>;
};

const LONGEST_LINE = 2000;

/** `line` gets each line of stderr. Its stdout goes nowhere. Throws when the program cannot be started. */
export function spawnChild(argv: readonly string[], line: (text: string) => void): ChildProcess {
  const child = Bun.spawn([...argv], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    env: environment(),
  });
  const read = readLines(child.stderr, line);
  const ended = child.exited.then(async (code) => {
    await read;
    return child.signalCode === null ? `exit code ${code}` : `signal ${child.signalCode}`;
  });
  return {
    pid: child.pid,
    kill: (signal) => child.kill(constants.signals[signal]),
    ended,
  };
}

/**
 * How the runtime in our binary works on messages, as the units have it too: memory that was freed is kept for
 * the next one, since giving it back and faulting it in again is a seventh of a call's cost; and the last compiler
 * is off, which takes a tenth of it and makes a packet 2 to 3 % cheaper.
 */
const RUNTIME = { MIMALLOC_PURGE_DELAY: "-1", BUN_JSC_useFTLJIT: "0" };

/** Without what would turn our own binary into something else: the runtime in it obeys these. */
function environment(): Record<string, string | undefined> {
  const { BUN_BE_BUN: _1, BUN_OPTIONS: _2, BUN_INSPECT: _3, ...rest } = process.env;
  return { ...rest, ...RUNTIME };
}

async function readLines(
  stream: ReadableStream<Uint8Array>,
  line: (text: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = (lines.pop() ?? "").slice(0, LONGEST_LINE);
    for (const one of lines) line(one.slice(0, LONGEST_LINE));
  }
  if (rest !== "") line(rest);
}
