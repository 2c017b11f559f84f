/**
 * A phone that refuses SRTP (488) is asked once more with RTP where its instance allows that for phones
 * registered by UDP, or for all. Elsewhere the refusal is what the instance hears.
 */
import { describe, expect, test } from "bun:test";
import { readSdp } from "../peers/sdp-text.ts";
import { Place } from "./place.ts";
import {
  type Ends,
  expectAudio,
  makeEnds,
  pbxCalls,
  pbxHangsUp,
  phoneCalls,
  phoneHangsUp,
} from "./talk.ts";

type Fallback = "off" | "udp" | "all";

/** A phone that knows RTP only, at a proxy that promises SRTP. */
async function ends(plainMediaFallback: Fallback, transport: "udp" | "tls"): Promise<Ends> {
  const proxy = { voipSip: transport };
  const all = await makeEnds({ instance: { plainMediaFallback }, proxy, transport });
  return { ...all, near: await all.place.phoneMedia(all.phone, { isPlain: true }) };
}

/** Refuses a request with SRTP in it, as such phones do. */
async function refusesSrtp({ phone }: Ends, tag = "refused"): Promise<void> {
  const invite = await phone.receivesOn("INVITE");
  expect(readSdp(invite.message.body)).toMatchObject({ proto: "RTP/SAVP" });
  phone.answers(invite, 488, { tag });
  await phone.receives("ACK");
}

/** The second request, with RTP, is taken. */
async function takesPlain(all: Ends): Promise<void> {
  const { phone, pbx, near, far } = all;
  const again = await phone.receivesOn("INVITE");
  expect(readSdp(again.message.body)).toMatchObject({ proto: "RTP/AVP", crypto: [] });
  near.uses(again.message.body);
  phone.replies(again, 200, "phone", near.sdp());
  const { answer, dialog } = await pbx.isAnswered();
  far.uses(answer.body);
  await phone.receives("ACK");
  await expectAudio(all);
  pbx.inDialog(dialog, "BYE");
  await phone.isHungUpOn();
  await pbx.receives("200 BYE");
}

async function isRefused(all: Ends): Promise<void> {
  const sent = all.pbx.sendsInvite("100", all.far.sdp());
  await refusesSrtp(all);
  all.pbx.acknowledges(sent, await all.pbx.receives("488 INVITE"));
  await all.phone.receivesNothingMore();
  await all.place.expectNothingLeft();
}

describe.each([
  ["udp", "udp"],
  ["all", "udp"],
  ["all", "tls"],
] as const)("allowed for %s, registered by %s", (fallback, transport) => {
  test("488 to SRTP: asked once more with RTP, and with RTP first from the next call on", async () => {
    const all = await ends(fallback, transport);
    all.pbx.sendsInvite("100", all.far.sdp());
    await refusesSrtp(all);
    await takesPlain(all);
    expect(all.place.status.drops["media-profile-changed"]).toBe(1);
    await all.place.network.elapse(35_000);
    all.near.heard.length = 0;
    const talk = await pbxCalls(all);
    expect(readSdp(talk.invite.message.body).proto).toBe("RTP/AVP");
    await expectAudio(talk);
    await pbxHangsUp(talk);
    expect(all.place.status.drops["media-profile-changed"]).toBe(1);
  });

  test("its own calls with RTP are taken, those with SRTP as ever", async () => {
    const all = await ends(fallback, transport);
    const talk = await phoneCalls(all);
    expect(readSdp(talk.answer.body)).toMatchObject({ proto: "RTP/AVP", crypto: [] });
    await expectAudio(talk);
    await phoneHangsUp(talk);
    const near = await all.place.phoneMedia(all.phone);
    const secure = await phoneCalls({ ...all, near, far: await all.place.pbxMedia(all.pbx) });
    expect(readSdp(secure.answer.body).proto).toBe("RTP/SAVP");
    await expectAudio(secure);
    await phoneHangsUp(secure);
  });
});

describe.each([
  ["off", "udp"],
  ["off", "tls"],
  ["udp", "tls"],
] as const)("allowed for %s, registered by %s", (fallback, transport) => {
  test("the refusal reaches the instance, nothing is lowered", async () => {
    await isRefused(await ends(fallback, transport));
  });

  test("a call with RTP is refused, in words", async () => {
    const all = await ends(fallback, transport);
    all.phone.sendsInvite("600", all.near.sdp());
    const refusal = await all.phone.receives("488 INVITE");
    expect(refusal.header("Warning")).toBe('302 pequod "SRTP with a=crypto is needed here"');
    await all.pbx.receivesNothingMore();
  });
});

test("a phone that refuses both is asked twice, not more; the instance hears the refusal", async () => {
  const all = await ends("udp", "udp");
  const sent = all.pbx.sendsInvite("100", all.far.sdp());
  await refusesSrtp(all);
  const again = await all.phone.receivesOn("INVITE");
  all.phone.answers(again, 488, { tag: "again" });
  await all.phone.receives("ACK");
  all.pbx.acknowledges(sent, await all.pbx.receives("488 INVITE"));
  await all.place.expectNothingLeft();
  await isRefused(await ends("off", "udp"));
});

test("what was learnt is unlearnt by a phone that takes SRTP now", async () => {
  const all = await ends("udp", "udp");
  all.pbx.sendsInvite("100", all.far.sdp());
  await refusesSrtp(all);
  await takesPlain(all);
  const near = await all.place.phoneMedia(all.phone);
  all.pbx.sendsInvite("100", all.far.sdp());
  const plain = await all.phone.receivesOn("INVITE");
  expect(readSdp(plain.message.body).proto).toBe("RTP/AVP");
  all.phone.answers(plain, 488, { tag: "secure-now" });
  await all.phone.receives("ACK");
  const secure = await all.phone.receivesOn("INVITE");
  near.uses(secure.message.body);
  all.phone.replies(secure, 200, "phone", near.sdp());
  const { answer } = await all.pbx.isAnswered();
  all.far.uses(answer.body);
  await all.phone.receives("ACK");
  await expectAudio({ near, far: all.far });
  all.pbx.sendsInvite("100", all.far.sdp());
  expect(readSdp((await all.phone.receivesOn("INVITE")).message.body).proto).toBe("RTP/SAVP");
});

test("a phone that calls the second request a loop is offered RTP in the next call", async () => {
  const all = await ends("udp", "udp");
  const sent = all.pbx.sendsInvite("100", all.far.sdp());
  await refusesSrtp(all);
  all.phone.answers(await all.phone.receivesOn("INVITE"), 482, { tag: "merged" });
  await all.phone.receives("ACK");
  all.pbx.acknowledges(sent, await all.pbx.receives(/^SIP\/2\.0 4\d\d.*CSeq: \d+ INVITE/s));
  all.pbx.sendsInvite("100", all.far.sdp());
  await takesPlain(all);
});

test("a CANCEL while the phone is asked again ends the second request", async () => {
  const all = await ends("udp", "udp");
  const sent = all.pbx.sendsInvite("100", all.far.sdp());
  await refusesSrtp(all);
  const again = await all.phone.receivesOn("INVITE");
  all.phone.replies(again, 180, "phone");
  await all.pbx.receives("180 INVITE");
  all.pbx.cancels(sent);
  await all.pbx.receives("200 CANCEL");
  all.phone.answers(await all.phone.receivesOn("CANCEL"), 200);
  all.phone.answers(again, 487, { tag: "phone" });
  await all.phone.receives("ACK");
  all.pbx.acknowledges(sent, await all.pbx.receives("487 INVITE"));
  await all.place.expectNothingLeft();
});

test("within a call a refusal of new SDP lowers nothing", async () => {
  const all = await makeEnds({
    instance: { plainMediaFallback: "udp" },
    proxy: { voipSip: "udp" },
    transport: "udp",
  });
  const talk = await pbxCalls(all);
  const { phone, pbx, pbxSide, far } = talk;
  const headers = [["Contact", `<${pbx.contact}>`]] as const;
  pbx.inDialog(pbxSide, "INVITE", { headers, body: far.sdp({ version: 2 }) });
  phone.answers(await phone.receivesOn("INVITE"), 488);
  await phone.receives("ACK");
  await pbx.receives("488 INVITE");
  await phone.receivesNothingMore();
  await expectAudio(talk);
});

test("what a phone speaks outlives a restart of the proxy", async () => {
  const all = await ends("udp", "udp");
  all.pbx.sendsInvite("100", all.far.sdp());
  await refusesSrtp(all);
  await takesPlain(all);
  const { network, state, proxy } = all.place;
  await network.elapse(2000);
  proxy.close();
  const options = { instance: { plainMediaFallback: "udp" }, proxy: { voipSip: "udp" }, state };
  await Place.open(options, network);
  all.pbx.sendsInvite("100", all.far.sdp());
  expect(readSdp((await all.phone.receivesOn("INVITE")).message.body).proto).toBe("RTP/AVP");
});
