/**
 * A home router in the simulated network: gives hosts behind it another address and port, lets in only
 * what its mappings allow (RFC 4787), and can forget its mappings or get a new address, as real ones do.
 */
import type { Endpoint } from "../../src/io/types.ts";

export type NatOptions = {
  /** Tells two homes with the same private addresses apart. */
  readonly name: string;
  readonly publicAddress: string;
  /** "symmetric": another public port for every destination; "endpoint": one port for all of them. */
  readonly mapping?: "endpoint" | "symmetric";
  /** "open": anybody may answer to a mapped port; "address": only addresses that were sent to. */
  readonly filtering?: "open" | "address";
  readonly firstPort?: number;
};

type Mapping = { readonly inside: Endpoint; readonly port: number; readonly sentTo: Set<string> };

function keyOf(endpoint: Endpoint): string {
  return `${endpoint.address} ${endpoint.port}`;
}

export class Nat {
  readonly #options: Required<NatOptions>;
  readonly #byInside = new Map<string, Mapping>();
  readonly #byPort = new Map<number, Mapping>();
  #publicAddress: string;
  #nextPort: number;

  readonly name: string;
  /** Gives a host its own port number outside while that is free, as many home routers do. */
  keepsPort = false;

  constructor(options: NatOptions) {
    this.name = options.name;
    this.#options = { mapping: "endpoint", filtering: "address", firstPort: 61001, ...options };
    this.#publicAddress = options.publicAddress;
    this.#nextPort = this.#options.firstPort;
  }

  get publicAddress(): string {
    return this.#publicAddress;
  }

  /** The source the far end sees; makes or refreshes the mapping. */
  outbound(inside: Endpoint, to: Endpoint): Endpoint {
    const isSymmetric = this.#options.mapping === "symmetric";
    const key = isSymmetric ? `${keyOf(inside)} ${keyOf(to)}` : keyOf(inside);
    let mapping = this.#byInside.get(key);
    if (mapping === undefined) {
      const own = this.keepsPort && !this.#byPort.has(inside.port) ? inside.port : null;
      mapping = { inside, port: own ?? this.takePort(), sentTo: new Set() };
      this.#byInside.set(key, mapping);
      this.#byPort.set(mapping.port, mapping);
    }
    mapping.sentTo.add(to.address);
    return { address: this.#publicAddress, port: mapping.port };
  }

  /** The host behind the NAT a packet is for; null = nobody asked for it. */
  inbound(port: number, from: Endpoint): Endpoint | null {
    const mapping = this.#byPort.get(port);
    if (mapping === undefined) return null;
    const isKnown = mapping.sentTo.has(from.address);
    return isKnown || this.#options.filtering === "open" ? mapping.inside : null;
  }

  /** A port no mapping has had before; connections take theirs here too. */
  takePort(): number {
    this.#nextPort += 7; // neighbours in time are not neighbours in number
    return this.#nextPort;
  }

  /** The router restarted: the next packet from inside leaves from another port. */
  forgetMappings(): void {
    this.#byInside.clear();
    this.#byPort.clear();
  }

  /** The provider gave the line a new address. */
  moveTo(publicAddress: string): void {
    this.#publicAddress = publicAddress;
    this.forgetMappings();
  }
}
