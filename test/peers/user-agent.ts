/**
 * What a scripted phone and a scripted telephone system share: requests with numbers that count up,
 * answers that copy what RFC 3261 §8.2.6 says, dialogs with their route sets. Nothing here decides
 * anything by itself: scripts say what is sent.
 */
import { createHash } from "node:crypto";
import type { Endpoint } from "../../src/io/types.ts";
import { type Received, SipPeer, type Wire } from "./sip-peer.ts";
import { hostPort, type SipText, tagOf, uriOf } from "./sip-text.ts";

export type ExtraHeaders = readonly (readonly [name: string, value: string])[];

export type RequestParts = {
  readonly uri: string;
  readonly from: string;
  readonly to: string;
  readonly callId: string;
  readonly cseq: number;
  readonly headers?: ExtraHeaders;
  readonly body?: string;
  /** Left out = a new one. */
  readonly branch?: string;
};

/** One side of a dialog. */
export type Dialog = {
  readonly callId: string;
  readonly local: string;
  remote: string;
  /** The far end's Contact. */
  target: string;
  /** In the order in which requests of this side carry them. */
  routes: string[];
  cseq: number;
};

export type Credentials = { readonly username: string; readonly password: string };

export class UserAgent extends SipPeer {
  /** What Contact says; set by connecting. */
  contact = "";
  wire: Wire | null = null;
  /** Where requests go over UDP. */
  nextHop: Endpoint | null = null;
  #count = 0;

  /** "alice-7": the same on every run. */
  newId(what = ""): string {
    this.#count += 1;
    return `${this.name}${what}${this.#count}`;
  }

  newBranch(): string {
    return `z9hG4bK-${this.newId("-branch-")}`;
  }

  get #sentBy(): string {
    const local = this.wire?.local ?? { address: "0.0.0.0", port: 5060 };
    return hostPort(local);
  }

  /** The text of a request; sendsBytes-able as it is, or to be changed by the test first. */
  requestText(method: string, parts: RequestParts): string {
    const transport = (this.wire?.transport ?? "udp").toUpperCase();
    const branch = parts.branch ?? this.newBranch();
    const headers = parts.headers ?? [];
    const body = parts.body ?? "";
    const isGiven = (name: string): boolean => headers.some(([one]) => one === name);
    return [
      `${method} ${parts.uri} SIP/2.0`,
      `Via: SIP/2.0/${transport} ${this.#sentBy};branch=${branch};rport`,
      ...(isGiven("Max-Forwards") ? [] : ["Max-Forwards: 70"]),
      `From: ${parts.from}`,
      `To: ${parts.to}`,
      `Call-ID: ${parts.callId}`,
      `CSeq: ${parts.cseq} ${method}`,
      ...headers.map(([name, value]) => `${name}: ${value}`),
      ...(body === "" || isGiven("Content-Type") ? [] : ["Content-Type: application/sdp"]),
      "Content-Length: *",
      "",
      body,
    ].join("\n");
  }

  /** Sends a request and returns its text, for retransmitting, ACKing and cancelling. */
  requests(method: string, parts: RequestParts, options: SendOptions = {}): string {
    const text = this.requestText(method, parts);
    this.sends(text, this.#options(options));
    return text;
  }

  /** Sends the very same text once more. */
  repeats(text: string, options: SendOptions = {}): void {
    this.sends(text, this.#options(options));
  }

  /** CANCEL for an INVITE it sent (§9.1: same Request-URI, branch, From, To, Call-ID, CSeq number). */
  cancels(invite: string): void {
    this.repeats(sameTransaction(invite, "CANCEL"));
  }

  /** ACK for a final answer that is no 2xx (§17.1.1.3). */
  acknowledges(invite: string, answer: SipText): void {
    const ack = sameTransaction(invite, "ACK");
    this.repeats(ack.replace(/^To: .*$/m, `To: ${answer.header("To")}`));
  }

  /** Answers over the way the request came. */
  answers(request: Received, status: number, parts: AnswerParts = {}): void {
    this.sends(answerText(request.message, status, parts), {
      to: request.message.from,
      wire: request.wire,
    });
  }

  /** A request of a dialog, along its route set (§12.2.1.1); ACK keeps the number. */
  inDialog(dialog: Dialog, method: string, parts: InDialogParts = {}): string {
    if (method !== "ACK") dialog.cseq += 1;
    const routes = dialog.routes.map((route) => ["Route", route] as const);
    return this.requests(
      method,
      {
        uri: dialog.target,
        from: dialog.local,
        to: dialog.remote,
        callId: dialog.callId,
        cseq: parts.cseq ?? dialog.cseq,
        headers: [...routes, ...(parts.headers ?? [])],
        ...(parts.body === undefined ? {} : { body: parts.body }),
      },
      { ...(parts.wire === undefined ? {} : { wire: parts.wire }), routes: dialog.routes },
    );
  }

  /** Rings (18x) or picks up (2xx). */
  replies(invite: Received, status: number, tag: string, body = ""): void {
    this.answers(invite, status, { tag, contact: this.contact, body });
  }

  /** Takes the 2xx of its INVITE and sends the ACK. */
  async isAnswered(): Promise<{ answer: SipText; dialog: Dialog }> {
    const answer = await this.receives("200 INVITE");
    const dialog = callerDialog(answer);
    this.inDialog(dialog, "ACK");
    return { answer, dialog };
  }

  /** Hangs up and takes the 200. */
  async hangsUp(dialog: Dialog): Promise<void> {
    this.inDialog(dialog, "BYE");
    await this.receives("200 BYE");
  }

  /** Takes a BYE and answers it. */
  async isHungUpOn(): Promise<void> {
    this.answers(await this.receivesOn("BYE"), 200);
  }

  #options(options: SendOptions): { to?: Endpoint; wire?: Wire } {
    const wire = options.wire ?? this.wire ?? undefined;
    const to = this.destination(options.routes ?? []);
    return { ...(wire === undefined ? {} : { wire }), ...(to === null ? {} : { to }) };
  }

  /** Where a request with these routes is sent; a phone always sends to its proxy. */
  destination(_routes: readonly string[]): Endpoint | null {
    return this.nextHop;
  }
}

export type SendOptions = { readonly wire?: Wire; readonly routes?: readonly string[] };

export type InDialogParts = {
  readonly headers?: ExtraHeaders;
  readonly body?: string;
  readonly wire?: Wire;
  readonly cseq?: number;
};

export type AnswerParts = {
  readonly tag?: string;
  readonly headers?: ExtraHeaders;
  readonly body?: string;
  readonly contact?: string;
  readonly reason?: string;
};

/** §8.2.6 and §12.1.1: what an answer copies from its request. */
export function answerText(request: SipText, status: number, parts: AnswerParts = {}): string {
  const to = request.header("To");
  const needsTag = status > 100 && tagOf(to) === undefined;
  const body = parts.body ?? "";
  const lines = (name: string): string[] => request.lines(name).map((value) => `${name}: ${value}`);
  return [
    `SIP/2.0 ${status} ${parts.reason ?? "Said"}`,
    ...lines("Via"),
    ...lines("Record-Route"),
    ...lines("From"),
    `To: ${needsTag ? `${to};tag=${parts.tag ?? "answered"}` : to}`,
    ...lines("Call-ID"),
    ...lines("CSeq"),
    ...(parts.contact === undefined ? [] : [`Contact: <${parts.contact}>`]),
    ...(parts.headers ?? []).map(([name, value]) => `${name}: ${value}`),
    ...(body === "" ? [] : ["Content-Type: application/sdp"]),
    "Content-Length: *",
    "",
    body,
  ].join("\n");
}

/** The caller's side of a dialog after an answer with a tag (§12.1.2). */
export function callerDialog(answer: SipText): Dialog {
  return {
    callId: answer.header("Call-ID"),
    local: answer.header("From"),
    remote: answer.header("To"),
    target: answer.has("Contact") ? uriOf(answer.header("Contact")) : "",
    routes: answer.values("Record-Route").reverse(),
    cseq: Number(answer.header("CSeq").split(" ")[0]),
  };
}

/** The called side of a dialog (§12.1.1). */
export function calledDialog(invite: SipText, tag: string): Dialog {
  const to = invite.header("To");
  return {
    callId: invite.header("Call-ID"),
    local: tagOf(to) === undefined ? `${to};tag=${tag}` : to,
    remote: invite.header("From"),
    target: uriOf(invite.header("Contact")),
    routes: invite.values("Record-Route"),
    cseq: 100,
  };
}

function sameTransaction(invite: string, method: string): string {
  const kept = /^(Via|Max-Forwards|From|To|Call-ID|Route):/;
  const [start = "", ...lines] = invite.split("\n");
  const end = lines.indexOf("");
  const cseq = /^CSeq: (\d+)/m.exec(invite)?.[1] ?? "1";
  return [
    start.replace(/^\S+/, method),
    ...lines.slice(0, end).filter((line) => kept.test(line)),
    `CSeq: ${cseq} ${method}`,
    "Content-Length: 0",
    "",
    "",
  ].join("\n");
}

/** The value of Authorization or Proxy-Authorization for a challenge (RFC 2617, MD5, qop=auth). */
export function digestAnswer(
  challenge: string,
  request: { method: string; uri: string },
  who: Credentials,
): string {
  const param = (name: string): string | undefined =>
    new RegExp(`${name}="?([^",]*)"?`, "i").exec(challenge)?.[1];
  const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
  const realm = param("realm") ?? "";
  const nonce = param("nonce") ?? "";
  const ha1 = md5(`${who.username}:${realm}:${who.password}`);
  const ha2 = md5(`${request.method}:${request.uri}`);
  const start = `Digest username="${who.username}", realm="${realm}", nonce="${nonce}"`;
  const uri = `uri="${request.uri}", algorithm=MD5`;
  if (param("qop") === undefined) {
    return `${start}, ${uri}, response="${md5(`${ha1}:${nonce}:${ha2}`)}"`;
  }
  const response = md5(`${ha1}:${nonce}:00000001:c0ffee:auth:${ha2}`);
  return `${start}, ${uri}, response="${response}", qop=auth, nc=00000001, cnonce="c0ffee"`;
}
