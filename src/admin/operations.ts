/**
 * Everything that can be done with the appliance: one set of operations that the API (api.ts) and the pages
 * (pages/) both call, so that neither can do what the other cannot. An expected failure is a value
 * (outcome.ts); only our own mistakes throw. Writes change the candidate; apply() makes it active.
 */
import type { CertificateFacts } from "../config/certificate-facts.ts";
import type { ApplianceConfig } from "../config/config.ts";
import type { InstanceDocument } from "../config/instance.ts";
import type { ProxyDocument } from "../config/proxy.ts";
import type { CallsReport } from "../health/calls.ts";
import type { Ban, ProxyStatus } from "../health/status.ts";
import type { Outcome } from "./outcome.ts";

/** Who does it; stands in the history. */
export type Actor = { readonly user: string };

export type SignedIn = {
  readonly user: string;
  /** 256 bits, base64url; the only copy there is. */
  readonly token: string;
  /** ISO 8601. */
  readonly expires: string;
};

/** `candidate`: what was saved last. `active`: what runs (the last confirmed revision). */
export type ConfigState = "candidate" | "active";

/** `etag` is a strong entity tag with its quotes. */
export type Versioned<T> = { readonly value: T; readonly etag: string };

/** What a certificate says, and what clients will not like about it (English). */
export type SeenCertificate = CertificateFacts & { readonly warnings: readonly string[] };

/** A proxy without its secrets. The last four fields are read-only and ignored in put(). */
export type PublicProxy = Omit<ProxyDocument, "certificateKey" | "provisioningKey"> & {
  readonly certificate: SeenCertificate | null;
  /** SHA-256 of the public key (SPKI), upper-case hex with colons; null = there is no key. */
  readonly certificateKeyFingerprint: string | null;
  readonly certificateSelfSigned: boolean;
  readonly provisioningKeySet: boolean;
};

/** `failing`: it shall run, ends again and again and is started again. `reason` says why. */
export type ObservedState = "running" | "starting" | "draining" | "stopped" | "failing";

/** What is seen of a proxy just now; nothing of it is read from the configuration but `shallRun`. */
export type ObservedProxy = {
  readonly name: string;
  readonly state: ObservedState;
  readonly reason: string | null;
  /** ISO 8601: when it was looked at. */
  readonly observedAt: string;
  /** As the process tells it; null = no process answers. */
  readonly status: ProxyStatus | null;
  /** Whether the active configuration wants it to run. */
  readonly shallRun: boolean;
};

/** `confirmBefore`: ISO 8601, until then confirm() must come or all is undone; null = nothing to confirm. */
export type Applied = { readonly revision: number; readonly confirmBefore: string | null };

export type Started = Applied & { readonly proxy: ObservedProxy };

export type ObjectOperations<T> = {
  /** In the order of the document. */
  list(state: ConfigState): Versioned<readonly T[]>;
  /** Refusals: not-found. */
  get(name: string, state: ConfigState): Outcome<Versioned<T>>;
  /** `input` is the whole object as JSON value. Refusals: invalid, exists. */
  create(actor: Actor, input: unknown): Promise<Outcome<Versioned<T>>>;
  /** Refusals: not-found, invalid, changed-meanwhile (`ifMatch` is given and another etag). */
  put(
    actor: Actor,
    name: string,
    input: unknown,
    ifMatch: string | null,
  ): Promise<Outcome<Versioned<T>>>;
  /** Refusals: not-found, changed-meanwhile, in-use. */
  remove(actor: Actor, name: string, ifMatch: string | null): Outcome<null>;
};

export type BackupSecret = { readonly passphrase: string } | { readonly plain: true };
export type BackupFile = { readonly fileName: string; readonly bytes: Uint8Array };

/** What a restore does, or with `dryRun` would do. */
export type RestoreReport = {
  readonly proxy: PublicProxy;
  readonly isNew: boolean;
  readonly instances: {
    readonly added: readonly string[];
    /** Are there already and stay as they are; `differing` names those that differ from the backup. */
    readonly kept: readonly string[];
    readonly differing: readonly string[];
  };
  /** Whether flow key and other state come along, so that phones stay registered. */
  readonly hasState: boolean;
  /** ISO 8601: when the backup was made. */
  readonly takenAt: string;
  readonly changes: readonly Change[];
};

export type ProxyOperations = ObjectOperations<PublicProxy> & {
  /** Applies this proxy (and the instances) at once. Refusals: not-found, changes-waiting, invalid, state-not-reached. */
  start(actor: Actor, name: string): Promise<Outcome<Started>>;
  /** Switches it off at once, nothing else is applied. Refusals: not-found, state-not-reached. */
  stop(actor: Actor, name: string): Promise<Outcome<Started>>;
  status(name: string): Promise<Outcome<ObservedProxy>>;
  /** All of candidate and active. */
  statuses(): Promise<readonly ObservedProxy[]>;
  /** Whose Call-ID, instance or user holds `wanted`; "" = all. Refusals: not-found, not-running. */
  calls(name: string, wanted: string): Promise<Outcome<CallsReport>>;
  /** Who is kept out now. Refusals: not-found, not-running. */
  bans(name: string): Promise<Outcome<readonly Ban[]>>;
  /** `user` null: the address as a whole. Refusals: not-found, not-running. */
  unban(
    actor: Actor,
    name: string,
    who: { readonly address: string; readonly user: string | null },
  ): Promise<Outcome<null>>;
  /** Refusals: not-found, not-running, invalid (passphrase too short). */
  backup(name: string, secret: BackupSecret): Promise<Outcome<BackupFile>>;
  /** Refusals: still-running, damaged-backup, wrong-passphrase, invalid; then nothing has changed. */
  restore(
    actor: Actor,
    name: string,
    o: { file: Uint8Array; passphrase: string | null; dryRun: boolean },
  ): Promise<Outcome<RestoreReport>>;
};

/**
 * Of XMPP: with TLS inside, channel binding is (must be off) or is not offered; over plain TCP the instance
 * lets nobody in before STARTTLS.
 */
export type ReachAdvice = "xmpp-binding" | "xmpp-no-binding" | "xmpp-wants-tls";

export type ServiceReach = {
  readonly service: "sip" | "web" | "provisioning" | "xmpp";
  readonly reachable: boolean;
  readonly reason: string | null;
  /** What the operator should know of what was found. */
  readonly advice: ReachAdvice | null;
  readonly tookMs: number;
};

export type InstanceOperations = ObjectOperations<InstanceDocument> & {
  /** Tries the instance (of the candidate) now. */
  check(name: string): Promise<Outcome<readonly ServiceReach[]>>;
};

export type ApplianceOperations = {
  get(state: ConfigState): Versioned<ApplianceConfig>;
  put(actor: Actor, input: unknown, ifMatch: string | null): Outcome<Versioned<ApplianceConfig>>;
};

/** One difference of two documents. Secrets stand there as "(secret)". undefined = not there. */
export type Change = {
  /** With names for indexes: `proxies[dmz].voipSip`. */
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
};

export type Revision = {
  readonly number: number;
  /** ISO 8601. */
  readonly time: string;
  readonly user: string;
  readonly note: string;
  readonly isActive: boolean;
};

export type ChangesView = {
  /** From active to candidate; empty = nothing waits. */
  readonly changes: readonly Change[];
  readonly activeRevision: number;
  /** An apply that waits for its confirmation. */
  readonly pending: { readonly revision: number; readonly confirmBefore: string } | null;
  /** The last apply was undone since no confirmation came; stays until the next apply. */
  readonly undone: { readonly revision: number; readonly time: string } | null;
};

export type ChangeOperations = {
  view(): ChangesView;
  /** Newest first. */
  revisions(): readonly Revision[];
  /** From the revision before to this one. Refusals: not-found. */
  diff(revision: number): Outcome<readonly Change[]>;
  /** Puts that revision into the candidate. Refusals: not-found, invalid. Answers what is then to be applied. */
  restore(actor: Actor, revision: number): Outcome<readonly Change[]>;
  /** The candidate becomes what is active again. */
  discard(actor: Actor): Outcome<null>;
  /** Refusals: invalid, confirm-pending, network-refused. Without changes: the active revision again. */
  apply(actor: Actor, note: string): Promise<Outcome<Applied>>;
  /** Refusals: nothing-to-confirm, network-refused. */
  confirm(actor: Actor): Promise<Outcome<Applied>>;
};

export type AccessOperations = {
  isSetUp(): boolean;
  /** Refusals: already-set-up, wrong-code, too-many-tries, invalid. */
  setUp(o: {
    code: string;
    username: string;
    password: string;
    address: string;
  }): Promise<Outcome<SignedIn>>;
  /** `address` of the client, for the limit of tries. Refusals: wrong-login, too-many-tries. */
  signIn(o: { username: string; password: string; address: string }): Promise<Outcome<SignedIn>>;
  signOut(token: string): void;
  /** null = the token is unknown or has expired. */
  actorOf(token: string | null): Actor | null;
};

export type InterfaceReport = {
  readonly name: string;
  readonly mac: string | null;
  readonly isUp: boolean;
  /** CIDR texts. */
  readonly addresses: readonly string[];
  /** Names of the proxies of the candidate that stand on it. */
  readonly usedBy: readonly string[];
};

export type AdminEvent =
  | { readonly type: "candidate" }
  | { readonly type: "applied"; readonly revision: number; readonly confirmBefore: string | null }
  | { readonly type: "confirmed"; readonly revision: number }
  | { readonly type: "undone"; readonly revision: number }
  | { readonly type: "proxy"; readonly name: string; readonly state: ObservedState };

/** Where a phone fetches its configuration; none = that proxy serves no phones so. */
export type ProxyUrls = { readonly proxy: string; readonly urls: readonly string[] };

export type MachineOperations = {
  interfaces(): readonly InterfaceReport[];
  /** Of the active configuration. Refusals: not-found (the instance), invalid (the MAC). */
  provisioningUrls(instance: string, mac: string): Outcome<readonly ProxyUrls[]>;
  /** Prometheus text of all running proxies. */
  metrics(): Promise<string>;
  /** Answers how to end it. */
  subscribe(receive: (event: AdminEvent) => void): () => void;
  /** `pequod VERSION (...)`. */
  readonly version: string;
  /** false = no network is planned and proxies are children of the admin (no systemd). */
  readonly plansNetwork: boolean;
};

export type Operations = {
  readonly access: AccessOperations;
  readonly proxies: ProxyOperations;
  readonly instances: InstanceOperations;
  readonly appliance: ApplianceOperations;
  readonly changes: ChangeOperations;
  readonly machine: MachineOperations;
};
