/**
 * Runs the compiled binary as an operator does: a process with arguments, its output by lines, signals, its
 * exit code. Loopback addresses of its own for each place, so that tests run beside others and on the
 * default ports.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const BINARY = join(import.meta.dir, "../../dist/pequod");
const DEADLINE_MS = 15_000;

export class Running {
  readonly #process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  stdout = "";
  stderr = "";
  readonly #waiting = new Set<() => void>();
  #isOver = false;

  constructor(
    args: readonly string[],
    options: { cwd?: string; env?: Record<string, string> } = {},
  ) {
    this.#process = Bun.spawn([BINARY, ...args], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      cwd: options.cwd ?? tmpdir(),
      env: { PATH: process.env["PATH"] ?? "", ...options.env },
    });
    const reading = [
      this.#read(this.#process.stdout, (text) => {
        this.stdout += text;
      }),
      this.#read(this.#process.stderr, (text) => {
        this.stderr += text;
      }),
    ];
    void Promise.all(reading).then(() => {
      this.#isOver = true;
      this.#look();
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  signal(name: "SIGTERM" | "SIGHUP" | "SIGINT" | "SIGKILL"): void {
    this.#process.kill(name);
  }

  /** The exit code, once it has ended. */
  async exits(): Promise<number> {
    await this.#until(() => (this.#isOver ? true : undefined), "it did not end");
    return await this.#process.exited;
  }

  /** The first match in what it has printed so far or prints next. */
  async prints(pattern: RegExp, where: "stdout" | "stderr" = "stdout"): Promise<string> {
    const look = (): string | undefined => pattern.exec(this[where])?.[0];
    return await this.#until(look, `it never printed ${pattern} on ${where}`);
  }

  /** Looks again after each piece of output; fails at the end of the process or the deadline. */
  #until<T>(find: () => T | undefined, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const story = (): Error =>
        new Error(`${what}\nstdout: ${this.stdout}\nstderr: ${this.stderr}`);
      const stop = (): void => {
        clearTimeout(deadline);
        this.#waiting.delete(look);
      };
      const look = (): void => {
        const found = find();
        if (found === undefined && !this.#isOver) return;
        stop();
        if (found === undefined) reject(story());
        else resolve(found);
      };
      const deadline = setTimeout(() => {
        stop();
        reject(story());
      }, DEADLINE_MS);
      this.#waiting.add(look);
      look();
    });
  }

  async #read(stream: ReadableStream<Uint8Array>, add: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      add(decoder.decode(bytes, { stream: true }));
      this.#look();
    }
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }
}

let places = 0;
/** As many as fit into the last byte of an address. */
const PLACES_PER_BLOCK = 31;

/** A folder and four loopback addresses that no other place has. */
export class LoopbackPlace {
  readonly folder = mkdtempSync(join(tmpdir(), "pequod-e2e-"));
  readonly outside: string;
  readonly inside: string;
  readonly pbx: string;
  readonly phone: string;
  readonly #running: Running[] = [];

  constructor() {
    const block = Math.floor(places / PLACES_PER_BLOCK);
    const at = (places % PLACES_PER_BLOCK) * 8;
    places += 1;
    const net = `127.${10 + block * 32 + ((process.pid >> 8) & 31)}.${process.pid & 255}`;
    const host = (number: number): string => `${net}.${at + number}`;
    this.outside = host(1);
    this.inside = host(2);
    this.pbx = host(3);
    this.phone = host(4);
  }

  get config(): string {
    return join(this.folder, "config.json");
  }

  get socket(): string {
    return join(this.folder, "status.sock");
  }

  writeConfig(proxy: object = {}, instance: object = {}, others: readonly object[] = []): void {
    const document = {
      version: 1,
      instances: [{ name: "mycompany", address: this.pbx, ...instance }, ...others],
      proxies: [
        {
          name: "dmz",
          fqdn: this.outside,
          bindAddress: this.outside,
          phoneProvisioning: "off",
          allowXmpp: false,
          manageInstances: "off",
          inside: { address: this.inside },
          ports: { sipTls: 0, sipUdp: 0 },
          ...proxy,
        },
      ],
    };
    writeFileSync(this.config, JSON.stringify(document));
  }

  run(
    args: readonly string[],
    options: { cwd?: string; env?: Record<string, string> } = {},
  ): Running {
    const running = new Running(args, options);
    this.#running.push(running);
    return running;
  }

  /** The proxy, ready; and where it listens. */
  async startProxy(): Promise<{ running: Running; listening: Record<string, string> }> {
    const state = join(this.folder, "state");
    const args = [
      "proxy",
      "dmz",
      "--config",
      this.config,
      "--state",
      state,
      "--status",
      this.socket,
    ];
    const running = this.run(args);
    const line = await running.prints(/^\{.*\}$/m);
    const ready = JSON.parse(line) as { ready: boolean; listening: Record<string, string> };
    if (!ready.ready) throw new Error(`not ready: ${line}`);
    return { running, listening: ready.listening };
  }

  async status(): Promise<Status> {
    const answer = await fetch("http://proxy/status", { unix: this.socket });
    return (await answer.json()) as Status;
  }

  async close(): Promise<void> {
    for (const running of this.#running) {
      running.signal("SIGKILL");
      await running.exits();
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What the tests read of GET /status. */
export type Status = {
  readonly state: string;
  readonly listening: Readonly<Record<string, string>>;
  readonly config: { readonly sha256: string; readonly error: string | null };
  readonly sip: { readonly connections: number; readonly flows: number; readonly dialogs: number };
  readonly media: { readonly sessions: number; readonly portsInUse: number };
  readonly instances: Readonly<Record<string, object>>;
};

export function endpointOf(text: string): { address: string; port: number } {
  const colon = text.lastIndexOf(":");
  return { address: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}
