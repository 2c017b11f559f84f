/**
 * Runs a command of the operating system: an argument list, never a shell; an environment of its own, so
 * that nothing of ours (variables that Bun itself obeys above all) gets into it or out of it.
 */

/** `exit` is null when the command could not be started, did not end in time, or died of a signal. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly argv: readonly string[];
  readonly exit: number | null;
  readonly stderr: string;

  constructor(argv: readonly string[], exit: number | null, stderr: string) {
    const reason = stderr.trim() === "" ? `exit ${exit ?? "by signal"}` : stderr.trim();
    super(`${argv.join(" ")}: ${reason}`);
    this.argv = argv;
    this.exit = exit;
    this.stderr = stderr;
  }
}

/** Resolves with what the command wrote to stdout; rejects with CommandError unless it ends with 0. */
export type RunCommand = (
  argv: readonly string[],
  options?: { readonly timeoutMs?: number },
) => Promise<string>;

const TIMEOUT_MS = 30_000;
const MOST_OUTPUT_BYTES = 16 << 20;
const ENVIRONMENT = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C" };

export const runCommand: RunCommand = async (argv, { timeoutMs = TIMEOUT_MS } = {}) => {
  const child = start(argv, timeoutMs);
  const [stdout, stderr, exit] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (child.signalCode === "SIGKILL") {
    throw new CommandError(argv, null, `did not end within ${timeoutMs / 1000} s. ${stderr}`);
  }
  if (exit !== 0) throw new CommandError(argv, child.exitCode, stderr);
  return stdout;
};

function start(
  argv: readonly string[],
  timeoutMs: number,
): Bun.Subprocess<"ignore", "pipe", "pipe"> {
  try {
    return Bun.spawn([...argv], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: ENVIRONMENT,
      timeout: timeoutMs,
      killSignal: "SIGKILL",
      maxBuffer: MOST_OUTPUT_BYTES,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(argv, null, reason);
  }
}
