/**
 * The admin beside the demonstration: a child of its own with data in the demonstration's folder, so that the
 * wizard can be tried at once. It knows nothing of the demonstration's proxy, which is gone with it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ChildProcess, spawnChild } from "../io/child.ts";
import { makeFolder } from "../io/files.ts";
import type { Log } from "../io/types.ts";
import { ownCommand } from "./admin-parts.ts";

const USUAL_PORT = 8443;
const LISTENING = /\blisten\w* admin=(\S+)/;

export type DemoAdmin = { readonly screen: string; close(): Promise<void> };

type Started = { readonly child: ChildProcess; readonly at: string };

/** Null when it ended before it listened. */
function start(folder: string, address: string, port: number, log: Log): Promise<Started | null> {
  const host = address.includes(":") ? `[${address}]` : address;
  const argv = [
    ...ownCommand(),
    ...["admin", "--no-systemd", "--data", folder, "--listen", `${host}:${port}`],
  ];
  return new Promise((settle) => {
    const child = spawnChild(argv, (line) => {
      const at = LISTENING.exec(line)?.[1]?.replace(/^"|"$/g, "");
      if (at !== undefined) settle({ child, at });
      else if (!line.startsWith("info ")) log.warn("demonstration-admin", { line });
    });
    void child.ended.then(() => settle(null));
  });
}

/** The usual port when it is free, else any. Null = it cannot be started; why is in the log. */
export async function startDemoAdmin(
  folder: string,
  address: string,
  log: Log,
): Promise<DemoAdmin | null> {
  const data = join(folder, "admin");
  makeFolder(data);
  const started =
    (await start(data, address, USUAL_PORT, log)) ?? (await start(data, address, 0, log));
  if (started === null) return null;
  const code = readFileSync(join(data, "setup-code"), "utf8").trim();
  const screen = [
    "",
    "The web UI of the appliance, empty, for a look round:",
    "",
    `  address           https://${started.at}/  (self-signed: the browser warns once)`,
    `  one-time code     ${code}`,
    "",
  ].join("\n");
  return {
    screen,
    async close() {
      started.child.kill("SIGTERM");
      await started.child.ended;
    },
  };
}
