/**
 * Why a context did not take a packet. `key-exhausted`: 2^48 packets (SRTCP: 2^31) were sent, a new
 * key is due. `ssrc-limit`: 64 times `maxSsrcs` different SSRCs used this key.
 */
export type Refusal = "replay" | "auth" | "malformed" | "ssrc-limit" | "key-exhausted";
