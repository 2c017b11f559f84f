/**
 * What a crypto suite does to the packet in the thread's scratch: encrypts, signs, checks, decrypts.
 * Index, replay and SSRC are the contexts'. A cipher belongs to one key, one direction, and to SRTP or
 * to SRTCP.
 */
import { type CryptoSuite, cryptoSuites } from "./crypto-suite.ts";
import type { KeystreamAhead } from "./keystream.ts";
import { CounterModeRtcp, CounterModeRtp } from "./srtp-cipher-cm.ts";
import { GcmRtcp, GcmRtp } from "./srtp-cipher-gcm.ts";

/** Where a packet stands among those of its key (RFC 3711 §3.3.1). */
export type RtpIndex = { readonly ssrc: number; readonly roc: number; readonly sequence: number };

export type RtpCipher = {
  /** What protect() adds: tag and MKI. */
  readonly overheadBytes: number;
  /** Encrypts what follows the `header` bytes, up to `length`, and appends tag and MKI. */
  protect(header: number, length: number, index: RtpIndex, ahead: KeystreamAhead | null): void;
  /** Whether the packet is authentic under this index. `end` = its length without overhead. Changes nothing. */
  isAuthentic(header: number, end: number, index: RtpIndex): boolean;
  /** Of the very packet that isAuthentic() has just said true of. */
  decrypt(header: number, end: number, index: RtpIndex, ahead: KeystreamAhead | null): void;
};

export type RtcpCipher = {
  readonly overheadBytes: number;
  /** Where E flag and index stand in a packet of `end` bytes without overhead. */
  indexAt(end: number): number;
  /** `flagAndIndex` as it stands in the packet (RFC 3711 §3.4); always encrypts. */
  protect(length: number, ssrc: number, flagAndIndex: number): void;
  isAuthentic(end: number, ssrc: number, flagAndIndex: number): boolean;
  /** Of the very packet that isAuthentic() has just said true of; nothing to do when the E flag is 0. */
  decrypt(end: number, ssrc: number, flagAndIndex: number): void;
};

export type CipherOptions = {
  readonly suite: CryptoSuite;
  readonly masterKey: Uint8Array;
  readonly mki: Uint8Array;
};

/** Throws RangeError when the key's length does not fit the suite. */
export function rtpCipher(o: CipherOptions): RtpCipher {
  return cryptoSuites[o.suite].mode === "gcm" ? new GcmRtp(o) : new CounterModeRtp(o);
}

/** Throws RangeError when the key's length does not fit the suite. */
export function rtcpCipher(o: CipherOptions): RtcpCipher {
  return cryptoSuites[o.suite].mode === "gcm" ? new GcmRtcp(o) : new CounterModeRtcp(o);
}
