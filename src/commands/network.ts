/** What `helper` and `apply` share: the real machine, the files of DIR/config, names of instances. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { runCommand } from "../io/command.ts";
import { makeFolder, readText, removeFile, writeAtomically } from "../io/files.ts";
import { listFolder, readPlain, writeOwned } from "../io/owned-files.ts";
import { resolve, resolveService } from "../io/resolver.ts";
import type { Resolved } from "../network/firewall.ts";
import { RevisionFiles } from "../network/revision-files.ts";
import type { NetworkSystem } from "../network/system.ts";
import { everyAddress } from "../sip/locate.ts";

export const DEFAULT_DATA = "/var/lib/pequod";

export const realSystem: NetworkSystem = {
  run: runCommand,
  read: readText,
  write(path, text) {
    makeFolder(dirname(path));
    writeAtomically(path, text);
  },
  remove: removeFile,
};

/**
 * What netplan's generator writes gets the rights that our umask leaves, and networkd, which is not root,
 * must be able to read it. Our own files have their rights by themselves.
 */
export function letNetworkdRead(): void {
  process.umask(0o022);
}

export function revisionFiles(folder: string): RevisionFiles {
  const config = join(folder, "config");
  return new RevisionFiles({
    read: (name) => readPlain(join(config, name)),
    write: (name, text) => writeOwned(config, name, text),
    remove: (name) => removeFile(join(config, name)),
    list: (name) => listFolder(join(config, name)),
  });
}

export function hasProxyFolder(folder: string, name: string): boolean {
  return existsSync(join(folder, "proxies", name));
}

/** A name without an answer is left out; whoever asks says so. */
export async function resolveNames(names: readonly string[]): Promise<Resolved> {
  const found = new Map<string, readonly string[]>();
  const ask = async (name: string): Promise<void> => {
    try {
      found.set(name, await everyAddress({ resolve, resolveService }, name));
    } catch {
      // stays unknown
    }
  };
  await Promise.all(names.map(ask));
  return found;
}
