/**
 * Key derivation of SRTP (RFC 3711 §4.3) with a key derivation rate of 0: session keys are made
 * once from the master key and never change. Pure.
 */
import { createCipheriv } from "node:crypto";
import { type CryptoSuite, cryptoSuites } from "./crypto-suite.ts";

export type SessionKeys = {
  readonly cipherKey: Uint8Array;
  readonly authKey: Uint8Array;
  readonly salt: Uint8Array;
};

/** Labels of RFC 3711 §4.3.1 and §4.3.2: cipher key, auth key and salt lie one after the other. */
const FIRST_LABEL = { srtp: 0, srtcp: 3 } as const;

/**
 * `masterKey` is key followed by salt. Throws RangeError when its length does not fit the suite.
 */
export function deriveSessionKeys(
  suite: CryptoSuite,
  masterKey: Uint8Array,
  protocol: "srtp" | "srtcp",
): SessionKeys {
  const { cipher, keyBytes, saltBytes, authKeyBytes } = cryptoSuites[suite];
  if (masterKey.length !== keyBytes + saltBytes) throw new RangeError("wrong master key length");
  const derive = (label: number, length: number): Uint8Array => {
    const block = new Uint8Array(16);
    block.set(masterKey.subarray(keyBytes));
    // The key id is label || index with a 48-bit index of 0, so the label meets byte 7 of the salt.
    block[7] = block[7]! ^ label;
    const prf = createCipheriv(`${cipher}-ctr`, masterKey.subarray(0, keyBytes), block);
    return new Uint8Array(prf.update(new Uint8Array(length)));
  };
  const first = FIRST_LABEL[protocol];
  return {
    cipherKey: derive(first, keyBytes),
    authKey: derive(first + 1, authKeyBytes),
    salt: derive(first + 2, saltBytes),
  };
}
