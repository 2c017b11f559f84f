/**
 * What a proxy tells of its calls, running and ended: figures of each leg and a diagnosis in words. The proxy
 * fills it; `pequod status`, the admin and whoever asks the status socket read it. Times are ISO 8601.
 */

/** The gravest first: the first that holds for a call is its diagnosis, the others stand beside it. */
export const FINDINGS = {
  "no-media": "no audio was agreed, or a restart has ended it",
  "not-answered": "never answered",
  "phone-wrong-key": "phone's packets fail authentication: wrong key, or not encrypted",
  "instance-wrong-key": "instance's packets fail authentication: wrong key, or not encrypted",
  "phone-elsewhere":
    "nothing comes from the phone, but from an address that neither its SDP nor its SIP names",
  "instance-elsewhere":
    "nothing comes from the instance, but from an address that is neither its own nor in mediaNetworks",
  "phone-never-sent": "instance sends, nothing comes from the phone: its firewall or NAT",
  "instance-never-sent": "phone sends, nothing comes from the instance",
  silent: "nothing comes from either side",
  "phone-stopped": "phone sends no more, instance does",
  "instance-stopped": "instance sends no more, phone does",
  "both-stopped": "neither side sends any more",
  "too-short": "too short to tell",
  held: "on hold, or one way by agreement",
  "flood-from-phone": "phone sends more than its ceiling: the rest is dropped",
  "flood-from-instance": "instance sends more than its ceiling: the rest is dropped",
  "loss-from-phone": "much is lost on the way from the phone",
  "loss-from-instance": "much is lost on the way from the instance",
  "loss-to-phone": "much is lost on the way to the phone, as its reports say",
  "loss-to-instance": "much is lost on the way to the instance, as its reports say",
  "jitter-from-phone": "packets of the phone come very unevenly",
  "jitter-from-instance": "packets of the instance come very unevenly",
  good: "good",
  "waiting-for-latch": "the phone cannot be sent to before it has sent something",
  "foreign-packets": "packets of strangers were refused",
} as const;

export type FindingCode = keyof typeof FINDINGS;

export type Finding = { readonly code: FindingCode; readonly text: string };

/** What came from this peer; `peer...` is what its own reports say of what went to it. */
export type LegReport = {
  /** As in SDP; null = nothing came, or a payload type that nobody named. */
  readonly codec: string | null;
  /** With keys of ours. */
  readonly isEncrypted: boolean;
  readonly packets: number;
  readonly octets: number;
  readonly rtcpPackets: number;
  readonly lost: number;
  readonly lossPercent: number;
  readonly jitterMs: number;
  readonly duplicates: number;
  readonly reordered: number;
  /** Between us and this peer; null = its reports have not told. */
  readonly roundTripMs: number | null;
  readonly peerLossPercent: number | null;
  readonly peerJitterMs: number | null;
  /** 1 to 4.5, of what came from this peer; null = not known for this codec, or nothing came. */
  readonly mos: number | null;
  readonly lastSeen: string | null;
  /** `address:port` the packets come from; null = none have come. */
  readonly source: string | null;
  /** Times the source changed. */
  readonly moves: number;
  /** Refused packets of strangers. */
  readonly foreign: number;
  /** By reason, what could not be sent to this peer included. */
  readonly drops: Readonly<Record<string, number>>;
};

/** One m= line. */
export type StreamReport = {
  readonly type: string;
  readonly phone: LegReport;
  readonly instance: LegReport;
};

export type CallReport = {
  readonly callId: string;
  readonly instance: string;
  /** Who called. */
  readonly caller: "phone" | "instance";
  /** user@host of From and To; null = not known since a restart. */
  readonly from: string | null;
  readonly to: string | null;
  readonly begun: string;
  readonly answered: string | null;
  /** null = it runs. */
  readonly ended: string | null;
  readonly reason: string | null;
  /** From the answer to the end or to now; 0 = not answered. */
  readonly seconds: number;
  readonly diagnosis: readonly Finding[];
  readonly streams: readonly StreamReport[];
};

/** The newest first, of each no more than `limits.callHistory`; the numbers are of all. */
export type CallsReport = {
  readonly running: number;
  readonly ended: number;
  readonly calls: readonly CallReport[];
};
