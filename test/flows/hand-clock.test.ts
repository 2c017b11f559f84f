import { expect, test } from "bun:test";
import { HandClock } from "./hand-clock.ts";

/** A clock and a diary of what fired when (milliseconds since the start). */
function diary() {
  const clock = new HandClock(1000);
  const fired: string[] = [];
  const note = (name: string) => () => {
    fired.push(`${name}@${clock.now() - 1000}`);
  };
  return { clock, fired, note };
}

test("time stands still until it is advanced", () => {
  const { clock, fired, note } = diary();
  clock.after(1, note("a"));
  expect(clock.now()).toBe(1000);
  expect(fired).toEqual([]);
});

test("timers fire in the order of their due times, each at its own moment", () => {
  const { clock, fired, note } = diary();
  clock.after(30, note("c"));
  clock.after(10, note("a"));
  clock.after(20, note("b"));
  clock.advance(25);
  expect(fired).toEqual(["a@10", "b@20"]);
  expect(clock.now()).toBe(1025);
  clock.advance(5);
  expect(fired).toEqual(["a@10", "b@20", "c@30"]);
});

test("timers due at the same moment fire in the order they were set", () => {
  const { clock, fired, note } = diary();
  clock.after(10, note("first"));
  clock.after(10, note("second"));
  clock.advance(10);
  expect(fired).toEqual(["first@10", "second@10"]);
});

test("a timer never fires before its delay and never twice", () => {
  const { clock, fired, note } = diary();
  clock.after(10, note("a"));
  clock.advance(9);
  expect(fired).toEqual([]);
  clock.advance(1);
  clock.advance(100);
  expect(fired).toEqual(["a@10"]);
});

test("a cancelled timer does not fire, even when cancelled by one due at the same moment", () => {
  const { clock, fired, note } = diary();
  const own = clock.after(5, note("never"));
  own.cancel();
  clock.after(10, () => later.cancel());
  const later = clock.after(10, note("never"));
  clock.advance(20);
  expect(fired).toEqual([]);
  expect(clock.pending).toBe(0);
});

test("a timer set while another fires is met by the same advance when it is due within it", () => {
  const { clock, fired, note } = diary();
  clock.after(10, () => {
    clock.after(5, note("inner"));
    clock.after(0, note("at once"));
    clock.after(50, note("later"));
  });
  clock.advance(20);
  expect(fired).toEqual(["at once@10", "inner@15"]);
  expect(clock.pending).toBe(1);
  expect(clock.nextInMs).toBe(40);
});

test("a negative delay counts as none", () => {
  const { clock, fired, note } = diary();
  clock.after(-5, note("a"));
  clock.advance(0);
  expect(fired).toEqual(["a@0"]);
});

test("a timer that throws stops the advance at its moment and the rest can still run", () => {
  const { clock, fired, note } = diary();
  clock.after(10, () => {
    throw new Error("broken");
  });
  clock.after(10, note("b"));
  expect(() => clock.advance(20)).toThrow("broken");
  expect(clock.now()).toBe(1010);
  clock.advance(10);
  expect(fired).toEqual(["b@10"]);
  expect(clock.nextInMs).toBeNull();
});
