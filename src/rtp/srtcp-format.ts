/** What an SRTCP packet has beside its RTCP (RFC 3711 §3.4): the E flag with the index, behind 8 clear bytes. */

/** RTCP header and SSRC are never encrypted. */
export const RTCP_CLEAR_BYTES = 8;
/** E flag and index together. */
export const INDEX_BYTES = 4;
export const ENCRYPTED_FLAG = 0x8000_0000;
/** Of the index, which is also the largest one. */
export const INDEX_MASK = 0x7fff_ffff;
