import { expect, test } from "bun:test";
import { type Ends, MediaLab } from "../../test/flows/media-ends.ts";
import type { LegName } from "./engine.ts";
import type { MediaSession } from "./media-session.ts";

// Keys are written short in the texts below: KEY1 stands for 30 bytes of 1. Ours are 30 bytes of 0
// and our first ports 30000 outside, 20000 inside, since the random source here gives zeros.
function expand(lines: readonly string[]): string {
  const text = lines.map((line) => `${line}\r\n`).join("");
  return text.replace(/KEY(\d)/g, (_, digit) =>
    Buffer.from(new Uint8Array(30).fill(Number(digit))).toString("base64"),
  );
}

function shorten(text: string): string[] {
  const short = text.replace(/inline:([A-Za-z0-9+/=]{40})/g, (_, key) => {
    return `inline:KEY${Buffer.from(key, "base64")[0]}`;
  });
  return short.split("\r\n").slice(0, -1);
}

function session(ends: Ends = {}): MediaSession {
  return new MediaLab({}, { random: (lengthBytes) => new Uint8Array(lengthBytes) }).session(ends);
}

const PHONE_HEAD = ["v=0", "o=bob 7 8 IN IP4 198.51.100.7", "s=call", "c=IN IP4 198.51.100.7"];
const PBX_HEAD = ["v=0", "o=- 1 2 IN IP4 10.0.1.10", "s=Asterisk", "c=IN IP4 10.0.1.10", "t=0 0"];
const PHONE_HEAD_INSIDE = ["v=0", "o=bob 7 8 IN IP4 10.0.1.1", "s=call", "c=IN IP4 10.0.1.1"];
const PBX_HEAD_OUTSIDE = [
  "v=0",
  "o=- 1 2 IN IP4 203.0.113.1",
  "s=Asterisk",
  "c=IN IP4 203.0.113.1",
  "t=0 0",
];
const C80 = "AES_CM_128_HMAC_SHA1_80";
const C32 = "AES_CM_128_HMAC_SHA1_32";

type Case = {
  readonly name: string;
  readonly ends?: Ends;
  readonly from: LegName;
  readonly offer: readonly string[];
  readonly sent: readonly string[];
  readonly answer: readonly string[];
  readonly answered: readonly string[];
};

const RTP_OUTSIDE: Ends = { outer: { media: "rtp" } };
const RTP_BOTH = RTP_OUTSIDE;
const SRTP_BOTH: Ends = { inner: { media: "srtp" } };
const PASSTHROUGH: Ends = { inner: { media: "srtp-passthrough" } };

const CASES: readonly Case[] = [
  {
    name: "SRTP phone calls an RTP instance: the first allowed line is taken, its tag echoed",
    from: "outer",
    offer: [
      ...PHONE_HEAD,
      "t=0 0",
      "m=audio 4000 RTP/SAVP 9 0 101",
      "a=crypto:1 AEAD_AES_256_GCM inline:AAAA",
      `a=crypto:4 ${C32} inline:KEY2|2^31`,
      `a=crypto:5 ${C80} inline:KEY1|2^31|1:4`,
      "a=rtpmap:9 G722/8000",
      "a=sendrecv",
    ],
    sent: [
      ...PHONE_HEAD_INSIDE,
      "t=0 0",
      "m=audio 20000 RTP/AVP 9 0 101",
      "a=rtpmap:9 G722/8000",
      "a=sendrecv",
    ],
    answer: [...PBX_HEAD, "m=audio 12000 RTP/AVP 9", "a=ptime:20"],
    answered: [
      ...PBX_HEAD_OUTSIDE,
      "m=audio 30000 RTP/SAVP 9",
      "a=ptime:20",
      `a=crypto:4 ${C32} inline:KEY0`,
    ],
  },
  {
    name: "an RTP instance calls an SRTP phone",
    from: "inner",
    offer: [...PBX_HEAD, "m=audio 12000 RTP/AVPF 8", "a=rtcp-fb:* nack"],
    sent: [
      ...PBX_HEAD_OUTSIDE,
      "m=audio 30000 RTP/SAVPF 8",
      "a=rtcp-fb:* nack",
      `a=crypto:1 ${C80} inline:KEY0`,
      `a=crypto:2 ${C32} inline:KEY0`,
    ],
    answer: [...PHONE_HEAD, "m=audio 4000 RTP/SAVPF 8", `a=crypto:2 ${C32} inline:KEY3`],
    answered: [...PHONE_HEAD_INSIDE, "m=audio 20000 RTP/AVPF 8"],
  },
  {
    name: "RTP on both sides",
    ends: RTP_BOTH,
    from: "outer",
    offer: [...PHONE_HEAD, "m=audio 4000 RTP/AVP 8"],
    sent: [...PHONE_HEAD_INSIDE, "m=audio 20000 RTP/AVP 8"],
    answer: [...PBX_HEAD, "m=audio 12000 RTP/AVP 8"],
    answered: [...PBX_HEAD_OUTSIDE, "m=audio 30000 RTP/AVP 8"],
  },
  {
    name: "SRTP on both sides with keys of our own",
    ends: SRTP_BOTH,
    from: "outer",
    offer: [...PHONE_HEAD, "m=audio 4000 RTP/SAVP 8", `a=crypto:1 ${C80} inline:KEY1`],
    sent: [
      ...PHONE_HEAD_INSIDE,
      "m=audio 20000 RTP/SAVP 8",
      `a=crypto:1 ${C80} inline:KEY0`,
      `a=crypto:2 ${C32} inline:KEY0`,
    ],
    answer: [...PBX_HEAD, "m=audio 12000 RTP/SAVP 8", `a=crypto:1 ${C80} inline:KEY2`],
    answered: [...PBX_HEAD_OUTSIDE, "m=audio 30000 RTP/SAVP 8", `a=crypto:1 ${C80} inline:KEY0`],
  },
  {
    name: "RTP phones and an SRTP instance",
    ends: { ...RTP_OUTSIDE, ...SRTP_BOTH },
    from: "inner",
    offer: [...PBX_HEAD, "m=audio 12000 RTP/SAVP 8", `a=crypto:1 ${C80} inline:KEY2`],
    sent: [...PBX_HEAD_OUTSIDE, "m=audio 30000 RTP/AVP 8"],
    answer: [...PHONE_HEAD, "m=audio 4000 RTP/AVP 8"],
    answered: [...PHONE_HEAD_INSIDE, "m=audio 20000 RTP/SAVP 8", `a=crypto:1 ${C80} inline:KEY0`],
  },
  {
    name: "srtp-passthrough: keys, unknown suites and MKI cross from end to end",
    ends: PASSTHROUGH,
    from: "outer",
    offer: [
      ...PHONE_HEAD,
      "m=audio 4000 RTP/SAVP 8",
      "a=crypto:1 AEAD_AES_128_GCM inline:AAAA",
      `a=crypto:2 ${C80} inline:KEY1|2^31|1:4`,
    ],
    sent: [
      ...PHONE_HEAD_INSIDE,
      "m=audio 20000 RTP/SAVP 8",
      "a=crypto:1 AEAD_AES_128_GCM inline:AAAA",
      `a=crypto:2 ${C80} inline:KEY1|2^31|1:4`,
    ],
    answer: [...PBX_HEAD, "m=audio 12000 RTP/SAVP 8", `a=crypto:2 ${C80} inline:KEY2`],
    answered: [...PBX_HEAD_OUTSIDE, "m=audio 30000 RTP/SAVP 8", `a=crypto:2 ${C80} inline:KEY2`],
  },
  {
    name: "RTP/AVP with a=crypto is SRTP and answered in kind (RFC 8643)",
    from: "outer",
    offer: [...PHONE_HEAD, "m=audio 4000 RTP/AVP 8", `a=crypto:3 ${C80} inline:KEY1`],
    sent: [...PHONE_HEAD_INSIDE, "m=audio 20000 RTP/AVP 8"],
    answer: [...PBX_HEAD, "m=audio 12000 RTP/AVP 8"],
    answered: [...PBX_HEAD_OUTSIDE, "m=audio 30000 RTP/AVP 8", `a=crypto:3 ${C80} inline:KEY0`],
  },
  {
    name: "of twins the secured stream is taken, and the answer has both m= lines",
    from: "outer",
    offer: [
      ...PHONE_HEAD,
      "m=audio 4000 RTP/SAVP 8",
      `a=crypto:1 ${C80} inline:KEY1`,
      "m=audio 4000 RTP/AVP 8",
      "a=sendrecv",
    ],
    sent: [...PHONE_HEAD_INSIDE, "m=audio 20000 RTP/AVP 8", "m=audio 0 RTP/AVP 8", "a=sendrecv"],
    answer: [...PBX_HEAD, "m=audio 12000 RTP/AVP 8"],
    answered: [
      ...PBX_HEAD_OUTSIDE,
      "m=audio 30000 RTP/SAVP 8",
      `a=crypto:1 ${C80} inline:KEY0`,
      "m=audio 0 RTP/AVP 8",
    ],
  },
  {
    name: "where phones speak RTP the plain twin is taken",
    ends: RTP_OUTSIDE,
    from: "outer",
    offer: [
      ...PHONE_HEAD,
      "m=audio 4000 RTP/SAVP 8",
      `a=crypto:1 ${C80} inline:KEY1`,
      "m=audio 4000 RTP/AVP 8",
    ],
    sent: [...PHONE_HEAD_INSIDE, "m=audio 0 RTP/SAVP 8", "m=audio 20000 RTP/AVP 8"],
    answer: [...PBX_HEAD, "m=audio 0 RTP/SAVP 8", "m=audio 12000 RTP/AVP 8"],
    answered: [...PBX_HEAD_OUTSIDE, "m=audio 0 RTP/SAVP 8", "m=audio 30000 RTP/AVP 8"],
  },
  {
    name: "streams that are no RTP and plain ones beside SRTP are declined on both sides",
    from: "outer",
    offer: [
      ...PHONE_HEAD,
      "m=audio 4000 RTP/SAVP 8",
      `a=crypto:1 ${C80} inline:KEY1`,
      "m=video 4002 RTP/AVP 99",
      "m=image 4004 udptl t38",
      "m=audio 4006 UDP/TLS/RTP/SAVPF 8",
    ],
    sent: [
      ...PHONE_HEAD_INSIDE,
      "m=audio 20000 RTP/AVP 8",
      "m=video 0 RTP/AVP 99",
      "m=image 0 udptl t38",
      "m=audio 0 UDP/TLS/RTP/SAVPF 8",
    ],
    answer: [
      ...PBX_HEAD,
      "m=audio 12000 RTP/AVP 8",
      "m=video 12002 RTP/AVP 99",
      "m=image 0 udptl t38",
      "m=audio 0 UDP/TLS/RTP/SAVPF 8",
    ],
    answered: [
      ...PBX_HEAD_OUTSIDE,
      "m=audio 30000 RTP/SAVP 8",
      `a=crypto:1 ${C80} inline:KEY0`,
      "m=video 0 RTP/AVP 99",
      "m=image 0 udptl t38",
      "m=audio 0 UDP/TLS/RTP/SAVPF 8",
    ],
  },
  {
    name: "ICE, a=rtcp and BUNDLE go, several c= lines are all replaced, rtcp-mux is bridged, the rest stays",
    ends: RTP_BOTH,
    from: "outer",
    offer: [
      "v=0",
      "o=bob 7 8 IN IP4 phone.example.com",
      "s=-",
      "c=IN IP4 192.168.1.9",
      "a=group:BUNDLE 0",
      "a=group:LS 0",
      "a=ice-lite",
      "m=audio 4000 RTP/AVP 8",
      "c=IN IP4 198.51.100.7",
      "b=AS:64",
      "a=mid:0",
      "a=rtcp:4007 IN IP4 198.51.100.7",
      "a=rtcp-mux",
      "a=rtcp-mux-only",
      "a=ice-ufrag:x",
      "a=ice-pwd:y",
      "a=ice-options:trickle",
      "a=candidate:1 1 UDP 1 192.168.1.9 4000 typ host",
      "a=remote-candidates:1 10.0.1.10 12000",
      "a=end-of-candidates",
      "a=X-vendor: spaced  value",
    ],
    sent: [
      "v=0",
      "o=bob 7 8 IN IP4 10.0.1.1",
      "s=-",
      "c=IN IP4 10.0.1.1",
      "a=group:LS 0",
      "m=audio 20000 RTP/AVP 8",
      "c=IN IP4 10.0.1.1",
      "b=AS:64",
      "a=mid:0",
      "a=rtcp-mux",
      "a=X-vendor: spaced  value",
    ],
    answer: [
      ...PBX_HEAD,
      "a=ice-lite",
      "a=ice-ufrag:z",
      "m=audio 12000 RTP/AVP 8",
      "a=mid:0",
      "a=candidate:1 1 UDP 1 10.0.1.10 12000 typ host",
    ],
    answered: [...PBX_HEAD_OUTSIDE, "m=audio 30000 RTP/AVP 8", "a=mid:0", "a=rtcp-mux"],
  },
  {
    name: "a hold by 0.0.0.0 reaches the other side as one, a hold by direction too",
    ends: RTP_BOTH,
    from: "outer",
    offer: [
      "v=0",
      "o=bob 7 9 IN IP4 198.51.100.7",
      "s=-",
      "c=IN IP4 0.0.0.0",
      "m=audio 4000 RTP/AVP 8",
      "a=inactive",
    ],
    sent: [
      "v=0",
      "o=bob 7 9 IN IP4 10.0.1.1",
      "s=-",
      "c=IN IP4 0.0.0.0",
      "m=audio 20000 RTP/AVP 8",
      "a=inactive",
    ],
    answer: [...PBX_HEAD, "m=audio 12000 RTP/AVP 8", "a=inactive"],
    answered: [...PBX_HEAD_OUTSIDE, "m=audio 30000 RTP/AVP 8", "a=inactive"],
  },
  {
    name: "an answer that numbers its crypto anew is taken by its suite",
    from: "inner",
    offer: [...PBX_HEAD, "m=audio 12000 RTP/AVP 8"],
    sent: [
      ...PBX_HEAD_OUTSIDE,
      "m=audio 30000 RTP/SAVP 8",
      `a=crypto:1 ${C80} inline:KEY0`,
      `a=crypto:2 ${C32} inline:KEY0`,
    ],
    answer: [...PHONE_HEAD, "m=audio 4000 RTP/SAVP 8", `a=crypto:1 ${C32} inline:KEY3`],
    answered: [...PHONE_HEAD_INSIDE, "m=audio 20000 RTP/AVP 8"],
  },
];

for (const one of CASES) {
  test(one.name, async () => {
    const call = session(one.ends);
    const offered = await call.offer(one.from, expand(one.offer));
    expect(offered.ok && shorten(offered.sdp)).toEqual([...one.sent]);
    const far = one.from === "outer" ? "inner" : "outer";
    const answered = call.answer(far, expand(one.answer), { branch: "b", final: true });
    expect(answered.ok && shorten(answered.sdp)).toEqual([...one.answered]);
  });
}

const SAVP_ONLY = [
  ...PHONE_HEAD,
  "m=audio 4000 RTP/SAVP 8",
  `a=crypto:1 ${C80} inline:KEY1`,
] as const;

const REFUSED: readonly [string, Ends, LegName, readonly string[]][] = [
  ["plain RTP where phones speak SRTP", {}, "outer", [...PHONE_HEAD, "m=audio 4000 RTP/AVP 8"]],
  ["SAVP without a key", {}, "outer", [...PHONE_HEAD, "m=audio 4000 RTP/SAVP 8"]],
  [
    "only suites we do not allow",
    { outer: { suites: [C80] } },
    "outer",
    [...PHONE_HEAD, "m=audio 4000 RTP/SAVP 8", `a=crypto:1 ${C32} inline:KEY1`],
  ],
  ["SAVP only where phones speak RTP", RTP_OUTSIDE, "outer", SAVP_ONLY],
  ["passthrough without a key", PASSTHROUGH, "inner", [...PBX_HEAD, "m=audio 9 RTP/AVP 8"]],
  ["every stream declined", RTP_BOTH, "outer", [...PHONE_HEAD, "m=audio 0 RTP/AVP 8"]],
  ["no stream at all", RTP_BOTH, "outer", PHONE_HEAD],
  ["fax alone where SRTP is promised", {}, "inner", [...PBX_HEAD, "m=image 4004 udptl t38"]],
  ["no address", RTP_BOTH, "outer", ["v=0", "s=-", "m=audio 4000 RTP/AVP 8"]],
  ["no SDP", RTP_BOTH, "outer", ["hello"]],
  [
    "more than 20 streams",
    RTP_BOTH,
    "outer",
    [...PHONE_HEAD, ...new Array(21).fill("m=audio 4000 RTP/AVP 8")],
  ],
];

for (const [name, ends, from, offer] of REFUSED) {
  test(`488: ${name}`, async () => {
    const lab = new MediaLab();
    const result = await lab.session(ends).offer(from, expand(offer));
    expect(result).toMatchObject({ ok: false, status: 488 });
    expect(lab.sessions.status.portsInUse).toBe(0);
  });
}

test("488: the phone answers SRTP with plain RTP; nothing is carried", async () => {
  const call = session();
  await call.offer("inner", expand([...PBX_HEAD, "m=audio 12000 RTP/AVP 8"]));
  const answer = expand([...PHONE_HEAD, "m=audio 4000 RTP/AVP 8"]);
  const result = call.answer("outer", answer, { branch: "b", final: true });
  expect(result).toEqual({ ok: false, status: 488, reason: "sdp-not-acceptable" });
});

test("an answer that declines every stream passes", async () => {
  const call = session(RTP_BOTH);
  await call.offer("inner", expand([...PBX_HEAD, "m=audio 12000 RTP/AVP 8"]));
  const answer = expand([...PHONE_HEAD, "m=audio 0 RTP/AVP 8"]);
  const result = call.answer("outer", answer, { branch: "b", final: true });
  expect(result.ok && shorten(result.sdp)).toEqual([...PHONE_HEAD_INSIDE, "m=audio 0 RTP/AVP 8"]);
});

test("a phone that chose optional SRTP is offered it again the same way", async () => {
  const call = session(RTP_BOTH);
  const offer = [...PHONE_HEAD, "m=audio 4000 RTP/AVP 8", `a=crypto:3 ${C80} inline:KEY1`];
  await call.offer("outer", expand(offer));
  const answer = expand([...PBX_HEAD, "m=audio 12000 RTP/AVP 8"]);
  call.answer("inner", answer, { branch: "b", final: true });
  const again = await call.offer("inner", answer);
  expect(again.ok && shorten(again.sdp)).toEqual([
    ...PBX_HEAD_OUTSIDE,
    "m=audio 30000 RTP/AVP 8",
    `a=crypto:1 ${C80} inline:KEY0`,
    `a=crypto:2 ${C32} inline:KEY0`,
  ]);
});

test("an IPv6 phone and an IPv4 instance: each side gets addresses of its own family", async () => {
  const lab = new MediaLab({}, { addresses: ["2001:db8::1", "10.0.1.1"] });
  const outer = { bindAddress: "2001:db8::1", advertise: "2001:db8::1", media: "rtp" } as const;
  const call = lab.session({ outer: { ...outer, signallingAddress: "2001:db8::7" } });
  const head = ["v=0", "o=- 1 1 IN IP6 2001:DB8:0::7", "s=-", "c=IN IP6 2001:DB8:0::7", "t=0 0"];
  const offered = await call.offer("outer", expand([...head, "m=audio 4000 RTP/AVP 8"]));
  expect(offered.ok && shorten(offered.sdp).slice(0, 4)).toEqual([
    "v=0",
    "o=- 1 1 IN IP4 10.0.1.1",
    "s=-",
    "c=IN IP4 10.0.1.1",
  ]);
  const answer = expand([...PBX_HEAD, "m=audio 12000 RTP/AVP 8"]);
  const answered = call.answer("inner", answer, { branch: "b", final: true });
  expect(answered.ok && shorten(answered.sdp)[3]).toBe("c=IN IP6 2001:db8::1");
  expect(call.snapshot().streams[0]?.outer.signalled?.address).toBe("2001:db8::7");
});
