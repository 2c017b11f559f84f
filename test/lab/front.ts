/**
 * What stands between phones and instances in the lab. The product (pequod.ts) is what the gate proves;
 * Kamailio with rtpengine (anchor.ts, PEQUOD_LAB_FRONT=anchor) shows that the lab itself is right and is
 * the yardstick of the benches.
 */
export type Front = {
  /** RTP port pairs (the anchor: calls) that are held at this moment, over all proxies. */
  portsInUse(): Promise<number>;
  /** What was dropped since the start by reason, over all proxies; the yardstick tells none. */
  drops(): Promise<Record<string, number>>;
  /** What it says about itself, for the message of a failing test. */
  story(): Promise<string>;
  /** Ends (without a chance to write anything more: "SIGKILL") and starts again, with what it keeps on disk. */
  restart(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
  stop(): Promise<void>;
};
