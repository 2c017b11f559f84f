/** `pequod demo [--listen ADDRESS]`: the demonstration with a real proxy, in a folder that goes away. */
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkConfig, formatProblem } from "../config/check.ts";
import { sliceFor } from "../config/config.ts";
import { type DemoProxy, runDemo } from "../demo/demo.ts";
import { makeLog } from "../io/log.ts";
import type { Log } from "../io/types.ts";
import { ListenError } from "../io/types.ts";
import { realWorld } from "../io/world.ts";
import { startProxy } from "../proxy/proxy.ts";
import { InputError, parseArguments } from "./arguments.ts";
import { startDemoAdmin } from "./demo-admin.ts";
import { startMediaEngine } from "./media-engine.ts";
import { folderStore, interfaceAddress } from "./proxy.ts";

async function startDemoProxy(document: unknown, name: string, folder: string, log: Log) {
  const { config, problems } = checkConfig(document);
  const slice = config === null ? null : sliceFor(config, name);
  if (slice === null) throw new Error(problems.map(formatProblem).join("\n"));
  const state = folderStore(join(folder, slice.proxy.bindAddress ?? name));
  const loadedAt = new Date().toISOString();
  const proxy = await startProxy({
    world: realWorld,
    log,
    slice,
    state,
    interfaceAddress,
    startEngine: startMediaEngine,
    config: { sha256: "", loadedAt, error: null },
  });
  const certificate = state.read("certificate.pem");
  const fingerprint = certificate === null ? null : new X509Certificate(certificate).fingerprint256;
  return { listening: proxy.status.listening, fingerprint, close: () => proxy.close() };
}

export async function demoCommand(given: readonly string[]): Promise<number> {
  const { options } = parseArguments(given, { options: ["listen"], words: { least: 0, most: 0 } });
  const folder = mkdtempSync(join(tmpdir(), "pequod-demo-"));
  const minimum = process.env["PEQUOD_LOG"] === "debug" ? "debug" : "warn";
  const log = makeLog({
    write: (line) => void process.stderr.write(line),
    minimum,
    journal: false,
  });
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  process.once("SIGTERM", () => stop.abort());
  const admin = startDemoAdmin(folder, options.get("listen") ?? "127.0.0.1", log);
  try {
    const hasWorked = await runDemo({
      world: realWorld,
      log,
      listen: options.get("listen") ?? null,
      startProxy: (document, name): Promise<DemoProxy> =>
        startDemoProxy(document, name, folder, log),
      print: (text) => console.log(text),
      beside: async () => (await admin)?.screen ?? "",
      signal: stop.signal,
    });
    return hasWorked ? 0 : 70;
  } catch (error) {
    if (error instanceof ListenError) throw new InputError(error.message);
    throw error;
  } finally {
    await (await admin)?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
