import { expect, test } from "bun:test";
import { HandClock } from "../../test/flows/hand-clock.ts";
import { doubled, makeTimers, StateTimer } from "./timers.ts";

test("the timers are those of RFC 3261 table 4 and RFC 6026", () => {
  expect(makeTimers()).toEqual({
    t1Ms: 500,
    t2Ms: 4000,
    t4Ms: 5000,
    timerBMs: 32_000,
    timerDMs: 32_000,
    timerFMs: 32_000,
    timerHMs: 32_000,
    timerJMs: 32_000,
    timerLMs: 32_000,
    timerMMs: 32_000,
  });
});

test("a longer T1 lengthens what is derived from it, and a single timer can be set", () => {
  const timers = makeTimers({ t1Ms: 1000, timerFMs: 7 });
  expect([timers.timerBMs, timers.timerDMs, timers.timerFMs]).toEqual([64_000, 64_000, 7]);
});

function resending(
  firstGapMs: number | null,
  deadlineMs: number,
  resend?: (t: StateTimer) => void,
) {
  const clock = new HandClock(0);
  const timer = new StateTimer(clock);
  const times: string[] = [];
  timer.startResending({
    firstGapMs,
    nextGapMs: doubled,
    deadlineMs,
    resend: () => {
      times.push(`${clock.now()}`);
      resend?.(timer);
    },
    expired: () => times.push(`expired ${clock.now()}`),
  });
  return { clock, timer, times };
}

test("timer A doubles from T1 and timer B ends it at 64 T1", () => {
  const { clock, times } = resending(500, 32_000);
  clock.advance(100_000);
  expect(times).toEqual(["500", "1500", "3500", "7500", "15500", "31500", "expired 32000"]);
  expect(clock.pending).toBe(0);
});

test("on a reliable transport nothing is resent before the deadline", () => {
  const { clock, times } = resending(null, 32_000);
  clock.advance(31_999);
  expect(times).toEqual([]);
  clock.advance(1);
  expect(times).toEqual(["expired 32000"]);
});

test("a timer stopped while it resends stays stopped", () => {
  const { clock, times } = resending(500, 32_000, (timer) => timer.stop());
  clock.advance(100_000);
  expect(times).toEqual(["500"]);
  expect(clock.pending).toBe(0);
});

test("a timer started anew while it resends forgets the old plan", () => {
  const { clock, times } = resending(500, 32_000, (timer) =>
    timer.start(10, () => times.push("new")),
  );
  clock.advance(100_000);
  expect(times).toEqual(["500", "new"]);
});
