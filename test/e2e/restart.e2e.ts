/** The compiled binary is killed in the middle of a call and started again. */
import { afterEach, expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { JOURNAL } from "../../src/proxy/remembered.ts";
import {
  closeAll,
  expectTones,
  makeEnds,
  pbxCalls,
  phoneCalls,
  phoneHangsUp,
  type Talk,
} from "./call.ts";

afterEach(closeAll);

/** Until these words are on the disk. */
async function isWritten(talk: Talk, ...words: string[]): Promise<void> {
  const path = join(talk.at.folder, "state", JOURNAL);
  for (;;) {
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    if (words.every((word) => text.includes(word))) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function killedInMidCall(begin: typeof phoneCalls, ports: object): Promise<Talk> {
  const transport = "sipTls" in ports ? "tls" : "udp";
  const media = transport === "udp" ? { voipMedia: "rtp" } : {};
  const proxy = { voipSip: transport, ...media, ports };
  const isPlain = transport === "udp";
  const talk = await begin(await makeEnds({ proxy, transport, isPlain }));
  await expectTones(talk);
  await isWritten(talk, talk.pbxSide.callId);
  talk.running.signal("SIGKILL");
  await talk.running.exits();
  const { running } = await talk.at.startProxy();
  if (transport === "tls") await talk.phone.connects();
  expect((await talk.at.status()).sip).toMatchObject({ dialogs: 1 });
  return { ...talk, running };
}

async function holds({ phone, pbx, near, far, phoneSide }: Talk): Promise<void> {
  const headers = [["Contact", `<${phone.contact}>`]] as const;
  phone.inDialog(phoneSide, "INVITE", { headers, body: near.sdp({ version: 2 }) });
  const invite = await pbx.receivesOn("INVITE");
  far.uses(invite.message.body);
  pbx.replies(invite, 200, "pbx", far.sdp({ version: 2 }));
  near.uses((await phone.receives("200 INVITE")).body);
  phone.inDialog(phoneSide, "ACK");
  await pbx.receives("ACK");
}

for (const ports of [{ sipTls: 5061 }, { sipUdp: 5060 }]) {
  const name = Object.keys(ports).join();
  test(`${name}: after kill -9 the phone holds the running call, hears again and ends it`, async () => {
    for (const begin of [phoneCalls, pbxCalls]) {
      const talk = await killedInMidCall(begin, ports);
      await holds(talk);
      await expectTones(talk);
      await phoneHangsUp(talk);
      await closeAll();
    }
  });
}

test("after kill -9 the telephone system reaches a UDP phone at once, in its call and anew", async () => {
  const talk = await killedInMidCall(phoneCalls, { sipUdp: 5060 });
  const { phone, pbx, pbxSide, far } = talk;
  pbx.inDialog(pbxSide, "BYE");
  await phone.isHungUpOn();
  await pbx.receives("200 BYE");
  expect(statSync(join(talk.at.folder, "state", JOURNAL)).mode & 0o777).toBe(0o600);
  pbx.sendsInvite("100", far.sdp());
  await phone.receives("INVITE");
});
