/**
 * SDP of a phone that points where it has no business (SSRF): nothing is ever sent there, from either side of
 * ours, and a phone that is merely mistaken about its address has its audio as soon as it speaks.
 */
import { describe, expect, test } from "bun:test";
import { HOME_PUBLIC, INSIDE, OUTSIDE, PBX } from "./place.ts";
import { expectAudio, makeEnds, pbxCalls, phoneCalls, type Talk } from "./talk.ts";

const PLACES: readonly (readonly [what: string, address: string])[] = [
  ["loopback", "127.0.0.1"],
  ["another loopback", "127.8.8.8"],
  ["this host", "0.1.2.3"],
  ["multicast", "224.0.1.75"],
  ["broadcast", "255.255.255.255"],
  ["our address outside", OUTSIDE],
  ["our address inside", INSIDE],
  ["the instance", PBX],
  ["a neighbour of the instance", "10.0.3.7"],
  ["a link-local address", "169.254.169.254"],
  ["a stranger", "192.0.2.66"],
];

const MODES = [
  { name: "SRTP", options: {} },
  {
    name: "RTP",
    options: { proxy: { voipSip: "udp", voipMedia: "rtp" }, media: "rtp", transport: "udp" },
  },
] as const;

/** Media of ours to that address, but for the instance's own end of the call. */
function sentTo({ place, far }: Talk, address: string): string[] {
  const own = new Set([far.rtp.local.port, far.rtcp.local.port]);
  return place.network.sent
    .filter(({ transport, from, to }) => {
      const isOurs = [OUTSIDE, INSIDE].includes(from.address) && from.port >= 16_384;
      return transport === "udp" && isOurs && to.address === address && !own.has(to.port);
    })
    .map(({ to }) => `${to.address}:${to.port}`);
}

/** The same body with another address for RTP, RTCP and the session. */
function pointedAt(body: string, address: string): string {
  const family = address.includes(":") ? "IP6" : "IP4";
  return body
    .replace(/^c=.*$/gm, `c=IN ${family} ${address}`)
    .replace(/^a=(sendrecv)$/m, `a=rtcp:4001 IN ${family} ${address}\na=$1`);
}

describe.each([...MODES])("$name", ({ options }) => {
  for (const calls of [phoneCalls, pbxCalls]) {
    const who = calls === phoneCalls ? "offers" : "answers";
    test.each([...PLACES])(`a phone that ${who} %s (%s)`, async (_, address) => {
      const ends = await makeEnds({ ...options });
      const { near } = ends;
      const body = near.sdp();
      Object.assign(near, { sdp: () => pointedAt(body, address) });
      const talk = await calls(ends);
      talk.far.says("anybody there?");
      talk.far.sendsRtcp(1);
      await talk.place.network.settle();
      expect(sentTo(talk, address)).toEqual([]);
      talk.near.heard.length = 0;
      await expectAudio(talk);
      talk.far.sendsRtcp(2);
      await talk.place.network.settle();
      expect(sentTo(talk, address)).toEqual([]);
    });
  }

  test.each([22, 53, 123, 1021])(
    "a port of a service of its own network (%i) gets nothing",
    async (port) => {
      const ends = await makeEnds({ ...options });
      const body = ends.near.sdp();
      Object.assign(ends.near, { sdp: () => body.replace(/^m=audio \d+/m, `m=audio ${port}`) });
      const talk = await phoneCalls(ends);
      talk.far.says("anybody there?");
      talk.far.sendsRtcp(1);
      await talk.place.network.settle();
      expect(sentTo(talk, HOME_PUBLIC)).toEqual([]);
      await expectAudio(talk);
    },
  );
});
