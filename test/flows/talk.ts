/** The usual course of a call between a phone and a telephone system, for tests that begin after it. */
import { expect } from "bun:test";
import type { MediaPort } from "../peers/media-port.ts";
import type { Phone } from "../peers/phone.ts";
import type { Received } from "../peers/sip-peer.ts";
import type { SipText } from "../peers/sip-text.ts";
import type { Suite } from "../peers/slow-srtp.ts";
import type { TelephoneSystem } from "../peers/telephone-system.ts";
import { calledDialog, type Dialog } from "../peers/user-agent.ts";
import { type MediaChoice, Place, type PlaceOptions } from "./place.ts";

export type Ends = {
  readonly place: Place;
  readonly phone: Phone;
  readonly pbx: TelephoneSystem;
  /** The phone's RTP port; SRTP unless said otherwise. */
  readonly near: MediaPort;
  /** The telephone system's. */
  readonly far: MediaPort;
};

export type Talk = Ends & {
  readonly phoneSide: Dialog;
  readonly pbxSide: Dialog;
  readonly invite: Received;
  readonly answer: SipText;
};

export type EndsOptions = {
  readonly media?: "srtp" | "rtp";
  readonly inner?: "srtp" | "rtp";
  /** Of both SRTP ports; left out = the usual one. */
  readonly suite?: Suite;
  /** Of the phone. */
  readonly transport?: "tls" | "udp";
  /** null = the phone stands in the open. */
  readonly nat?: null;
};

/** A place with one registered phone and its telephone system, both with media ports. */
export async function makeEnds(options: PlaceOptions & EndsOptions = {}): Promise<Ends> {
  const { media = "srtp", inner = "rtp", transport = "tls", nat, suite, ...placeOptions } = options;
  const secure: MediaChoice = { isPlain: false, ...(suite === undefined ? {} : { suite }) };
  const place = await Place.open(placeOptions);
  const pbx = await place.pbx();
  const phone = await place.phone({ transport, ...(nat === null ? { nat } : {}) });
  expect((await phone.registers()).status).toBe(200);
  const near = await place.phoneMedia(phone, media === "rtp" ? { isPlain: true } : secure);
  const far = await place.pbxMedia(pbx, inner === "srtp" ? secure : {});
  return { place, phone, pbx, near, far };
}

/** The phone calls 600 and the telephone system picks up. */
export async function phoneCalls(ends: Ends): Promise<Talk> {
  const { phone, pbx, near, far } = ends;
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  pbx.replies(invite, 200, "pbx", far.sdp());
  const { answer, dialog } = await phone.isAnswered();
  near.uses(answer.body);
  await pbx.receives("ACK");
  const pbxSide = calledDialog(invite.message, "pbx");
  return { ...ends, phoneSide: dialog, pbxSide, invite, answer };
}

/** The telephone system calls the phone and the phone picks up. */
export async function pbxCalls(ends: Ends): Promise<Talk> {
  const { phone, pbx, near, far } = ends;
  pbx.sendsInvite("100", far.sdp());
  const invite = await phone.receivesOn("INVITE");
  near.uses(invite.message.body);
  phone.replies(invite, 200, "phone", near.sdp());
  const { answer, dialog } = await pbx.isAnswered();
  far.uses(answer.body);
  await phone.receives("ACK");
  const phoneSide = calledDialog(invite.message, "phone");
  return { ...ends, phoneSide, pbxSide: dialog, invite, answer };
}

/** Both hear what the other says, in order, and nothing was refused. */
export async function expectAudio({ near, far }: Pick<Ends, "near" | "far">): Promise<void> {
  near.says("from the phone", "and more");
  far.says("from inside", "and more");
  expect(await far.hasHeard()).toEqual(["from the phone", "and more"]);
  expect(await near.hasHeard()).toEqual(["from inside", "and more"]);
  expect([near.refused, far.refused]).toEqual([0, 0]);
}

/** The phone sends a new offer within the call, which is accepted; the answer as the phone sees it. */
export async function phoneReInvites(talk: Talk, body: string): Promise<string> {
  const { phone, pbx, far, phoneSide } = talk;
  const headers = [["Contact", `<${phone.contact}>`]] as const;
  phone.inDialog(phoneSide, "INVITE", { headers, body });
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  pbx.replies(invite, 200, "pbx", far.sdp());
  const answer = await phone.receives("200 INVITE");
  phone.inDialog(phoneSide, "ACK");
  await pbx.receives("ACK");
  return answer.body;
}

/** The phone hangs up and nothing of the call is left. */
export async function phoneHangsUp({ place, phone, pbx, phoneSide }: Talk): Promise<void> {
  phone.inDialog(phoneSide, "BYE");
  await pbx.isHungUpOn();
  await phone.receives("200 BYE");
  await place.expectNothingLeft();
}

/** The telephone system hangs up and nothing of the call is left. */
export async function pbxHangsUp({ place, phone, pbx, pbxSide }: Talk): Promise<void> {
  pbx.inDialog(pbxSide, "BYE");
  await phone.isHungUpOn();
  await pbx.receives("200 BYE");
  await place.expectNothingLeft();
}
