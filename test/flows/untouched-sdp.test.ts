/** Of a description only what names places, keys and ways to them is ours; codecs, events and the rest are not. */
import { expect, test } from "bun:test";
import { answersExactly, sendsExactly } from "./exact-body.ts";
import { INSIDE, OUTSIDE } from "./place.ts";
import { makeEnds } from "./talk.ts";

const CODECS = [
  "a=rtpmap:9 G722/8000",
  "a=rtpmap:107 opus/48000/2",
  "a=fmtp:107 maxplaybackrate=16000; useinbandfec=1;  x=\u00e4",
  "a=rtpmap:101 telephone-event/8000",
  "a=fmtp:101 0-16,32,36",
  "a=rtpmap:18 G729/8000",
  "a=fmtp:18 annexb=no",
  "a=ptime:20",
  "a=maxptime:150",
  "a=silenceSupp:off - - - -",
  "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
  "a=ssrc:1234 cname:a@b",
  "a=label:1",
  "a=rtcp-fb:107 transport-cc",
  "a=rtcp-xr:voip-metrics",
  "a=rtcp-rsize",
  "a=x-odd:\t spaced  value ",
  "b=AS:64",
  "b=TIAS:64000",
];
const ICE = [
  "a=ice-ufrag:8hhY",
  "a=ice-pwd:asd88fgpdd777uzjYhagZg",
  "a=ice-options:trickle ice2",
  "a=ice-pacing:50",
  "a=candidate:1 1 UDP 2130706431 192.168.1.10 4000 typ host",
  "a=candidate:2 1 UDP 1694498815 198.51.100.9 4000 typ srflx raddr 192.168.1.10 rport 4000",
  "a=remote-candidates:1 10.0.3.150 4000",
  "a=end-of-candidates",
  "a=ice-mismatch",
];
const FORMATS = "107 9 8 18 101";

const SESSION = ["s= a name ", "i=about it", "e=a@example.com", "b=CT:128", "t=0 0", "a=tool:x y"];

function body(head: readonly string[], media: readonly string[]): string {
  return [...head, ...media, ""].join("\r\n");
}

const head = (address: string): string[] => [
  "v=0",
  `o=alice 2890844526 2890844527 IN IP4 ${address}`,
  ...SESSION.slice(0, 3),
  `c=IN IP4 ${address}`,
  ...SESSION.slice(3),
];

test("codecs, telephone events and every other line cross both ways byte for byte; ICE does not", async () => {
  const { phone, pbx, near, far } = await makeEnds();
  const keys = `a=crypto:${near.crypto}`;
  const [session, media] = [ICE.slice(0, 3), ICE];
  const offer = body(
    [...head("192.168.1.10"), "a=ice-lite", ...session],
    [`m=audio ${near.rtp.local.port} RTP/SAVP ${FORMATS}`, ...CODECS, ...media, keys],
  );
  const { domain } = phone.options;
  sendsExactly(phone, "INVITE", {
    uri: `sip:600@${domain}`,
    from: `<sip:100@${domain}>;tag=a`,
    to: `<sip:600@${domain}>`,
    headers: [["Contact", `<${phone.contact}>`]],
    body: { type: "application/sdp", bytes: offer },
  });
  const invite = await pbx.receivesOn("INVITE");
  const port = /m=audio (\d+)/.exec(invite.message.body)?.[1];
  const sent = body(head(INSIDE), [`m=audio ${port} RTP/AVP ${FORMATS}`, ...CODECS]);
  expect(invite.message.body).toBe(sent);
  const answer = body(
    [...head("10.0.3.150"), "a=ice-lite", ...session],
    [`m=audio ${far.rtp.local.port} RTP/AVP ${FORMATS}`, ...CODECS, ...media],
  );
  const exact = { type: "application/sdp", bytes: answer };
  answersExactly(pbx, invite, 200, { tag: "pbx", contact: pbx.contact, exact });
  const { body: answered } = (await phone.isAnswered()).answer;
  const ours = /m=audio (\d+)/.exec(answered)?.[1];
  const crypto = /a=crypto:.*/.exec(answered)?.[0].trimEnd() ?? "";
  expect(answered).toBe(
    body(head(OUTSIDE), [`m=audio ${ours} RTP/SAVP ${FORMATS}`, ...CODECS, crypto]),
  );
});
