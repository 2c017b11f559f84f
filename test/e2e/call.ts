/** A call through the compiled binary on loopback, between a real-socket phone and telephone system. */
import { expect } from "bun:test";
import { measureTone, ToneSource } from "../../src/demo/tone.ts";
import { realWorld } from "../../src/io/world.ts";
import { MediaPort } from "../peers/media-port.ts";
import { onRealSockets } from "../peers/outside.ts";
import { Phone } from "../peers/phone.ts";
import { TelephoneSystem, type TelephoneSystemOptions } from "../peers/telephone-system.ts";
import { calledDialog, type Dialog } from "../peers/user-agent.ts";
import { endpointOf, LoopbackPlace, type Running } from "./binary.ts";

export const SUITE = "AES_CM_128_HMAC_SHA1_80";
const FRAMES = 50;

const closers: (() => void | Promise<void>)[] = [];
/** After each test: everything that was opened here. */
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

export function place(): LoopbackPlace {
  const made = new LoopbackPlace();
  closers.push(() => made.close());
  return made;
}

export function closing<T extends { close(): void }>(peer: T): T {
  closers.push(() => peer.close());
  return peer;
}

export type Ends = {
  readonly at: LoopbackPlace;
  readonly running: Running;
  readonly phone: Phone;
  readonly pbx: TelephoneSystem;
  readonly near: MediaPort;
  readonly far: MediaPort;
};

export type Choice = {
  readonly proxy?: object;
  readonly instance?: object;
  readonly transport?: "tls" | "udp";
  readonly isPlain?: boolean;
  readonly pbx?: Partial<TelephoneSystemOptions>;
};

export async function makeEnds(choice: Choice = {}, at = place()): Promise<Ends> {
  at.writeConfig(choice.proxy, choice.instance);
  const { running, listening } = await at.startProxy();
  const outside = onRealSockets(realWorld);
  const options = { name: "mycompany", address: at.pbx, ...choice.pbx };
  const pbx = closing(new TelephoneSystem(outside, options));
  await pbx.opens();
  pbx.registersPhones();
  const transport = choice.transport ?? "tls";
  const proxy = endpointOf(listening[transport === "tls" ? "sipTls" : "sipUdp"] ?? "");
  const account = { user: "100", domain: "mycompany", address: at.phone };
  const phone = closing(new Phone(outside, { ...account, transport, proxy }));
  await phone.connects();
  const suite = choice.isPlain === true ? {} : { suite: SUITE as typeof SUITE };
  const near = closing(await MediaPort.open(outside, { address: at.phone, ...suite }));
  const far = closing(await MediaPort.open(outside, { address: at.pbx }));
  expect((await phone.registers()).status).toBe(200);
  return { at, running, phone, pbx, near, far };
}

export type Talk = Ends & { readonly phoneSide: Dialog; readonly pbxSide: Dialog };

export async function phoneCalls(ends: Ends): Promise<Talk> {
  const { phone, pbx, near, far } = ends;
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  pbx.replies(invite, 180, "pbx");
  await phone.receives("180 INVITE");
  pbx.replies(invite, 200, "pbx", far.sdp());
  const { answer, dialog } = await phone.isAnswered();
  near.uses(answer.body);
  await pbx.receives("ACK");
  return { ...ends, phoneSide: dialog, pbxSide: calledDialog(invite.message, "pbx") };
}

export async function pbxCalls(ends: Ends): Promise<Talk> {
  const { phone, pbx, near, far } = ends;
  pbx.sendsInvite("100", far.sdp());
  const invite = await phone.receivesOn("INVITE");
  near.uses(invite.message.body);
  phone.replies(invite, 200, "phone", near.sdp());
  const { answer, dialog } = await pbx.isAnswered();
  far.uses(answer.body);
  await phone.receives("ACK");
  return { ...ends, pbxSide: dialog, phoneSide: calledDialog(invite.message, "phone") };
}

/** A second of a tone; what arrives is measured, not only counted. */
async function expectTone(from: MediaPort, to: MediaPort, frequencyHz: number): Promise<void> {
  const source = new ToneSource("PCMA", frequencyHz);
  for (let frame = 0; frame < FRAMES; frame += 1) {
    from.says(Buffer.from(source.nextFrame()).toString("latin1"));
  }
  const heard = await to.hearsAtLeast(FRAMES);
  expect(heard.length).toBe(FRAMES);
  const audio = new Uint8Array(Buffer.from(heard.join(""), "latin1"));
  expect(measureTone("PCMA", audio)?.frequencyHz).toBe(frequencyHz);
}

export async function expectTones({ near, far }: Pick<Ends, "near" | "far">): Promise<void> {
  await expectTone(near, far, 425);
  await expectTone(far, near, 1004);
  expect([near.refused, far.refused]).toEqual([0, 0]);
}

export async function phoneHangsUp({ at, phone, pbx, phoneSide }: Talk): Promise<void> {
  phone.inDialog(phoneSide, "BYE");
  await pbx.isHungUpOn();
  await phone.receives("200 BYE");
  expect((await at.status()).media).toMatchObject({ sessions: 0, portsInUse: 0 });
}
