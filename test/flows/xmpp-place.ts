/**
 * The XMPP of one proxy between clients and instances: real sockets on loopback, since TLS begins in the midst
 * of a connection, and a hand-driven clock.
 */

import { checkConfig } from "../../src/config/check.ts";
import {
  type InstanceConfig,
  type ProxyConfig,
  type ProxySlice,
  sliceFor,
} from "../../src/config/config.ts";
import { makeLog } from "../../src/io/log.ts";
import type { Identity } from "../../src/io/types.ts";
import { realWorld } from "../../src/io/world.ts";
import { Instances } from "../../src/proxy/instances.ts";
import { Xmpp } from "../../src/proxy/xmpp.ts";
import { selfSignedServerIdentity } from "../../src/tls/self-signed.ts";
import { OPENING, PROCEED, STARTTLS, XmppEnd, XmppInstance } from "../peers/xmpp-end.ts";
import { HandClock } from "./hand-clock.ts";

const HERE = "127.0.0.1";

export const FEATURES =
  "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1</mechanism></mechanisms></stream:features>";

/** An instance's side of a stream. */
export const ANSWER =
  "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='its-own' from='mycompany' version='1.0'>";

const certificate = (...names: string[]): Promise<Identity> =>
  selfSignedServerIdentity({
    names,
    notBefore: new Date("2026-01-01"),
    days: 36_500,
    serial: new Uint8Array(8).fill(1),
  });

/** Of the proxy: the wildcard that the aliases of instances are found under. */
export const identity = await certificate("example.com", "*.example.com");
/** Of an instance inside. */
export const insideIdentity = await certificate("mycompany", "pbx.inside");

type Document = Readonly<Record<string, unknown>>;

export type XmppPlaceOptions = {
  readonly xmpp?: Document;
  readonly limits?: Document;
  /** Further instances, without an XMPP server of their own unless they say so. */
  readonly instances?: readonly Document[];
};

export class XmppPlace {
  readonly clock = new HandClock();
  readonly drops: Record<string, number> = {};
  /** Lines of the log. */
  readonly logged: string[] = [];
  readonly service: Xmpp;
  readonly instance: XmppInstance;
  readonly #config: ProxyConfig;

  private constructor(instances: Instances, instance: XmppInstance, config: ProxyConfig) {
    this.#config = config;
    this.instance = instance;
    this.service = new Xmpp({
      world: { ...realWorld, clock: this.clock },
      log: makeLog({
        write: (line) => this.logged.push(line.trimEnd()),
        minimum: "info",
        journal: false,
      }),
      instances,
      admission: { connects: () => true, isTrusted: () => false },
      settings: () => config,
      identity: () => identity,
      count: (reason) => {
        this.drops[reason] = (this.drops[reason] ?? 0) + 1;
      },
    });
  }

  static async open(o: XmppPlaceOptions = {}): Promise<XmppPlace> {
    const instance = await XmppInstance.listen();
    const slice = sliceOf(o, instance.port);
    const instances = await Instances.create({
      world: realWorld,
      log: makeLog({ write: () => {}, minimum: "error", journal: false }),
      insideAddress: HERE,
      configs: slice.instances,
      limits: slice.proxy.limits,
    });
    const place = new XmppPlace(instances, instance, slice.proxy);
    (await place.service.open(slice.proxy, [HERE])).keep();
    return place;
  }

  /** Its configuration, with this XMPP. */
  static instance(xmpp: Document): InstanceConfig {
    return sliceOf({ xmpp }, 5222).instances[0] as InstanceConfig;
  }

  get port(): number {
    return this.service.listening["xmpp"]?.port ?? 0;
  }

  /** In the clear, nothing said. */
  connect(): Promise<XmppEnd> {
    return XmppEnd.connect(this.port);
  }

  /** Up to where TLS stands. */
  async secured(to = "mycompany"): Promise<XmppEnd> {
    const client = await this.connect();
    client.says(OPENING(to));
    await client.hears("</stream:features>");
    client.says(STARTTLS);
    await client.hears(PROCEED);
    await client.startsTls(identity.certificatePem);
    return client;
  }

  /** Up to where client and instance hear each other. */
  async spliced(to = "mycompany"): Promise<{ client: XmppEnd; pbx: XmppEnd }> {
    const client = await this.secured(to);
    client.says(OPENING(to));
    const pbx = await this.instance.accepts();
    await pbx.hears(OPENING(to));
    pbx.says(ANSWER + FEATURES);
    await client.hears(ANSWER + FEATURES);
    return { client, pbx };
  }

  /** So many deadlines run: TLS stands a moment later here than at the client. */
  async armed(deadlines: number): Promise<void> {
    // One timer looks after all that are silent.
    while (this.clock.pending < deadlines + 1) await new Promise((next) => setImmediate(next));
  }

  /** Every client is. */
  async gone(): Promise<void> {
    while (this.service.connections > 0) await new Promise((next) => setImmediate(next));
  }

  /** As a reload with allowXmpp off. */
  async switchesOff(): Promise<void> {
    (await this.service.open({ ...this.#config, allowXmpp: false }, [HERE])).keep();
  }

  close(): void {
    this.service.close();
    this.instance.close();
  }
}

function sliceOf(o: XmppPlaceOptions, port: number): ProxySlice {
  const document = {
    version: 1,
    instances: [
      {
        name: "mycompany",
        aliases: ["mycompany.example.com"],
        address: HERE,
        sip: { healthCheck: false },
        xmpp: { port, ...o.xmpp },
      },
      { name: "switched-off", enabled: false, address: "127.0.0.7" },
      { name: "elsewhere", address: "127.0.0.8" },
      ...(o.instances ?? []),
    ],
    proxies: [
      {
        name: "dmz",
        fqdn: "example.com",
        bindAddress: HERE,
        ports: { xmpp: 0 },
        inside: { address: HERE },
        instances: ["mycompany", "switched-off", ...(o.instances ?? []).map((one) => one["name"])],
        limits: o.limits ?? {},
      },
    ],
  };
  const { config, problems } = checkConfig(JSON.stringify(document));
  if (config === null) throw new Error(JSON.stringify(problems));
  const slice = sliceFor(config, "dmz");
  if (slice === null) throw new Error("no slice");
  return slice;
}
