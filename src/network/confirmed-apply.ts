/**
 * Apply with undo: a candidate that may cut the operator off runs until `confirm` makes it the active
 * configuration, or until time is over and the last confirmed one is put back. Needs neither the admin nor
 * a network for that. When this process dies meanwhile, the next one undoes (recover()), and after a power
 * cut the boot brings up active.json, which is not written before the confirmation.
 */
import type { Config } from "../config/config.ts";
import type { Clock, Log, Timer } from "../io/types.ts";
import { applyPlan, enforcePlan } from "./apply.ts";
import { awaitAddresses } from "./await-addresses.ts";
import type { Resolved } from "./firewall.ts";
import { hostNames, mayCutOff, type NetworkPlan, planNetwork } from "./plan.ts";
import type { Revision, RevisionFiles } from "./revision-files.ts";
import { type NetworkSystem, WAITING } from "./system.ts";

/** `confirmBefore`: ISO 8601; null = nothing could be cut off, it is active already. */
export type Applied = {
  readonly revision: number;
  readonly confirmBefore: string | null;
  /** Host names of instances that have no address now. */
  readonly unresolved: readonly string[];
  /** Addresses that no interface has yet, e.g. `10.5.6.100 on eth1: no cable`. */
  readonly missing: readonly string[];
};

/** It cannot be done as things stand; nothing was changed. */
export class StateError extends Error {
  override readonly name = "StateError";
  readonly code: "confirm-pending" | "nothing-to-confirm";

  constructor(code: StateError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** Spanning tree alone may need a minute until a moved interface passes packets. */
export const CONFIRM_MS = 120_000;
const RETRY_MS = 10_000;

type Options = {
  readonly system: NetworkSystem;
  readonly files: RevisionFiles;
  readonly clock: Clock;
  readonly log: Log;
  /** Addresses of host names; those without an answer are left out. Does not reject. */
  resolve(names: readonly string[]): Promise<Resolved>;
};

export class ConfirmedApply {
  readonly #o: Options;
  #waiting: { readonly revision: Revision; readonly timer: Timer } | null = null;
  /** An undo that did not come through is tried again until it does. */
  #retry: Timer | null = null;
  #isUndoing = false;
  /** One thing at a time. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(o: Options) {
    this.#o = o;
  }

  /** Whether this process must stay: also until an undo under way is through. */
  get isBusy(): boolean {
    return this.#waiting !== null || this.#retry !== null || this.#isUndoing;
  }

  /** At start: an apply that the last process left waiting is undone. */
  recover(): Promise<void> {
    return this.#inTurn(async () => {
      const { system, files } = this.#o;
      const text = system.read(WAITING);
      if (text === null) return;
      const revision = Number(text);
      if (files.isActive(revision)) system.remove(WAITING);
      else await this.#undo(revision, "the helper ended before the confirmation");
    });
  }

  /** Rejects with DocumentError, StateError or NetworkError; then everything is as it was. */
  apply(): Promise<Applied> {
    return this.#inTurn(async () => {
      if (this.isBusy) {
        throw new StateError("confirm-pending", "an earlier change waits for its confirmation");
      }
      const { system, files } = this.#o;
      const revision = files.candidate();
      const plan = await this.#plan(revision.config);
      const before = await this.#plan(this.#activeConfig());
      if (!mayCutOff(before, plan)) {
        await applyPlan(system, plan);
        this.#confirm(revision);
        const { unresolved } = plan;
        return { revision: revision.number, confirmBefore: null, unresolved, missing: [] };
      }
      return this.#try(revision, plan);
    });
  }

  /** Rejects with StateError. */
  confirm(): Promise<{ readonly revision: number }> {
    return this.#inTurn(async () => {
      const waiting = this.#waiting;
      if (waiting === null) {
        throw new StateError("nothing-to-confirm", "no change waits for a confirmation");
      }
      waiting.timer.cancel();
      this.#waiting = null;
      this.#confirm(waiting.revision);
      this.#o.system.remove(WAITING);
      return { revision: waiting.revision.number };
    });
  }

  /** Host names of instances may have other addresses by now. Never rejects. */
  refresh(): Promise<void> {
    return this.#inTurn(async () => {
      const { system, log } = this.#o;
      const config = this.#waiting?.revision.config ?? this.#activeConfig();
      if (hostNames(config).length === 0) return;
      try {
        const isChanged = await applyPlan(system, await this.#plan(config));
        if (isChanged) log.info("addresses-of-instances-changed");
      } catch (error) {
        log.error("refresh-failed", { reason: messageOf(error) });
      }
    });
  }

  async #try(revision: Revision, plan: NetworkPlan): Promise<Applied> {
    const { system, files, clock, log } = this.#o;
    const { number } = revision;
    const end = clock.now() + CONFIRM_MS;
    const confirmBefore = new Date(end).toISOString();
    system.write(WAITING, String(number));
    files.setPending(number, confirmBefore);
    try {
      await applyPlan(system, plan);
    } catch (error) {
      files.clearPending();
      system.remove(WAITING);
      throw error;
    }
    const timer = clock.after(end - clock.now(), () => void this.#expire(number));
    this.#waiting = { revision, timer };
    log.info("applied", { revision: number, confirmBefore });
    // It runs already and the time is counted: not being able to look is no failure of it.
    const missing = await awaitAddresses(system, clock, plan.addresses).catch(() => []);
    return { revision: number, confirmBefore, unresolved: plan.unresolved, missing };
  }

  #expire(revision: number): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#waiting?.revision.number !== revision) return;
      this.#isUndoing = true;
      this.#waiting = null;
      await this.#undo(revision, "no confirmation came in time").finally(() => {
        this.#isUndoing = false;
      });
    });
  }

  /** WAITING goes last, so that whatever ends this process, the next one undoes again. */
  async #undo(revision: number, reason: string): Promise<void> {
    const { system, files, clock, log } = this.#o;
    const plan = await this.#plan(this.#activeConfig());
    const failures = await enforcePlan(system, plan, { isBoot: false });
    log.warn("undone", { revision, reason });
    if (failures.length === 0) {
      this.#retry = null;
      files.setUndone(revision, new Date(clock.now()).toISOString(), reason);
      system.remove(WAITING);
      return;
    }
    log.error("undo-failed", { revision, reason: failures.join("; ") });
    this.#retry = clock.after(
      RETRY_MS,
      () => void this.#inTurn(() => this.#undo(revision, reason)),
    );
  }

  #confirm(revision: Revision): void {
    const { files, clock, log } = this.#o;
    files.confirm(revision, new Date(clock.now()).toISOString());
    log.info("confirmed", { revision: revision.number });
  }

  /** An active.json that cannot be read leaves eth0 and the admin: the operator can then do something. */
  #activeConfig(): Config {
    return activeOrFirst(this.#o.files, this.#o.log);
  }

  async #plan(config: Config): Promise<NetworkPlan> {
    return planNetwork(config, await this.#o.resolve(hostNames(config)));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => {});
    return turn;
  }
}

/** The last confirmed configuration; should it be unreadable, that of a new appliance. */
export function activeOrFirst(files: RevisionFiles, log: Log): Config {
  try {
    return files.active();
  } catch (error) {
    log.error("active-unreadable", { reason: messageOf(error) });
    return files.first();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
