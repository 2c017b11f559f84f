/**
 * The crypto suites of SDES (RFC 4568 §6.2) as a table; a new suite is a row here and, when it is
 * no counter mode with HMAC, a cipher beside srtp-cipher-cm.ts.
 */

export type CryptoSuite = "AES_CM_128_HMAC_SHA1_80" | "AES_CM_128_HMAC_SHA1_32";

export type CryptoSuiteSizes = {
  /** Block cipher of keystream and key derivation, without the mode. */
  readonly cipher: "aes-128";
  readonly keyBytes: number;
  readonly saltBytes: number;
  readonly authKeyBytes: number;
  readonly rtpTagBytes: number;
  /** RFC 4568 §6.2.2: SRTCP keeps 80 bits even where SRTP has 32. */
  readonly rtcpTagBytes: number;
};

const AES_CM_128 = {
  cipher: "aes-128",
  keyBytes: 16,
  saltBytes: 14,
  authKeyBytes: 20,
  rtcpTagBytes: 10,
} as const;

export const cryptoSuites: Readonly<Record<CryptoSuite, CryptoSuiteSizes>> = {
  AES_CM_128_HMAC_SHA1_80: { ...AES_CM_128, rtpTagBytes: 10 },
  AES_CM_128_HMAC_SHA1_32: { ...AES_CM_128, rtpTagBytes: 4 },
};

export function isCryptoSuite(name: string): name is CryptoSuite {
  return Object.hasOwn(cryptoSuites, name);
}

/** Length of the SDES key (master key followed by master salt). */
export function masterKeyBytes(suite: CryptoSuite): number {
  const { keyBytes, saltBytes } = cryptoSuites[suite];
  return keyBytes + saltBytes;
}
