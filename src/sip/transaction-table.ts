/**
 * All SIP transactions of one proxy (RFC 3261 §17, RFC 6026, RFC 4320): finds the one a message belongs to,
 * makes new ones, ends them by their timers. Owns every transaction; opens no socket and reads no clock.
 * State is always right before an owner's callback runs, so callbacks may respond, send and cancel at will.
 */

import type { Clock } from "../io/types.ts";
import { parseCSeq } from "./cseq.ts";
import type { Flow } from "./flow.ts";
import { formatMessage } from "./format-message.ts";
import { InviteClient } from "./invite-client.ts";
import { InviteServer } from "./invite-server.ts";
import { makeResponse } from "./make-message.ts";
import { cloneRequest, type SipMessage, type SipRequest, type SipResponse } from "./message.ts";
import { NonInviteClient } from "./non-invite-client.ts";
import { NonInviteServer } from "./non-invite-server.ts";
import { makeTimers, type Timers } from "./timers.ts";
import type {
  ClientEvents,
  ClientTransaction,
  ServerTransaction,
  TransactionHost,
} from "./transaction.ts";
import { clientKey, serverKey } from "./transaction-key.ts";
import { branchCookie, parseVia, type Via, viaParam } from "./via.ts";
import { stampSource } from "./via-source.ts";

export type { ClientEvents, ClientTransaction, ServerTransaction } from "./transaction.ts";

export type TransactionOptions = {
  readonly clock: Clock;
  readonly timers?: Partial<Timers>;
  /** Server and client transactions together. Beyond it new requests are refused with 503. */
  readonly maxTransactions: number;
  /** Unguessable token characters; a branch is the magic cookie and one of these. */
  randomId(): string;
  /** A new request, not an ACK and not a repetition. An INVITE still unanswered on return gets its 100. */
  request(transaction: ServerTransaction): void;
  /** An ACK of a 2xx: to be forwarded without state. */
  ack(request: SipRequest, flow: Flow): void;
  /** A response that matches nothing we sent. It must not be forwarded (RFC 6026 §8.1). */
  strayResponse(response: SipResponse, flow: Flow): void;
  count(reason: string): void;
  /** False: to this source final responses to INVITE are not repeated unasked. Default: to all they are. */
  isProven?(flow: Flow): boolean;
};

type Server = InviteServer | NonInviteServer;
type Client = InviteClient | NonInviteClient;

/** The To tag of every stateless 503, the same for each repetition (RFC 3261 §8.2.7), known by its ACK. */
const REFUSED_TAG = "refused-503";
const REFUSED_TO = /;\s*tag\s*=\s*refused-503\s*(;|$)/i;
const REFUSED_RETRY_AFTER_S = 10;

/** In Vias below the top one, which need not be right. */
const BRANCH = /;\s*branch\s*=\s*([^\s;,]+)/i;

const NO_EVENTS: ClientEvents = { response() {}, timeout() {}, failed() {} };

export class TransactionTable {
  readonly #options: TransactionOptions;
  readonly #host: TransactionHost;
  readonly #servers = new Map<string, Server>();
  readonly #clients = new Map<string, Client>();
  /** Clients on streams only: a UDP flow never closes. */
  readonly #clientsByFlow = new Map<Flow, Set<Client>>();

  constructor(options: TransactionOptions) {
    this.#options = options;
    this.#host = {
      clock: options.clock,
      timers: makeTimers(options.timers),
      count: (reason) => options.count(reason),
      mayResend: (flow) => options.isProven?.(flow) ?? true,
    };
  }

  /** Transactions alive, of both kinds. */
  get size(): number {
    return this.#servers.size + this.#clients.size;
  }

  /** Requests that wait for their final response. */
  get pending(): number {
    let count = 0;
    for (const server of this.#servers.values()) if (!server.isFinal) count++;
    return count;
  }

  /** A tag for a response of our own (RFC 3261 §19.3). */
  newTag(): string {
    return this.#options.randomId();
  }

  /** What parseMessage gave; it belongs to the table from now on. */
  receive(message: SipMessage, flow: Flow): void {
    const via = parseVia(message.headers.firstValue("via") ?? "");
    if (message.kind === "response") this.#receiveResponse(message, via, flow);
    else if (message.method === "ACK") this.#receiveAck(message, via, flow);
    else this.#receiveRequest(message, via, flow);
  }

  /** Sends a copy of `request` with our Via on top. */
  send(request: SipRequest, flow: Flow, events: ClientEvents): ClientTransaction {
    const branch = this.#newBranch();
    return this.#start(withVia(request, flow, branch), branch, flow, events);
  }

  /** Sends a copy of `request` with our Via on top and forgets it. For the ACK of a 2xx. */
  sendStateless(request: SipRequest, flow: Flow): boolean {
    return flow.send(formatMessage(withVia(request, flow, this.#newBranch())));
  }

  /**
   * The same without repetitions, for what will be sent anew by itself (a keep-alive): many phones that have
   * gone must not be shouted at.
   */
  ask(request: SipRequest, flow: Flow, events: ClientEvents): ClientTransaction {
    const branch = this.#newBranch();
    return this.#start(withVia(request, flow, branch), branch, flow, events, false);
  }

  /**
   * It was sent there before, for the same Request-URI, and still waits for its answer: one of its Vias is
   * ours. Through us once more to somebody else is a spiral, which is allowed (RFC 3261 §16.3 step 4).
   */
  isLoop(received: SipRequest, uri: string, flow: Flow): boolean {
    const [, ...passed] = received.headers.values("via");
    return passed.some((via) => {
      const branch = BRANCH.exec(via)?.[1] ?? "";
      const before = this.#clients.get(clientKey(branch, received.method));
      return (
        before?.flow.side === flow.side && before.flow.id === flow.id && before.request.uri === uri
      );
    });
  }

  /** Phones that answer nothing any more, by flow id: what waits for them fails. One pass for all of them. */
  flowsLost(ids: ReadonlySet<string>): void {
    for (const client of [...this.#clients.values()]) {
      if (client.flow.side === "outer" && ids.has(client.flow.id)) client.fail("flow-dead");
    }
  }

  /** What was sent on it and waits for an answer fails at once. */
  flowClosed(flow: Flow): void {
    const clients = this.#clientsByFlow.get(flow);
    if (clients === undefined) return;
    for (const client of [...clients]) client.fail("flow-closed");
  }

  /** 503 without any state: the peer shall come back later (RFC 3261 §21.5.4). */
  refuse(request: SipRequest, flow: Flow, retryAfterSeconds: number): void {
    if (request.method === "ACK") return;
    stampSource(request, parseVia(request.headers.firstValue("via") ?? ""), flow.remote);
    const response = makeResponse(request, 503, undefined, REFUSED_TAG);
    response.headers.append("retry-after", String(retryAfterSeconds));
    if (!flow.send(formatMessage(response), true)) this.#options.count("response-not-sent");
  }

  #receiveRequest(request: SipRequest, via: Via, flow: Flow): void {
    const key = serverKey(request, via, flow, request.method);
    const known = this.#servers.get(key);
    if (known !== undefined) known.repeated();
    else this.#receiveNew(request, via, flow, key);
  }

  /** A broken phone may acknowledge a 2xx with the INVITE's branch: the Accepted state tells. */
  #receiveAck(request: SipRequest, via: Via, flow: Flow): void {
    const invite = this.#inviteServer(request, via, flow);
    if (invite?.acknowledged() === true) return;
    if (isRefused(request)) return;
    this.#options.ack(request, flow);
  }

  #receiveNew(request: SipRequest, via: Via, flow: Flow, key: string): void {
    const matching =
      request.method === "CANCEL" ? this.#inviteServer(request, via, flow) : undefined;
    // A CANCEL that matches makes room, and there is at most one to an INVITE.
    if (matching === undefined && this.size >= this.#options.maxTransactions) {
      this.#options.count("transactions-full");
      this.refuse(request, flow, REFUSED_RETRY_AFTER_S);
      return;
    }
    stampSource(request, via, flow.remote);
    const ended = () => this.#servers.delete(key);
    const server =
      request.method === "INVITE"
        ? new InviteServer(this.#host, request, flow, ended)
        : new NonInviteServer(this.#host, request, flow, matching ?? null, ended);
    this.#servers.set(key, server);
    this.#hand(server);
  }

  /** An owner that throws leaves an answered request behind, not one that waits for ever. */
  #hand(server: Server): void {
    try {
      this.#options.request(server);
    } catch (error) {
      if (!server.isFinal) {
        server.respond(makeResponse(server.request, 500, undefined, this.#options.randomId()));
      }
      throw error;
    }
    if (server.isInvite && !server.isAnswered && !server.isFinal) {
      server.respond(makeResponse(server.request, 100));
    }
  }

  #inviteServer(request: SipRequest, via: Via, flow: Flow): InviteServer | undefined {
    const server = this.#servers.get(serverKey(request, via, flow, "INVITE"));
    return server instanceof InviteServer ? server : undefined;
  }

  #receiveResponse(response: SipResponse, via: Via, flow: Flow): void {
    const { method } = parseCSeq(response.headers.get("cseq") ?? "");
    const client = this.#clients.get(clientKey(viaParam(via, "branch") ?? "", method));
    if (client === undefined) this.#options.strayResponse(response, flow);
    else if (!isFromThere(client.flow, flow)) this.#options.count("response-from-elsewhere");
    else {
      response.headers.shift("via");
      client.receive(response);
    }
  }

  #start(
    request: SipRequest,
    branch: string,
    flow: Flow,
    events: ClientEvents,
    repeats = true,
  ): Client {
    const ended = () => this.#remove(client);
    const options = { host: this.#host, request, branch, flow, events, ended };
    const client: Client =
      request.method === "INVITE"
        ? new InviteClient({
            ...options,
            sendCancel: (cancel) => this.#start(cancel, branch, flow, NO_EVENTS),
          })
        : new NonInviteClient({ ...options, repeats });
    this.#add(client);
    client.start();
    return client;
  }

  #add(client: Client): void {
    this.#clients.set(clientKey(client.branch, client.request.method), client);
    if (client.flow.transport === "udp") return;
    const beside = this.#clientsByFlow.get(client.flow);
    if (beside === undefined) this.#clientsByFlow.set(client.flow, new Set([client]));
    else beside.add(client);
  }

  #remove(client: Client): void {
    this.#clients.delete(clientKey(client.branch, client.request.method));
    const beside = this.#clientsByFlow.get(client.flow);
    beside?.delete(client);
    if (beside?.size === 0) this.#clientsByFlow.delete(client.flow);
  }

  #newBranch(): string {
    return `${branchCookie}${this.#options.randomId()}`;
  }
}

function withVia(request: SipRequest, flow: Flow, branch: string): SipRequest {
  const sent = cloneRequest(request);
  const rport = flow.transport === "udp" ? ";rport" : "";
  const via = `SIP/2.0/${flow.transport.toUpperCase()} ${flow.sentBy};branch=${branch}${rport}`;
  sent.headers.prepend("via", via);
  return sent;
}

/**
 * The branch is unguessable, so it proves that the top Via is ours; that the response comes from where the
 * request went proves that nobody else overheard it. A stream may have been opened anew. Inside several
 * instances share an address, so there the port counts too; old phones answer from another port than they
 * listen on.
 */
function isFromThere(sentOn: Flow, cameOn: Flow): boolean {
  if (sentOn === cameOn) return true;
  if (sentOn.side !== cameOn.side || sentOn.remote.address !== cameOn.remote.address) return false;
  const isExact = sentOn.side === "inner" && sentOn.transport === "udp";
  return !isExact || (cameOn.transport === "udp" && sentOn.remote.port === cameOn.remote.port);
}

function isRefused(ack: SipRequest): boolean {
  return REFUSED_TO.test(ack.headers.get("to") ?? "");
}
