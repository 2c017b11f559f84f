/**
 * Why an offer was refused, in words for the Warning header (RFC 3261 §20.43, §21.4.26): whoever looks for the
 * reason has the trace of the other end, not our log.
 */

const WARNINGS: Readonly<Record<string, string>> = {
  "sdp-malformed": '399 pequod "The session description cannot be read"',
  "sdp-protocol": '302 pequod "Only RTP over UDP and UDPTL are carried"',
  "sdp-dtls": '302 pequod "DTLS-SRTP is not carried, SRTP with a=crypto is"',
  "sdp-plain-rtp": '302 pequod "SRTP with a=crypto is needed here"',
  "sdp-srtp": '302 pequod "SRTP is not carried here, RTP is"',
  "sdp-crypto": '399 pequod "No a=crypto line has a suite and parameters that are carried here"',
  "sdp-clear-fax": '304 pequod "T.38 cannot be encrypted, SRTP is needed here"',
};

/** Null where there is nothing to say beyond the status. */
export function warningFor(reason: string): string | null {
  return WARNINGS[reason] ?? null;
}
