/** The network interfaces of the machine, also those that are down or have no address. */
import { readdirSync, readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

export type NetworkInterface = {
  readonly name: string;
  readonly mac: string | null;
  /** Has a carrier (operstate up, or unknown as for loopback and some virtual ones). */
  readonly isUp: boolean;
  /** CIDR texts. */
  readonly addresses: readonly string[];
};

const FOLDER = "/sys/class/net";

function readLine(path: string): string | null {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return null;
  }
}

/** By name. Without /sys only those that have an address. */
export function listInterfaces(): readonly NetworkInterface[] {
  const addressed = networkInterfaces();
  const names = new Set([...Object.keys(addressed), ...(listFolder() ?? [])]);
  return [...names].sort().map((name) => {
    const state = readLine(`${FOLDER}/${name}/operstate`);
    return {
      name,
      mac: readLine(`${FOLDER}/${name}/address`) ?? addressed[name]?.[0]?.mac ?? null,
      isUp: state === null || state === "up" || state === "unknown",
      addresses: (addressed[name] ?? []).flatMap((entry) => entry.cidr ?? []),
    };
  });
}

function listFolder(): readonly string[] | null {
  try {
    return readdirSync(FOLDER).filter((name) => readLine(`${FOLDER}/${name}/operstate`) !== null);
  } catch {
    return null;
  }
}
