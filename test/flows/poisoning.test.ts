import { expect, test } from "bun:test";
import { latin1, sipText } from "../peers/sip-text.ts";
import { answerText } from "../peers/user-agent.ts";
import { INSIDE, OUTSIDE, PBX, type Place } from "./place.ts";
import { makeEnds, pbxCalls, phoneCalls } from "./talk.ts";

const VICTIM = "192.0.2.77";

function expectVictimInPeace(place: Place): void {
  expect(place.network.sent.filter(({ to }) => to.address === VICTIM)).toEqual([]);
}

const UDP = {
  transport: "udp",
  proxy: { voipSip: "udp", voipMedia: "rtp" },
  media: "rtp",
} as const;

for (const [kind, options] of [
  ["tls", {}],
  ["udp", UDP],
] as const) {
  test(`by ${kind} no Via moves an answer: sent-by, received, rport, maddr`, async () => {
    const { place, phone, pbx } = await makeEnds(options);
    for (const via of [
      `${VICTIM}:5060;branch=z9hG4bK-1`,
      `${VICTIM};branch=z9hG4bK-2;rport=5060;received=${VICTIM}`,
      `10.0.3.150:5060;branch=z9hG4bK-3;maddr=${VICTIM};ttl=1`,
      `203.0.113.5:5061;branch=z9hG4bK-4;received=127.0.0.1`,
    ]) {
      const text = phone.requestText("MESSAGE", {
        uri: "sip:200@mycompany",
        from: `<${phone.uri}>;tag=a`,
        to: "<sip:200@mycompany>",
        callId: phone.newId(),
        cseq: 1,
      });
      const lying = sipText(text.replace(/^(Via: \S+) .*$/m, `$1 ${via}`));
      const to = { address: OUTSIDE, port: kind === "udp" ? 5060 : 5061 };
      phone.sendsBytes(latin1(lying), { to });
      pbx.answers(await pbx.receivesOn("MESSAGE"), 200);
      await phone.receives("200 MESSAGE");
    }
    expectVictimInPeace(place);
  });

  test(`by ${kind} no Contact moves a call: neither of a REGISTER nor of a dialog`, async () => {
    const ends = await makeEnds(options);
    const { place, phone, pbx } = ends;
    phone.contact = `sip:100@${VICTIM}:5060`;
    expect((await phone.registers()).status).toBe(200);
    const talk = await pbxCalls(ends);
    phone.inDialog(talk.phoneSide, "UPDATE", { headers: [["Contact", `<sip:x@${VICTIM}>`]] });
    const update = await pbx.receivesOn("UPDATE");
    pbx.answers(update, 200, { contact: pbx.contact });
    await phone.receives("200 UPDATE");
    talk.pbxSide.target = /<([^>]*)>/.exec(update.message.header("Contact"))?.[1] ?? "";
    pbx.inDialog(talk.pbxSide, "BYE");
    await phone.isHungUpOn();
    await pbx.receives("200 BYE");
    expectVictimInPeace(place);
  });
}

test("a REGISTER that is refused moves nobody, whatever it claims to be", async () => {
  const { place, phone, pbx } = await makeEnds();
  const thief = await place.phone({ address: "192.168.1.66" });
  const registers = pbx.automatic;
  pbx.automatic = (received) => {
    if (received.message.method !== "REGISTER") return registers(received);
    pbx.answers(received, 403);
    return true;
  };
  thief.contact = phone.contact;
  expect((await thief.registers()).status).toBe(403);
  pbx.sendsInvite("100", "");
  await phone.receives("INVITE");
  await thief.receivesNothingMore();
});

test("an answer counts only from where the request went, whoever knows its branch", async () => {
  const { place, phone, pbx, near } = await makeEnds();
  const stranger = await place.pbx({ name: "stranger", address: "10.0.3.66" });
  phone.sendsInvite("600", near.sdp());
  const invite = await pbx.receivesOn("INVITE");
  const answer = answerText(invite.message, 200, { tag: "evil", contact: "sip:600@10.0.3.66" });
  stranger.sends(answer, { to: { address: INSIDE, port: 15_060 } });
  const outsider = await place.phone({ address: "192.168.1.67" });
  outsider.sends(answer);
  await phone.receivesNothingMore();
  pbx.replies(invite, 486, "pbx");
  await phone.receives("486 INVITE");
});

test("the instance's Contact sends no ACK and no BYE elsewhere", async () => {
  const ends = await makeEnds();
  const { place, phone, pbx, near, far } = ends;
  pbx.contact = `sip:600@${VICTIM}:5060`;
  const talk = await phoneCalls({ ...ends, near, far });
  phone.inDialog(talk.phoneSide, "BYE");
  const bye = await pbx.receivesOn("BYE");
  pbx.answers(bye, 200);
  await phone.receives("200 BYE");
  expectVictimInPeace(place);
  expect(place.network.sent.filter(({ to }) => to.address === PBX).length).toBeGreaterThan(2);
});
