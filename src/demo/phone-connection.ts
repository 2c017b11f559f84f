/**
 * The demonstration phone's one TLS connection to the proxy, with its SIP end point on top. Certificates are
 * not checked: it calls a proxy that was started a moment ago in the same process.
 */
import type { Connection, Endpoint, World } from "../io/types.ts";
import { answerChallenge, formatDigestCredentials, parseDigestChallenge } from "../sip/digest.ts";
import type { Flow } from "../sip/flow.ts";
import { makeRequest } from "../sip/make-message.ts";
import type { SipRequest, SipResponse } from "../sip/message.ts";
import { StreamReader } from "../sip/stream-reader.ts";
import type { ServerTransaction } from "../sip/transaction.ts";
import { connectionFlow, hostPort } from "./flows.ts";
import { UserAgent } from "./user-agent.ts";

export type Account = {
  readonly domain: string;
  readonly username: string;
  readonly password: string;
};

export type PhoneConnectionOptions = {
  readonly world: World;
  readonly proxy: Endpoint;
  readonly localAddress: string;
  readonly account: Account;
  readonly product: string;
};

const CONNECT_MS = 5000;
const LIMITS = { headBytes: 65_536, messageBytes: 262_144 };
const MAX_TRANSACTIONS = 100;

export class PhoneConnection {
  readonly options: PhoneConnectionOptions;
  readonly agent: UserAgent;
  #connection: Connection | null = null;
  #flow: Flow | null = null;

  private constructor(options: PhoneConnectionOptions) {
    const { world, product } = options;
    this.options = options;
    this.agent = new UserAgent({
      clock: world.clock,
      random: (lengthBytes) => world.random(lengthBytes),
      maxTransactions: MAX_TRANSACTIONS,
      product,
      request: (transaction) => this.#request(transaction),
      cancelled() {},
      flowFor: () => this.#flow,
      count() {},
    });
  }

  /** Rejects with one clear line when there is no connection. */
  static async open(options: PhoneConnectionOptions): Promise<PhoneConnection> {
    const phone = new PhoneConnection(options);
    const { world, proxy, localAddress } = options;
    const reader = new StreamReader(LIMITS, {
      message: (bytes) => {
        if (phone.#flow !== null) phone.agent.receive(bytes, phone.#flow);
      },
      keepAlive() {},
      broken: () => phone.close(),
    });
    const connection = await world.connectStream({
      local: { address: localAddress },
      remote: proxy,
      tls: { serverName: proxy.address, verify: false, caPem: null },
      timeoutMs: CONNECT_MS,
      events: { data: (bytes) => reader.push(bytes), closed: () => phone.#closed() },
    });
    phone.#connection = connection;
    phone.#flow = connectionFlow(connection, () => phone.#connection === connection);
    return phone;
  }

  get contact(): string {
    const { username } = this.options.account;
    const local = this.#connection?.local ?? { address: "0.0.0.0", port: 0 };
    return `sip:${username}@${hostPort(local)};transport=tls`;
  }

  get address(): string {
    return this.#connection?.local.address ?? this.options.localAddress;
  }

  close(): void {
    this.#connection?.end();
    this.#closed();
  }

  /** A request outside a dialog, from this account. */
  request(
    method: string,
    uri: string,
    to: string,
    headers: readonly (readonly [string, string])[],
    body = "",
  ) {
    const { username, domain } = this.options.account;
    return makeRequest({
      method,
      uri,
      headers: [
        ["Max-Forwards", "70"],
        ["From", `<sip:${username}@${domain}>;tag=${this.agent.newId()}`],
        ["To", `<${to}>`],
        ["Call-ID", this.agent.newId()],
        ["CSeq", `1 ${method}`],
        ["Contact", `<${this.contact}>`],
        ...headers,
      ],
      body: Buffer.from(body, "latin1"),
    });
  }

  /**
   * Sends it, answers one challenge, and gives the final response. Rejects when nothing answers. `on` hears
   * of provisional responses, and of a 2xx to INVITE that comes again.
   */
  async authenticated(
    request: SipRequest,
    on: (response: SipResponse) => void,
  ): Promise<SipResponse> {
    const first = await this.#final(request, on);
    if (first.status !== 401 && first.status !== 407) return first;
    const isProxy = first.status === 407;
    const challenge = first.headers.get(isProxy ? "proxy-authenticate" : "www-authenticate") ?? "";
    const answer = formatDigestCredentials(
      answerChallenge(parseDigestChallenge(challenge), {
        ...this.options.account,
        method: request.method,
        uri: request.uri,
        nonceCount: 1,
        cnonce: this.agent.newId(),
      }),
    );
    const again = { ...request, headers: request.headers.clone() };
    again.headers.set(isProxy ? "proxy-authorization" : "authorization", answer);
    again.headers.set("cseq", `2 ${request.method}`);
    return await this.#final(again, on);
  }

  #final(request: SipRequest, on: (response: SipResponse) => void): Promise<SipResponse> {
    return new Promise((resolve, reject) => {
      const failed = (reason: string): void => reject(new Error(`${request.method}: ${reason}`));
      let hasFinal = false;
      const client = this.agent.send(request, {
        response: (response) => {
          if (response.status >= 200 && !hasFinal) {
            hasFinal = true;
            resolve(response);
          } else on(response);
        },
        timeout: () => failed("no answer"),
        failed,
      });
      if (client === null) failed("not connected");
    });
  }

  #closed(): void {
    const flow = this.#flow;
    this.#connection = null;
    this.#flow = null;
    if (flow !== null) this.agent.table.flowClosed(flow);
  }

  /** Nobody calls this phone; a keep-alive of the proxy or the instance is answered. */
  #request(transaction: ServerTransaction): void {
    const isOptions = transaction.request.method === "OPTIONS";
    this.agent.respond(transaction, isOptions ? 200 : 486);
  }
}
