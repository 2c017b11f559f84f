import { describe, expect, test } from "bun:test";
import { HandClock } from "../../test/flows/hand-clock.ts";
import { makeLog } from "../io/log.ts";
import { HelperError, helperNetwork, helperSupervisor } from "./helper.ts";
import { type Child, ChildSupervisor } from "./supervisor.ts";

const log = makeLog({ write: () => {}, minimum: "error", journal: false });
/** Lets everything that is settled take effect. */
const settled = () => new Promise<void>((settle) => setImmediate(settle));

class ScriptedChild implements Child {
  readonly pid = 7;
  readonly signals: string[] = [];
  readonly ended: Promise<string>;
  end: (how: string) => void = () => {};

  constructor() {
    this.ended = new Promise((settle) => {
      this.end = settle;
    });
  }

  kill(signal: string): void {
    this.signals.push(signal);
  }
}

function place() {
  const clock = new HandClock();
  const children: ScriptedChild[] = [];
  const lines: ((text: string) => void)[] = [];
  const supervisor = new ChildSupervisor({
    clock,
    log,
    spawn(_, line) {
      const child = new ScriptedChild();
      children.push(child);
      lines.push(line);
      return child;
    },
  });
  const endLast = async (how: string) => {
    children.at(-1)?.end(how);
    await settled();
  };
  return { clock, children, lines, supervisor, endLast };
}

describe("children", () => {
  test("one that ends by itself comes again after 1, 2, 4 seconds, with its last words", async () => {
    const { clock, children, lines, supervisor, endLast } = place();
    await supervisor.start("dmz");
    expect(supervisor.trouble("dmz")).toEqual({ state: "starting", reason: null });
    for (const [count, pauseMs] of [
      [1, 1000],
      [2, 2000],
      [3, 4000],
    ] as const) {
      lines.at(-1)?.("cannot listen");
      await endLast("exit code 1");
      expect(supervisor.trouble("dmz")).toEqual({
        state: "failing",
        reason: "exit code 1: cannot listen",
      });
      clock.advance(pauseMs - 1);
      expect(children).toHaveLength(count);
      clock.advance(1);
      expect(children).toHaveLength(count + 1);
    }
  });

  test("the pause ends at a minute, and begins anew for one that has run for one", async () => {
    const { clock, children, supervisor, endLast } = place();
    await supervisor.start("dmz");
    for (let at = 0; at < 10; at += 1) {
      await endLast("exit code 1");
      clock.advance(60_000);
    }
    expect(children).toHaveLength(11);
    clock.advance(60_000);
    await endLast("signal SIGKILL");
    clock.advance(1000);
    expect(children).toHaveLength(12);
  });

  test("start again takes one out of its pause; one that runs is left alone", async () => {
    const { children, clock, supervisor, endLast } = place();
    await supervisor.start("dmz");
    await endLast("exit code 1");
    await supervisor.start("dmz");
    expect(children).toHaveLength(2);
    await supervisor.start("dmz");
    clock.advance(100_000);
    expect(children).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  test("stop asks, waits, and kills when patience is over; nothing comes again", async () => {
    const { children, clock, supervisor, endLast } = place();
    await supervisor.start("dmz");
    const stopping = supervisor.stop("dmz", 5000);
    expect(children[0]?.signals).toEqual(["SIGTERM"]);
    expect(supervisor.trouble("dmz")).toBeNull();
    clock.advance(5000);
    expect(children[0]?.signals).toEqual(["SIGTERM", "SIGKILL"]);
    await endLast("signal SIGKILL");
    await stopping;
    clock.advance(100_000);
    expect(children).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test("start while it still drains: the next one comes as soon as it has ended, no failure", async () => {
    const { children, supervisor, endLast } = place();
    await supervisor.start("dmz");
    const stopping = supervisor.stop("dmz", 5000);
    await supervisor.start("dmz");
    expect(children).toHaveLength(1);
    await endLast("exit code 0");
    await stopping;
    expect(children).toHaveLength(2);
    expect(supervisor.trouble("dmz")).toEqual({ state: "starting", reason: null });
    await supervisor.reload("dmz");
    expect(children[1]?.signals).toEqual(["SIGHUP"]);
  });

  test("close ends all of them and waits", async () => {
    const { children, supervisor } = place();
    await supervisor.start("dmz");
    await supervisor.start("lan");
    const closing = supervisor.close(1000);
    for (const child of children) {
      expect(child.signals).toEqual(["SIGTERM"]);
      child.end("exit code 0");
    }
    await closing;
    expect(supervisor.trouble("lan")).toBeNull();
  });
});

describe("the helper", () => {
  test("start does not wait for the unit; what it says later is the reason", async () => {
    let fail: (error: Error) => void = () => {};
    const supervisor = helperSupervisor(
      () =>
        new Promise((_, reject) => {
          fail = reject;
        }),
    );
    await supervisor.start("dmz");
    expect(supervisor.trouble("dmz")).toEqual({ state: "starting", reason: null });
    fail(new Error("systemctl: failed"));
    await settled();
    expect(supervisor.trouble("dmz")).toEqual({ state: "failing", reason: "systemctl: failed" });
  });

  test("a refusal is an error with the helper's words, and so is an answer that is none", async () => {
    const answering = (answer: unknown) => helperNetwork(async () => answer);
    const refusing = answering({ ok: false, code: "failed", error: "no such interface" });
    await expect(refusing.apply()).rejects.toEqual(new HelperError("no such interface"));
    await expect(answering(null).confirm()).rejects.toThrow("the helper gave no answer");
    expect(await answering({ ok: true, confirmBefore: null }).apply()).toBeNull();
    const until = "2026-01-02T00:02:00.000Z";
    expect(await answering({ ok: true, confirmBefore: until }).apply()).toBe(until);
  });
});
