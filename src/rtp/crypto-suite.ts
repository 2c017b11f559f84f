/**
 * The crypto suites of SDES (RFC 4568 §6.2, RFC 6188 §3, RFC 7714 §14) as a table; a new suite is a
 * row here and, when it works otherwise, a cipher beside srtp-cipher-cm.ts and srtp-cipher-gcm.ts.
 */

export type CryptoSuite =
  | "AES_CM_128_HMAC_SHA1_80"
  | "AES_CM_128_HMAC_SHA1_32"
  | "AES_256_CM_HMAC_SHA1_80"
  | "AES_256_CM_HMAC_SHA1_32"
  | "AEAD_AES_128_GCM"
  | "AEAD_AES_256_GCM";

export type CryptoSuiteSizes = {
  readonly mode: "counter" | "gcm";
  /** Block cipher of keystream and key derivation, without the mode. */
  readonly cipher: "aes-128" | "aes-256";
  readonly keyBytes: number;
  readonly saltBytes: number;
  /** 0 = the cipher authenticates by itself. */
  readonly authKeyBytes: number;
  readonly rtpTagBytes: number;
  /** RFC 4568 §6.2.2: SRTCP keeps 80 bits even where SRTP has 32. */
  readonly rtcpTagBytes: number;
};

const COUNTER = { mode: "counter", saltBytes: 14, authKeyBytes: 20, rtcpTagBytes: 10 } as const;
const COUNTER_128 = { ...COUNTER, cipher: "aes-128", keyBytes: 16 } as const;
const COUNTER_256 = { ...COUNTER, cipher: "aes-256", keyBytes: 32 } as const;
const GCM = {
  mode: "gcm",
  saltBytes: 12,
  authKeyBytes: 0,
  rtpTagBytes: 16,
  rtcpTagBytes: 16,
} as const;

export const cryptoSuites: Readonly<Record<CryptoSuite, CryptoSuiteSizes>> = {
  AES_CM_128_HMAC_SHA1_80: { ...COUNTER_128, rtpTagBytes: 10 },
  AES_CM_128_HMAC_SHA1_32: { ...COUNTER_128, rtpTagBytes: 4 },
  AES_256_CM_HMAC_SHA1_80: { ...COUNTER_256, rtpTagBytes: 10 },
  AES_256_CM_HMAC_SHA1_32: { ...COUNTER_256, rtpTagBytes: 4 },
  AEAD_AES_128_GCM: { ...GCM, cipher: "aes-128", keyBytes: 16 },
  AEAD_AES_256_GCM: { ...GCM, cipher: "aes-256", keyBytes: 32 },
};

export function isCryptoSuite(name: string): name is CryptoSuite {
  return Object.hasOwn(cryptoSuites, name);
}

/** Length of the SDES key (master key followed by master salt). */
export function masterKeyBytes(suite: CryptoSuite): number {
  const { keyBytes, saltBytes } = cryptoSuites[suite];
  return keyBytes + saltBytes;
}
