/**
 * What is wrong with the audio of a call, by what was counted on both legs (FINDINGS says what each code means).
 * Pure. Reads a call as a person would who asks: does the phone send, does the instance, and if not, why?
 */
import { FINDINGS, type Finding, type FindingCode } from "../health/calls.ts";
import { DROP } from "./counters.ts";
import { type LegName, otherLeg } from "./engine.ts";
import type { LegSnapshot, StreamSnapshot } from "./session-snapshot.ts";

/** So long a peer may need for its first packet. */
const FIRST_PACKET_MS = 3000;
/** Phones that suppress silence send nothing while nobody speaks, but comfort noise now and then. */
const STOPPED_MS = 15_000;
/** Fewer packets prove nothing. */
const PACKETS_MIN = 50;
const MUCH_LOSS = 0.03;
const MUCH_JITTER_MS = 50;

export type DiagnosedCall = {
  readonly streams: readonly StreamSnapshot[];
  /** null = not answered. */
  readonly answeredMs: number | null;
  /** Its end, or now. */
  readonly untilMs: number;
};

/** One leg of all its audio together. */
type Leg = {
  readonly packets: number;
  readonly lastSeenMs: number;
  /** Not authentic, though not a stranger's. */
  readonly unauthentic: number;
  readonly foreign: number;
  readonly waiting: number;
};

type Legs = Readonly<Record<LegName, Leg>>;
const WHO = { outer: "phone", inner: "instance" } as const;
const LEGS = ["outer", "inner"] as const;

/** The gravest first; never empty. */
export function diagnose(call: DiagnosedCall): readonly Finding[] {
  const audio = call.streams.filter(({ type }) => type === "audio");
  const heard = audio.length === 0 ? call.streams : audio;
  const legs = { outer: sumOf(heard, "outer"), inner: sumOf(heard, "inner") };
  const found = new Set<FindingCode>(
    heard.length === 0 ? ["no-media"] : [...way(call, heard, legs), ...quality(call.streams)],
  );
  if (found.size === 0) found.add("good");
  if (legs.outer.waiting > 0 && legs.outer.packets === 0) found.add("waiting-for-latch");
  if (legs.outer.foreign + legs.inner.foreign > 0) found.add("foreign-packets");
  const codes = Object.keys(FINDINGS) as FindingCode[];
  return codes.filter((code) => found.has(code)).map((code) => ({ code, text: FINDINGS[code] }));
}

function sumOf(streams: readonly StreamSnapshot[], leg: LegName): Leg {
  const all = streams.map((stream) => stream[leg]);
  const sum = (of: (one: LegSnapshot) => number): number => all.reduce((n, one) => n + of(one), 0);
  return {
    packets: sum(({ packets }) => packets),
    lastSeenMs: Math.max(...all.map(({ lastSeenMs }) => lastSeenMs)),
    unauthentic: sum(({ drops, foreignRefused }) =>
      Math.max(0, drops[DROP.auth]! - foreignRefused),
    ),
    foreign: sum(({ foreign }) => foreign),
    waiting: sum(({ drops }) => drops[DROP["waiting-for-latch"]]!),
  };
}

/** Who sends and who does not. */
function way(call: DiagnosedCall, heard: readonly StreamSnapshot[], legs: Legs): FindingCode[] {
  if (call.answeredMs === null) return ["not-answered"];
  const refused = LEGS.filter((leg) => legs[leg].unauthentic > legs[leg].packets);
  if (refused.length > 0) return refused.map((leg) => `${WHO[leg]}-wrong-key` as const);
  if (heard.at(-1)!.isOnHold) return ["held"];
  const missing = LEGS.filter((leg) => legs[leg].packets === 0);
  // Of two faxes one is silent while the other sends a page.
  const mayPause = heard.every(({ type }) => type === "image");
  if (missing.length === 0) return mayPause ? [] : stopped(call, legs);
  if (call.untilMs - call.answeredMs < FIRST_PACKET_MS) return ["too-short"];
  const elsewhere = missing.filter((leg) => legs[leg].foreign > 0);
  if (elsewhere.length > 0) return elsewhere.map((leg) => `${WHO[leg]}-elsewhere` as const);
  return missing.length === 2
    ? ["silent"]
    : missing.map((leg) => `${WHO[leg]}-never-sent` as const);
}

function stopped({ untilMs }: DiagnosedCall, legs: Legs): FindingCode[] {
  const quiet = LEGS.filter((leg) => untilMs - legs[leg].lastSeenMs > STOPPED_MS);
  return quiet.length === 2 ? ["both-stopped"] : quiet.map((leg) => `${WHO[leg]}-stopped` as const);
}

/** How well it comes, on any stream. */
function quality(streams: readonly StreamSnapshot[]): FindingCode[] {
  return streams.flatMap((stream) =>
    LEGS.flatMap((leg): FindingCode[] => {
      const { expected, lost, jitterMs, peerLost, drops, foreign, foreignRefused } = stream[leg];
      const sent = stream[otherLeg(leg)].packets;
      const strangers = foreign - foreignRefused - drops[DROP["foreign-source"]]!;
      const who = WHO[leg];
      return [
        ...when(drops[DROP.excess]! > strangers, `flood-from-${who}`),
        ...when(isMuch(lost, expected), `loss-from-${who}`),
        ...when(isMuch(peerLost, sent), `loss-to-${who}`),
        ...when(expected >= PACKETS_MIN && jitterMs > MUCH_JITTER_MS, `jitter-from-${who}`),
      ];
    }),
  );
}

function isMuch(lost: number, of: number): boolean {
  return of >= PACKETS_MIN && lost > MUCH_LOSS * of;
}

function when(isSo: boolean, code: FindingCode): FindingCode[] {
  return isSo ? [code] : [];
}
