/**
 * Which phone sits behind which token: one binding for each Contact an instance has accepted (RFC 3261
 * §10, RFC 3327). Made only after the instance's 2xx; Pequod is no registrar and decides nothing here.
 * A phone that comes back over another connection keeps its binding, hence its token.
 */
import { createHash } from "node:crypto";
import type { Clock, Endpoint } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";

export type Binding = {
  /** 16 hex digits, the same for the same phone over restarts. */
  readonly id: string;
  readonly instance: string;
  /** user@domain, lower case. */
  readonly aor: string;
  /** The Contact URI as the phone wrote it. */
  contactUri: string;
  /** Where the phone was last seen. A stream flow may have closed since. */
  flow: Flow;
  expiresAtMs: number;
};

/** The instance may keep a registration a little longer than it says (clocks, retransmissions). */
const GRACE_MS = 10_000;

/**
 * The same phone gives the same id: by its instance id where it has one (RFC 5626 §4.1), else by the
 * Contact URI without its parameters.
 */
export function bindingId(instance: string, aor: string, phone: string): string {
  const hash = createHash("sha256").update(`${instance.toLowerCase()}\0${aor}\0${phone}`);
  return hash.digest("hex").slice(0, 16);
}

export class Bindings {
  readonly #clock: Clock;
  readonly #maximum: () => number;
  readonly #count: (reason: string) => void;
  readonly #byId = new Map<string, Binding>();
  readonly #byFlow = new Map<string, Set<Binding>>();

  constructor(o: {
    readonly clock: Clock;
    readonly maximum: () => number;
    readonly count: (reason: string) => void;
  }) {
    this.#clock = o.clock;
    this.#maximum = o.maximum;
    this.#count = o.count;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** null when unknown or expired. */
  get(id: string): Binding | null {
    const binding = this.#byId.get(id);
    if (binding === undefined) return null;
    if (binding.expiresAtMs > this.#clock.now()) return binding;
    this.remove(id);
    return null;
  }

  /** Call only after the instance answered 2xx. False when the table is full. */
  accept(fresh: Omit<Binding, "expiresAtMs">, expiresSeconds: number): boolean {
    const expiresAtMs = this.#clock.now() + expiresSeconds * 1000 + GRACE_MS;
    const known = this.#byId.get(fresh.id);
    if (known !== undefined) {
      this.#detach(known);
      known.contactUri = fresh.contactUri;
      known.flow = fresh.flow;
      known.expiresAtMs = expiresAtMs;
      this.#attach(known);
      return true;
    }
    if (this.#byId.size >= this.#maximum() && this.sweep() === 0) {
      this.#count("bindings-full");
      return false;
    }
    const binding = { ...fresh, expiresAtMs };
    this.#byId.set(binding.id, binding);
    this.#attach(binding);
    return true;
  }

  remove(id: string): void {
    const binding = this.#byId.get(id);
    if (binding === undefined) return;
    this.#byId.delete(id);
    this.#detach(binding);
  }

  /** `Contact: *` with expires 0 (RFC 3261 §10.2.2). */
  removeAor(instance: string, aor: string): void {
    for (const binding of this.#byId.values()) {
      if (binding.instance === instance && binding.aor === aor) this.remove(binding.id);
    }
  }

  /** Forgets the phones of instances that are not among these. */
  removeOthers(instances: ReadonlySet<string>): void {
    for (const binding of this.#byId.values()) {
      if (!instances.has(binding.instance)) this.remove(binding.id);
    }
  }

  /** The bindings of one flow: usually one, more where a phone has several lines. */
  onFlow(flowId: string): readonly Binding[] {
    const now = this.#clock.now();
    return [...(this.#byFlow.get(flowId) ?? [])].filter((binding) => binding.expiresAtMs > now);
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

  countOf(instance: string): number {
    let count = 0;
    for (const binding of this.#byId.values()) if (binding.instance === instance) count++;
    return count;
  }

  #attach(binding: Binding): void {
    const set = this.#byFlow.get(binding.flow.id);
    if (set === undefined) this.#byFlow.set(binding.flow.id, new Set([binding]));
    else set.add(binding);
  }

  #detach(binding: Binding): void {
    const set = this.#byFlow.get(binding.flow.id);
    set?.delete(binding);
    if (set?.size === 0) this.#byFlow.delete(binding.flow.id);
  }
}

/** `udp:` flows have no connection: the phone's address is its identity. */
export function udpFlowId(remote: Endpoint): string {
  return `udp:${remote.address}:${remote.port}`;
}
