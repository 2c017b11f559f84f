/**
 * Learning the far address of one leg (RFC 7362 §4, made strict against RTPbleed). Pure rules, no
 * clock and no socket. One Latch for RTP and one for RTCP; the relay owns both. Two ways in:
 *   accept()  plain RTP: a source counts by its rank: 0 the SDP address and port, 1 the SDP
 *              address, 2 the source address of the SIP flow, 3 anybody (by option, or inside
 *              networks). A better rank takes over at once. Final after one packet of rank 0, else
 *              after 5.
 *   move()    SRTP: any source, the caller has authenticated the packet and found it newer than the
 *              last.
 */
import type { Endpoint } from "../io/types.ts";

const PACKETS_UNTIL_FINAL = 5;
const REOPENED_MS = 3000;
/** A source that was heard so lately goes on. */
const GOES_ON_MS = 1000;
const NOT_ALLOWED = 9;

export type LatchRules = {
  readonly signalled: Endpoint | null;
  readonly sipSource: string | null;
  readonly learnsAnySource: boolean;
  readonly early: Endpoint | null;
  readonly isSignalledTrusted: boolean;
  readonly isHeld: boolean;
};

export class Latch {
  /** Who may send: "" and 0 before the latch. */
  sourceAddress = "";
  sourcePort = 0;
  /** Where we send: port 0 = nowhere. */
  targetAddress = "";
  targetPort = 0;
  /** True: nobody but the source is heard (plain RTP). */
  isFinal = false;
  moves = 0;
  #rules: LatchRules | null = null;
  #packets = 0;
  #isSourceHeard = false;
  #heardMs = 0;
  #reopenedUntilMs = 0;
  #challengerAddress = "";
  #challengerPort = 0;
  #challengerPackets = 0;

  /** `rtp`: this is the latch of RTCP, which has to come from the address that RTP comes from. */
  constructor(readonly rtp: Latch | null = null) {}

  get isLatched(): boolean {
    return this.sourcePort !== 0;
  }

  /** New SDP or a new SIP source: learning is open (again for 3 s when there is a source). */
  configure(rules: LatchRules, nowMs: number): void {
    const isSignalledNew = !sameEndpoint(rules.signalled, this.#rules?.signalled ?? null);
    this.#rules = rules;
    this.#forgetChallenger();
    this.isFinal = false;
    if (!this.isLatched) {
      this.#aim(rules.early);
      return;
    }
    this.#isSourceHeard = false;
    this.#packets = 0;
    this.#reopenedUntilMs = nowMs + REOPENED_MS;
    this.#aim(this.#targetAfterNewRules(rules, isSignalledNew));
  }

  /** Plain RTP: may this packet pass? Learns from it. `address` was already found to be allowed. */
  accept(address: string, port: number, nowMs: number): boolean {
    const rules = this.#rules;
    // Nothing can be sent to port 0.
    if (rules === null || port === 0) return false;
    if (port === this.sourcePort && address === this.sourceAddress) {
      if (!this.isFinal) this.#confirm(nowMs);
      return true;
    }
    if (rules.isHeld || (this.isFinal && !this.#isLeftBehind())) return false;
    const rank = this.#rank(address, port);
    if (rank === NOT_ALLOWED) return false;
    if (!this.#yields(rank, nowMs) && !this.#challenges(rank, address, port, nowMs)) return false;
    this.#take(address, port, rank === 0);
    this.#heardMs = nowMs;
    return true;
  }

  /** SRTP: an authentic packet, newer than all before it, came from here. */
  move(address: string, port: number): void {
    if (this.#rules?.isHeld === true || port === 0) return;
    this.#take(address, port, false);
  }

  /** SRTP: the source goes on after new SDP; what it said there was no news. */
  confirmAuthentic(nowMs: number): void {
    if (this.#reopenedUntilMs === 0 || this.#isJustReopened(nowMs)) return;
    this.#reopenedUntilMs = 0;
    this.#aimAtSource();
  }

  /** Not so either when the clock was set back, which would leave learning open for hours. */
  #isJustReopened(nowMs: number): boolean {
    const leftMs = this.#reopenedUntilMs - nowMs;
    return leftMs > 0 && leftMs <= REOPENED_MS;
  }

  #targetAfterNewRules(rules: LatchRules, isSignalledNew: boolean): Endpoint | null {
    const { early, signalled } = rules;
    const source = { address: this.sourceAddress, port: this.sourcePort };
    if (!isSignalledNew || early === null) return source;
    // The SDP of a peer without NAT is true: its new port counts before it sends from there.
    if (early.address === signalled?.address) return early;
    return this.#rank(source.address, source.port) === NOT_ALLOWED ? early : source;
  }

  #confirm(nowMs: number): void {
    this.#isSourceHeard = true;
    this.#heardMs = nowMs;
    this.#packets++;
    if (this.#rules?.isHeld === true) return;
    const isReopened = this.#reopenedUntilMs !== 0;
    const rank = this.#rank(this.sourceAddress, this.sourcePort);
    const isEarly = this.#packets < PACKETS_UNTIL_FINAL || this.#isJustReopened(nowMs);
    if (rank !== 0 && isEarly) return;
    this.isFinal = true;
    this.#reopenedUntilMs = 0;
    if (isReopened) this.#aimAtSource();
  }

  /** True when a source of this rank takes over at its first packet. */
  #yields(rank: number, nowMs: number): boolean {
    if (!this.isLatched) return true;
    const isReopened = this.#reopenedUntilMs !== 0;
    if (isReopened && !this.#isSourceHeard) return true;
    if (isReopened && !this.#isJustReopened(nowMs)) return false;
    return rank < this.#rank(this.sourceAddress, this.sourcePort);
  }

  /**
   * A source of the same rank, heard beside one that is not final yet. Whichever sends 5 packets
   * first wins, so that one stray packet before the phone's own cannot cost the call its audio. One of a
   * worse rank only when the source is silent.
   */
  #challenges(rank: number, address: string, port: number, nowMs: number): boolean {
    const isWorse = rank > this.#rank(this.sourceAddress, this.sourcePort);
    if (isWorse && Math.abs(nowMs - this.#heardMs) < GOES_ON_MS) return false;
    if (port === this.#challengerPort && address === this.#challengerAddress) {
      return ++this.#challengerPackets >= PACKETS_UNTIL_FINAL;
    }
    if (--this.#challengerPackets <= 0) {
      this.#challengerAddress = address;
      this.#challengerPort = port;
      this.#challengerPackets = 1;
    }
    return false;
  }

  #take(address: string, port: number, isPreferred: boolean): void {
    const isMove = this.isLatched;
    const isProven = this.#challengerPackets >= PACKETS_UNTIL_FINAL;
    if (isMove) this.moves++;
    this.sourceAddress = address;
    this.sourcePort = port;
    this.#packets = 1;
    this.#isSourceHeard = true;
    this.#reopenedUntilMs = 0;
    this.isFinal = isPreferred || isProven;
    this.#forgetChallenger();
    this.#aimAtSource();
  }

  /** RTP has moved to another address since RTCP was learnt. */
  #isLeftBehind(): boolean {
    return this.rtp?.isLatched === true && this.rtp.sourceAddress !== this.sourceAddress;
  }

  #rank(address: string, port: number): number {
    const rules = this.#rules;
    if (rules === null) return NOT_ALLOWED;
    if (this.rtp?.isLatched) return address === this.rtp.sourceAddress ? 0 : NOT_ALLOWED;
    if (address === rules.signalled?.address) return port === rules.signalled.port ? 0 : 1;
    if (address === rules.sipSource) return 2;
    return rules.learnsAnySource ? 3 : NOT_ALLOWED;
  }

  #aimAtSource(): void {
    const rules = this.#rules;
    if (rules?.isSignalledTrusted === true && rules.early !== null) return;
    this.#aim({ address: this.sourceAddress, port: this.sourcePort });
  }

  #aim(target: Endpoint | null): void {
    const isNowhere = target === null || this.#rules?.isHeld === true;
    this.targetAddress = isNowhere ? "" : target.address;
    this.targetPort = isNowhere ? 0 : target.port;
  }

  #forgetChallenger(): void {
    this.#challengerAddress = "";
    this.#challengerPort = 0;
    this.#challengerPackets = 0;
  }
}

function sameEndpoint(one: Endpoint | null, other: Endpoint | null): boolean {
  return one?.address === other?.address && one?.port === other?.port;
}
