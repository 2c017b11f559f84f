/**
 * What one peer's RTCP says (RFC 3550 §6.4): how our way to it is. Its reports are its answers to what the other
 * peer sends through us, so a block counts only when it is about the SSRC that was last heard there; what is
 * encrypted from end to end never looks like that. Numbers in fixed fields, nothing allocated.
 */
import {
  blockAt,
  blockCount,
  blockSsrc,
  cumulativeLost,
  isRtcpCompound,
  isSenderReport,
  lastSenderReport,
  ntpMiddle,
  reportedJitter,
  rtcpEnd,
  sinceSenderReportMs,
} from "./rtcp.ts";

/** A longer one is no round trip: somebody's clock or somebody's report is wrong. */
const ROUND_TRIP_MS_MAX = 10_000;

export class PeerReports {
  /** Between us and this peer, by its last report that tells it; -1 = none does. */
  roundTripMs = -1;
  /** Of what went to it, over all sources; -1 = no report yet. */
  lost = -1;
  /** By its last report, in units of the RTP clock. */
  jitterTicks = 0;
  #ssrc = -1;
  /** Of the sources before this one. */
  #lostBefore = 0;
  /** The last two sender reports of this peer that we passed on: the other's report may still mean the older. */
  #newestTime = 0;
  #newestMs = 0;
  #olderTime = 0;
  #olderMs = 0;

  /** A compound packet of this peer, decrypted. `other`: whom its blocks are about. */
  note(
    packet: Uint8Array,
    length: number,
    nowMs: number,
    other: { readonly ssrc: number; readonly reports: PeerReports },
  ): void {
    if (!isRtcpCompound(packet, length)) return;
    for (let at = 0; at < length; at = rtcpEnd(packet, at)) {
      if (isSenderReport(packet, at)) this.#remember(ntpMiddle(packet, at), nowMs);
      const count = blockCount(packet, at);
      for (let n = 0; n < count; n++) {
        const block = blockAt(packet, at, n);
        if (blockSsrc(packet, block) !== other.ssrc) continue;
        this.#noteBlock(packet, block);
        const sentMs = other.reports.#sentMs(lastSenderReport(packet, block));
        const roundTripMs = nowMs - sentMs - sinceSenderReportMs(packet, block);
        if (roundTripMs < ROUND_TRIP_MS_MAX) this.roundTripMs = Math.max(0, roundTripMs);
      }
    }
  }

  #noteBlock(packet: Uint8Array, block: number): void {
    const ssrc = blockSsrc(packet, block);
    if (ssrc !== this.#ssrc) {
      this.#ssrc = ssrc;
      this.#lostBefore = Math.max(0, this.lost);
    }
    this.lost = this.#lostBefore + Math.max(0, cumulativeLost(packet, block));
    this.jitterTicks = reportedJitter(packet, block);
  }

  #remember(time: number, nowMs: number): void {
    if (time === this.#newestTime) return;
    this.#olderTime = this.#newestTime;
    this.#olderMs = this.#newestMs;
    this.#newestTime = time;
    this.#newestMs = nowMs;
  }

  /** When we passed that sender report on; long ago when we know none such. */
  #sentMs(time: number): number {
    if (time === 0) return -Infinity;
    if (time === this.#newestTime) return this.#newestMs;
    return time === this.#olderTime ? this.#olderMs : -Infinity;
  }
}
