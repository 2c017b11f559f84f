/**
 * What calls were like: figures and a diagnosis of the running ones, made when somebody asks, and of the last
 * ones that have ended (`limits.callHistory`). A call without any media leaves nothing here: there was nothing to
 * hear, and failing INVITEs must not push out the calls that somebody asks about.
 */
import type { CallReport, CallsReport, FindingCode } from "../health/calls.ts";
import type { Clock, LogFields } from "../io/types.ts";
import { diagnose } from "../media/diagnosis.ts";
import { streamReport } from "../media/stream-report.ts";
import type { Call } from "./calls.ts";

export class CallHistory {
  readonly #clock: Clock;
  readonly #limit: () => number;
  /** The oldest first. */
  #ended: CallReport[] = [];
  readonly #counts = new Map<FindingCode, number>();

  constructor(o: { readonly clock: Clock; readonly limit: () => number }) {
    this.#clock = o.clock;
    this.#limit = o.limit;
  }

  /** Of calls that have ended since the start, by their diagnosis. */
  get counts(): Readonly<Partial<Record<FindingCode, number>>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Its report; null = it had no media. Its session has been released, and still knows its figures. */
  ended(call: Call, reason: string): CallReport | null {
    const report = callReport(call, this.#clock.now(), reason);
    if (report.streams.length === 0) return null;
    const { code } = report.diagnosis[0]!;
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1);
    this.#ended.push(copyOf(report));
    // Cut in larger pieces: one by one, each end of a call would move all the others.
    if (this.#ended.length >= 2 * this.#limit()) this.#ended = this.#latest();
    return report;
  }

  /** `wanted`: a text in Call-ID, instance or one of the users; "" = all. */
  report(running: readonly Call[], wanted: string): CallsReport {
    const now = this.#clock.now();
    const text = wanted.toLowerCase();
    const newest = running.filter((call) => isWanted(call, text)).reverse();
    const past = this.#latest()
      .reverse()
      .filter((call) => isWanted(call, text));
    const reports = newest.slice(0, this.#limit()).map((call) => callReport(call, now, null));
    return {
      running: newest.length,
      ended: past.length,
      calls: [...reports, ...past],
    };
  }

  #latest(): CallReport[] {
    return latestOfEach(this.#ended, this.#limit());
  }
}

/** The latest, in which each instance has its share: one that calls without end leaves the others theirs. */
function latestOfEach(all: readonly CallReport[], limit: number): CallReport[] {
  const left = new Map<string, number>();
  for (const { instance } of all) left.set(instance, (left.get(instance) ?? 0) + 1);
  const share = Math.floor(limit / Math.max(1, left.size));
  let spare = limit;
  for (const [instance, count] of left) {
    const own = Math.min(count, share);
    left.set(instance, own);
    spare -= own;
  }
  const latest = all.toReversed().filter(({ instance }) => {
    const own = left.get(instance) ?? 0;
    left.set(instance, own - 1);
    return own > 0 || spare-- > 0;
  });
  return latest.reverse();
}

function isWanted(
  { callId, instance, from, to }: Pick<Call, "callId" | "instance" | "from" | "to">,
  text: string,
): boolean {
  return [callId, instance, from, to].some((one) => one?.toLowerCase().includes(text) === true);
}

/** With texts of its own: a piece of a message keeps all of the message. */
function copyOf(report: CallReport): CallReport {
  return JSON.parse(JSON.stringify(report));
}

/** `reason` null: it runs. */
function callReport(call: Call, nowMs: number, reason: string | null): CallReport {
  const { callId, instance, callerSide, from, to, answeredAtMs: answeredMs } = call;
  const streams = call.session?.snapshot().streams ?? [];
  return {
    callId,
    instance,
    caller: callerSide === "outer" ? "phone" : "instance",
    from,
    to,
    begun: new Date(call.begunAtMs).toISOString(),
    answered: answeredMs === null ? null : new Date(answeredMs).toISOString(),
    ended: reason === null ? null : new Date(nowMs).toISOString(),
    reason,
    seconds: answeredMs === null ? 0 : Math.max(0, Math.round((nowMs - answeredMs) / 1000)),
    diagnosis: diagnose({ streams, answeredMs, untilMs: nowMs }),
    streams: streams.map(streamReport),
  };
}

/** One line for the log: the figures of the stream that carried most. */
export function logFieldsOf(report: CallReport): LogFields {
  const packetsOf = ({ phone, instance }: CallReport["streams"][number]): number =>
    phone.packets + instance.packets;
  const [main] = report.streams.toSorted((a, b) => packetsOf(b) - packetsOf(a));
  const { seconds, diagnosis } = report;
  const told = { seconds, diagnosis: diagnosis.map(({ code }) => code).join(",") };
  if (main === undefined) return told;
  const { phone, instance } = main;
  return {
    ...told,
    ...{ phoneLoss: phone.lossPercent, phoneJitter: phone.jitterMs, phoneMos: phone.mos },
    ...{ instanceLoss: instance.lossPercent, instanceJitter: instance.jitterMs },
    instanceMos: instance.mos,
  };
}
