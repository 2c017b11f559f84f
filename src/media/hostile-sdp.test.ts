import { expect, test } from "bun:test";
import {
  AT_INSTANCE,
  AT_PHONE,
  type Ends,
  MediaLab,
  RTP,
  sdpOf,
  securedSdp,
} from "../../test/flows/media-ends.ts";

/** The same numbers on every run. */
function seeded(start: number): (below: number) => number {
  let seed = start;
  return (below) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return (seed >>> 8) % below;
  };
}

const SPLICES = [
  "\r\n",
  "0.0.0.0",
  "m=audio 1 RTP/AVP 0\r\n",
  "a=crypto:",
  "/",
  " ",
  "\0",
  "é",
  "",
];

function mutate(text: string, random: (below: number) => number): string {
  let mutated = text;
  for (let i = 0; i <= random(4); i++) {
    const at = random(mutated.length + 1);
    const cut = random(3) === 0 ? random(20) : 0;
    mutated = mutated.slice(0, at) + SPLICES[random(SPLICES.length)] + mutated.slice(at + cut);
  }
  return mutated;
}

test("mutated offers and answers never throw, and every port comes back", async () => {
  const random = seeded(7);
  const lab = new MediaLab();
  const kinds: Ends[] = [
    {},
    RTP,
    { inner: { media: "srtp" } },
    { inner: { media: "srtp-passthrough" } },
  ];
  let carried = 0;
  for (let round = 0; round < 1000; round++) {
    const session = lab.session(kinds[round % kinds.length]);
    const offer = round % 2 === 0 ? securedSdp({ ...AT_PHONE, fill: 1 }) : sdpOf(AT_PHONE);
    const offered = await session.offer("outer", random(2) === 0 ? offer : mutate(offer, random));
    const answer = round % 3 === 0 ? securedSdp({ ...AT_INSTANCE, fill: 2 }) : sdpOf(AT_INSTANCE);
    const o = { branch: "a", final: random(2) === 0 };
    const answered = session.answer("inner", random(2) === 0 ? answer : mutate(answer, random), o);
    if (offered.ok && answered.ok) carried++;
    session.setSignallingAddress(mutate("192.0.2.1", random));
    session.snapshot();
    session.release();
    await lab.network.elapse(1000);
  }
  expect(carried).toBeGreaterThan(100);
  expect(lab.sessions.status).toMatchObject({ sessions: 0, streams: 0, portsInUse: 0 });
});
