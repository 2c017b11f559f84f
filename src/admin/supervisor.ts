/**
 * Who starts and stops the processes of the proxies. Without systemd they are children of the admin, started
 * again with a growing pause when they end by themselves; with systemd the helper asks it (helper.ts).
 */
import type { Clock, Log, Timer } from "../io/types.ts";

/** What is known of a proxy that should run and does not answer. */
export type Trouble = { readonly state: "starting" | "failing"; readonly reason: string | null };

export type Supervisor = {
  /** Rejects when it cannot be started at all. A proxy that runs is left alone. */
  start(name: string): Promise<void>;
  /** Resolves when it has ended, or when `patienceMs` are over and it was killed. */
  stop(name: string, patienceMs: number): Promise<void>;
  /** It reads its slice again. */
  reload(name: string): Promise<void>;
  /** null = it is not supposed to run, as far as this supervisor knows. */
  trouble(name: string): Trouble | null;
  /** Ends what would not outlive the admin anyway. */
  close(patienceMs: number): Promise<void>;
};

export type Child = {
  readonly pid: number;
  kill(signal: "SIGTERM" | "SIGHUP" | "SIGKILL"): void;
  /** Exit code or signal in words, e.g. `exit code 1`. */
  readonly ended: Promise<string>;
};

/** `line` gets each line of its stderr. Throws when the program cannot be started. */
export type SpawnProxy = (name: string, line: (text: string) => void) => Child;

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** Having run for so long, the next end counts as the first. */
const STEADY_MS = 60_000;

type Entry = {
  isWanted: boolean;
  /** It was told to end, so its end is no failure, whatever is wanted by then. */
  isStopping: boolean;
  child: Child | null;
  failures: number;
  startedMs: number;
  lastLine: string;
  reason: string | null;
  retry: Timer | null;
};

export class ChildSupervisor implements Supervisor {
  readonly #o: { readonly spawn: SpawnProxy; readonly clock: Clock; readonly log: Log };
  readonly #entries = new Map<string, Entry>();

  constructor(o: { readonly spawn: SpawnProxy; readonly clock: Clock; readonly log: Log }) {
    this.#o = o;
  }

  async start(name: string): Promise<void> {
    const entry = this.#entry(name);
    entry.isWanted = true;
    if (entry.child !== null) return;
    entry.retry?.cancel();
    entry.failures = 0;
    entry.reason = null;
    this.#spawn(name, entry);
  }

  async stop(name: string, patienceMs: number): Promise<void> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    entry.isWanted = false;
    entry.retry?.cancel();
    const { child } = entry;
    if (child !== null) {
      entry.isStopping = true;
      child.kill("SIGTERM");
      const kill = this.#o.clock.after(patienceMs, () => child.kill("SIGKILL"));
      await child.ended;
      kill.cancel();
    }
    if (!entry.isWanted && entry.child === null) this.#entries.delete(name);
  }

  async reload(name: string): Promise<void> {
    this.#entries.get(name)?.child?.kill("SIGHUP");
  }

  trouble(name: string): Trouble | null {
    const entry = this.#entries.get(name);
    if (entry === undefined || !entry.isWanted) return null;
    const { failures, reason } = entry;
    return { state: failures === 0 ? "starting" : "failing", reason };
  }

  async close(patienceMs: number): Promise<void> {
    await Promise.all([...this.#entries.keys()].map((name) => this.stop(name, patienceMs)));
  }

  #entry(name: string): Entry {
    const known = this.#entries.get(name);
    if (known !== undefined) return known;
    const entry: Entry = {
      isWanted: false,
      isStopping: false,
      child: null,
      failures: 0,
      startedMs: 0,
      lastLine: "",
      reason: null,
      retry: null,
    };
    this.#entries.set(name, entry);
    return entry;
  }

  #spawn(name: string, entry: Entry): void {
    entry.lastLine = "";
    entry.startedMs = this.#o.clock.now();
    const child = this.#o.spawn(name, (text) => {
      entry.lastLine = text;
    });
    entry.child = child;
    this.#o.log.info("proxy-started", { proxy: name, pid: child.pid });
    void child.ended.then((how) => this.#ended(name, entry, how));
  }

  #ended(name: string, entry: Entry, how: string): void {
    entry.child = null;
    if (!entry.isWanted || entry.isStopping) {
      this.#o.log.info("proxy-ended", { proxy: name, how });
      entry.isStopping = false;
      if (entry.isWanted) this.#again(name, entry);
      return;
    }
    const isSteady = this.#o.clock.now() - entry.startedMs >= STEADY_MS;
    entry.failures = isSteady ? 1 : entry.failures + 1;
    entry.reason = entry.lastLine === "" ? how : `${how}: ${entry.lastLine}`;
    const doubled = FIRST_PAUSE_MS * 2 ** Math.min(entry.failures - 1, 16);
    const pauseMs = Math.min(doubled, LONGEST_PAUSE_MS);
    this.#o.log.error("proxy-failed", { proxy: name, reason: entry.reason, retryInMs: pauseMs });
    entry.retry = this.#o.clock.after(pauseMs, () => this.#again(name, entry));
  }

  #again(name: string, entry: Entry): void {
    try {
      this.#spawn(name, entry);
    } catch (error) {
      this.#ended(name, entry, error instanceof Error ? error.message : String(error));
    }
  }
}
