/**
 * A machine of the tests' own making: it keeps `ip rule`s, the loaded nft table, its bans and files, answers
 * the commands that src/network runs, and remembers each line that changed something or tried to.
 */
import { CommandError } from "../../src/io/command.ts";
import type { NetworkSystem } from "../../src/network/system.ts";

type Rule = Record<string, string | number>;

export class Machine implements NetworkSystem {
  readonly files = new Map<string, string>();
  /** As `ip -j rule show` lists them. */
  readonly rules: { 4: Rule[]; 6: Rule[] } = { 4: [], 6: [] };
  /** By set name, as `nft -j` lists the elements. */
  readonly bans = new Map<string, { val: string; timeout: number; expires: number }[]>();
  /** Interfaces with a cable and their addresses. */
  readonly links = new Map<string, string[]>();
  mark: string | null = null;
  /** Command lines, `write PATH` and `remove PATH`, without those that only look. */
  readonly done: string[] = [];
  /** A command line that begins with one of these fails. */
  readonly broken = new Map<string, string>();

  readonly run: NetworkSystem["run"] = async (argv) => {
    const line = argv.join(" ");
    const isLook = line.includes(" -j ");
    if (!isLook) this.done.push(line);
    for (const [start, reason] of this.broken) {
      if (line.startsWith(start)) throw new CommandError(argv, 1, reason);
    }
    return isLook ? this.#look(line) : this.#change(argv);
  };

  read(path: string): string | null {
    return this.files.get(path) ?? null;
  }

  write(path: string, text: string): void {
    this.done.push(`write ${path}`);
    this.files.set(path, text);
  }

  remove(path: string): void {
    this.done.push(`remove ${path}`);
    this.files.delete(path);
  }

  /** What was done since the last call. */
  take(): string[] {
    return this.done.splice(0);
  }

  #look(line: string): string {
    if (line === "ip -4 -j rule show") return JSON.stringify(this.rules[4]);
    if (line === "ip -6 -j rule show") return JSON.stringify(this.rules[6]);
    if (line === "ip -j addr show") {
      const listed = [...this.links].map(([ifname, addresses]) => ({
        ifname,
        flags: ["UP", "LOWER_UP"],
        addr_info: addresses.map((local) => ({ scope: "global", local })),
      }));
      return JSON.stringify(listed);
    }
    const own = { family: "inet", table: "pequod" };
    if (line === "nft -j list counters") {
      const found = this.mark === null ? [] : [{ ...own, name: "dropped", comment: this.mark }];
      return JSON.stringify({ nftables: found.map((counter) => ({ counter })) });
    }
    if (line === "nft -j list sets") {
      const sets = [...this.bans].map(([name, bans]) => ({
        set: { ...own, name, elem: bans.map((elem) => ({ elem })) },
      }));
      return JSON.stringify({ nftables: sets });
    }
    throw new Error(`the machine does not know ${line}`);
  }

  #change(argv: readonly string[]): string {
    const [program, family, object, verb] = argv;
    if (program === "ip" && object === "rule") {
      this.#changeRule(family === "-4" ? 4 : 6, verb ?? "", argv);
    }
    if (program === "nft" && argv[1] === "-f") {
      const text = this.files.get(argv[2] ?? "") ?? "";
      this.mark = /comment "([0-9a-f]{16})"/.exec(text)?.[1] ?? null;
    }
    return "";
  }

  /** ip -4 rule add from SOURCE lookup TABLE | unreachable priority N protocol P */
  #changeRule(family: 4 | 6, verb: string, argv: readonly string[]): void {
    const after = (word: string): string => argv[argv.indexOf(word) + 1] ?? "";
    const [src = "", bits = ""] = after("from").split("/");
    const action = argv.includes("unreachable")
      ? { action: "unreachable" }
      : { table: after("lookup") };
    const isHost = bits === (family === 4 ? "32" : "128");
    const length = isHost ? {} : { srclen: Number(bits) };
    const priority = Number(after("priority"));
    const rule = { priority, src, ...length, ...action, protocol: after("protocol") };
    const same = (one: Rule): boolean => JSON.stringify(one) === JSON.stringify(rule);
    if (verb === "add") this.rules[family].push(rule);
    else {
      const index = this.rules[family].findIndex(same);
      if (index < 0)
        throw new CommandError(argv, 2, "RTNETLINK answers: No such file or directory");
      this.rules[family].splice(index, 1);
    }
  }
}
