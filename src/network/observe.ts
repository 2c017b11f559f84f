/** What the machine is like now, as far as it is ours: read from the kernel and from our netplan file. */
import type { Ban } from "./firewall-parts.ts";
import { type PolicyRule, readRules } from "./rules.ts";
import { FIREWALL_LOADED, NETPLAN_FILE, type NetworkSystem } from "./system.ts";

/** An interface of the machine. */
export type Link = {
  readonly name: string;
  /** Something is at the other end of the cable. */
  readonly hasCarrier: boolean;
  /** Of global scope, without prefix length. */
  readonly addresses: readonly string[];
};

export type Observed = {
  readonly links: readonly Link[];
  /** null = there is no file of ours. */
  readonly netplan: string | null;
  readonly rules: readonly PolicyRule[];
  /** The mark of the loaded table; null = there is none, or it is not ours. */
  readonly mark: string | null;
  /** The text of the loaded table, where it is known. */
  readonly firewall: string | null;
};

/** Rejects with CommandError. */
export async function observe(system: NetworkSystem): Promise<Observed> {
  const { run } = system;
  const [rules4, rules6] = [
    readRules(4, await run(["ip", "-4", "-j", "rule", "show"])),
    readRules(6, await listRules6(system)),
  ];
  const mark = readMark(await run(["nft", "-j", "list", "counters"]));
  const links = await observeLinks(system);
  const loaded = system.read(FIREWALL_LOADED);
  const isLoaded = mark !== null && loaded?.includes(`comment "${mark}"`) === true;
  return {
    links,
    netplan: system.read(NETPLAN_FILE),
    rules: [...rules4, ...rules6],
    mark,
    firewall: isLoaded ? loaded : null,
  };
}

/** Rejects with CommandError. */
export async function observeLinks({ run }: NetworkSystem): Promise<readonly Link[]> {
  const listed = JSON.parse(await run(["ip", "-j", "addr", "show"])) as readonly Listed[];
  return listed.flatMap(({ ifname, flags, addr_info }) => {
    if (typeof ifname !== "string" || !Array.isArray(addr_info)) return [];
    const addresses = (addr_info as readonly Listed[]).flatMap(({ scope, local }) =>
      scope === "global" && typeof local === "string" ? [local] : [],
    );
    const hasCarrier = Array.isArray(flags) && flags.includes("LOWER_UP");
    return [{ name: ifname, hasCarrier, addresses }];
  });
}

/** A kernel without IPv6 has no rules of it either. */
async function listRules6({ run }: NetworkSystem): Promise<string> {
  try {
    return await run(["ip", "-6", "-j", "rule", "show"]);
  } catch {
    return "[]";
  }
}

type Listed = Readonly<Record<string, unknown>>;

/** The objects of one kind in our table, out of an answer of `nft -j list`. */
function ownObjects(kind: "counter" | "set", json: string): readonly Listed[] {
  const { nftables = [] } = JSON.parse(json) as { nftables?: readonly Record<string, Listed>[] };
  return nftables.flatMap((entry) => {
    const found = entry[kind];
    const isOwn = found?.["family"] === "inet" && found["table"] === "pequod";
    return isOwn ? [found] : [];
  });
}

function readMark(json: string): string | null {
  const dropped = ownObjects("counter", json).find((one) => one["name"] === "dropped");
  return typeof dropped?.["comment"] === "string" ? dropped["comment"] : null;
}

/** Who is banned now, with the time that is left. */
export async function observeBans({ run }: NetworkSystem): Promise<readonly Ban[]> {
  const sets = ownObjects("set", await run(["nft", "-j", "list", "sets"]));
  return sets.flatMap((one) => {
    const { name, elem } = one;
    if (typeof name !== "string" || !/^ban[46]-/.test(name) || !Array.isArray(elem)) return [];
    return elem.flatMap((entry: { elem?: Listed }) => {
      const { val, timeout, expires } = entry.elem ?? {};
      if (typeof val !== "string" || typeof timeout !== "number") return [];
      if (typeof expires !== "number") return [];
      return [{ set: name, address: val, timeout, expires }];
    });
  });
}
