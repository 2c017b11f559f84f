import { expect, test } from "bun:test";
import { makeEnds, pbxCalls, phoneCalls, type Talk } from "./talk.ts";

const CHALLENGE = 'Digest realm="trunk", nonce="1", algorithm=MD5';

const asking = (status: number): readonly (readonly [string, string])[] => [
  [status === 401 ? "WWW-Authenticate" : "Proxy-Authenticate", CHALLENGE],
];

async function expectRefused(talk: Talk, method: string, status: number): Promise<void> {
  const { phone, pbx, pbxSide } = talk;
  pbx.inDialog(pbxSide, method, { headers: [["Contact", `<${pbx.contact}>`]] });
  phone.answers(await phone.receivesOn(method), status, { headers: asking(status) });
  const seen = await pbx.receives(new RegExp(`^SIP/2\\.0 [2-6].*CSeq: \\d+ ${method}`, "s"));
  expect(seen.status).toBe(481);
  expect(seen.text).not.toContain("Authenticate");
  expect(seen.text).not.toContain("nonce");
}

for (const status of [401, 407]) {
  test(`a caller that answers its BYE with ${status} gets no digest (CVE-2021-41158)`, async () => {
    const talk = await phoneCalls(await makeEnds());
    await expectRefused(talk, "BYE", status);
    expect(talk.place.status.drops["challenge-from-phone"]).toBe(1);
    await talk.place.expectNothingLeft();
  });
}

test("nor one that was called, by whatever request of the dialog", async () => {
  const talk = await pbxCalls(await makeEnds());
  for (const method of ["INFO", "MESSAGE", "NOTIFY"]) await expectRefused(talk, method, 401);
  expect(talk.place.status.sip.dialogs).toBe(1);
  await expectRefused(talk, "UPDATE", 407);
  expect(talk.place.status.sip.dialogs).toBe(0);
});

test("a phone that challenges what begins a dialog may ask anew within it", async () => {
  const talk = await pbxCalls(await makeEnds());
  const { phone, pbx, pbxSide } = talk;
  const headers = [["Authorization", 'Digest username="x", nonce="0"']] as const;
  pbx.inDialog(pbxSide, "INFO", { headers });
  phone.answers(await phone.receivesOn("INFO"), 401, { headers: asking(401) });
  expect((await pbx.receives("401 INFO")).header("WWW-Authenticate")).toBe(CHALLENGE);
});

test("the telephone system's own challenges within a dialog pass to the phone", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { phone, pbx, phoneSide } = talk;
  phone.inDialog(phoneSide, "REFER", { headers: [["Refer-To", "<sip:1@mycompany>"]] });
  pbx.answers(await pbx.receivesOn("REFER"), 407, { headers: asking(407) });
  expect((await phone.receives("407 REFER")).header("Proxy-Authenticate")).toBe(CHALLENGE);
});
