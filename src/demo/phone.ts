/**
 * The small SIP phone of the demonstration: registers over TLS, calls with SDES-SRTP, sends a tone, and
 * measures what comes back. What it reports was observed on its own sockets.
 */
import type { Timer } from "../io/types.ts";
import type { CryptoSuite } from "../rtp/crypto-suite.ts";
import { timestamp } from "../rtp/packet.ts";
import { SrtpContext } from "../rtp/srtp-context.ts";
import type { SipResponse } from "../sip/message.ts";
import type { ServerTransaction } from "../sip/transaction.ts";
import { makeOffer, readAudio } from "./audio-sdp.ts";
import { callerDialog, type DialogState, SDP_TYPE } from "./dialog.ts";
import { type G711Law, PAYLOAD_TYPE } from "./g711.ts";
import type { PhoneConnection } from "./phone-connection.ts";
import { RtpPort } from "./rtp-port.ts";
import { FRAME_MS, type MeasuredTone, measureTone, ToneSource } from "./tone.ts";

export type RegistrationReport = { readonly tookMs: number; readonly expiresS: number };

export type CallReport = {
  /** From INVITE to the first 18x; null = it did not ring. */
  readonly rangAfterMs: number | null;
  readonly answeredAfterMs: number;
  readonly suite: CryptoSuite;
  readonly law: G711Law;
  readonly packetsOut: number;
  readonly packetsBack: number;
  readonly roundTrip: { readonly meanMs: number; readonly worstMs: number } | null;
  readonly sentHz: number;
  readonly heard: MeasuredTone | null;
};

const SUITE: CryptoSuite = "AES_CM_128_HMAC_SHA1_80";
const KEY_BYTES = 30;
const TONE_HZ = 425;
const LATE_MS = 400;
const EXPIRES_S = 300;

/** Rejects with one clear line when it is refused. */
export async function register(phone: PhoneConnection): Promise<RegistrationReport> {
  const { world, account } = phone.options;
  const startMs = world.clock.now();
  const aor = `sip:${account.username}@${account.domain}`;
  const headers = [["Expires", `${EXPIRES_S}`]] as const;
  const request = phone.request("REGISTER", `sip:${account.domain}`, aor, headers);
  const response = await phone.authenticated(request, () => {});
  expectSuccess("REGISTER", response);
  return { tookMs: world.clock.now() - startMs, expiresS: EXPIRES_S };
}

/** Ends the registration again; whether that worked interests nobody. */
export async function unregister(phone: PhoneConnection): Promise<void> {
  const { account } = phone.options;
  const aor = `sip:${account.username}@${account.domain}`;
  const request = phone.request("REGISTER", `sip:${account.domain}`, aor, [["Expires", "0"]]);
  await phone.authenticated(request, () => {}).catch(() => {});
}

/** Calls `to`, sends `frames` frames of a tone, waits for late ones, hangs up. */
export async function call(
  phone: PhoneConnection,
  to: string,
  options: { readonly frames: number; readonly signal: AbortSignal },
): Promise<CallReport> {
  const { world } = phone.options;
  const hearing = new Hearing(() => world.clock.now());
  const port = await RtpPort.open({
    world,
    address: phone.address,
    received: (packet) => hearing.received(packet),
  });
  try {
    return await new OutgoingCall(phone, port, hearing, to).run(options);
  } finally {
    port.close();
  }
}

function expectSuccess(method: string, response: SipResponse): void {
  if (response.status >= 300) {
    throw new Error(`${method} was answered ${response.status} ${response.reason}`);
  }
}

/** What came back: each frame of ours once, told apart by its RTP timestamp. */
class Hearing {
  readonly frames = new Map<number, Uint8Array>();
  readonly #sentAtMs = new Map<number, number>();
  readonly #now: () => number;
  #totalMs = 0;
  worstMs = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  sent(rtpTimestamp: number): void {
    this.#sentAtMs.set(rtpTimestamp, this.#now());
  }

  received(packet: Uint8Array): void {
    const key = timestamp(packet);
    const sentAtMs = this.#sentAtMs.get(key);
    if (sentAtMs === undefined || this.frames.has(key)) return;
    const tookMs = this.#now() - sentAtMs;
    this.#totalMs += tookMs;
    this.worstMs = Math.max(this.worstMs, tookMs);
    this.frames.set(key, packet.slice(12));
  }

  get meanMs(): number {
    return this.#totalMs / Math.max(1, this.frames.size);
  }

  /** In the order in which they were sent. */
  get audio(): Uint8Array {
    const order = [...this.#sentAtMs.keys()];
    return new Uint8Array(Buffer.concat(order.flatMap((key) => this.frames.get(key) ?? [])));
  }
}

class OutgoingCall {
  readonly #phone: PhoneConnection;
  readonly #port: RtpPort;
  readonly #hearing: Hearing;
  readonly #to: string;
  #rangAfterMs: number | null = null;
  #dialog: DialogState | null = null;
  #isHungUpOn = false;

  constructor(phone: PhoneConnection, port: RtpPort, hearing: Hearing, to: string) {
    this.#phone = phone;
    this.#port = port;
    this.#hearing = hearing;
    this.#to = to;
  }

  async run(o: { readonly frames: number; readonly signal: AbortSignal }): Promise<CallReport> {
    const { world } = this.#phone.options;
    const startMs = world.clock.now();
    const key = world.random(KEY_BYTES);
    const answer = await this.#invite(key, startMs);
    const answeredAfterMs = world.clock.now() - startMs;
    const law = this.#connect(answer, key);
    await this.#talk(law, o.frames, o.signal);
    if (!this.#isHungUpOn) await this.#hangUp();
    const { frames, meanMs, worstMs, audio } = this.#hearing;
    return {
      rangAfterMs: this.#rangAfterMs,
      answeredAfterMs,
      suite: SUITE,
      law,
      packetsOut: this.#port.sent,
      packetsBack: frames.size,
      roundTrip: frames.size === 0 ? null : { meanMs, worstMs },
      sentHz: TONE_HZ,
      heard: measureTone(law, audio),
    };
  }

  async #invite(key: Uint8Array, startMs: number): Promise<SipResponse> {
    const { account, world } = this.#phone.options;
    const uri = `sip:${this.#to}@${account.domain}`;
    const own = { local: this.#port.local, sessionId: this.#port.ssrc, version: 1 };
    const crypto = `1 ${SUITE} inline:${Buffer.from(key).toString("base64")}`;
    const offer = makeOffer(own, [crypto]);
    const request = this.#phone.request("INVITE", uri, uri, [SDP_TYPE], offer);
    const response = await this.#phone.authenticated(request, (other) => {
      if (other.status > 100 && other.status < 200) {
        this.#rangAfterMs ??= world.clock.now() - startMs;
      } else if (this.#dialog !== null) this.#phone.agent.acknowledgeAgain(this.#dialog);
    });
    expectSuccess(`INVITE ${uri}`, response);
    this.#dialog = callerDialog(response);
    this.#phone.agent.open(this.#dialog, {
      request: (transaction) => this.#request(transaction),
      acknowledged() {},
      unacknowledged() {},
    });
    this.#phone.agent.acknowledge(this.#dialog, response);
    return response;
  }

  /** Takes address and key from the answer; SRTP is mandatory. */
  #connect(answer: SipResponse, key: Uint8Array): G711Law {
    const audio = readAudio(Buffer.from(answer.body).toString("latin1"));
    const crypto = audio?.crypto.find(({ suite, tag }) => suite === SUITE && tag === 1);
    if (audio === null || audio.law === null || crypto === undefined) {
      throw new Error("the answer has no SRTP audio");
    }
    this.#port.srtp = {
      send: new SrtpContext({ suite: SUITE, key }),
      receive: new SrtpContext({ suite: SUITE, key: crypto.key }),
    };
    this.#port.target = audio.endpoint;
    return audio.law;
  }

  /** One frame every 20 ms of the clock without drift, then a moment for what is late. */
  #talk(law: G711Law, frames: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#phone.options.world;
    const source = new ToneSource(law, TONE_HZ);
    const startMs = clock.now();
    return new Promise((resolve) => {
      let timer: Timer | null = null;
      const done = (): void => {
        timer?.cancel();
        signal.removeEventListener("abort", done);
        resolve();
      };
      const next = (count: number): void => {
        if (signal.aborted || this.#isHungUpOn) {
          done();
          return;
        }
        if (count === frames) {
          timer = clock.after(LATE_MS, done);
          return;
        }
        this.#hearing.sent(this.#port.sendFrame(PAYLOAD_TYPE[law], source.nextFrame()));
        const dueMs = startMs + (count + 1) * FRAME_MS;
        timer = clock.after(Math.max(0, dueMs - clock.now()), () => next(count + 1));
      };
      signal.addEventListener("abort", done);
      next(0);
    });
  }

  #hangUp(): Promise<void> {
    return new Promise((resolve) => {
      const dialog = this.#dialog;
      if (dialog === null) {
        resolve();
        return;
      }
      const done = (): void => {
        this.#phone.agent.close(dialog);
        resolve();
      };
      const response = (answer: SipResponse): void => {
        if (answer.status >= 200) done();
      };
      const client = this.#phone.agent.sendIn(
        dialog,
        "BYE",
        {},
        { response, timeout: done, failed: done },
      );
      if (client === null) done();
    });
  }

  #request(transaction: ServerTransaction): void {
    const isBye = transaction.request.method === "BYE";
    this.#phone.agent.respond(transaction, isBye ? 200 : 488);
    if (!isBye) return;
    this.#isHungUpOn = true;
    if (this.#dialog !== null) this.#phone.agent.close(this.#dialog);
  }
}
