/** What test/flows/keep-alive.test.ts shows with one phone holds for an office and for all after a restart. */
import { expect, test } from "bun:test";
import { HandClock } from "../../test/flows/hand-clock.ts";
import { limitsSchema } from "../config/limits.ts";
import type { Log } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";
import { makeRequest } from "../sip/make-message.ts";
import type { ClientEvents, ClientTransaction } from "../sip/transaction-table.ts";
import type { Binding } from "./bindings.ts";
import { KeepAlive } from "./keep-alive.ts";

const PHONES = 5000;
const limits = limitsSchema.parse({ optionsPending: 100_000 });
const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silentLog };

/** Phones that all came in the same moment; `answers` says what they do with OPTIONS. */
function office(answers: (events: ClientEvents) => void) {
  const clock = new HandClock();
  const sentAt: number[] = [];
  const askedAt: number[] = [];
  const lost: ReadonlySet<string>[] = [];
  const counted: string[] = [];
  let drawn = 0;
  let setBackMs = 0;
  const setBack = (ms: number): void => {
    setBackMs += ms;
  };
  const keepAlive = new KeepAlive({
    clock: { now: () => clock.now() - setBackMs, after: (ms, fire) => clock.after(ms, fire) },
    log: silentLog,
    bindings: { onFlow: () => [{ contactUri: "sip:100@192.0.2.1" } as Binding] },
    table: () => ({
      ask: (_request, _flow, events) => {
        askedAt.push(clock.now());
        answers(events);
        return {} as ClientTransaction;
      },
      flowsLost: (ids) => void lost.push(ids),
    }),
    limits: () => limits,
    present: (flow) => flow,
    question: () => makeRequest({ method: "OPTIONS", uri: "sip:a@b", headers: [] }),
    close() {},
    random: () => (drawn++ % 97) / 96,
    count: (reason) => void counted.push(reason),
  });
  for (let i = 0; i < PHONES; i++) {
    keepAlive.watch({
      id: `udp:192.0.2.1:${i}`,
      side: "outer",
      transport: "udp",
      local: { address: "203.0.113.5", port: 5060 },
      remote: { address: "192.0.2.1", port: i },
      sentBy: "",
      isOpen: true,
      send: () => {
        sentAt.push(clock.now());
        return true;
      },
    } satisfies Flow);
  }
  keepAlive.start();
  return { clock, setBack, keepAlive, sentAt, askedAt, lost, counted };
}

function mostAtOnce(times: readonly number[]): number {
  const at = new Map<number, number>();
  for (const time of times) at.set(time, (at.get(time) ?? 0) + 1);
  return Math.max(...at.values());
}

const well = (events: ClientEvents): void => events.response({ status: 200 } as never);

test("thousands that came in one second are spoken to in many, with one timer", () => {
  const { clock, sentAt, askedAt } = office(well);
  expect(clock.pending).toBe(1);
  clock.advance(300_000);
  expect(clock.pending).toBe(1);
  expect(askedAt.length).toBeGreaterThan(PHONES * 4);
  // 5,000 in 25 s would be 200 a second at best, and are 5,000 in one at worst.
  expect(mostAtOnce(sentAt.filter((time) => time > sentAt[0]! + 30_000))).toBeLessThan(1500);
  expect(mostAtOnce(askedAt)).toBeLessThan(1500);
});

test("all that are dead are told of together, one pass over the transactions", () => {
  const { clock, keepAlive, lost, counted } = office((events) => events.timeout());
  clock.advance(190_000);
  expect(keepAlive.dead).toBe(PHONES);
  expect(counted.filter((reason) => reason === "flow-dead")).toHaveLength(PHONES);
  expect(lost.length).toBeLessThan(50);
  expect(lost.reduce((sum, { size }) => sum + size, 0)).toBe(PHONES);
});

test("a clock that has slept goes on from where it is", () => {
  const { clock, keepAlive, askedAt } = office(well);
  keepAlive.stop();
  clock.advance(3_600_000);
  expect(askedAt).toEqual([]);
  keepAlive.start();
  clock.advance(1000);
  expect(askedAt).toHaveLength(PHONES);
});

test("a clock that was set back by an hour does not silence the keep-alives for an hour", () => {
  const { clock, setBack, sentAt, askedAt } = office(well);
  clock.advance(120_000);
  setBack(3_600_000);
  const [sent, asked] = [sentAt.length, askedAt.length];
  clock.advance(120_000);
  expect(askedAt.length - asked).toBeGreaterThanOrEqual(PHONES);
  expect(sentAt.length - sent).toBeGreaterThanOrEqual(PHONES);
});

test("a clock that learns the year after the start does not make the wheel turn through all the years", () => {
  const { clock, keepAlive, askedAt } = office(well);
  keepAlive.stop();
  clock.advance(50 * 365 * 86_400_000);
  keepAlive.start();
  clock.advance(1000);
  expect(askedAt).toHaveLength(PHONES);
});
