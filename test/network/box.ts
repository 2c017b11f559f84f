/** An appliance without hardware: a machine, its files, a clock driven by hand, and the helper on top. */
import { makeLog } from "../../src/io/log.ts";
import { ConfirmedApply } from "../../src/network/confirmed-apply.ts";
import { Helper } from "../../src/network/helper.ts";
import { RevisionFiles } from "../../src/network/revision-files.ts";
import { HandClock } from "../flows/hand-clock.ts";
import { MemoryFolder } from "./config-folder.ts";
import { Machine } from "./machine.ts";

/** 2026-01-01T00:00:00Z */
export const START_MS = 1_767_225_600_000;

export class Box {
  readonly machine = new Machine();
  readonly folder = new MemoryFolder();
  readonly clock = new HandClock(START_MS);
  readonly logged: string[] = [];
  readonly names = new Map<string, readonly string[]>();
  readonly files = new RevisionFiles(this.folder);
  readonly folders = new Set<string>();
  apply!: ConfirmedApply;
  helper!: Helper;

  constructor() {
    this.restartHelper();
  }

  /** A new process: what the old one had in memory is gone, its timers too. */
  restartHelper(): void {
    const log = makeLog({
      write: (line) => void this.logged.push(line.trim()),
      minimum: "info",
      journal: false,
    });
    this.apply = new ConfirmedApply({
      system: this.machine,
      files: this.files,
      clock: this.clock,
      log,
      resolve: (names) =>
        Promise.resolve(new Map([...this.names].filter(([name]) => names.includes(name)))),
    });
    this.helper = new Helper({
      system: this.machine,
      files: this.files,
      apply: this.apply,
      log,
      allowedUids: new Set([0, 990]),
      hasProxyFolder: (name) => this.folders.has(name),
    });
  }

  /** Lets everything run until that many timers wait. */
  async untilTimers(count: number): Promise<void> {
    for (let turn = 0; turn < 1000 && this.clock.pending < count; turn += 1)
      await Promise.resolve();
    if (this.clock.pending < count) throw new Error(`${this.clock.pending} timers wait`);
  }

  /** Lets everything that was set off come to its end. */
  async settle(): Promise<void> {
    await this.apply.refresh();
  }
}
