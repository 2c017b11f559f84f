/**
 * A running proxy in the simulated network, between peers that send mutants of real messages and answer
 * what reaches them with real or broken answers, or never. After each round a day passes; then nothing of
 * the round may be left: no transaction, dialog, session, port or timer, and no memory.
 */
import { INSIDE, type LogLine, OUTSIDE, PBX } from "../flows/place.ts";
import type { Ends } from "../flows/talk.ts";
import type { Phone } from "../peers/phone.ts";
import type { Received } from "../peers/sip-peer.ts";
import { latin1, sipText } from "../peers/sip-text.ts";
import { answerText, type UserAgent } from "../peers/user-agent.ts";
import { mutant } from "./mutations.ts";
import type { Random } from "./random.ts";
import { type Kind, recordTraces, type Traces } from "./traces.ts";

const STATUSES = [100, 180, 183, 200, 200, 200, 202, 302, 401, 404, 407, 481, 486, 503, 603];
const DAY_MINUTES = 25 * 60;
const MINUTE_MS = 60_000;

export type Left = {
  readonly transactions: number;
  readonly dialogs: number;
  readonly sessions: number;
  readonly portsInUse: number;
  readonly portsResting: number;
  readonly insideInUse: number;
};

export class Storm {
  readonly #ends: Ends;
  readonly #traces: Traces;
  readonly #random: Random;
  #stranger: Phone;

  private constructor(ends: Ends, traces: Traces, random: Random, stranger: Phone) {
    this.#ends = ends;
    this.#traces = traces;
    this.#random = random;
    this.#stranger = stranger;
    this.#answer(ends.phone, traces.fromPhone, () => ends.near.sdp());
    this.#answer(ends.pbx, traces.fromInstance, () => ends.far.sdp());
    this.#answer(stranger, traces.fromPhone, () => ends.near.sdp());
  }

  static async open(kind: Kind, random: Random): Promise<Storm> {
    const { ends, traces } = await recordTraces(kind);
    const { transport } = ends.phone.options;
    const stranger = await ends.place.phone({ nat: null, transport, address: "192.0.2.66" });
    return new Storm(ends, traces, random, stranger);
  }

  /** Internal errors so far, with their stacks. */
  get mistakes(): string[] {
    const { log } = this.#ends.place;
    const found = log.filter(({ event }) => event === "internal-error");
    return found.map(({ fields }) => `${fields["method"]} ${fields["stack"]}`);
  }

  /** Reasons counted so far. */
  get drops(): Readonly<Record<string, number>> {
    return this.#ends.place.status.drops;
  }

  /** Timers that are set anywhere in this world. */
  get timers(): number {
    return this.#ends.place.network.clock.pending;
  }

  /** Sends so many mutants, then lets a day pass. */
  async round(messages: number): Promise<Left> {
    await this.#connectAgain();
    const { network } = this.#ends.place;
    for (let count = 0; count < messages; count += 1) {
      this.#send();
      if (count % 20 !== 19) continue;
      await network.settle();
      if (this.#random.once(3)) network.clock.advance(this.#random.below(3000));
      await this.#connectAgain();
    }
    for (let minute = 0; minute < DAY_MINUTES; minute += 1) {
      network.clock.advance(MINUTE_MS);
      // What is under way is looked at in the first hour; later only slow timers fire.
      if (minute < 60 || minute % 20 === 0) await network.settle();
    }
    await network.settle();
    this.#forget();
    return this.#left();
  }

  close(): void {
    this.#ends.place.proxy.close();
  }

  #left(): Left {
    const { sip, media } = this.#ends.place.status;
    return {
      transactions: sip.transactions,
      dialogs: sip.dialogs,
      sessions: media.sessions,
      portsInUse: media.portsInUse,
      portsResting: media.portsResting,
      insideInUse: media.inside.inUse,
    };
  }

  /** The records that the tests' own world keeps. */
  #forget(): void {
    const { place, phone, pbx } = this.#ends;
    place.network.sent.length = 0;
    pbx.registers.length = 0;
    for (const peer of [phone, pbx, this.#stranger]) peer.inbox.length = 0;
    const log = place.log as LogLine[];
    log.splice(0, log.length, ...log.filter(({ event }) => event === "internal-error"));
  }

  #send(): void {
    const random = this.#random;
    const { phone, pbx } = this.#ends;
    const { fromPhone, fromInstance } = this.#traces;
    if (random.once(2)) {
      const from = random.once(4) ? this.#stranger : phone;
      this.#sendFrom(
        from,
        { address: OUTSIDE, port: 5060 },
        random.once(10) ? fromInstance : fromPhone,
      );
    } else {
      const to = { address: INSIDE, port: 15_060 };
      this.#sendFrom(pbx, to, random.once(10) ? fromPhone : fromInstance);
    }
  }

  #sendFrom(
    peer: UserAgent,
    to: { address: string; port: number },
    corpus: readonly string[],
  ): void {
    const wire = peer.wires.findLast(({ isOpen }) => isOpen);
    const bytes = latin1(mutant(this.#random, corpus));
    if (wire === undefined || bytes.length > 65_507) return;
    const cut = wire.transport === "udp" ? bytes.length : this.#random.below(bytes.length);
    peer.sendsBytes(bytes.subarray(0, cut), { to, wire });
    if (cut < bytes.length) peer.sendsBytes(bytes.subarray(cut), { to, wire });
  }

  /** On streams a broken message ends the connection. */
  async #connectAgain(): Promise<void> {
    const { phone } = this.#ends;
    for (const peer of [phone, this.#stranger]) {
      if (peer.wire?.isOpen !== true) await peer.connects();
    }
    for (const peer of [phone, this.#stranger, this.#ends.pbx]) {
      const open = peer.wires.filter(({ isOpen }) => isOpen);
      peer.wires.splice(0, peer.wires.length, ...open);
    }
    if (this.#ends.pbx.wires.length === 0) {
      await this.#ends.pbx.connect(PBX, { address: INSIDE, port: 15_060 }, { tls: false });
    }
    if (this.#random.once(20)) phone.sendsRegister();
  }

  #answer(peer: UserAgent, corpus: readonly string[], sdp: () => string): void {
    peer.automatic = (received) => {
      if (!this.#random.once(6)) this.#reply(peer, received, corpus, sdp);
      return true;
    };
  }

  #reply(peer: UserAgent, received: Received, corpus: readonly string[], sdp: () => string): void {
    const { message, wire } = received;
    const random = this.#random;
    if (!/^[^ ]+ [^ ]+ SIP\/2\.0$/.test(message.startLine) || message.method === "ACK") return;
    let text: string;
    try {
      const status =
        message.method === "INVITE" ? random.pick(STATUSES) : random.pick([200, 200, 404, 481]);
      const body = message.method === "INVITE" && status > 182 && status < 300 ? sdp() : "";
      const headers = message.has("Path") ? [["Path", message.header("Path")] as const] : [];
      text = sipText(
        answerText(message, status, { tag: "storm", contact: peer.contact, body, headers }),
      );
    } catch {
      return; // not even an answer can be made of it
    }
    const bytes = latin1(
      random.once(3) ? mutant(random, [text, text, text, ...corpus.slice(0, 1)]) : text,
    );
    if (bytes.length < 65_507) peer.sendsBytes(bytes, { to: message.from, wire });
  }
}
