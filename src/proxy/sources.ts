/** The networks of `neverBan`, compiled once for each list. */
import { isInNetworks, type NetworkSet, networkSet } from "../config/address-class.ts";

export class Trusted {
  readonly #cidrs: () => readonly string[];
  #of: readonly string[] | null = null;
  #set: NetworkSet = networkSet([]);

  constructor(cidrs: () => readonly string[]) {
    this.#cidrs = cidrs;
  }

  has(address: string): boolean {
    const cidrs = this.#cidrs();
    if (cidrs.length === 0) return false;
    if (cidrs !== this.#of) {
      this.#of = cidrs;
      this.#set = networkSet(cidrs);
    }
    return isInNetworks(address, this.#set);
  }
}
