import { describe, expect, test } from "bun:test";
import { FINDINGS } from "../health/calls.ts";
import { DROP, type DropReason, makeLegCounters } from "./counters.ts";
import { diagnose } from "./diagnosis.ts";
import type { LegSnapshot, StreamSnapshot } from "./session-snapshot.ts";

const ANSWERED = 1_000_000;
const END = ANSWERED + 60_000;

type LegOptions = Partial<Omit<LegSnapshot, "drops">> & {
  readonly drops?: Partial<Record<DropReason, number>>;
};

/** A peer that sent until the end and whose packets all came. */
function leg({ drops = {}, packets = 3000, ...o }: LegOptions = {}): LegSnapshot {
  const counters = makeLegCounters();
  for (const [reason, count] of Object.entries(drops))
    counters.drops[DROP[reason as DropReason]] = count;
  return {
    ...counters,
    packets,
    ...{ expected: packets, lost: 0, duplicates: 0, reordered: 0, jitterMs: 2, roundTripMs: -1 },
    ...{ peerLost: -1, peerJitterMs: 0, payloadType: 0, codec: "PCMU", isSrtp: false },
    lastSeenMs: packets === 0 ? 0 : END,
    ...{ latched: null, latchedRtcp: null, signalled: null },
    ...o,
  };
}

const silent = (o: LegOptions = {}): LegSnapshot => leg({ packets: 0, ...o });

const stream = (o: Partial<StreamSnapshot> = {}): StreamSnapshot => ({
  type: "audio",
  isOpen: true,
  isOnHold: false,
  outer: leg(),
  inner: leg(),
  ...o,
});

function check(streams: readonly StreamSnapshot[], expected: readonly string[]): void {
  const found = diagnose({ streams, answeredMs: ANSWERED, untilMs: END });
  expect(found.map(({ code }) => code) as string[]).toEqual([...expected]);
}

const one = (o: Partial<StreamSnapshot>, ...expected: string[]): void =>
  check([stream(o)], expected);

describe("who sends", () => {
  test("both: good", () => one({}, "good"));

  test("one never did", () => {
    one({ outer: silent() }, "phone-never-sent");
    one({ inner: silent() }, "instance-never-sent");
    one({ outer: silent(), inner: silent() }, "silent");
    one(
      { outer: silent({ drops: { "waiting-for-latch": 5 } }) },
      "phone-never-sent",
      "waiting-for-latch",
    );
  });

  test("one sends from where nobody is expected", () => {
    const foreign = { foreign: 50, drops: { "foreign-source": 50 } };
    one({ outer: silent(foreign) }, "phone-elsewhere", "foreign-packets");
    one({ inner: silent(foreign) }, "instance-elsewhere", "foreign-packets");
  });

  test("one sends what is not authentic; a stranger's packets are none of its own", () => {
    one({ outer: silent({ drops: { auth: 500 } }) }, "phone-wrong-key");
    one({ inner: silent({ drops: { auth: 500 } }) }, "instance-wrong-key");
    const strangers = { drops: { auth: 500 }, foreign: 500, foreignRefused: 500 };
    one({ outer: leg(strangers) }, "good", "foreign-packets");
    one({ outer: silent(strangers) }, "phone-elsewhere", "foreign-packets");
    one({ outer: leg({ drops: { auth: 2 } }) }, "good");
  });

  test("one has stopped", () => {
    const early = END - 20_000;
    one({ outer: leg({ lastSeenMs: early }) }, "phone-stopped");
    one({ type: "image", outer: leg({ lastSeenMs: early }) }, "good");
    one({ inner: leg({ lastSeenMs: early }) }, "instance-stopped");
    one({ outer: leg({ lastSeenMs: early }), inner: leg({ lastSeenMs: early }) }, "both-stopped");
    one({ outer: leg({ lastSeenMs: END - 5000 }) }, "good");
  });

  test("nobody has to while the call is held, is not answered, or has just begun", () => {
    one({ isOnHold: true, outer: silent() }, "held");
    const of = (answeredMs: number | null, untilMs: number): string[] =>
      diagnose({ streams: [stream({ outer: silent() })], answeredMs, untilMs }).map(
        ({ code }) => code,
      );
    expect(of(null, END)).toEqual(["not-answered"]);
    expect(of(ANSWERED, ANSWERED + 1000)).toEqual(["too-short"]);
    expect(of(ANSWERED, ANSWERED + 4000)).toEqual(["phone-never-sent"]);
  });

  test("audio decides, over all its streams; video may go one way", () => {
    check([stream(), stream({ type: "video", outer: silent() })], ["good"]);
    check([stream({ isOpen: false, isOnHold: true }), stream({ outer: silent() })], ["good"]);
    check([stream({ type: "image", inner: silent() })], ["instance-never-sent"]);
    check([], ["no-media"]);
  });
});

describe("how well it comes", () => {
  test("much loss is told for the way on which it happens", () => {
    one({ outer: leg({ lost: 300 }) }, "loss-from-phone");
    one({ inner: leg({ lost: 300 }) }, "loss-from-instance");
    one({ outer: leg({ peerLost: 300 }) }, "loss-to-phone");
    one({ inner: leg({ peerLost: 300 }) }, "loss-to-instance");
    one({ outer: leg({ lost: 50 }) }, "good");
    one({ outer: leg({ packets: 20, lost: 19, lastSeenMs: END }) }, "good");
  });

  test("jitter, floods and strangers are told", () => {
    one({ outer: leg({ jitterMs: 80 }) }, "jitter-from-phone");
    one({ inner: leg({ drops: { excess: 7 } }) }, "flood-from-instance");
    one({ outer: leg({ drops: { excess: 7 }, foreign: 7 }) }, "good", "foreign-packets");
    one({ outer: leg({ foreign: 1, drops: { "foreign-source": 1 } }) }, "good", "foreign-packets");
  });

  test("the gravest comes first", () => {
    const outer = leg({ lost: 900, jitterMs: 99, drops: { excess: 5 } });
    one(
      { outer, inner: silent() },
      "instance-never-sent",
      "flood-from-phone",
      "loss-from-phone",
      "jitter-from-phone",
    );
  });
});

test("each finding has its words", () => {
  const [found] = diagnose({ streams: [stream()], answeredMs: ANSWERED, untilMs: END });
  expect(found).toEqual({ code: "good", text: FINDINGS.good });
});
