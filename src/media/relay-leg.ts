/**
 * What the packet path knows of one open m= line: two legs, each with a latch and a ceiling for RTP
 * and for RTCP, its SRTP contexts and counters. Changed by relay.ts (packets) and configureLeg()
 * (answers) only.
 */
import { isInNetworks, type NetworkSet } from "../config/address-class.ts";
import { PeerReports } from "../rtp/peer-reports.ts";
import { Reception } from "../rtp/reception.ts";
import { SrtpContext } from "../rtp/srtp-context.ts";
import { type LegCounters, type LegView, makeLegCounters } from "./counters.ts";
import type { LegCrypto, LegSettings } from "./engine.ts";
import { Latch } from "./latch.ts";
import { knownNetworkSet } from "./network-sets.ts";

/** Packets under the key before are still accepted for this long: they were on their way. */
const KEY_OVERLAP_MS = 3000;

/** RTP or RTCP of one leg. */
export class Channel {
  /** Second in which the two counts below were begun. */
  window = 0;
  inWindow = 0;
  strangersInWindow = 0;
  /** The source that was told outside; a source rarely changes, and is told many times a second. */
  toldAddress = "";
  toldPort = 0;

  constructor(readonly latch: Latch) {}
}

/** One SRTP context and what it was made from, so that an unchanged key keeps its ROC. */
type KeyedContext = { readonly crypto: LegCrypto; readonly context: SrtpContext };

export class RelayLeg {
  readonly rtp: Channel;
  readonly rtcp: Channel;
  readonly counters: LegCounters = makeLegCounters();
  readonly reception = new Reception();
  readonly reports = new PeerReports();
  /** Null until the first answer: nothing is learnt and nothing sent. */
  settings: LegSettings | null = null;
  /** RTCP comes and goes at the RTP port (RFC 5761). */
  isMux = false;
  /** No RTP at all: T.38's own packets. */
  isUdptl = false;
  inbound: KeyedContext | null = null;
  previousInbound: KeyedContext | null = null;
  previousUntilMs = 0;
  outbound: KeyedContext | null = null;
  /** All that there were: one for each suite, with a key of ours that must never be begun anew. */
  readonly outbounds: KeyedContext[] = [];
  /** Of the newest authentic packet; -1 = take the next one as the newest. */
  newestSsrc = -1;
  newestSequence = -1;
  newestRtcpIndex = -1;
  allowed: NetworkSet | null = null;
  forbidden: NetworkSet | null = null;
  /** What the last packet was called, and what was last spoken; -1 = nothing yet. */
  packetType = -1;
  payloadType = -1;
  /** Of the clock of `packetType`; 0 = not known. */
  msPerTick = 0;
  #peer: RelayLeg | null = null;

  constructor() {
    const rtp = new Latch();
    this.rtp = new Channel(rtp);
    this.rtcp = new Channel(new Latch(rtp));
  }

  /** The other leg of the same stream. */
  get peer(): RelayLeg {
    return this.#peer ?? this;
  }

  join(peer: RelayLeg): void {
    this.#peer = peer;
  }

  /** Whether this address may ever be learnt here. */
  isAllowed(address: string): boolean {
    if (this.forbidden !== null && isInNetworks(address, this.forbidden)) return false;
    return this.allowed === null || isInNetworks(address, this.allowed);
  }

  /** SSRC that was heard last. */
  get ssrc(): number {
    return this.reception.ssrc;
  }

  /** A peer sends what we offered it with the other peer's numbers (RFC 3264 §6.1); few have numbers of their own. */
  turnTo(payloadType: number): void {
    this.packetType = payloadType;
    const clockRate =
      clockRateOf(this.peer.settings, payloadType) ?? clockRateOf(this.settings, payloadType);
    this.msPerTick = clockRate === undefined || clockRate === 0 ? 0 : 1000 / clockRate;
    if (clockRate !== 0) this.payloadType = payloadType;
  }

  view(): LegView {
    const { rtp, rtcp, counters, reception, reports, payloadType } = this;
    const { expected, lost, duplicates, reordered, jitterMs } = reception;
    return {
      ...counters,
      ...{ expected, lost, duplicates, reordered, jitterMs, payloadType },
      roundTripMs: reports.roundTripMs,
      peerLost: reports.lost,
      peerJitterMs: reports.jitterTicks * this.peer.msPerTick,
      moves: rtp.latch.moves,
      latched: sourceOf(rtp.latch),
      latchedRtcp: sourceOf(rtcp.latch),
    };
  }
}

export class RelayStream {
  readonly outer = new RelayLeg();
  readonly inner = new RelayLeg();

  constructor() {
    this.outer.join(this.inner);
    this.inner.join(this.outer);
  }
}

/** Takes the settings of an answer over. Contexts of unchanged keys stay, learning opens. */
export function configureLeg(
  leg: RelayLeg,
  settings: LegSettings,
  o: { nowMs: number; maxSsrcs: number },
): void {
  leg.settings = settings;
  leg.packetType = -1;
  leg.peer.packetType = -1;
  leg.isMux = settings.carries === "rtp-mux";
  leg.isUdptl = settings.carries === "udptl";
  leg.allowed =
    settings.allowedNetworks === null ? null : knownNetworkSet(settings.allowedNetworks);
  leg.forbidden =
    settings.forbiddenNetworks.length === 0 ? null : knownNetworkSet(settings.forbiddenNetworks);
  takeInbound(leg, settings.inbound, o);
  takeOutbound(leg, settings.outbound, o.maxSsrcs);
  leg.newestSsrc = -1;
  leg.newestRtcpIndex = -1;
  leg.rtp.latch.configure(settings, o.nowMs);
  const forRtcp = {
    ...settings,
    signalled: settings.signalledRtcp,
    early: settings.earlyRtcp,
  };
  leg.rtcp.latch.configure(forRtcp, o.nowMs);
}

/** Undefined = this SDP does not name it. */
function clockRateOf(settings: LegSettings | null, payloadType: number): number | undefined {
  const { clocks = [] } = settings ?? {};
  for (let at = 0; at < clocks.length; at += 2)
    if (clocks[at] === payloadType) return clocks[at + 1];
  return undefined;
}

function takeInbound(
  leg: RelayLeg,
  crypto: LegCrypto | null,
  o: { nowMs: number; maxSsrcs: number },
): void {
  if (isSameKey(leg.inbound, crypto)) {
    leg.inbound?.context.expectRestart();
    return;
  }
  const next = isSameKey(leg.previousInbound, crypto)
    ? leg.previousInbound
    : makeContext(crypto, o.maxSsrcs);
  leg.previousInbound = leg.inbound;
  leg.previousUntilMs = o.nowMs + KEY_OVERLAP_MS;
  leg.inbound = next;
}

function takeOutbound(leg: RelayLeg, crypto: LegCrypto | null, maxSsrcs: number): void {
  const known = leg.outbounds.find((one) => isSameKey(one, crypto));
  leg.outbound = known ?? makeContext(crypto, maxSsrcs);
  if (leg.outbound !== null && known === undefined) leg.outbounds.push(leg.outbound);
}

function makeContext(crypto: LegCrypto | null, maxSsrcs: number): KeyedContext | null {
  if (crypto === null) return null;
  const { suite, key, mki } = crypto;
  return { crypto, context: new SrtpContext({ suite, key, mkiBytes: mki, maxSsrcs }) };
}

/** True for "none" and "none" too. */
function isSameKey(keyed: KeyedContext | null, crypto: LegCrypto | null): boolean {
  if (keyed === null || crypto === null) return keyed === null && crypto === null;
  const known = keyed.crypto;
  return (
    known.suite === crypto.suite &&
    Buffer.compare(known.key, crypto.key) === 0 &&
    Buffer.compare(known.mki, crypto.mki) === 0
  );
}

function sourceOf(latch: Latch) {
  if (!latch.isLatched) return null;
  return { address: latch.sourceAddress, port: latch.sourcePort };
}
