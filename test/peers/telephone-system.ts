/**
 * A scripted telephone system (what stands behind the proxy, Asterisk-like): keeps registrations with
 * their Path, calls phones along it, answers as the script says.
 */
import type { Endpoint, Identity } from "../../src/io/types.ts";
import type { Outside } from "./outside.ts";
import type { Received, Wire } from "./sip-peer.ts";
import { type SipText, uriOf } from "./sip-text.ts";
import { type ExtraHeaders, UserAgent } from "./user-agent.ts";

export type Registration = { contact: string; path: string[]; source: Endpoint; wire: Wire };

export type TelephoneSystemOptions = {
  readonly name: string;
  readonly address: string;
  readonly port?: number;
  readonly transport?: "udp" | "tcp" | "tls";
  readonly identity?: Identity;
  /** "echoed" like support_path=yes, "ignored" like no, "refused" = 420 for ever. */
  readonly path?: "echoed" | "ignored" | "refused";
};

export class TelephoneSystem extends UserAgent {
  readonly options: TelephoneSystemOptions;
  readonly registrations = new Map<string, Registration>();
  /** Every REGISTER that came, also those it dealt with by itself. */
  readonly registers: SipText[] = [];

  constructor(outside: Outside, options: TelephoneSystemOptions) {
    super(options.name, outside);
    this.options = options;
  }

  /** Opens its port. With UDP it sends from there too, with TCP and TLS it answers on what came. */
  async opens(): Promise<Endpoint> {
    const { address, port, transport } = this.options;
    const local = { address, port: port ?? 5060 };
    const host = address.includes(":") ? `[${address}]` : address;
    if ((transport ?? "udp") === "udp") {
      this.wire = await this.listenUdp(local);
      this.contact = `sip:${host}:${this.wire.local.port}`;
      return this.wire.local;
    }
    const listening = await this.listenStream(local, this.options.identity);
    this.contact = `sip:${host}:${listening.port};transport=${transport}`;
    return listening;
  }

  /** Deals with REGISTER and OPTIONS by itself from now on. */
  registersPhones(): void {
    this.automatic = (received) => {
      const { method, status } = received.message;
      if (status > 0 || (method !== "REGISTER" && method !== "OPTIONS")) return false;
      if (method === "OPTIONS") this.answers(received, 200);
      else this.register(received);
      return true;
    };
  }

  /** Stores a registration (Contact, Path) and answers it as `path` says. */
  register(received: Received): void {
    const { message } = received;
    this.registers.push(message);
    const path = message.values("Path");
    const mode = this.options.path ?? "echoed";
    if (path.length > 0 && mode === "refused") {
      this.answers(received, 420, { headers: [["Unsupported", "path"]] });
      return;
    }
    const contact = message.header("Contact");
    const expires = message.has("Expires") ? message.header("Expires") : "600";
    const user = /sip:([^@;>]+)@/.exec(message.header("To"))?.[1] ?? "";
    this.registrations.set(user, {
      contact: uriOf(contact),
      path: mode === "echoed" ? path : [],
      source: message.from,
      wire: received.wire,
    });
    const echoed = mode === "echoed" ? path.map((value) => ["Path", value] as const) : [];
    this.answers(received, 200, {
      headers: [["Contact", `<${uriOf(contact)}>;expires=${expires}`], ...echoed],
    });
  }

  registrationOf(user: string): Registration {
    const found = this.registrations.get(user);
    if (found === undefined) throw new Error(`${user} is not registered at ${this.name}`);
    return found;
  }

  /** Sends a request to a registered phone, along its Path. */
  requestsTo(user: string, method: string, parts: ToUserParts = {}): string {
    const { contact, path, wire } = this.registrationOf(user);
    const routes = path.map((value) => ["Route", value] as const);
    return this.requests(
      method,
      {
        uri: contact,
        from: `<sip:${parts.caller ?? "200"}@${this.name}>;tag=${parts.callerTag ?? this.newId("-tag-")}`,
        to: `<sip:${user}@${this.name}>`,
        callId: parts.callId ?? this.newId("-call-"),
        cseq: 1,
        headers: [...routes, ["Contact", `<${this.contact}>`], ...(parts.headers ?? [])],
        ...(parts.body === undefined ? {} : { body: parts.body }),
      },
      { wire: this.wire ?? wire, routes: path.length > 0 ? path : [contact] },
    );
  }

  sendsInvite(user: string, body: string, parts: ToUserParts = {}): string {
    return this.requestsTo(user, "INVITE", { ...parts, body });
  }

  /** §8.1.2: to the first route, else to the next hop. */
  override destination(routes: readonly string[]): Endpoint | null {
    const first = routes[0];
    return first === undefined ? this.nextHop : endpointOf(uriOf(first));
  }
}

export type ToUserParts = {
  readonly caller?: string;
  readonly callId?: string;
  readonly callerTag?: string;
  readonly headers?: ExtraHeaders;
  readonly body?: string;
};

function endpointOf(uri: string): Endpoint {
  const found = /^sips?:(?:[^@]*@)?(\[[^\]]+\]|[^:;]+)(?::(\d+))?/.exec(uri);
  if (found?.[1] === undefined) throw new Error(`no host in ${uri}`);
  return { address: found[1].replace(/[[\]]/g, ""), port: Number(found[2] ?? 5060) };
}
