/**
 * A scripted phone: one account at one instance, one connection or UDP socket to its proxy.
 */
import type { Endpoint } from "../../src/io/types.ts";
import type { Outside } from "./outside.ts";
import type { Received } from "./sip-peer.ts";
import { hostPort, type SipText } from "./sip-text.ts";
import { digestAnswer, type ExtraHeaders, UserAgent } from "./user-agent.ts";

export type PhoneOptions = {
  readonly user: string;
  /** The instance's name: registrar and domain. */
  readonly domain: string;
  readonly password?: string;
  readonly address: string;
  readonly transport: "udp" | "tcp" | "tls";
  readonly proxy: Endpoint;
  /** Of the UDP socket; 0 or left out = any. */
  readonly port?: number;
};

export class Phone extends UserAgent {
  readonly options: PhoneOptions;
  #registerCallId = "";
  #registerCseq = 0;
  /** Behind the Contact of its REGISTER: ";reg-id=1". */
  contactParams = "";
  /** The proxy asks whether it is there, and it is; a phone that shall be dead sets it otherwise. */
  override automatic = (received: Received): boolean => {
    if (!isKeepAlive(received)) return false;
    this.answers(received, 200);
    return true;
  };

  constructor(outside: Outside, options: PhoneOptions) {
    super(options.user, outside);
    this.options = options;
  }

  get uri(): string {
    return `sip:${this.options.user}@${this.options.domain}`;
  }

  /** Opens the socket or connection; again after it was lost. */
  async connects(): Promise<void> {
    const { transport, address, proxy, user, port } = this.options;
    this.nextHop = proxy;
    this.wire =
      transport === "udp"
        ? await this.listenUdp({ address, port: port ?? 0 })
        : await this.connect(address, proxy, { tls: transport === "tls" });
    const { local } = this.wire;
    this.contact = `sip:${user}@${hostPort(local)};transport=${transport}`;
  }

  /** Sends a REGISTER; the script receives what comes. */
  sendsRegister(options: { expires?: number; headers?: ExtraHeaders } = {}): string {
    if (this.#registerCallId === "") {
      this.#registerCallId = this.newId(`-register-${this.options.address}-`);
    }
    this.#registerCseq += 1;
    return this.requests("REGISTER", {
      uri: `sip:${this.options.domain}`,
      from: `<${this.uri}>;tag=${this.newId("-tag-")}`,
      to: `<${this.uri}>`,
      callId: this.#registerCallId,
      cseq: this.#registerCseq,
      headers: [
        ["Contact", `<${this.contact}>${this.contactParams}`],
        ["Expires", String(options.expires ?? 600)],
        ...(options.headers ?? []),
      ],
    });
  }

  /** The whole of it: REGISTER, the digest when asked, and the 200. */
  async registers(options: { expires?: number; headers?: ExtraHeaders } = {}): Promise<SipText> {
    this.sendsRegister(options);
    const first = await this.receives(/^SIP\/2\.0 [2-6].*CSeq: \d+ REGISTER/s);
    if (first.status !== 401) return first;
    const request = { method: "REGISTER", uri: `sip:${this.options.domain}` };
    const answer = digestAnswer(first.header("WWW-Authenticate"), request, {
      username: this.options.user,
      password: this.options.password ?? "",
    });
    const headers = [...(options.headers ?? []), ["Authorization", answer] as const];
    this.sendsRegister({ ...options, headers });
    return await this.receives(/^SIP\/2\.0 [2-6].*CSeq: \d+ REGISTER/s);
  }

  /** Sends an INVITE for somebody at the instance; returns its text. */
  sendsInvite(user: string, body: string, options: InviteOptions = {}): string {
    return this.requests("INVITE", {
      uri: options.uri ?? `sip:${user}@${this.options.domain}`,
      from: `<${this.uri}>;tag=${this.newId("-tag-")}`,
      to: `<sip:${user}@${this.options.domain}>`,
      callId: options.callId ?? this.newId("-call-"),
      cseq: options.cseq ?? 1,
      headers: [["Contact", `<${this.contact}>`], ...(options.headers ?? [])],
      body,
    });
  }
}

/** From the proxy itself: no user stands before its name. */
export function isKeepAlive({ message }: Received): boolean {
  return message.method === "OPTIONS" && /^<sip:[^@>]+>/.test(message.header("From"));
}

export type InviteOptions = {
  readonly uri?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly headers?: ExtraHeaders;
};
