/**
 * One way of carrying media: an instance, its phones, and calls between them that are begun, changed and ended
 * one after another. Owns all of them.
 */
import type { Endpoint } from "../../src/io/types.ts";
import { realWorld } from "../../src/io/world.ts";
import { onRealSockets } from "../peers/outside.ts";
import { Phone } from "../peers/phone.ts";
import { TelephoneSystem } from "../peers/telephone-system.ts";
import { calledDialog, type Dialog, type UserAgent } from "../peers/user-agent.ts";
import { type Heard, SoakPort } from "./soak-port.ts";

export type LineOptions = {
  readonly name: string;
  readonly instance: string;
  readonly phoneAddress: string;
  readonly instanceAddress: string;
  readonly transport: "tls" | "udp";
  readonly proxy: Endpoint;
  readonly isSrtpInside: boolean;
  readonly calls: number;
};

/** Of one phone: well below what one user may have (32). */
const CALLS_PER_PHONE = 10;
/** Longer than the run. */
const EXPIRES_SECONDS = 7200;

export type SoakCall = {
  readonly phone: Phone;
  readonly near: SoakPort;
  readonly far: SoakPort;
  readonly phoneSide: Dialog;
  readonly systemSide: Dialog;
};

/** Enough to know a request again that comes once more because its answer was late (RFC 3261 §17.1.2). */
const REMEMBERED = 200;

/** A busy machine answers late, and UDP then repeats: a script must take each request once. */
function hearsOnce(agent: UserAgent): void {
  const branches = new Set<string>();
  const { automatic } = agent;
  agent.automatic = (received) => {
    const { message } = received;
    if (message.status > 0) return automatic(received);
    const request = `${message.method} ${message.header("Via")}`;
    if (branches.has(request)) return true;
    branches.add(request);
    if (branches.size > REMEMBERED) branches.delete(branches.values().next().value ?? "");
    return automatic(received);
  };
}

export class Line {
  readonly calls = new Set<SoakCall>();
  begun = 0;
  readonly #phones: Phone[] = [];
  readonly #system: TelephoneSystem;
  /** SIP of a line is a script: one thing after another. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(
    readonly options: LineOptions,
    readonly sums: Heard,
  ) {
    this.#system = new TelephoneSystem(onRealSockets(realWorld), {
      name: options.instance,
      address: options.instanceAddress,
    });
  }

  static async open(options: LineOptions, sums: Heard): Promise<Line> {
    const line = new Line(options, sums);
    await line.#system.opens();
    line.#system.registersPhones();
    hearsOnce(line.#system);
    for (let at = 0; at * CALLS_PER_PHONE < options.calls; at += 1) await line.#addPhone(`1${at}`);
    return line;
  }

  async #addPhone(user: string): Promise<void> {
    const { instance, phoneAddress, transport, proxy } = this.options;
    const account = { user, domain: instance, address: phoneAddress, transport, proxy };
    const phone = new Phone(onRealSockets(realWorld), account);
    await phone.connects();
    const answer = await phone.registers({ expires: EXPIRES_SECONDS });
    if (answer.status !== 200) throw new Error(`${user} is not registered: ${answer.startLine}`);
    hearsOnce(phone);
    this.#phones.push(phone);
  }

  begin(): Promise<SoakCall> {
    return this.#inTurn(async () => {
      this.begun += 1;
      const phone = this.#phones[this.begun % this.#phones.length];
      if (phone === undefined) throw new Error("a line without phones");
      const { transport, phoneAddress, instanceAddress, isSrtpInside } = this.options;
      const { sums } = this;
      const near = await SoakPort.open(phoneAddress, { isSrtp: transport === "tls", sums });
      const far = await SoakPort.open(instanceAddress, { isSrtp: isSrtpInside, sums });
      const call = await this.#isAnswered(phone, near, far);
      this.calls.add(call);
      return call;
    });
  }

  async #isAnswered(phone: Phone, near: SoakPort, far: SoakPort): Promise<SoakCall> {
    const tag = `tag${this.begun}`;
    phone.sendsInvite(`6${this.begun}`, near.sdp());
    const invite = await this.#system.receivesOn("INVITE");
    far.uses(invite.message.body);
    this.#system.replies(invite, 200, tag, far.sdp());
    const { answer, dialog } = await phone.isAnswered();
    near.uses(answer.body);
    await this.#system.receives("ACK");
    return { phone, near, far, phoneSide: dialog, systemSide: calledDialog(invite.message, tag) };
  }

  /** A re-INVITE of the phone with another key. */
  change({ phone, near, far, phoneSide }: SoakCall): Promise<void> {
    return this.#inTurn(async () => {
      near.changesKey();
      const headers = [["Contact", `<${phone.contact}>`]] as const;
      phone.inDialog(phoneSide, "INVITE", { headers, body: near.sdp() });
      const invite = await this.#system.receivesOn("INVITE");
      far.uses(invite.message.body);
      this.#system.replies(invite, 200, "", far.sdp());
      near.uses((await phone.receives("200 INVITE")).body);
      phone.inDialog(phoneSide, "ACK");
      await this.#system.receives("ACK");
    });
  }

  /** Every other call is ended by the instance. */
  end(call: SoakCall): Promise<void> {
    return this.#inTurn(async () => {
      this.calls.delete(call);
      const isPhones = this.begun % 2 === 0;
      const [one, other] = isPhones ? [call.phone, this.#system] : [this.#system, call.phone];
      one.inDialog(isPhones ? call.phoneSide : call.systemSide, "BYE");
      await other.isHungUpOn();
      await one.receives("200 BYE");
      call.near.close();
      call.far.close();
    });
  }

  async endAll(): Promise<void> {
    for (const call of [...this.calls]) await this.end(call);
  }

  close(): void {
    for (const phone of this.#phones) phone.close();
    this.#system.close();
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}
