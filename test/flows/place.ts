/**
 * The place of most conversations: one running proxy in a simulated network, phones outside behind a home
 * router, telephone systems inside. Defaults are the everyday case; a test says what is different.
 *
 *   phone 192.168.1.10 -- NAT 198.51.100.9 -- 203.0.113.5 proxy 10.0.3.1 -- 10.0.3.150 "mycompany"
 */
import { expect } from "bun:test";
import { checkConfig, formatProblem } from "../../src/config/check.ts";
import { type ProxySlice, sliceFor } from "../../src/config/config.ts";
import type { JournalFile } from "../../src/io/journal-file.ts";
import type { Log, LogFields } from "../../src/io/types.ts";
import { type RunningProxy, startProxy } from "../../src/proxy/proxy.ts";
import type { StateStore } from "../../src/proxy/state.ts";
import { MediaPort, type MediaPortOptions } from "../peers/media-port.ts";
import { type Outside, simulated } from "../peers/outside.ts";
import { Phone, type PhoneOptions } from "../peers/phone.ts";
import type { Suite } from "../peers/slow-srtp.ts";
import { TelephoneSystem, type TelephoneSystemOptions } from "../peers/telephone-system.ts";
import type { UserAgent } from "../peers/user-agent.ts";
import { Nat } from "./simulated-nat.ts";
import { SimulatedNetwork } from "./simulated-network.ts";

export const OUTSIDE = "203.0.113.5";
export const INSIDE = "10.0.3.1";
export const INSIDE_6 = "fd00:1::1";
export const PBX = "10.0.3.150";
export const HOME = "192.168.1.10";
export const HOME_PUBLIC = "198.51.100.9";
export const SUITE: Suite = "AES_CM_128_HMAC_SHA1_80";

/** For floods of messages that shall all be looked at: no rate, no ban. */
export const UNHURRIED = {
  handshakesPerSecond: 1_000_000,
  requestsPerSecond: 1_000_000,
  requestsPerFlow: 1_000_000,
  failures: 1_000_000,
  userCalls: 1_000_000,
  ringingPerAddress: 1_000_000,
  instanceCallsPerSecond: 1_000_000,
};

export type Document = Readonly<Record<string, unknown>>;

export type PlaceOptions = {
  /** Laid over the proxy and the first instance of the document. */
  readonly proxy?: Document;
  readonly instance?: Document;
  /** Further instances. */
  readonly instances?: readonly Document[];
  readonly state?: StateStore;
};

export type LogLine = {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly event: string;
  readonly fields: LogFields;
};

/** Without OPTIONS of our own between those of the conversation, unless a test wants them. */
function unasked(instance: Document): Document {
  return { ...instance, sip: { healthCheck: false, ...(instance["sip"] as Document | undefined) } };
}

/** The slice of a document with these differences. Fails with all problems when it is wrong. */
export function sliceOf(options: PlaceOptions = {}): ProxySlice {
  const document = {
    version: 1,
    instances: [
      unasked({ name: "mycompany", address: PBX, ...options.instance }),
      ...(options.instances ?? []).map(unasked),
    ],
    proxies: [
      {
        name: "dmz",
        fqdn: "mobydick.example.com",
        bindAddress: OUTSIDE,
        phoneProvisioning: "off",
        allowXmpp: false,
        manageInstances: "off",
        inside: { address: INSIDE },
        ...options.proxy,
      },
    ],
  };
  const { config, problems } = checkConfig(JSON.stringify(document));
  const slice = config === null ? null : sliceFor(config, "dmz");
  if (slice === null) throw new Error(problems.map(formatProblem).join("\n"));
  return slice;
}

/** Making an RSA key takes a third of a second: one certificate serves every place of this process. */
const certificates = new Map<string, string>();

export function memoryState(): StateStore {
  const files = new Map<string, string>();
  const holderOf = (name: string): Map<string, string> =>
    name.startsWith("certificate") ? certificates : files;
  return {
    read: (name) => holderOf(name).get(name) ?? null,
    write: (name, text) => void holderOf(name).set(name, text),
    journal: (name) => memoryJournal(files, name),
  };
}

/** A journal in a map; `files` may be looked into and damaged. */
export function memoryJournal(files: Map<string, string>, name: string): JournalFile {
  return {
    read: async () => files.get(name) ?? "",
    append: async (text) => void files.set(name, (files.get(name) ?? "") + text),
    replace: async (pieces) => void files.set(name, [...pieces].join("")),
  };
}

function recordingLog(lines: LogLine[], always: LogFields = {}): Log {
  const at =
    (level: LogLine["level"]) =>
    (event: string, fields: LogFields = {}): void =>
      void lines.push({ level, event, fields: { ...always, ...fields } });
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (fields) => recordingLog(lines, { ...always, ...fields }),
  };
}

export type MediaChoice = Partial<MediaPortOptions> & { readonly isPlain?: boolean };

async function openMedia(peer: UserAgent, address: string, o: MediaChoice): Promise<MediaPort> {
  const { isPlain, ...rest } = o;
  const suite = isPlain === true ? {} : { suite: SUITE };
  return await MediaPort.open(peer.outside, { address, name: peer.name, ...suite, ...rest });
}

export class Place {
  readonly network: SimulatedNetwork;
  readonly proxy: RunningProxy;
  readonly log: readonly LogLine[];
  readonly state: StateStore;
  readonly homeNat = new Nat({ name: "home", publicAddress: HOME_PUBLIC });

  private constructor(
    network: SimulatedNetwork,
    proxy: RunningProxy,
    log: readonly LogLine[],
    state: StateStore,
  ) {
    this.network = network;
    this.proxy = proxy;
    this.log = log;
    this.state = state;
  }

  /** `network` given = the proxy comes up again in a network that is there already. */
  static async open(options: PlaceOptions = {}, network = new SimulatedNetwork()): Promise<Place> {
    const lines: LogLine[] = [];
    const state = options.state ?? memoryState();
    const proxy = await startProxy({
      world: network.world({
        addresses: [OUTSIDE, INSIDE, "2001:db8::5", INSIDE_6],
        sourceAddress: (remote) => (remote.includes(":") ? INSIDE_6 : INSIDE),
      }),
      log: recordingLog(lines),
      slice: sliceOf(options),
      state,
      interfaceAddress: () => null,
      config: { sha256: "0".repeat(64), loadedAt: "2026-01-01T00:00:00Z", error: null },
    });
    return new Place(network, proxy, lines, state);
  }

  get status() {
    return this.proxy.status;
  }

  /** A telephone system that deals with registrations by itself. */
  async pbx(options: Partial<TelephoneSystemOptions> = {}): Promise<TelephoneSystem> {
    const address = options.address ?? PBX;
    const outside = simulated(this.network, { addresses: [address] });
    const pbx = new TelephoneSystem(outside, { name: "mycompany", address, ...options });
    await pbx.opens();
    pbx.registersPhones();
    pbx.nextHop = { address: INSIDE, port: 15060 };
    return pbx;
  }

  /** A phone behind a router of its own; connected, not registered. */
  async phone(options: Partial<PhoneOptions> & { readonly nat?: Nat | null } = {}): Promise<Phone> {
    const { nat, ...rest } = options;
    const outside = this.home(options.address ?? HOME, nat);
    const transport = options.transport ?? "tls";
    const phone = new Phone(outside, {
      user: "100",
      domain: "mycompany",
      address: HOME,
      transport,
      proxy: { address: OUTSIDE, port: transport === "udp" ? 5060 : 5061 },
      ...rest,
    });
    await phone.connects();
    return phone;
  }

  /** A machine behind a router; null = without one. */
  home(address = HOME, nat: Nat | null | undefined = undefined): Outside {
    const router = nat === undefined ? this.homeNat : nat;
    return simulated(this.network, {
      addresses: [address],
      ...(router === null ? {} : { nat: router }),
    });
  }

  /** An RTP port where the phone is; SRTP unless plain. */
  async phoneMedia(phone: Phone, options: MediaChoice = {}): Promise<MediaPort> {
    return await openMedia(phone, phone.options.address, { isPlain: false, ...options });
  }

  /** An RTP port where the telephone system is; plain unless said otherwise. */
  async pbxMedia(pbx: TelephoneSystem, options: MediaChoice = {}): Promise<MediaPort> {
    return await openMedia(pbx, pbx.options.address, { isPlain: true, ...options });
  }

  /** Lets transactions end, then: no session, no port in use, no dialog, no transaction is left. */
  async expectNothingLeft(): Promise<void> {
    const { sessions, streams, portsInUse } = this.status.media;
    expect({ sessions, streams, portsInUse }).toEqual({ sessions: 0, streams: 0, portsInUse: 0 });
    await this.network.elapse(70_000);
    // An OPTIONS that asks for life now and then may just be under way.
    for (let step = 0; step < 10 && this.status.sip.transactions > 0; step += 1) {
      await this.network.elapse(1000);
    }
    const { transactions, dialogs } = this.status.sip;
    expect({ transactions, dialogs }).toEqual({ transactions: 0, dialogs: 0 });
    expect(this.status.media.portsResting).toBe(0);
  }
}
