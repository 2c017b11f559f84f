/**
 * The media of one call: SDP in, SDP out, ports held in between. An offer opens ports and changes
 * nothing else; the first answer that passes opens learning and sending; a failed offer leaves all
 * as it was before. Owned by the table in media-sessions.ts, driven by the side that knows the
 * dialog.
 */
import { isDeepStrictEqual } from "node:util";
import type { SessionDescription } from "../sdp/session-description.ts";
import { DROP } from "./counters.ts";
import { type LegName, type LegSettings, otherLeg } from "./engine.ts";
import {
  type AgreedLine,
  type Exchange,
  formatAnswer,
  formatOffer,
  judgeAnswer,
  type OfferedLine,
  offerLine,
} from "./exchange.ts";
import type { LegKeys } from "./leg-settings.ts";
import type { ByLeg, MediaStream } from "./media-stream.ts";
import { judgeOffer, type LegPolicy, type LiveLine, type RemoteMedia } from "./offer-answer.ts";
import { readDescription } from "./sdp-rewrite.ts";
import {
  addressTowards,
  policyOf,
  type SessionEnds,
  type SessionRules,
  settingsOf,
} from "./session-ends.ts";
import { type SessionSnapshot, type StreamSnapshot, snapshotOf } from "./session-snapshot.ts";
import { type AnswerOrigin, type Pending, SessionStreams } from "./session-streams.ts";

/** Everything a call's media has to know about its two ends. */
export type SessionRequest = SessionEnds & { readonly callId: string; readonly instance: string };

/** 488: this SDP cannot be carried. 503: no port or no room left. */
export type Refused = { readonly ok: false; readonly status: 488 | 503; readonly reason: string };
export type OfferResult = { readonly ok: true; readonly sdp: string } | Refused;
export type AnswerResult =
  | { readonly ok: true; readonly sdp: string }
  | { readonly ok: false; readonly status: 488; readonly reason: string };

/** What a session uses of the table that owns it. */
export type SessionTable = {
  readonly rules: () => SessionRules;
  /** Null = no port left. */
  readonly openStream: (session: MediaSession, type: string) => Promise<MediaStream | null>;
  /** The instance whose call holds this port of ours; null = nobody, or not our address. */
  readonly holderOf: (address: string, port: number) => string | null;
  readonly count: (reason: string) => void;
  readonly ended: (session: MediaSession) => void;
};

/** A call may close and open streams as often as it likes. */
const CLOSED_MAX = 8;

export class MediaSession {
  readonly request: SessionRequest;
  /** The phone has refused SRTP and may be offered RTP: from the next offer. */
  isPlainOutside: boolean;
  readonly #table: SessionTable;
  readonly #full: string | null;
  #signallingAddress: string;
  #isReleased = false;
  #isAnswered = false;
  /** What streams that are closed have counted; the oldest first. */
  readonly #closed: StreamSnapshot[] = [];
  readonly #streams = new SessionStreams();
  /**
   * Counts offers and their failures, so that an offer that was overtaken while opening ports gives
   * up.
   */
  readonly #turns: ByLeg<number> = { outer: 0, inner: 0 };

  /** `full`: why the table has no room for it; every offer is answered 503. */
  constructor(request: SessionRequest, table: SessionTable, full: string | null) {
    this.request = request;
    this.#table = table;
    this.#full = full;
    this.#signallingAddress = request.outer.signallingAddress;
    this.isPlainOutside = request.outer.isPlain;
  }

  /** A final answer has passed, so that silence counts. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** Streams that hold ports. */
  get openStreams(): readonly MediaStream[] {
    return this.#streams.open;
  }

  /** Either side has asked the other to be quiet on some stream. */
  get isOnHold(): boolean {
    return this.#streams.isOnHold;
  }

  /**
   * The body of an offer that came from that side; the result is what goes to the other side. Also
   * for an offer in a response, whose answer comes in the ACK or PRACK.
   */
  async offer(from: LegName, sdp: Uint8Array | string): Promise<OfferResult> {
    if (this.#isReleased) return this.#refuse(503, "media-session-ended");
    if (this.#full !== null) return this.#refuse(503, this.#full);
    const description = readDescription(sdp, this.#table.rules().linesMax);
    if (description === null) return this.#refuse(488, "sdp-malformed");
    const { lines: live, problem } = judgeOffer(description, this.#policy(from));
    const isDead = live.every((line) => line === null);
    if (isDead && !this.#endsAll(description)) return this.#refuse(488, problem);
    if (live.some((line) => line !== null && this.#isLoop(from, line.remote))) {
      return this.#refuse(488, "sdp-names-ourselves");
    }
    const turn = ++this.#turns[from];
    const before = this.#streams.lines;
    const opened = await this.#openMissing(description, live);
    const isOvertaken =
      this.#isReleased || turn !== this.#turns[from] || before !== this.#streams.lines;
    if (opened === null || isOvertaken) {
      for (const stream of opened?.values() ?? []) stream.close();
      return this.#refuse(503, isOvertaken ? "media-offer-overtaken" : "media-no-port");
    }
    return { ok: true, sdp: this.#begin(from, description, live, opened) };
  }

  /**
   * The answer to the pending offer of the other side. May come again: 18x, then 2xx, of one branch
   * (To tag) or several. The latest is live until a final one; further branches after it are only
   * rewritten.
   */
  answer(from: LegName, sdp: Uint8Array | string, o: AnswerOrigin): AnswerResult {
    const exchange = this.#streams.answeredBy(from);
    if (exchange === null) return this.#refuseAnswer("media-no-offer");
    const answer = readDescription(sdp, this.#table.rules().linesMax);
    if (answer === null) return this.#refuseAnswer("sdp-malformed");
    const judged = judgeAnswer(exchange, answer, this.#policy(from));
    const isDead = judged.lines.every((line) => line === null);
    if (isDead && judged.isInsecure) return this.#refuseAnswer("sdp-not-acceptable");
    if (judged.lines.some((line) => line !== null && this.#isLoop(from, line.legs[from].remote))) {
      return this.#refuseAnswer("sdp-names-ourselves");
    }
    const isTooLate = exchange.finalBranch !== null && exchange.finalBranch !== o.branch;
    if (!isTooLate) this.#commit(exchange, judged.lines, o);
    const address = addressTowards(this.request, exchange.from);
    return { ok: true, sdp: formatAnswer(exchange, answer, judged.lines, address) };
  }

  /**
   * The offer was refused: back to the state before it. `from` = who offered; left out = whoever
   * did.
   */
  offerFailed(from?: LegName): void {
    for (const leg of from === undefined ? (["outer", "inner"] as const) : [from]) {
      this.#turns[leg]++;
      this.#streams.failed(leg);
    }
  }

  /** The phone came back from elsewhere: its new address may send, and gets packets early. */
  setSignallingAddress(address: string): void {
    if (address === this.#signallingAddress) return;
    this.#signallingAddress = address;
    for (const stream of this.openStreams) {
      const applied = stream.applied("outer");
      if (applied === null) continue;
      const { inbound, outbound } = applied.settings;
      const settings = this.#settings("outer", applied.remote, { inbound, outbound });
      stream.apply("outer", { ...applied, settings });
    }
  }

  /** Nothing came for too long: the ports go back. A later offer of the dialog opens new ones. */
  giveUpPorts(): void {
    this.#streams.closeAll();
    this.#isAnswered = false;
  }

  /** Ports are free at once, and rest. Idempotent; an offer under way gives up. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#streams.closeAll();
    this.#table.ended(this);
  }

  /** Newest packet of either side on any stream; 0 = none yet. */
  get lastSeenMs(): number {
    return this.look().lastSeenMs;
  }

  /** Beside that: packets of both sides so far; whose were above the ceiling, null = nobody's. */
  look(): {
    readonly lastSeenMs: number;
    readonly packets: number;
    readonly flooding: LegName | null;
  } {
    let lastSeenMs = 0;
    let packets = 0;
    let flooding: LegName | null = null;
    for (const stream of this.#streams.lines) {
      const counters = stream?.counters ?? null;
      if (counters === null) continue;
      for (const leg of ["outer", "inner"] as const) {
        lastSeenMs = Math.max(lastSeenMs, counters[leg].lastSeenMs);
        packets += counters[leg].packets;
        if (counters[leg].drops[DROP.excess]! > 0) flooding ??= leg;
      }
    }
    return { lastSeenMs, packets, flooding };
  }

  snapshot(): SessionSnapshot {
    const { callId, instance } = this.request;
    const open = this.openStreams.flatMap((stream) => snapshotOf(stream) ?? []);
    return { callId, instance, isOnHold: this.isOnHold, streams: [...this.#closed, ...open] };
  }

  /** Told by the table. */
  streamClosed(stream: MediaStream): void {
    const last = stream.applied("outer") === null ? null : snapshotOf(stream);
    if (last === null) return;
    this.#closed.push(last);
    if (this.#closed.length > CLOSED_MAX) this.#closed.shift();
  }

  /** New ports for lines that have none, by m= line. Null = not enough; nothing is held then. */
  async #openMissing(
    description: SessionDescription,
    live: readonly (LiveLine | null)[],
  ): Promise<Map<number, MediaStream> | null> {
    const known = this.#streams.lines;
    const opened = new Map<number, MediaStream>();
    for (const [at, media] of description.media.entries()) {
      if (live[at] === null || known[at]?.isOpen === true) continue;
      const stream = await this.#table.openStream(this, media.type);
      if (stream !== null) {
        opened.set(at, stream);
        continue;
      }
      for (const one of opened.values()) one.close();
      return null;
    }
    return opened;
  }

  /** The exchange is pending from here on; gives the text for the far side. */
  #begin(
    from: LegName,
    offer: SessionDescription,
    live: readonly (LiveLine | null)[],
    opened: ReadonlyMap<number, MediaStream>,
  ): string {
    const leg = otherLeg(from);
    const policy = this.#policy(leg);
    const lines = live.map((line, at): OfferedLine | null => {
      const stream = opened.get(at) ?? this.#streams.lines[at];
      if (line === null || stream === null || stream === undefined) return null;
      return offerLine(line, offer.media[at]!, stream, { leg, policy });
    });
    const exchange: Exchange = { from, offer, lines };
    this.#streams.begin(exchange, [...opened.values()]);
    return formatOffer(exchange, addressTowards(this.request, leg));
  }

  #commit(exchange: Pending, lines: readonly (AgreedLine | null)[], o: AnswerOrigin): void {
    const isTaken = this.#streams.commit(exchange, lines, o, (line, isRepeated) =>
      this.#apply(line, isRepeated),
    );
    if (isTaken && o.final) this.#isAnswered = true;
  }

  /**
   * `isRepeated`: an answer to this offer was applied before; what is the same does not open
   * learning again.
   */
  #apply(line: AgreedLine, isRepeated: boolean): void {
    for (const leg of ["outer", "inner"] as const) {
      const { type } = line;
      const { remote, keys, profile } = line.legs[leg];
      const settings = this.#settings(leg, remote, keys);
      const known = line.stream.applied(leg);
      if (isRepeated && isDeepStrictEqual(known?.settings, settings)) continue;
      line.stream.apply(leg, { settings, remote, type, profile });
    }
  }

  #settings(leg: LegName, remote: RemoteMedia, keys: LegKeys): LegSettings {
    const { request } = this;
    const outer = { ...request.outer, signallingAddress: this.#signallingAddress };
    const rules = this.#table.rules();
    const isHairpin = this.#holderOf(remote) === request.instance;
    return settingsOf({ ...request, outer }, leg, remote, { keys, rules, isHairpin });
  }

  #policy(leg: LegName): LegPolicy {
    return policyOf(this.request, leg, this.isPlainOutside);
  }

  /** Within a call all streams may be given up (RFC 3264 §8.2); a call that begins so is none. */
  #endsAll({ media }: SessionDescription): boolean {
    return this.#isAnswered && media.length > 0 && media.every(({ port }) => port === 0);
  }

  /** A phone that names a port of ours would make us send to ourselves. */
  #isLoop(leg: LegName, remote: RemoteMedia): boolean {
    return leg === "outer" && this.#holderOf(remote) !== null;
  }

  #holderOf(remote: RemoteMedia): string | null {
    if (remote.address === null) return null;
    return this.#table.holderOf(remote.address, remote.rtpPort);
  }

  #refuse(status: 488 | 503, reason: string): Refused {
    this.#table.count(reason);
    return { ok: false, status, reason };
  }

  #refuseAnswer(reason: string): AnswerResult {
    this.#table.count(reason);
    return { ok: false, status: 488, reason };
  }
}
