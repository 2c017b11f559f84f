/**
 * SDP that no call carries leads nowhere, from a phone neither: telephone systems find a dialog by tags of any
 * case (pjsip), so that a phone could name any address inside as its own where we see no call.
 */
import { expect, test } from "bun:test";
import { makeEnds, phoneCalls, type Talk } from "./talk.ts";

const INSIDE_HOST = "10.0.9.9";

/** The phone's side of the call with a tag that is ours only for who compares without case. */
async function strangeCall(): Promise<Talk> {
  const talk = await phoneCalls(await makeEnds());
  const { phoneSide } = talk;
  const local = phoneSide.local.replace(
    /tag=(.*)$/,
    (_, tag: string) => `tag=${tag.toUpperCase()}`,
  );
  expect(local).not.toBe(phoneSide.local);
  return { ...talk, phoneSide: { ...phoneSide, local } };
}

const sdp = (talk: Talk): string =>
  talk.near.sdp({ version: 2 }).replaceAll("192.168.1.10", INSIDE_HOST);

for (const method of ["UPDATE", "PRACK", "ACK"]) {
  test(`${method}: neither the address nor the keys of such a description reach the instance`, async () => {
    const talk = await strangeCall();
    const headers = [["Contact", `<${talk.phone.contact}>`]] as const;
    talk.phone.inDialog(talk.phoneSide, method, { headers, body: sdp(talk) });
    const { body } = await talk.pbx.receives(method);
    expect(body).toBe("");
  });
}

test("nor does what is hidden in a multipart body", async () => {
  const talk = await strangeCall();
  const part = `--b\r\nContent-Type: application/sdp\r\n\r\n${sdp(talk)}\r\n`;
  const headers = [["Content-Type", "multipart/mixed;boundary=b"]] as const;
  talk.phone.inDialog(talk.phoneSide, "UPDATE", { headers, body: `${part}${part}--b--\r\n` });
  const { body } = await talk.pbx.receives("UPDATE");
  expect(body).toBe("");
});

test("nor does its answer to what an instance asks outside any call", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { phone, pbx, pbxSide, far } = talk;
  const callId = `${pbxSide.callId}-other`;
  pbx.inDialog({ ...pbxSide, callId }, "UPDATE", { body: far.sdp({ version: 2 }) });
  const update = await phone.receivesOn("UPDATE");
  expect(update.message.body).toBe("");
  phone.replies(update, 200, "x", sdp(talk));
  expect((await pbx.receives("200 UPDATE")).body).toBe("");
});
