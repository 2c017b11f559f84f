/** Profiles, shared ports, fax, bundles and foreign keys, as each side reads and answers them. */
import { expect, test } from "bun:test";
import { type Ends, INNER, INSTANCE, MediaLab, OUTER, PHONE } from "../../test/flows/media-ends.ts";
import { type LegName, otherLeg } from "./engine.ts";
import type { MediaSession } from "./media-session.ts";

const KEY = "A".repeat(40);
const CRYPTO = `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${KEY}`;
const RTP: Ends = { outer: { media: "rtp" } };
const FAX: Ends = { inner: { allowsClearT38: true } };
const PASSTHROUGH: Ends = { inner: { media: "srtp-passthrough" } };

/** Ports and keys of ours are the first of each range, and zeros. */
function session(ends: Ends = {}): MediaSession {
  return new MediaLab({}, { random: (length) => new Uint8Array(length) }).session(ends);
}

const SDP_OF = { outer: PHONE, inner: INSTANCE };
const OURS = { outer: OUTER, inner: INNER };

function text(address: string, lines: readonly string[]): string {
  const head = ["v=0", `o=- 1 1 IN IP4 ${address}`, "s=-", `c=IN IP4 ${address}`, "t=0 0"];
  return [...head, ...lines, ""].join("\r\n");
}

/** What follows the session level, whose addresses have to be ours towards `to`. */
function lines(sdp: string, to: LegName): string[] {
  const all = sdp.split("\r\n");
  expect(all.splice(0, 5)).toEqual(text(OURS[to], []).split("\r\n").slice(0, 5));
  return all.slice(0, -1);
}

async function offers(call: MediaSession, from: LegName, wanted: readonly string[]) {
  const result = await call.offer(from, text(SDP_OF[from], wanted));
  return result.ok ? lines(result.sdp, otherLeg(from)) : result.reason;
}

function answers(call: MediaSession, from: LegName, wanted: readonly string[]) {
  const o = { branch: "b", final: true };
  const result = call.answer(from, text(SDP_OF[from], wanted), o);
  return result.ok ? lines(result.sdp, otherLeg(from)) : result.reason;
}

const PROFILES = [
  ["RTP/SAVP", "RTP/AVP"],
  ["RTP/SAVPF", "RTP/AVPF"],
  ["RTP/AVP", "RTP/AVP"],
  ["RTP/AVPF", "RTP/AVPF"],
] as const;

for (const [outside, inside] of PROFILES) {
  const feedback = outside.endsWith("F") ? ["a=rtcp-fb:96 nack pli", "a=rtcp-fb:* ccm fir"] : [];

  test(`${outside} with keys outside is ${inside} inside, feedback as it was`, async () => {
    const call = session();
    const offer = [`m=video 4000 ${outside} 96`, ...feedback, CRYPTO];
    const sent = await offers(call, "outer", offer);
    expect(sent).toEqual([`m=video 20000 ${inside} 96`, ...feedback]);
    const answered = answers(call, "inner", [`m=video 12000 ${inside} 96`, ...feedback]);
    expect(answered).toEqual([`m=video 30000 ${outside} 96`, ...feedback, CRYPTO]);
  });

  test(`${inside} inside is offered to SRTP phones as its secured profile`, async () => {
    const secured = inside.replace("AVP", "SAVP");
    const call = session({ outer: { suites: ["AES_CM_128_HMAC_SHA1_80"] } });
    const sent = await offers(call, "inner", [`m=video 12000 ${inside} 96`, ...feedback]);
    expect(sent).toEqual([`m=video 30000 ${secured} 96`, ...feedback, CRYPTO]);
  });
}

const MUX = "a=rtcp-mux";

test("a phone that wants both at one port has it, though the instance does not", async () => {
  const call = session(RTP);
  expect(await offers(call, "outer", ["m=audio 4000 RTP/AVP 8", MUX])).toEqual([
    "m=audio 20000 RTP/AVP 8",
    MUX,
  ]);
  const answered = answers(call, "inner", ["m=audio 12000 RTP/AVP 8"]);
  expect(answered).toEqual(["m=audio 30000 RTP/AVP 8", MUX]);
});

test("nobody is offered a shared port, or agrees to one, that was not asked for", async () => {
  const call = session(RTP);
  expect(await offers(call, "outer", ["m=audio 4000 RTP/AVP 8"])).toEqual([
    "m=audio 20000 RTP/AVP 8",
  ]);
  expect(answers(call, "inner", ["m=audio 12000 RTP/AVP 8", MUX])).toEqual([
    "m=audio 30000 RTP/AVP 8",
  ]);
});

test("a side that shares its port is offered it again, whatever the other one speaks", async () => {
  const call = session(RTP);
  await offers(call, "outer", ["m=audio 4000 RTP/AVP 8", MUX]);
  answers(call, "inner", ["m=audio 12000 RTP/AVP 8"]);
  const again = await offers(call, "inner", ["m=audio 12000 RTP/AVP 8"]);
  expect(again).toEqual(["m=audio 30000 RTP/AVP 8", MUX]);
  const answered = answers(call, "outer", ["m=audio 4000 RTP/AVP 8"]);
  expect(answered).toEqual(["m=audio 20000 RTP/AVP 8"]);
  const third = await offers(call, "inner", ["m=audio 12000 RTP/AVP 8"]);
  expect(third).toEqual(["m=audio 30000 RTP/AVP 8"]);
});

test("whoever takes shared ports only (RFC 8858) has them", async () => {
  const call = session(RTP);
  const offer = ["m=audio 4000 RTP/AVP 8", MUX, "a=rtcp-mux-only"];
  expect(await offers(call, "outer", offer)).toEqual(["m=audio 20000 RTP/AVP 8", MUX]);
  expect(answers(call, "inner", ["m=audio 12000 RTP/AVP 8", MUX])).toEqual([
    "m=audio 30000 RTP/AVP 8",
    MUX,
  ]);
});

const T38 = ["m=image 4004 udptl t38", "a=T38FaxVersion:0", "a=T38FaxUdpEC:t38UDPRedundancy"];

for (const [name, ends] of [
  ["where no SRTP is promised", RTP],
  ["where the instance allows it", FAX],
  [
    "beside keys end to end, where the instance allows it",
    { inner: { ...FAX.inner, media: "srtp-passthrough" } },
  ],
] as readonly [string, Ends][]) {
  test(`T.38 passes ${name}`, async () => {
    const call = session(ends);
    const [, ...attributes] = T38;
    const sent = await offers(call, "inner", T38);
    expect(sent).toEqual(["m=image 30000 udptl t38", ...attributes]);
    const answered = answers(call, "outer", ["m=image 4006 UDPTL t38", ...attributes]);
    expect(answered).toEqual(["m=image 20000 udptl t38", ...attributes]);
    expect(call.snapshot().streams[0]).toMatchObject({ type: "image", outer: { isSrtp: false } });
  });
}

test.each([
  ["SRTP outside", {}],
  ["SRTP inside", { ...RTP, inner: { media: "srtp" } }],
  ["keys end to end", PASSTHROUGH],
] as readonly [string, Ends][])("T.38 is refused with %s", async (_, ends) => {
  expect(await offers(session(ends), "inner", T38)).toBe("sdp-clear-fax");
});

test("a fax is answered by a fax only, audio by audio only", async () => {
  const fax = session(RTP);
  await offers(fax, "inner", T38);
  expect(answers(fax, "outer", ["m=audio 4000 RTP/AVP 8", MUX])).toEqual(["m=image 0 udptl t38"]);
  const audio = session(RTP);
  await offers(audio, "inner", ["m=audio 12000 RTP/AVP 8"]);
  expect(answers(audio, "outer", T38)).toEqual(["m=audio 0 RTP/AVP 8"]);
});

test("a bundle is not accepted: no group, each line its own port, lines of a bundle only declined", async () => {
  const call = session(RTP);
  const offer = text(PHONE, [
    "a=group:BUNDLE 0 1 2",
    "a=group:BUNDLE-X 0 1",
    "m=audio 4000 RTP/AVP 8",
    "a=mid:0",
    "m=video 4002 RTP/AVP 96",
    "a=mid:1",
    "m=video 0 RTP/AVP 97",
    "a=bundle-only",
    "a=mid:2",
  ]);
  const sent = await call.offer("outer", offer);
  const there = sent.ok ? lines(sent.sdp, "inner") : [];
  expect(there[0]).toBe("a=group:BUNDLE-X 0 1");
  expect(there.filter((line) => line.startsWith("m="))).toEqual([
    expect.stringMatching(/^m=audio 2\d+ RTP/),
    expect.stringMatching(/^m=video 2\d+ RTP/),
    "m=video 0 RTP/AVP 97",
  ]);
  expect(there.filter((line) => /bundle-only/.test(line))).toEqual([]);
  expect(there.filter((line) => line.startsWith("a=mid"))).toEqual([
    "a=mid:0",
    "a=mid:1",
    "a=mid:2",
  ]);
  const answer = ["m=audio 12000 RTP/AVP 8", "a=mid:0", "m=video 12002 RTP/AVP 96", "a=mid:1"];
  const answered = answers(call, "inner", ["a=group:BUNDLE 0 1", ...answer]);
  const ports = [...`${answered}`.matchAll(/m=\w+ (\d+)/g)].map(([, port]) => Number(port));
  expect(new Set(ports).size).toBe(3);
  expect(ports[2]).toBe(0);
  expect(`${answered}`).not.toContain("BUNDLE");
});

const FOREIGN_KEYS = [
  "a=fingerprint:sha-256 AA:BB",
  "a=setup:actpass",
  "a=tls-id:abc",
  "a=zrtp-hash:1.10 fe30efd0",
  "a=key-mgmt:mikey AQAF",
];

test("handshakes that do not pass are not announced beside our keys", async () => {
  const call = session();
  const sent = await call.offer(
    "outer",
    text(PHONE, [...FOREIGN_KEYS, "m=audio 4000 RTP/SAVP 8", ...FOREIGN_KEYS, CRYPTO]),
  );
  expect(sent.ok && lines(sent.sdp, "inner")).toEqual(["m=audio 20000 RTP/AVP 8"]);
});

test("keys of MIKEY cross where keys cross, as those of SDES do with all their parameters", async () => {
  const call = session(PASSTHROUGH);
  const crypto = `${CRYPTO}|2^20|7:4 UNENCRYPTED_SRTCP KDR=3`;
  const offer = ["m=audio 4000 RTP/SAVP 8", "a=key-mgmt:mikey AQAF", crypto];
  expect(await offers(call, "outer", offer)).toEqual([
    "m=audio 20000 RTP/SAVP 8",
    "a=key-mgmt:mikey AQAF",
    crypto,
  ]);
});

const audio = (proto: string, ...more: string[]): string[] => [`m=audio 4000 ${proto} 8`, ...more];

test.each([
  ["sdp-dtls", {}, audio("UDP/TLS/RTP/SAVPF", ...FOREIGN_KEYS)],
  ["sdp-dtls", RTP, audio("UDP/TLS/RTP/SAVP", ...FOREIGN_KEYS)],
  ["sdp-protocol", RTP, audio("TCP/RTP/AVP")],
  ["sdp-plain-rtp", {}, audio("RTP/AVP")],
  ["sdp-plain-rtp", {}, audio("RTP/SAVP")],
  ["sdp-plain-rtp", PASSTHROUGH, audio("RTP/AVP")],
  ["sdp-srtp", RTP, audio("RTP/SAVP", CRYPTO)],
  ["sdp-crypto", {}, audio("RTP/SAVP", `${CRYPTO} UNENCRYPTED_SRTCP`)],
  ["sdp-crypto", {}, audio("RTP/SAVP", `${CRYPTO} UNENCRYPTED_SRTP`)],
  ["sdp-crypto", {}, audio("RTP/SAVP", `${CRYPTO} UNAUTHENTICATED_SRTP`)],
  ["sdp-crypto", {}, audio("RTP/SAVP", `${CRYPTO} KDR=5`)],
  ["sdp-crypto", {}, audio("RTP/SAVP", `${CRYPTO} FEC_ORDER=FEC_SRTP`)],
  ["sdp-crypto", {}, audio("RTP/SAVP", "a=crypto:1 F8_128_HMAC_SHA1_80 inline:AAAA")],
  ["sdp-not-acceptable", RTP, ["m=audio 0 RTP/AVP 8"]],
] as readonly [string, Ends, string[]][])(
  "488 with its reason: %s %#",
  async (reason, ends, offer) => {
    expect(await offers(session(ends), "outer", offer)).toBe(reason);
  },
);

const LOWERED: Ends = { outer: { acceptsPlain: true } };

test("a phone that may speak RTP is offered SRTP, and RTP once it has refused that", async () => {
  const call = session(LOWERED);
  const offer = ["m=audio 12000 RTP/AVP 8"];
  expect((await offers(call, "inner", offer))[0]).toBe("m=audio 30000 RTP/SAVP 8");
  call.offerFailed("inner");
  call.isPlainOutside = true;
  expect(String(await offers(call, "inner", offer))).toMatch(/^m=audio 30\d+ RTP.AVP 8$/);
  const answered = answers(call, "outer", ["m=audio 4000 RTP/AVP 8"]);
  expect(String(answered)).toMatch(/^m=audio 20\d+ RTP.AVP 8$/);
});

test("a phone that may speak RTP may offer it, or SRTP, which is then kept", async () => {
  const plain = session(LOWERED);
  expect(await offers(plain, "outer", ["m=audio 4000 RTP/AVP 8"])).toHaveLength(1);
  expect(answers(plain, "inner", ["m=audio 12000 RTP/AVP 8"])).toEqual(["m=audio 30000 RTP/AVP 8"]);
  const secure = session(LOWERED);
  await offers(secure, "outer", ["m=audio 4000 RTP/SAVP 8", CRYPTO]);
  expect(answers(secure, "inner", ["m=audio 12000 RTP/AVP 8"])[1]).toBe(CRYPTO);
  expect(await offers(session(LOWERED), "outer", ["m=audio 4000 RTP/SAVP 8"])).toBe(
    "sdp-plain-rtp",
  );
});

test("nobody else is lowered, whatever he has refused", async () => {
  const others: readonly [Ends, string, string[]][] = [
    [{}, "RTP/AVP", []],
    [{ ...LOWERED, ...PASSTHROUGH }, "RTP/SAVP", [CRYPTO]],
  ];
  for (const [ends, proto, keys] of others) {
    const call = session(ends);
    call.isPlainOutside = true;
    const sent = await offers(call, "inner", [`m=audio 12000 ${proto} 8`, ...keys]);
    expect(sent[0]).toBe("m=audio 30000 RTP/SAVP 8");
    expect(sent[1]).toBe(CRYPTO);
  }
});

test("within a call all streams may be given up and taken up again", async () => {
  const call = session(RTP);
  const offer = ["m=audio 4000 RTP/AVP 8"];
  await offers(call, "outer", offer);
  answers(call, "inner", ["m=audio 12000 RTP/AVP 8"]);
  expect(await offers(call, "outer", ["m=audio 0 RTP/AVP 8"])).toEqual(["m=audio 0 RTP/AVP 8"]);
  expect(answers(call, "inner", ["m=audio 0 RTP/AVP 8"])).toEqual(["m=audio 0 RTP/AVP 8"]);
  expect(call.openStreams).toHaveLength(0);
  expect(String(await offers(call, "outer", offer))).toMatch(/^m=audio 20\d+ RTP.AVP 8$/);
});
