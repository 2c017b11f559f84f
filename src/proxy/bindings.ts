/**
 * Which phone sits behind which token: one binding for each Contact an instance has accepted (RFC 3261
 * §10, RFC 3327). Made only after the instance's 2xx; Pequod is no registrar and decides nothing here.
 * A phone that comes back over another connection keeps its binding, hence its token.
 */
import { createHash } from "node:crypto";
import type { Clock, Endpoint } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";
import { isSipUri, parseSipUri } from "../sip/uri.ts";
import { ownerOf } from "./phone-contact.ts";

export type Binding = {
  /** 16 hex digits, the same for the same phone over restarts. */
  readonly id: string;
  readonly instance: string;
  /** user@domain, lower case. */
  readonly aor: string;
  /** Of its REGISTERs: the same for one phone until it is switched off (RFC 3261 §10.2). */
  callId: string;
  /** What tells the phone from another with the same Contact; 8 hex digits. @see ownerOf */
  owner: string;
  /** The Contact URI as the phone wrote it. */
  contactUri: string;
  /** The Contact URI that stands in the instance's location table for it. */
  insideUri: string;
  /** Where the phone was last seen. A stream flow may have closed since. */
  flow: Flow;
  expiresAtMs: number;
  /** It has refused SRTP and taken RTP. */
  speaksPlain: boolean;
};

/** What a REGISTER tells of a phone. */
export type FreshBinding = Omit<Binding, "expiresAtMs" | "speaksPlain">;

/** The instance may keep a registration a little longer than it says (clocks, retransmissions). */
const GRACE_MS = 10_000;
/** Tokens of a phone's earlier connections that go on leading to it. */
const EARLIER_KEPT = 4;

/**
 * The same phone gives the same id: by its instance id where it has one (RFC 5626 §4.1), else by its owner
 * and the Contact URI without its parameters.
 */
export function bindingId(instance: string, aor: string, phone: string): string {
  const hash = createHash("sha256").update(`${instance.toLowerCase()}\0${aor}\0${phone}`);
  return hash.digest("hex").slice(0, 16);
}

export class Bindings {
  readonly #clock: Clock;
  readonly #maximum: () => number;
  readonly #count: (reason: string) => void;
  readonly #attached: (flow: Flow) => void;
  readonly #moved: (address: string, by: 1 | -1) => void;
  readonly #changed: (id: string) => void;
  readonly #byId = new Map<string, Binding>();
  readonly #byFlow = new Map<string, Set<Binding>>();
  readonly #byAor = new Map<string, Set<Binding>>();
  readonly #byOwner = new Map<string, Set<Binding>>();

  constructor(o: {
    readonly clock: Clock;
    readonly maximum: () => number;
    readonly count: (reason: string) => void;
    /** A phone is reached over this flow from now on. */
    readonly attached: (flow: Flow) => void;
    /** One phone more, or less, stands behind an address. */
    readonly moved: (address: string, by: 1 | -1) => void;
    /** It came, goes on, is elsewhere or is gone: what has to outlive a restart. */
    readonly changed: (id: string) => void;
  }) {
    this.#clock = o.clock;
    this.#maximum = o.maximum;
    this.#count = o.count;
    this.#attached = o.attached;
    this.#moved = o.moved;
    this.#changed = o.changed;
  }

  get ids(): Iterable<string> {
    return this.#byId.keys();
  }

  /** One that the last process knew. False when it has expired or the table is full. */
  restore(binding: Binding): boolean {
    if (binding.expiresAtMs <= this.#clock.now() || this.#byId.has(binding.id)) return false;
    if (this.#byId.size >= this.#maximum()) return false;
    this.#add(binding);
    return true;
  }

  /** Flows to registered phones: all, and of each instance that has any, in one look at them. */
  get flows(): { readonly all: number; readonly of: ReadonlyMap<string, number> } {
    const of = new Map<string, number>();
    let all = 0;
    for (const bindings of this.#byFlow.values()) {
      // A flow is open for all its bindings or for none; nearly always there is one, and no copy is made of it.
      const [first] = bindings;
      if (first?.flow.isOpen !== true) continue;
      all++;
      const names =
        bindings.size === 1
          ? [first.instance]
          : new Set([...bindings].map(({ instance }) => instance));
      for (const name of names) of.set(name, (of.get(name) ?? 0) + 1);
    }
    return { all, of };
  }

  /** null when unknown or expired. */
  get(id: string): Binding | null {
    const binding = this.#byId.get(id);
    if (binding === undefined) return null;
    if (binding.expiresAtMs > this.#clock.now()) return binding;
    this.remove(id);
    return null;
  }

  /**
   * Call only after the instance answered 2xx. False when the table is full. `inherits` false: the phone has
   * an instance id, and each of its flows (reg-id, RFC 5626 §4.2) stands for itself.
   */
  accept(fresh: FreshBinding, expiresSeconds: number, inherits = true): boolean {
    const expiresAtMs = this.#clock.now() + expiresSeconds * 1000 + GRACE_MS;
    const known = this.#byId.get(fresh.id);
    if (known !== undefined) {
      this.#detach(known);
      Object.assign(known, { ...fresh, expiresAtMs });
      this.#attach(known);
      if (inherits) this.#succeed(known);
      return true;
    }
    if (this.#byId.size >= this.#maximum() && this.sweep() === 0) {
      this.#count("bindings-full");
      return false;
    }
    const binding = { ...fresh, expiresAtMs, speaksPlain: false };
    this.#add(binding);
    if (inherits) this.#succeed(binding);
    return true;
  }

  /** The phone is there now. Call only after the instance answered 2xx to what came over this flow. */
  rebind(binding: Binding, flow: Flow): void {
    this.#detach(binding);
    binding.flow = flow;
    this.#attach(binding);
  }

  /** How the phone takes its media. */
  learnMedia(id: string, speaksPlain: boolean): void {
    const binding = this.#byId.get(id);
    if (binding === undefined || binding.speaksPlain === speaksPlain) return;
    binding.speaksPlain = speaksPlain;
    this.#changed(id);
  }

  remove(id: string): void {
    const binding = this.#byId.get(id);
    if (binding === undefined) return;
    this.#byId.delete(id);
    removeFrom(this.#byAor, aorKey(binding), binding);
    this.#detach(binding);
    this.#changed(id);
  }

  /** `Contact: *` with expires 0 (RFC 3261 §10.2.2). */
  removeAor(instance: string, aor: string): void {
    for (const { id } of this.#byAor.get(aorKey({ instance, aor })) ?? []) this.remove(id);
  }

  /** Forgets the phones of instances that are not among these. */
  removeOthers(instances: ReadonlySet<string>): void {
    for (const binding of this.#byId.values()) {
      if (!instances.has(binding.instance)) this.remove(binding.id);
    }
  }

  /** Cheaper than onFlow(): asked for each message. */
  isOnFlow(flowId: string): boolean {
    const now = this.#clock.now();
    for (const { expiresAtMs } of this.#byFlow.get(flowId) ?? []) {
      if (expiresAtMs > now) return true;
    }
    return false;
  }

  /** The bindings of one flow: usually one, more where a phone has several lines. */
  onFlow(flowId: string): readonly Binding[] {
    const now = this.#clock.now();
    return [...(this.#byFlow.get(flowId) ?? [])].filter((binding) => binding.expiresAtMs > now);
  }

  /**
   * Whose Contact this is, for a phone without instance id. Two homes may show the same private address, so
   * the Contact does not say. The same Call-ID does (RFC 3261 §10.2: one for all registrations of a phone
   * until it is switched off). After a reboot it is the same phone when it comes from where it was: over
   * UDP address and port, over a connection the address of one that has closed since. Where both could be,
   * it is taken for another phone: a contact too many rings in vain until it expires, one too few not at all.
   */
  ownerOf(o: {
    readonly instance: string;
    readonly aor: string;
    readonly contactUri: string;
    readonly callId: string;
    readonly flow: Flow;
  }): string {
    for (const known of this.#byAor.get(aorKey(o)) ?? []) {
      if (!isSamePlace(known.contactUri, o.contactUri)) continue;
      if (known.callId === o.callId || cameBack(known.flow, o.flow)) return known.owner;
    }
    return ownerOf(o.callId);
  }

  /** Contacts of the phone that its new connection has left without a way to it. */
  leftBehind(o: Pick<Binding, "instance" | "aor" | "callId">): readonly Binding[] {
    return [...(this.#byAor.get(aorKey(o)) ?? [])].filter(
      (one) => one.callId === o.callId && !one.flow.isOpen,
    );
  }

  /** The phones of an instance whose Contact carries this owner. */
  ofOwner(instance: string, owner: string): readonly Binding[] {
    return [...(this.#byOwner.get(ownerKey({ instance, owner })) ?? [])];
  }

  /** Forgets what has expired; returns how many. */
  sweep(): number {
    const now = this.#clock.now();
    let gone = 0;
    for (const binding of this.#byId.values()) {
      if (binding.expiresAtMs > now) continue;
      this.remove(binding.id);
      gone++;
    }
    return gone;
  }

  /**
   * A phone without instance id that reconnects shows a new Contact where its port is the connection's own.
   * Its earlier tokens, which a call or the instance still holds, then lead to the new connection and live
   * as long as the phone is registered; the last few of them.
   */
  #succeed(fresh: Binding): void {
    const earlier = [...(this.#byAor.get(aorKey(fresh)) ?? [])].filter(
      (old) =>
        old !== fresh &&
        old.callId === fresh.callId &&
        (old.flow.id === fresh.flow.id || !old.flow.isOpen),
    );
    for (const old of earlier.splice(0, earlier.length - EARLIER_KEPT)) this.remove(old.id);
    for (const old of earlier) {
      this.#detach(old);
      fresh.speaksPlain ||= old.speaksPlain;
      old.flow = fresh.flow;
      old.contactUri = fresh.contactUri;
      old.expiresAtMs = fresh.expiresAtMs;
      this.#attach(old);
    }
  }

  #add(binding: Binding): void {
    this.#byId.set(binding.id, binding);
    addTo(this.#byAor, aorKey(binding), binding);
    this.#attach(binding);
  }

  #attach(binding: Binding): void {
    addTo(this.#byFlow, binding.flow.id, binding);
    if (binding.flow.isOpen) this.#attached(binding.flow);
    this.#changed(binding.id);
    this.#moved(binding.flow.remote.address, 1);
    addTo(this.#byOwner, ownerKey(binding), binding);
  }

  #detach(binding: Binding): void {
    removeFrom(this.#byFlow, binding.flow.id, binding);
    this.#moved(binding.flow.remote.address, -1);
    removeFrom(this.#byOwner, ownerKey(binding), binding);
  }
}

function aorKey({ instance, aor }: Pick<Binding, "instance" | "aor">): string {
  return `${instance}\0${aor}`;
}

function ownerKey({ instance, owner }: Pick<Binding, "instance" | "owner">): string {
  return `${instance}\0${owner}`;
}

function cameBack(before: Flow, now: Flow): boolean {
  if (before.id === now.id) return true;
  if (before.transport === "udp" || before.isOpen) return false;
  return before.remote.address === now.remote.address;
}

/** User, host and port; parameters may differ. */
export function isSamePlace(left: string, right: string): boolean {
  if (left === right) return true;
  if (!isSipUri(left) || !isSipUri(right)) return false;
  const [a, b] = [parseSipUri(left), parseSipUri(right)];
  return a.user === b.user && a.host === b.host && a.port === b.port;
}

function addTo(index: Map<string, Set<Binding>>, key: string, binding: Binding): void {
  const set = index.get(key);
  if (set === undefined) index.set(key, new Set([binding]));
  else set.add(binding);
}

function removeFrom(index: Map<string, Set<Binding>>, key: string, binding: Binding): void {
  const set = index.get(key);
  set?.delete(binding);
  if (set?.size === 0) index.delete(key);
}

/** `udp:` flows have no connection: the phone's address is its identity. */
export function udpFlowId(remote: Endpoint): string {
  return `udp:${remote.address}:${remote.port}`;
}
