/**
 * A call that the demonstration instance answers itself: 600 gives back what it hears, 601 plays a tone.
 */
import type { Timer } from "../io/types.ts";
import { writeUint32 } from "../rtp/packet.ts";
import type { ServerTransaction } from "../sip/transaction.ts";
import { makeAnswer, makeOffer, readAudio } from "./audio-sdp.ts";
import type { CallLeg } from "./call-leg.ts";
import { type G711Law, PAYLOAD_TYPE } from "./g711.ts";
import { FRAME_MS, ToneSource } from "./tone.ts";

export type Answering = "echo" | "tone";

/** Long enough for a person to see the telephone ring. */
const RINGING_MS = 300;
const TONE_HZ = 440;

export type AnsweringOptions = {
  readonly leg: CallLeg;
  readonly kind: Answering;
  readonly invite: ServerTransaction;
  /** Once, however the call ends. */
  ended(): void;
};

export class AnsweringCall {
  readonly #o: AnsweringOptions;
  readonly #tag: string;
  #timer: Timer | null = null;
  #isEnded = false;

  constructor(options: AnsweringOptions) {
    this.#o = options;
    this.#tag = options.leg.place.agent.newId();
  }

  /** Rings, then answers. An offer that cannot be taken: 488. */
  start(): void {
    const { leg, invite } = this.#o;
    const offer = bodyOf(invite);
    const answer = offer === "" ? makeOffer(leg.own, []) : this.#answerTo(offer);
    if (answer === null) {
      leg.place.agent.respond(invite, 488);
      this.end();
      return;
    }
    const { agent, contact } = leg.place;
    agent.respond(invite, 180, { tag: this.#tag, contact });
    this.#timer = leg.place.world.clock.after(RINGING_MS, () => this.#pickUp(answer));
  }

  /** A packet from the phone: echo sends it back, marked as ours, numbers and time as they came. */
  received(packet: Uint8Array): void {
    const { leg, kind } = this.#o;
    if (kind !== "echo" || !leg.isWanted) return;
    writeUint32(packet, 8, leg.port.ssrc);
    leg.port.send(packet);
  }

  /** Stops, gives ports back; a BYE goes out when `hangsUp`. */
  end(hangsUp = false): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#timer?.cancel();
    if (hangsUp) this.#o.leg.hangUp();
    else this.#o.leg.close();
    this.#o.ended();
  }

  #answerTo(offer: string): string | null {
    const { leg, kind } = this.#o;
    const law = kind === "tone" ? (readAudio(offer)?.law ?? null) : null;
    if (kind === "tone" && law === null) return null;
    const answer = makeAnswer(offer, leg.own, law);
    return answer !== null && leg.follow(offer) ? answer : null;
  }

  #pickUp(body: string): void {
    const { leg, invite } = this.#o;
    const { agent, contact } = leg.place;
    const hasOffer = bodyOf(invite) !== "";
    leg.answer(invite, this.#tag, {
      request: (transaction) => this.#request(transaction),
      acknowledged: (answer) => {
        if (!hasOffer && !leg.follow(answer)) this.end(true);
        else if (!hasOffer) this.#play(answer);
      },
      unacknowledged: () => this.end(true),
    });
    agent.respond(invite, 200, { tag: this.#tag, contact, body });
    if (hasOffer) this.#play(bodyOf(invite));
  }

  /** A frame every 20 ms of the clock, without drift. */
  #play(sdp: string): void {
    const law = readAudio(sdp)?.law ?? null;
    if (this.#o.kind !== "tone" || law === null) return;
    const { clock } = this.#o.leg.place.world;
    const source = new ToneSource(law, TONE_HZ);
    const startMs = clock.now();
    let frames = 0;
    const next = (): void => {
      this.#sendFrame(law, source);
      frames += 1;
      const dueMs = startMs + frames * FRAME_MS;
      this.#timer = clock.after(Math.max(0, dueMs - clock.now()), next);
    };
    next();
  }

  #sendFrame(law: G711Law, source: ToneSource): void {
    const frame = source.nextFrame();
    if (this.#o.leg.isWanted) this.#o.leg.port.sendFrame(PAYLOAD_TYPE[law], frame);
  }

  #request(transaction: ServerTransaction): void {
    const { leg } = this.#o;
    const { agent, contact } = leg.place;
    const { method } = transaction.request;
    if (method === "BYE") {
      agent.respond(transaction, 200);
      this.end();
    } else if (method === "INVITE") this.#reInvite(transaction);
    else if (method === "INFO" || method === "OPTIONS")
      agent.respond(transaction, 200, { contact });
    else agent.respond(transaction, 405);
  }

  /** Hold, resume, another address: what the new offer says is done. */
  #reInvite(transaction: ServerTransaction): void {
    const { leg } = this.#o;
    const { agent, contact } = leg.place;
    const offer = bodyOf(transaction);
    const answer = offer === "" ? makeOffer(leg.own, []) : this.#answerTo(offer);
    if (answer === null) agent.respond(transaction, 488, { tag: this.#tag });
    else agent.respond(transaction, 200, { tag: this.#tag, contact, body: answer });
  }
}

export function bodyOf(transaction: ServerTransaction): string {
  return Buffer.from(transaction.request.body).toString("latin1");
}
