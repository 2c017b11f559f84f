import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { HandClock } from "../../test/flows/hand-clock.ts";
import { RelayStream } from "../media/relay-leg.ts";
import type { LegSnapshot } from "../media/session-snapshot.ts";
import { CallHistory } from "./call-history.ts";
import type { Call } from "./calls.ts";

const SDP_BYTES = 100_000;
const CALLS = 100;

/** A call whose codec is a piece of a long SDP, as it is of every parsed one. */
function endedCall(callId: string, instance = "mycompany"): Call {
  const text = `${callId} codec-${callId}/8000 `.padEnd(SDP_BYTES, "x");
  const sdp = Buffer.from(text).toString("latin1");
  const codec = sdp.split(" ")[1]!;
  const legs = new RelayStream();
  const leg = (view: RelayStream["outer"]): LegSnapshot => ({
    ...view.view(),
    ...{ codec, signalled: null, isSrtp: false, packets: 100 },
  });
  const stream = { type: "audio", isOpen: false, isOnHold: false };
  const streams = [{ ...stream, outer: leg(legs.outer), inner: leg(legs.inner) }];
  const ends = { callId, instance, from: "100@mycompany", to: null };
  const times = { callerSide: "outer", begunAtMs: 1000, answeredAtMs: 2000 };
  return { ...ends, ...times, session: { snapshot: () => ({ streams }) } } as unknown as Call;
}

function keptBytes(): number {
  Bun.gc(true);
  return heapStats().heapSize;
}

test("what is kept of a call keeps nothing else of its messages", () => {
  const history = new CallHistory({ clock: new HandClock(), limit: () => CALLS });
  const before = keptBytes();
  for (let at = 0; at < CALLS; at++) history.ended(endedCall(`call-${at}`), "bye");
  const grownBytes = keptBytes() - before;
  const { calls } = history.report([], "");
  expect(calls).toHaveLength(CALLS);
  expect(calls[0]).toMatchObject({
    callId: "call-99",
    streams: [{ phone: { codec: "codec-call-99/8000" } }],
  });
  expect(grownBytes).toBeLessThan((SDP_BYTES * CALLS) / 10);
});

test("an instance that calls without end leaves the others their share", () => {
  const history = new CallHistory({ clock: new HandClock(), limit: () => 6 });
  const end = (count: number, instance: string): void => {
    for (let at = 0; at < count; at++)
      history.ended(endedCall(`${instance}${at}`, instance), "bye");
  };
  const kept = (): string[] => history.report([], "").calls.map(({ callId }) => callId);
  end(2, "quiet");
  end(5, "other");
  end(30, "loud");
  expect(kept()).toEqual(["loud29", "loud28", "other4", "other3", "quiet1", "quiet0"]);
  end(1, "quiet");
  expect(kept()).toEqual(["quiet0", "loud29", "loud28", "other4", "other3", "quiet1"]);
});
