/**
 * SDES keying of one leg (RFC 4568): which of the peer's a=crypto lines is taken, and which keys of
 * ours go out. Each leg of each stream has keys of its own, one a suite, drawn once and kept for
 * the whole call: a key that changes at every re-INVITE would reset the rollover counter for
 * nothing.
 */
import { type CryptoSuite, isCryptoSuite, masterKeyBytes } from "../rtp/crypto-suite.ts";
import {
  areSessionParamsSupported,
  type CryptoAttribute,
  mkiBytes,
  parseCryptoAttribute,
} from "../sdp/crypto-attribute.ts";
import type { LegCrypto } from "./engine.ts";

/** A line of the peer that we took: its tag has to stand in the answer. */
export type ChosenCrypto = { readonly tag: number; readonly peer: LegCrypto };

const NO_MKI = new Uint8Array(0);

/**
 * The first of the offerer's lines that we allow (RFC 4568 §5.1.2). `values` are those of its
 * a=crypto lines. Unknown suites, keys of the wrong length and lines that want less protection are
 * passed over.
 */
export function chooseCrypto(
  values: readonly string[],
  suites: readonly CryptoSuite[],
): ChosenCrypto | null {
  for (const value of values) {
    const line = parseCryptoAttribute(value);
    const peer = line === null ? null : usable(line);
    if (line !== null && peer !== null && suites.includes(peer.suite))
      return { tag: line.tag, peer };
  }
  return null;
}

/**
 * The line of an answer. It repeats a tag of ours; peers that number their answers anew are taken
 * by their suite (janus-gateway answers so).
 */
export function cryptoOfAnswer(
  values: readonly string[],
  offered: readonly CryptoAttribute[],
): ChosenCrypto | null {
  const suites = offered.map((line) => line.suite).filter(isCryptoSuite);
  return chooseCrypto(values, suites);
}

/** Our sending keys on one leg of one stream. */
export class OwnKeys {
  readonly #random: (lengthBytes: number) => Uint8Array;
  readonly #keys = new Map<CryptoSuite, LegCrypto>();

  constructor(random: (lengthBytes: number) => Uint8Array) {
    this.#random = random;
  }

  key(suite: CryptoSuite): LegCrypto {
    let known = this.#keys.get(suite);
    if (known === undefined) {
      known = { suite, key: this.#random(masterKeyBytes(suite)), mki: NO_MKI };
      this.#keys.set(suite, known);
    }
    return known;
  }

  line(tag: number, suite: CryptoSuite): CryptoAttribute {
    const { key } = this.key(suite);
    return { tag, suite, key, lifetime: null, mki: null, sessionParams: [] };
  }

  /** What we offer: one line a suite, in the order of the configuration, tags from 1. */
  offer(suites: readonly CryptoSuite[]): CryptoAttribute[] {
    return suites.map((suite, at) => this.line(at + 1, suite));
  }
}

function usable(line: CryptoAttribute): LegCrypto | null {
  const { suite, key } = line;
  if (!isCryptoSuite(suite) || key.length !== masterKeyBytes(suite)) return null;
  return areSessionParamsSupported(line) ? { suite, key, mki: mkiBytes(line) } : null;
}
