/**
 * Whether time tells why there is nothing: paired probes over one HTTPS connection, in each round an unknown
 * path, a wrong token, the plain form where only tokens are good, and a good token of an instance that is not
 * there, in changing order. The medians have to be within 10 %; exit 1 when they are not. Needs no root.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import tls from "node:tls";
import { ProvisioningTokens } from "../../src/provisioning/token.ts";
import { BINARY } from "./place.ts";
import { printTable, row, tell } from "./report.ts";

const ROUNDS = 2000;
const WARM_UP = 300;
const MOST_APART = 1.1;
const ADDRESS = "127.9.90.1";
const KEY = Buffer.alloc(32, 7);
const MAC = "08C25A4F0321";

const tokens = new ProvisioningTokens(KEY);
const good = tokens.make({ instance: "mycompany", mac: MAC });
const KINDS: Readonly<Record<string, string>> = {
  "unknown path": `/${"x".repeat(good.length + 2)}`,
  "wrong token": `/p/${new ProvisioningTokens(Buffer.alloc(32, 8)).make({ instance: "mycompany", mac: MAC })}`,
  "plain form": `/p/mycompany/${MAC}`,
  "no such instance": `/p/${tokens.make({ instance: "nocompany", mac: MAC })}`,
};

/** What ends a flood at ordinary settings is set out of the way. */
const LIMITS = { failedLookUps: 1_000_000, requestsPerSecond: 1_000_000 };

function configuration(): object {
  return {
    version: 1,
    instances: [{ name: "mycompany", address: "127.9.90.4" }],
    proxies: [
      {
        name: "bench",
        bindAddress: ADDRESS,
        fqdn: ADDRESS,
        voipSip: "off",
        allowXmpp: false,
        manageInstances: "off",
        provisioningKey: KEY.toString("base64"),
        inside: { address: "127.9.90.2" },
        ports: { provisioningHttps: 0 },
        limits: LIMITS,
      },
    ],
  };
}

type Started = {
  readonly port: number;
  readonly child: Bun.Subprocess<"ignore", "pipe", "ignore">;
};

async function start(folder: string): Promise<Started> {
  const file = join(folder, "config.json");
  writeFileSync(file, JSON.stringify(configuration()));
  const argv = [BINARY, "proxy", "bench", "--config", file, "--state", join(folder, "state")];
  const child = Bun.spawn(argv, { stdin: "ignore", stdout: "pipe", stderr: "ignore" });
  let text = "";
  for await (const bytes of child.stdout) {
    text += Buffer.from(bytes).toString();
    if (text.includes("\n")) break;
  }
  const { listening } = JSON.parse(text) as { listening: { provisioningHttps: string } };
  return { port: Number(listening.provisioningHttps.split(":").at(-1)), child };
}

/** Sends one request at a time and measures until its answer has come whole. */
class Prober {
  readonly #socket: tls.TLSSocket;
  #text = "";
  #came: () => void = () => {};

  private constructor(socket: tls.TLSSocket) {
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => {
      this.#text += bytes.toString("latin1");
      const head = this.#text.indexOf("\r\n\r\n");
      if (head < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(this.#text)?.[1]);
      if (this.#text.length >= head + 4 + length) this.#came();
    });
  }

  static connect(port: number): Promise<Prober> {
    return new Promise((resolve, reject) => {
      const options = { host: ADDRESS, port, rejectUnauthorized: false };
      const socket = tls.connect(options, () => resolve(new Prober(socket)));
      socket.on("error", reject).setNoDelay(true);
    });
  }

  async probe(path: string): Promise<number> {
    this.#text = "";
    const answered = new Promise<void>((resolve) => {
      this.#came = resolve;
    });
    const begin = performance.now();
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: ${ADDRESS}\r\n\r\n`);
    await answered;
    const took = performance.now() - begin;
    if (!this.#text.startsWith("HTTP/1.1 404 ")) throw new Error(`${path}: ${this.#text}`);
    return took;
  }

  close(): void {
    this.#socket.destroy();
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Microseconds by kind. Each kind comes first, second, third and last equally often. */
async function measure(prober: Prober): Promise<Record<string, number>> {
  const kinds = Object.entries(KINDS);
  const times = new Map(kinds.map(([kind]) => [kind, [] as number[]]));
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (let at = 0; at < kinds.length; at++) {
      const [kind, path] = kinds[(at + round + WARM_UP) % kinds.length]!;
      const took = await prober.probe(path);
      if (round >= 0) times.get(kind)?.push(took);
    }
  }
  const medians = [...times].map(([kind, all]) => [kind, Math.round(median(all) * 1e4) / 10]);
  return Object.fromEntries(medians) as Record<string, number>;
}

const folder = mkdtempSync(join(tmpdir(), "pequod-bench-"));
const { port, child } = await start(folder);
try {
  const prober = await Prober.connect(port);
  const medians = await measure(prober);
  prober.close();
  const all = Object.values(medians);
  const apart = Math.max(...all) / Math.min(...all);
  tell("provisioning", { rounds: ROUNDS, medianUs: medians, apart: Number(apart.toFixed(3)) });
  for (const [kind, value] of Object.entries(medians)) {
    row(`404 for ${kind}, median`, "us", value, null);
  }
  printTable();
  if (apart > MOST_APART) {
    console.error(`the medians are ${apart.toFixed(2)} apart: time tells why there is nothing`);
    process.exitCode = 1;
  }
} finally {
  child.kill();
  await child.exited;
  rmSync(folder, { recursive: true, force: true });
}
