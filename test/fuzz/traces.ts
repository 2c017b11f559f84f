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

/** REFER with its NOTIFY, UPDATE, and a second call that takes the first one's place. */
async function transferred(ends: Ends): Promise<void> {
  const talk = await pbxCalls(ends);
  const { phone, pbx, near, far, phoneSide, pbxSide } = talk;
  const own = [["Contact", `<${phone.contact}>`]] as const;
  const referTo = "<sip:102@mycompany?Replaces=a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2>";
  phone.inDialog(phoneSide, "REFER", { headers: [...own, ["Refer-To", referTo]] });
  pbx.answers(await pbx.receivesOn("REFER"), 202, { contact: pbx.contact });
  await phone.receives("202 REFER");
  pbx.inDialog(pbxSide, "NOTIFY", {
    headers: [
      ["Event", "refer;id=2"],
      ["Subscription-State", "terminated;reason=noresource"],
      ["Content-Type", "message/sipfrag;version=2.0"],
    ],
    body: "SIP/2.0 200 OK",
  });
  phone.answers(await phone.receivesOn("NOTIFY"), 200);
  await pbx.receives("200 NOTIFY");
  const timer = [
    ["Session-Expires", "1800;refresher=uac"],
    ["Min-SE", "90"],
  ] as const;
  pbx.inDialog(pbxSide, "UPDATE", {
    headers: [["Contact", `<${pbx.contact}>`], ...timer],
    body: far.sdp({ version: 2 }),
  });
  phone.replies(await phone.receivesOn("UPDATE"), 200, "phone", near.sdp({ version: 2 }));
  await pbx.receives("200 UPDATE");
  await pbxHangsUp(talk);
}

/** A reliable 183 with its PRACK, and an answer that never becomes a call. */
async function early(ends: Ends): Promise<void> {
  const { phone, pbx, near, far } = ends;
  const sent = phone.sendsInvite("603", near.sdp(), { headers: [["Supported", "100rel, timer"]] });
  const invite = await pbx.receivesOn("INVITE");
  pbx.answers(invite, 183, {
    tag: "early",
    contact: pbx.contact,
    headers: [
      ["Require", "100rel"],
      ["RSeq", "1"],
    ],
    body: far.sdp(),
  });
  const dialog = callerDialog(await phone.receives("183 INVITE"));
  phone.inDialog(dialog, "PRACK", { headers: [["RAck", "1 1 INVITE"]] });
  pbx.answers(await pbx.receivesOn("PRACK"), 200);
  await phone.receives("200 PRACK");
  const challenge = 'Digest realm="mycompany", nonce="1", algorithm=MD5, qop="auth"';
  pbx.answers(invite, 407, { tag: "early", headers: [["Proxy-Authenticate", challenge]] });
  phone.acknowledges(sent, await phone.receives("407 INVITE"));
}

/** What stands alone: MESSAGE, PUBLISH, message waiting, check-sync. */
async function alone(ends: Ends): Promise<void> {
  const { phone, pbx } = ends;
  for (const [method, header, value] of [
    ["MESSAGE", "Content-Type", "text/plain"],
    ["PUBLISH", "Event", "presence"],
  ] as const) {
    phone.requests(method, {
      uri: "sip:101@mycompany",
      from: `<${phone.uri}>;tag=${phone.newId()}`,
      to: "<sip:101@mycompany>",
      callId: phone.newId(),
      cseq: 1,
      headers: [[header, value]],
      body: "<a>b</a>",
    });
    pbx.answers(await pbx.receivesOn(method), 200);
    await phone.receives(`200 ${method}`);
  }
  for (const event of ["message-summary", "check-sync;reboot=false"]) {
    pbx.requestsTo("100", "NOTIFY", { headers: [["Event", event]], body: "Messages-Waiting: no" });
    phone.answers(await phone.receivesOn("NOTIFY"), 401, {
      headers: [["WWW-Authenticate", 'Digest realm="100", nonce="n"']],
    });
    await pbx.receives("401 NOTIFY");
  }
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
  await transferred(ends);
  await early(ends);
  await alone(ends);
  await ends.phone.registers({ expires: 300 });
  const texts = ends.place.network.sent
    .map(({ bytes, to }) => ({ text: Buffer.from(bytes).toString("latin1"), to }))
    .filter(({ text }) => /^(SIP\/2\.0|[A-Z]+ sip)/.test(text));
  const sentTo = (address: string): string[] =>
    texts.filter(({ to }) => to.address === address).map(({ text }) => text);
  return { ends, traces: { fromPhone: sentTo(OUTSIDE), fromInstance: sentTo(INSIDE) } };
}
