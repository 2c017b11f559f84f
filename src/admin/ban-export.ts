/**
 * Brings the bans of the proxies into the firewall: a proxy is not root and cannot do it itself. What a proxy
 * tells of its bans is compared with what the helper was told, and the difference goes to the helper.
 * Users are not banned there: the kernel knows addresses only. Without the helper a proxy's own list acts alone.
 */
import type { Ban } from "../health/status.ts";
import type { Clock, Log, Timer } from "../io/types.ts";
import type { Firewall } from "./helper.ts";

/** Who a proxy keeps out; null = it does not answer. Must not reject. */
export type AskBans = (proxy: string) => Promise<readonly Ban[] | null>;

type ExportOptions = {
  readonly firewall: Firewall;
  readonly ask: AskBans;
  readonly clock: Clock;
  readonly log: Log;
  names(): readonly string[];
};

/** Of one proxy in one turn: each is a process of nft; the rest follows in the next. */
const MOST_AT_ONCE = 100;

export class BanExport {
  readonly #o: ExportOptions;
  /** Until when (ms), by address, by proxy. */
  readonly #told = new Map<string, Map<string, number>>();
  #timer: Timer | null = null;
  #isOver = false;

  constructor(o: ExportOptions) {
    this.#o = o;
  }

  /** Looks every so often until close(). */
  start(everyMs: number): void {
    const look = async (): Promise<void> => {
      await this.look();
      if (!this.#isOver) this.#timer = this.#o.clock.after(everyMs, () => void look());
    };
    void look();
  }

  close(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  /** Never rejects. */
  async look(): Promise<void> {
    for (const name of this.#o.names()) {
      try {
        await this.#match(name);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        this.#o.log.warn("bans-not-exported", { proxy: name, reason });
      }
    }
  }

  async #match(name: string): Promise<void> {
    const bans = await this.#o.ask(name);
    if (bans === null) return;
    const wanted = new Map<string, number>();
    for (const { address, user, until } of bans) {
      if (user === null) wanted.set(address.replace("/64", ""), Date.parse(until));
    }
    const told = this.#told.get(name) ?? new Map<string, number>();
    this.#told.set(name, told);
    let left = MOST_AT_ONCE;
    for (const [address, until] of told) {
      if (wanted.has(address) || left === 0) continue;
      left--;
      // The kernel ends them by its own clock.
      if (until > this.#o.clock.now()) await this.#o.firewall.unban(name, address);
      told.delete(address);
    }
    for (const [address, until] of wanted) {
      if (told.get(address) === until || left === 0) continue;
      left--;
      const seconds = Math.ceil((until - this.#o.clock.now()) / 1000);
      if (seconds > 0) await this.#o.firewall.ban(name, address, seconds);
      told.set(address, until);
    }
  }
}
