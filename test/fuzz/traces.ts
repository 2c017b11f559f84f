/**
 * Everything a phone and its telephone system usually say, said once through a running proxy and kept as
 * it was on the wire: what the storm makes its messages of. The tokens in it are good in that place.
 */

import { INSIDE, OUTSIDE, Place, type PlaceOptions, UNHURRIED } from "../flows/place.ts";
import { type Ends, pbxCalls, pbxHangsUp, phoneCalls, phoneHangsUp } from "../flows/talk.ts";
import { calledDialog, callerDialog } from "../peers/user-agent.ts";

export type Traces = {
  /** Towards the outer and towards the inner side of the proxy. */
  readonly fromPhone: readonly string[];
  readonly fromInstance: readonly string[];
};

async function holdAndHangUp(ends: Ends): Promise<void> {
  const talk = await phoneCalls(ends);
  const { phone, pbx, near, far, phoneSide } = talk;
  phone.inDialog(phoneSide, "INVITE", {
    headers: [["Contact", `<${phone.contact}>`]],
    body: near.sdp({ version: 2 }),
  });
  const hold = await pbx.receivesOn("INVITE");
  pbx.replies(hold, 200, "pbx", far.sdp({ version: 2 }));
  await phone.receives("200 INVITE");
  phone.inDialog(phoneSide, "ACK");
  await pbx.receives("ACK");
  phone.inDialog(phoneSide, "INFO", { body: "Signal=1\r\nDuration=100" });
  pbx.answers(await pbx.receivesOn("INFO"), 200);
  await phone.receives("200 INFO");
  await phoneHangsUp(talk);
}

async function cancelled(ends: Ends): Promise<void> {
  const { phone, pbx, near } = ends;
  const sent = phone.sendsInvite("601", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  pbx.replies(invite, 180, "ringing");
  await phone.receives("180 INVITE");
  phone.cancels(sent);
  await phone.receives("200 CANCEL");
  pbx.answers(await pbx.receivesOn("CANCEL"), 200);
  pbx.replies(invite, 487, "ringing");
  await pbx.receives("ACK");
  phone.acknowledges(sent, await phone.receives("487 INVITE"));
}

async function subscribed(ends: Ends): Promise<void> {
  const { phone, pbx } = ends;
  phone.requests("SUBSCRIBE", {
    uri: "sip:101@mycompany",
    from: `<${phone.uri}>;tag=lamp`,
    to: "<sip:101@mycompany>",
    callId: phone.newId("-lamp-"),
    cseq: 1,
    headers: [
      ["Contact", `<${phone.contact}>`],
      ["Event", "dialog"],
      ["Expires", "600"],
    ],
  });
  const subscribe = await pbx.receivesOn("SUBSCRIBE");
  pbx.replies(subscribe, 200, "pbx");
  callerDialog(await phone.receives("200 SUBSCRIBE"));
  pbx.inDialog(calledDialog(subscribe.message, "pbx"), "NOTIFY", {
    headers: [["Event", "dialog"]],
    body: "<state>ringing</state>",
  });
  phone.answers(await phone.receivesOn("NOTIFY"), 200);
  await pbx.receives("200 NOTIFY");
}

/** Whether the instance is alive would be asked for ever: something would always be under way. */
const UNASKED = { healthCheck: false };

const PLACES: Readonly<Record<"datagrams" | "streams", PlaceOptions>> = {
  datagrams: {
    instance: { sip: UNASKED },
    proxy: { voipSip: "udp", voipMedia: "rtp", limits: UNHURRIED },
  },
  streams: { instance: { sip: { ...UNASKED, transport: "tcp" } }, proxy: { limits: UNHURRIED } },
};

/** UDP and RTP on both sides, or TLS and SRTP outside and TCP inside. */
export type Kind = keyof typeof PLACES;

async function endsOf(kind: Kind): Promise<Ends> {
  const place = await Place.open(PLACES[kind]);
  const isStream = kind === "streams";
  const pbx = await place.pbx(isStream ? { transport: "tcp" } : {});
  const phone = await place.phone({ nat: null, transport: isStream ? "tls" : "udp" });
  await phone.registers();
  const near = await place.phoneMedia(phone, { isPlain: !isStream });
  const far = await place.pbxMedia(pbx);
  return { place, pbx, phone, near, far };
}

/** One place after all of it, with what was said there. */
export async function recordTraces(kind: Kind): Promise<{ ends: Ends; traces: Traces }> {
  const ends = await endsOf(kind);
  await holdAndHangUp(ends);
  await pbxHangsUp(await pbxCalls(ends));
  await cancelled(ends);
  await subscribed(ends);
  await ends.phone.registers({ expires: 300 });
  const texts = ends.place.network.sent
    .map(({ bytes, to }) => ({ text: Buffer.from(bytes).toString("latin1"), to }))
    .filter(({ text }) => /^(SIP\/2\.0|[A-Z]+ sip)/.test(text));
  const sentTo = (address: string): string[] =>
    texts.filter(({ to }) => to.address === address).map(({ text }) => text);
  return { ends, traces: { fromPhone: sentTo(OUTSIDE), fromInstance: sentTo(INSIDE) } };
}
