/**
 * The commands. Exit codes: 0 good, 1 the operator's input is wrong, 2 usage, 70 our fault. What a command
 * needs of the outside world is wired in src/commands, nowhere below.
 */

import { adminCommand } from "./commands/admin.ts";
import { applyCommand } from "./commands/apply.ts";
import { InputError, UsageError } from "./commands/arguments.ts";
import { checkCommand, schemaCommand } from "./commands/check.ts";
import { demoCommand } from "./commands/demo.ts";
import { helperCommand } from "./commands/helper.ts";
import { provisioningUrlCommand } from "./commands/provisioning-url.ts";
import { proxyCommand } from "./commands/proxy.ts";
import { statusCommand } from "./commands/status.ts";
import { versionText } from "./commands/version.ts";

const USAGE = `usage: pequod COMMAND

  demo [--listen ADDRESS]       a proxy with a demonstration instance behind it, and a call through both
  admin [--data DIR] [--listen ADDRESS:PORT] [--no-systemd]
                                the appliance: web pages, API, starts the proxies
  admin export|import [--data DIR] [FILE]
                                the active configuration out, a checked one in as the next revision
  proxy NAME --config FILE [--state DIR] [--status SOCKET]
                                one proxy in the foreground
  provisioning-url --config FILE [--state DIR] --proxy NAME --instance NAME --mac MAC
                                where a phone fetches its configuration
  helper [--boot] [--socket PATH] [--data DIR]
                                root's part for the admin; --boot makes the last confirmed network
  apply [--data DIR] [--dry-run]
                                makes the network like the configuration, or shows how it would be
  check FILE                    all problems of a configuration file
  schema                        the JSON Schema of the configuration
  status [NAME] [--data DIR] [--json]
                                what is running
  version                       version, Bun, commit`;

type Command = (given: readonly string[]) => number | Promise<number>;

function help(): number {
  console.log(USAGE);
  return 0;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  admin: adminCommand,
  demo: demoCommand,
  proxy: proxyCommand,
  "provisioning-url": provisioningUrlCommand,
  helper: helperCommand,
  apply: applyCommand,
  check: checkCommand,
  schema: schemaCommand,
  status: statusCommand,
  version: () => {
    console.log(versionText());
    return 0;
  },
  help,
  "--help": help,
};

async function run(given: readonly string[]): Promise<number> {
  const [name = "", ...rest] = given;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  try {
    if (command === undefined) throw new UsageError(name === "" ? "" : `unknown command ${name}`);
    return await command(rest);
  } catch (error) {
    if (error instanceof UsageError) {
      console.error(error.message === "" ? USAGE : `${error.message}\n\n${USAGE}`);
      return 2;
    }
    if (error instanceof InputError) {
      console.error(error.message);
      return 1;
    }
    // The stack alone: with the error itself Bun prints pages of the bundle.
    console.error(error instanceof Error ? error.stack : error);
    return 70;
  }
}

process.exit(await run(process.argv.slice(2)));
