/**
 * The calls of one proxy: the only place where a SIP dialog meets a media session. A call begins with its
 * INVITE, holds one dialog for each 2xx (forks), and ends with the last BYE, with a failed INVITE, or when
 * a dialog proves dead. Whatever ends it gives its ports back.
 *
 * A call is found by instance, Call-ID, the caller's tag, the side the caller is on, and its phone: through
 * an instance that forwards (rather than answers and calls anew) one Call-ID passes us twice, once from each
 * side, and when it forks, once to each phone. A phone that borrows another's Call-ID gets a call of its own.
 */
import type { Clock, Endpoint, Log } from "../io/types.ts";
import type { LegName } from "../media/engine.ts";
import type { MediaSession, SessionRequest } from "../media/media-session.ts";
import type { MediaSessions } from "../media/media-sessions.ts";
import type { FlowTarget } from "../sip/flow-token.ts";
import type { SipRequest } from "../sip/message.ts";
import { tagOf } from "../sip/name-addr.ts";
import { type CallHistory, logFieldsOf } from "./call-history.ts";
import { aorOf } from "./registration.ts";

export type Call = {
  readonly key: string;
  readonly callId: string;
  readonly callerSide: LegName;
  /** From tag of its INVITE. */
  readonly callerTag: string;
  readonly instance: string;
  /** user@host; null = not known since a restart. */
  readonly from: string | null;
  readonly to: string | null;
  /** How the phone is reached, for requests that come without a token. */
  readonly phone: FlowTarget;
  /** Where the phone has spoken from since, when its token cannot say it. */
  movedTo: FlowTarget | null;
  /** The connection it began on, which outlives a registration that ends meanwhile. */
  begunOn: string | null;
  /** Where inside its dialogs are: the target that sent or answered the INVITE; null = not known yet. */
  target: Endpoint | null;
  /** What a media session for this call would be made of. */
  readonly sessionRequest: SessionRequest;
  session: MediaSession | null;
  /** To tags of the dialogs that a 2xx made. */
  readonly established: Set<string>;
  /** An offer that came in a response: its answer comes in the ACK or PRACK of this side. */
  answerExpectedFrom: LegName | null;
  readonly begunAtMs: number;
  /** Its first 2xx; null = none yet. */
  answeredAtMs: number | null;
  touchedAtMs: number;
};

/** Without any SIP for a day a dialog is taken for dead; endpoints that live refresh theirs. */
const IDLE_MS = 24 * 3600 * 1000;
/** How often a restart is told that it lives. */
const TOUCH_MS = 3600 * 1000;

type NewCall = Pick<
  Call,
  "callId" | "callerSide" | "callerTag" | "instance" | "from" | "to" | "phone" | "sessionRequest"
>;

/** Of one instance; an INVITE that still rings counts as one dialog. */
export type CallFigures = { readonly sessions: number; readonly dialogs: number };

const CHALLENGED = /^not-established-40[17]$/;

export class Calls {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #media: MediaSessions;
  readonly history: CallHistory;
  readonly #maximum: () => number;
  readonly #ended: (call: Call) => void;
  readonly #changed: (call: Call) => void;
  /** Mostly one call a key; one for each phone. */
  readonly #byKey = new Map<string, Call[]>();
  #size = 0;

  constructor(o: {
    readonly clock: Clock;
    readonly log: Log;
    readonly media: MediaSessions;
    readonly history: CallHistory;
    readonly maximum: () => number;
    readonly ended: (call: Call) => void;
    /** What has to outlive a restart: it is established, moved or gone. */
    readonly changed: (call: Call) => void;
  }) {
    this.#clock = o.clock;
    this.#log = o.log;
    this.#media = o.media;
    this.history = o.history;
    this.#maximum = o.maximum;
    this.#ended = o.ended;
    this.#changed = o.changed;
  }

  /** Of each instance that has any, in one look at all of them: there may be tens of thousands. */
  get figures(): ReadonlyMap<string, CallFigures> {
    const figures = new Map<string, { sessions: number; dialogs: number }>();
    for (const beside of this.#byKey.values()) {
      for (const { instance, established } of beside) {
        const one = figures.get(instance) ?? { sessions: 0, dialogs: 0 };
        one.sessions += 1;
        one.dialogs += Math.max(1, established.size);
        figures.set(instance, one);
      }
    }
    return figures;
  }

  get isFull(): boolean {
    return this.#size >= this.#maximum();
  }

  /** How many phones this INVITE has been sent to so far (RFC 5393 §5: breadth has a bound). */
  forksOf(request: SipRequest, callerSide: LegName, instance: string): number {
    const callId = request.headers.get("call-id") ?? "";
    const fromTag = tagOf(request.headers.get("from") ?? "") ?? "";
    return this.#byKey.get(keyOf(instance, callId, callerSide, fromTag))?.length ?? 0;
  }

  /** For an INVITE of no call we know. A second one of the same call (after 401) goes on with it. */
  begin(
    request: SipRequest,
    callerSide: LegName,
    o: Pick<Call, "instance" | "phone" | "sessionRequest">,
  ): Call {
    const callId = request.headers.get("call-id") ?? "";
    const callerTag = tagOf(request.headers.get("from") ?? "") ?? "";
    const [from, to] = [userOf(request, "from"), userOf(request, "to")];
    return this.#begin({ callId, callerSide, callerTag, from, to, ...o });
  }

  /** One that the last process knew; null: full, or long dead. Its media comes back with its next offer. */
  restore(
    o: Omit<NewCall, "from" | "to"> &
      Pick<Call, "movedTo" | "target" | "touchedAtMs"> & {
        readonly established: readonly string[];
      },
  ): Call | null {
    const { movedTo, target, touchedAtMs, established, ...known } = o;
    if (this.isFull || touchedAtMs < this.#clock.now() - IDLE_MS) return null;
    const call = this.#begin({ ...known, from: null, to: null });
    Object.assign(call, { movedTo, target, touchedAtMs });
    for (const tag of established) this.established(call, tag);
    return call;
  }

  #begin(o: NewCall): Call {
    const key = keyOf(o.instance, o.callId, o.callerSide, o.callerTag);
    const beside = this.#byKey.get(key) ?? [];
    const known = beside.find((one) => isSamePhone(one.phone, o.phone));
    if (known !== undefined) return known;
    const call: Call = {
      key,
      ...o,
      session: null,
      target: null,
      established: new Set(),
      answerExpectedFrom: null,
      movedTo: null,
      begunOn: null,
      begunAtMs: this.#clock.now(),
      answeredAtMs: null,
      touchedAtMs: this.#clock.now(),
    };
    this.#byKey.set(key, [...beside, call]);
    this.#size++;
    return call;
  }

  /**
   * The call of a request that came from `side`. Another instance's call is never found, nor by an INVITE
   * that begins one (no To tag) another phone's. Within a dialog the phone may have come back as somebody
   * else (another flow), so there the tags decide where the phone does not.
   */
  find(
    request: SipRequest,
    side: LegName,
    instance: string,
    phone: FlowTarget | null,
  ): Call | null {
    const callId = request.headers.get("call-id") ?? "";
    const fromTag = tagOf(request.headers.get("from") ?? "") ?? "";
    const toTag = tagOf(request.headers.get("to") ?? "");
    const calls =
      this.#byKey.get(keyOf(instance, callId, side, fromTag)) ??
      this.#byKey.get(keyOf(instance, callId, side === "outer" ? "inner" : "outer", toTag ?? "")) ??
      [];
    const ofPhone = phone && calls.find((one) => isSamePhone(one.phone, phone));
    const ofTag = calls.find((one) =>
      [fromTag, toTag].some((tag) => one.established.has(tag ?? "")),
    );
    // Half of the tags is enough for an early dialog only, whose To tag is not known here.
    const early = (): Call | undefined => calls.find((one) => one.established.size === 0);
    const call = ofPhone ?? (toTag === undefined ? undefined : (ofTag ?? early()));
    if (call === undefined) return null;
    this.#touch(call);
    return call;
  }

  #touch(call: Call): void {
    const before = call.touchedAtMs;
    call.touchedAtMs = this.#clock.now();
    const isNewHour = Math.floor(before / TOUCH_MS) !== Math.floor(call.touchedAtMs / TOUCH_MS);
    if (isNewHour && call.established.size > 0) this.#changed(call);
  }

  /** A 2xx has made a dialog of it. */
  established(call: Call, toTag: string): void {
    call.established.add(toTag);
    call.answeredAtMs ??= this.#clock.now();
    this.#changed(call);
  }

  /** Its phone has spoken from somewhere else. */
  moved(call: Call, phone: FlowTarget): void {
    call.movedTo = phone;
    this.#changed(call);
  }

  /** The call's media session, made when the first SDP passes; null = the call has ended. */
  session(call: Call): MediaSession | null {
    if (!this.isAlive(call)) return null;
    call.session ??= this.#media.create(call.sessionRequest);
    return call.session;
  }

  /** False once it has ended, though a late response of its may still come. */
  isAlive(call: Call): boolean {
    return this.#byKey.get(call.key)?.includes(call) ?? false;
  }

  /**
   * A BYE was answered, or a request proved the dialog dead; the call ends with its last dialog. Before
   * the first 2xx its INVITE decides: a BYE may end one of several early dialogs (RFC 3261 §15).
   */
  dialogEnded(call: Call, request: SipRequest, reason: string): void {
    if (call.established.size === 0) return;
    const tags = [request.headers.get("from"), request.headers.get("to")];
    for (const tag of tags) call.established.delete(tagOf(tag ?? "") ?? "");
    if (call.established.size === 0) this.end(call, reason);
    else this.#changed(call);
  }

  /** Idempotent. */
  end(call: Call, reason: string): void {
    const beside = this.#byKey.get(call.key)?.filter((one) => one !== call) ?? [];
    if (!this.isAlive(call)) return;
    if (beside.length === 0) this.#byKey.delete(call.key);
    else this.#byKey.set(call.key, beside);
    this.#size--;
    call.session?.release();
    const report = this.history.ended(call, reason);
    call.session = null;
    this.#ended(call);
    this.#changed(call);
    const figures = report === null ? {} : logFieldsOf(report);
    const { instance, callId } = call;
    const fields = { instance, callId, reason, ...figures };
    // Each call of most phones begins with a challenge, and nobody has to read of that at night.
    if (CHALLENGED.test(reason)) this.#log.debug("call-ended", fields);
    else this.#log.info("call-ended", fields);
  }

  /** Forgets dialogs that nobody has touched for a day. */
  sweep(): void {
    const before = this.#clock.now() - IDLE_MS;
    for (const call of this.#all()) {
      if (call.touchedAtMs < before) this.end(call, "idle");
    }
  }

  /** Ends the calls of instances that are not among these. */
  endOthers(instances: ReadonlySet<string>): void {
    for (const call of this.#all()) {
      if (!instances.has(call.instance)) this.end(call, "instance-removed");
    }
  }

  endAll(reason: string): void {
    for (const call of this.#all()) this.end(call, reason);
  }

  get all(): Iterable<Call> {
    return this.#all();
  }

  #all(): Call[] {
    return [...this.#byKey.values()].flat();
  }
}

export function isSamePhone(left: FlowTarget, right: FlowTarget): boolean {
  if (left.kind !== right.kind || left.id !== right.id) return false;
  if (left.kind === "binding") return true;
  return left.udp?.address === right.udp?.address && left.udp?.port === right.udp?.port;
}

/** Null = nobody that can be told. */
function userOf({ headers }: SipRequest, name: "from" | "to"): string | null {
  try {
    return aorOf(headers.get(name) ?? "");
  } catch {
    return null;
  }
}

function keyOf(instance: string, callId: string, callerSide: LegName, callerTag: string): string {
  return `${instance}\0${callId}\0${callerSide}\0${callerTag}`;
}
