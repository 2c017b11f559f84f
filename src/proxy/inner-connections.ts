/**
 * The connections we keep to instances that speak TCP or TLS: one to each target, opened by the first
 * request, used for both directions, opened anew by the next request after it broke.
 */
import type { Endpoint } from "../io/types.ts";
import type { Instance } from "./instances.ts";
import type { SideOptions } from "./side.ts";
import type { StreamFlow } from "./stream-flow.ts";
import type { Target } from "./targets.ts";

export type Wanted = {
  readonly instance: Instance;
  readonly target: Target;
  readonly transport: "tcp" | "tls";
  /** Our address there, and our port for that transport. */
  readonly inside: Endpoint;
};

export class InnerConnections {
  readonly #o: SideOptions;
  readonly #connecting = new Map<string, Promise<StreamFlow>>();
  readonly #connected = new Map<string, StreamFlow>();
  /** Nobody is asked again before then. */
  readonly #refusedUntilMs = new Map<string, number>();

  constructor(o: SideOptions) {
    this.#o = o;
  }

  /** The connection that is open, else a new one; rejects with one clear line. */
  to(wanted: Wanted): Promise<StreamFlow> {
    const open = this.#connected.get(keyOf(wanted));
    if (open?.isOpen === true) return Promise.resolve(open);
    return this.#connecting.get(keyOf(wanted)) ?? this.#connect(wanted);
  }

  /**
   * For what goes by UDP as well (RFC 3261 §18.1.1): the connection that is open, else null; then one is
   * opened for those who come later, and where that fails nobody tries for a while.
   */
  openTo(wanted: Wanted): StreamFlow | null {
    const key = keyOf(wanted);
    const open = this.#connected.get(key);
    if (open?.isOpen === true) return open;
    const now = this.#o.world.clock.now();
    if (this.#connecting.has(key) || (this.#refusedUntilMs.get(key) ?? 0) > now) return null;
    this.#refusedUntilMs.delete(key);
    const restMs = this.#o.settings().limits.targetRest * 1000;
    this.#connect(wanted).catch(() => void this.#refusedUntilMs.set(key, now + restMs));
    return null;
  }

  close(): void {
    for (const flow of this.#connected.values()) flow.destroy();
  }

  #connect(wanted: Wanted): Promise<StreamFlow> {
    const key = keyOf(wanted);
    const fresh = this.#open(wanted, key);
    this.#connecting.set(key, fresh);
    const forget = (): void => void this.#connecting.delete(key);
    fresh.then(forget, forget);
    return fresh;
  }

  async #open({ instance, target, transport, inside }: Wanted, key: string): Promise<StreamFlow> {
    const { sip, address } = instance.config;
    const flow = this.#o.makeStreamFlow(
      "inner",
      () => inside.address,
      () => {
        if (this.#connected.get(key) === flow) this.#connected.delete(key);
      },
    );
    flow.listenPort = inside.port;
    const { limits, sipDscp } = this.#o.settings();
    const connection = await this.#o.world.connectStream({
      local: { address: inside.address },
      remote: { address: target.address, port: target.port },
      // The certificate names the domain that was asked for, not the host SRV led to (RFC 5922 §4).
      ...(transport === "tls"
        ? { tls: { serverName: address, verify: sip.verifyTls, caPem: sip.caPem } }
        : {}),
      timeoutMs: limits.connectTimeout * 1000,
      trafficClass: sipDscp << 2,
      events: flow.events,
    });
    flow.attach(connection, false);
    this.#connected.set(key, flow);
    return flow;
  }
}

/** Each instance has its own, also where two share an address. */
function keyOf({ instance, target, transport, inside }: Wanted): string {
  const name = instance.name.toLowerCase();
  return `${name} ${transport} ${inside.address} ${target.address} ${target.port}`;
}
