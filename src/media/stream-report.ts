/** The figures of one m= line for people and for other programs (health/calls.ts). Pure. */
import type { LegReport, StreamReport } from "../health/calls.ts";
import type { Endpoint } from "../io/types.ts";
import { estimateMos } from "../rtp/e-model.ts";
import { DROP, dropsByReason } from "./counters.ts";
import type { LegSnapshot, StreamSnapshot } from "./session-snapshot.ts";

export function streamReport({ type, outer, inner }: StreamSnapshot): StreamReport {
  return { type, phone: legReport(type, outer, inner), instance: legReport(type, inner, outer) };
}

function legReport(type: string, leg: LegSnapshot, other: LegSnapshot): LegReport {
  const { codec, isSrtp, packets, octets, rtcpPackets, lost, expected, drops, latched } = leg;
  const lossPart = expected === 0 ? 0 : lost / expected;
  const roundTripMs = leg.roundTripMs < 0 ? null : leg.roundTripMs;
  const { jitterMs, peerLost } = leg;
  const isHeard = type === "audio" && packets > 0 && codec !== null;
  const mos = isHeard ? estimateMos({ codec, lossPart, jitterMs, roundTripMs }) : null;
  return {
    codec,
    isEncrypted: isSrtp,
    ...{ packets, octets, rtcpPackets, lost },
    lossPercent: rounded(100 * lossPart, 2),
    jitterMs: rounded(jitterMs, 1),
    // Under SRTP the replay window has found them.
    duplicates: leg.duplicates + drops[DROP.replay]!,
    reordered: leg.reordered,
    roundTripMs: roundTripMs === null ? null : rounded(roundTripMs, 1),
    peerLossPercent: peerLost < 0 ? null : rounded(percentOf(peerLost, other.packets), 2),
    peerJitterMs: peerLost < 0 ? null : rounded(leg.peerJitterMs, 1),
    mos: mos === null ? null : rounded(mos, 2),
    lastSeen: leg.lastSeenMs === 0 ? null : new Date(leg.lastSeenMs).toISOString(),
    source: latched === null ? null : formatSource(latched),
    moves: leg.moves,
    foreign: leg.foreign,
    drops: dropsByReason(drops),
  };
}

function percentOf(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.min(100, (100 * part) / whole);
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

function formatSource({ address, port }: Endpoint): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
