/**
 * Where a request to an instance goes, and where next when that comes to nothing (RFC 3263 §4.3): the
 * transport fails, nothing at all comes back in time, or the answer is 503. Within a dialog there is one
 * target only, the one that has the dialog.
 */
import { canonicalAddress } from "../config/address-class.ts";
import type { Timer } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";
import { formatMessage } from "../sip/format-message.ts";
import type { Headers } from "../sip/headers.ts";
import { DEFAULT_SIP_PORT } from "../sip/locate.ts";
import type { SipRequest, SipResponse } from "../sip/message.ts";
import { tagOf } from "../sip/name-addr.ts";
import type { BranchId, ResponseContext, ResponseOrigin } from "../sip/response-context.ts";
import { isSipUri, parseSipUri } from "../sip/uri.ts";
import { plainHost } from "./addresses.ts";
import type { Call } from "./calls.ts";
import { type Core, internalError } from "./core.ts";
import type { Instance } from "./instances.ts";
import type { Target } from "./targets.ts";

/** What our Via adds to a request on its way out. */
const VIA_BYTES = 120;

/** There is no way to any target; `message` is one clear line. */
export class NoWayOn extends Error {
  override readonly name = "NoWayOn";
}

type Try = { readonly branch: BranchId; readonly target: Target; readonly flow: Flow };

/**
 * The targets for a request, in order; more than one only outside dialogs. All share our address towards the
 * first, which the request and its SDP name; a REGISTER may go to the other family too. Empty = there is no way to this instance.
 */
export function targetsFor(
  instance: Instance,
  request: SipRequest,
  call: Call | null,
): readonly Target[] {
  if (request.method !== "REGISTER" && tagOf(request.headers.get("to") ?? "") !== undefined) {
    const own = targetOfDialog(instance, request, call);
    if (own !== null) return [own];
  }
  const order = instance.targets.inOrder(request.headers.get("call-id") ?? "");
  // Its Path is written anew for each.
  if (request.method === "REGISTER") return order;
  return order.filter(({ insideAddress }) => insideAddress === order[0]?.insideAddress);
}

/** The one that has sent or answered the INVITE; else the one that the dialog's remote target names. */
function targetOfDialog(instance: Instance, request: SipRequest, call: Call | null): Target | null {
  const { targets } = instance;
  const known = call?.target ?? null;
  if (known !== null) return targets.at(known.address, known.port) ?? null;
  if (!isSipUri(request.uri)) return null;
  const { host, port } = parseSipUri(request.uri);
  return targets.at(canonicalAddress(plainHost(host)), port ?? DEFAULT_SIP_PORT) ?? null;
}

export class Attempts {
  readonly #core: Core;
  readonly #instance: Instance;
  readonly #left: Target[];
  readonly #request: (target: Target) => SipRequest;
  #context: ResponseContext | null = null;
  #current: Try | null = null;
  readonly #tried = new Map<BranchId, Target>();
  #answeredBy: Target | null = null;
  #timer: Timer | null = null;
  /** Something came back, so that the request is being dealt with. */
  #isHeard = false;
  #lastReason = "no address";

  /** `request` gives what goes to a target. */
  constructor(
    core: Core,
    instance: Instance,
    targets: readonly Target[],
    request: (target: Target) => SipRequest,
  ) {
    this.#core = core;
    this.#instance = instance;
    this.#left = [...targets];
    this.#request = request;
    if (targets.length === 0) this.#lastReason = instance.reason ?? "no address";
  }

  /** The target whose response came last. */
  get answeredBy(): Target | null {
    return this.#answeredBy;
  }

  /** Sends to the first target there is a way to; rejects with the last reason when there is none. */
  async start(context: ResponseContext): Promise<void> {
    this.#context = context;
    if (!(await this.#next())) throw new NoWayOn(this.#lastReason);
  }

  /** Once more to the same target, as `request` gives it now. */
  again(): void {
    if (this.#current !== null) this.#send(this.#current.target, this.#current.flow);
  }

  /**
   * What a response means for its target. null: it is for the sender. Else whether another target has the
   * request now.
   */
  judge(response: SipResponse, branch: BranchId, origin: ResponseOrigin): Promise<boolean> | null {
    const current = this.#current;
    if (origin === "received") this.#answeredBy = this.#tried.get(branch) ?? null;
    else if (response.status === 503) response.headers.set("retry-after", "10");
    // A 2xx of one that was given up still counts for the sender.
    if (current === null || current.branch !== branch) return null;
    this.stop();
    if (origin === "received") this.#received(current.target, response);
    else if (this.#isHeard) return null;
    else if (this.#wasLarge(current)) this.#left.unshift(current.target);
    else this.#core.instances.failed(this.#instance, current.target, reasonOf(origin));
    // Who has a 100 and no answer waits for it; who has nothing was given up long before (#silent).
    const isOver = origin === "timeout" || (origin === "received" && response.status !== 503);
    if (response.status < 200) this.#isHeard = true;
    if (isOver || this.#isHeard || this.#left.length === 0) return null;
    this.#core.count("next-target");
    return this.#next();
  }

  /** Nobody has answered, and the sender is not told either (RFC 4320). */
  unanswered(): void {
    if (this.#current === null || this.#isHeard) return;
    this.#core.instances.failed(this.#instance, this.#current.target, reasonOf("timeout"));
  }

  /** Waits no longer. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  async #next(): Promise<boolean> {
    for (let target = this.#left.shift(); target !== undefined; target = this.#left.shift()) {
      const flow = await this.#flowTo(target);
      if (flow === null) continue;
      this.#send(target, flow);
      return true;
    }
    return false;
  }

  /** null: there is none, which is noted. */
  async #flowTo(target: Target): Promise<Flow | null> {
    const mayGrow = target !== this.#current?.target;
    const bytes = mayGrow ? sizeFor(this.#instance, this.#request(target)) : 0;
    try {
      return await this.#core.inner.flowTo(this.#instance, target, bytes);
    } catch (error) {
      this.#lastReason = error instanceof Error ? error.message : String(error);
      this.#core.instances.failed(this.#instance, target, this.#lastReason);
      return null;
    }
  }

  #send(target: Target, flow: Flow): void {
    const context = this.#context;
    if (context === null) return;
    const branch = context.forward(this.#request(target), flow);
    this.#current = { branch, target, flow };
    this.#tried.set(branch, target);
    this.stop();
    // The usual case, one target that is well, has the time that RFC 3261 gives it.
    const isUrgent = this.#left.length > 0 || target.reachable === false;
    if (!isUrgent || !context.isSilent(branch)) return;
    const patienceMs = this.#core.limits().nextTargetTimeout * 1000;
    this.#timer = this.#core.clock.after(patienceMs, () => this.#giveUp(context, branch));
  }

  #giveUp(context: ResponseContext, branch: BranchId): void {
    const current = this.#current;
    if (current?.branch !== branch || !context.isSilent(branch)) return;
    this.#silent(context, current).catch((error: unknown) =>
      internalError(this.#core, this.#request(current.target), error),
    );
  }

  async #silent(context: ResponseContext, { branch, target }: Try): Promise<void> {
    this.#core.instances.failed(this.#instance, target, reasonOf("timeout"));
    if (this.#left.length > 0) this.#core.count("next-target");
    const hasNext = await this.#next();
    context.abandon(branch, !hasNext);
  }

  #received(target: Target, response: SipResponse): void {
    this.#core.instances.answered(this.#instance, target);
    if (response.status !== 503) return;
    this.#core.instances.busy(target, retryAfter(response.headers));
  }

  /** It went by TCP for its size only: then UDP is tried (RFC 3261 §18.1.1). */
  #wasLarge({ flow }: Try): boolean {
    return flow.transport !== "udp" && this.#instance.config.sip.transport === "udp";
  }
}

function reasonOf(origin: "timeout" | "transport" | "received"): string {
  return origin === "transport" ? "the connection broke" : "no answer";
}

/** Bytes that will leave us; 0 where the instance takes messages of any size by the transport it has. */
export function sizeFor(instance: Instance, request: SipRequest): number {
  if (!instance.config.sip.largeOverTcp) return 0;
  return formatMessage(request).length + VIA_BYTES;
}

/** Seconds, as an instance that is busy says; a comment and parameters may follow (RFC 3261 §20.33). */
export function retryAfter(headers: Headers): number | null {
  const text = /^\s*(\d{1,9})/.exec(headers.get("retry-after") ?? "")?.[1];
  return text === undefined ? null : Number(text);
}
