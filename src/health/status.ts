/**
 * What a running proxy says of itself: observed, never read from the configuration. The
 * proxy fills it, `pequod status`, the admin and the metrics read it.
 */

export type ProxyState = "starting" | "running" | "draining" | "stopped";

/** `loadedAt` is ISO 8601; `error` why the file as it stands now is not in use, else null. */
export type ConfigStatus = {
  readonly sha256: string;
  readonly loadedAt: string;
  readonly error: string | null;
};

/** A port of a proxy by its name in `ports`; with a 6 where the zone has an IPv6 address too. */
type PortName =
  | "sipTls"
  | "sipUdp"
  | "provisioningHttps"
  | "provisioningHttp"
  | "xmpp"
  | "web"
  | "webHttp";

/** `address:port` texts; services that are off are absent. */
export type Listening = { readonly [Name in PortName | `${PortName}6`]?: string } & {
  readonly sipInside: readonly string[];
};

/** One address of an instance (SRV, A, AAAA), in the order in which they are tried. */
export type TargetStatus = {
  readonly at: string;
  readonly priority: number;
  readonly weight: number;
  /** null = nothing was sent to it yet. */
  readonly reachable: boolean | null;
  readonly reason: string | null;
  /** ISO 8601: tried last until then, since it failed or asked for it; null = not resting. */
  readonly restsUntil: string | null;
};

export type InstanceStatus = {
  /** null = nothing was sent to it yet. */
  readonly reachable: boolean | null;
  readonly reason: string | null;
  readonly targets: readonly TargetStatus[];
  /** Why its name could not be looked up last time (what was known before stays in use); else null. */
  readonly dns: string | null;
  readonly routing: "path" | "contact";
  readonly routingReason: string;
  readonly flows: number;
  readonly sessions: number;
  /** Requests that wait for its answer, or for a phone's to it. */
  readonly requests: number;
  /** As `sip.dialogs`; a call that forks has several. */
  readonly dialogs: number;
  /** Users of it that are kept out; an address that is kept out is so from every instance. */
  readonly bans: number;
  readonly xmppClients: number;
};

export type Warning = { readonly code: string; readonly text: string; readonly since: string };

/** Times are ISO 8601. */
export type Ban = {
  /** An IPv4 address, an IPv6 /64, or "*" for a user who is kept out from everywhere. */
  readonly address: string;
  /** user@instance; null = nobody gets in from that address. */
  readonly user: string | null;
  readonly reason: string;
  readonly since: string;
  readonly until: string;
};

export type ProxyStatus = {
  readonly proxy: string;
  readonly state: ProxyState;
  /** ISO 8601: when `state` began. */
  readonly since: string;
  readonly config: ConfigStatus;
  readonly listening: Listening;
  readonly sip: {
    readonly connections: number;
    readonly flows: number;
    /** Of registered phones that answer nothing any more. */
    readonly flowsDead: number;
    /** Since the start: what we sent to keep ways to phones open, and STUN requests of theirs. */
    readonly keepAlives: { readonly crlf: number; readonly options: number; readonly stun: number };
    readonly transactions: number;
    readonly dialogs: number;
  };
  /** Ports count pairs: those of the phones' side, and `inside` those towards instances. */
  readonly media: {
    readonly sessions: number;
    readonly streams: number;
    readonly portsInUse: number;
    readonly portsResting: number;
    readonly portsTotal: number;
    readonly offloaded: number;
    /** What relays the packets. */
    readonly engine: "native" | "loop";
    readonly inside: { readonly inUse: number; readonly resting: number; readonly total: number };
  };
  /** Clients that talk with their instance; bytes of all since the start. */
  readonly xmpp: {
    readonly clients: number;
    readonly fromClients: number;
    readonly toClients: number;
  };
  readonly http: { readonly requests: number };
  /** Calls with media that have ended since the start, by diagnosis (FINDINGS); each one is in GET /calls. */
  readonly calls: { readonly ended: Readonly<Record<string, number>> };
  /** Since the start, by reason. */
  readonly drops: Readonly<Record<string, number>>;
  readonly bans: readonly Ban[];
  readonly instances: Readonly<Record<string, InstanceStatus>>;
  readonly warnings: readonly Warning[];
};
