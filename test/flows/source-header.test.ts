/** Behaviour 24: the instance is told where a phone really is, by us alone. */
import { expect, test } from "bun:test";
import { callerDialog } from "../peers/user-agent.ts";
import { HOME_PUBLIC } from "./place.ts";
import { makeEnds, pbxCalls, phoneCalls } from "./talk.ts";

const LIES = [
  "X-Forwarded-For: 10.0.3.9",
  "x-forwarded-for : 10.0.3.9",
  "X-FORWARDED-FOR:\r\n 10.0.3.9",
  "X-Forwarded-For\t:10.0.3.9, 10.0.3.10",
];

test("every request of a phone carries its address, and nothing of what it says itself", async () => {
  const talk = await phoneCalls(await makeEnds());
  const { phone, pbx, phoneSide } = talk;
  expect(pbx.registers[0]?.lines("X-Forwarded-For")).toEqual([HOME_PUBLIC]);
  expect(talk.invite.message.lines("X-Forwarded-For")).toEqual([HOME_PUBLIC]);
  for (const lie of LIES) {
    phoneSide.cseq += 1;
    const text = phone
      .requestText("MESSAGE", {
        uri: phoneSide.target,
        from: phoneSide.local,
        to: phoneSide.remote,
        callId: phoneSide.callId,
        cseq: phoneSide.cseq,
        headers: phoneSide.routes.map((route) => ["Route", route] as const),
      })
      .replace("Content-Length: *", "Content-Length: 0")
      .replace(/\n/g, "\r\n")
      .replace("CSeq:", `${lie}\r\n${lie}\r\nCSeq:`);
    phone.sendsBytes(Buffer.from(`${text}\r\n`, "latin1"));
    const seen = await pbx.receives("MESSAGE");
    expect(seen.lines("X-Forwarded-For")).toEqual([HOME_PUBLIC]);
    expect(seen.text).not.toContain("10.0.3.9");
  }
});

test("nor in a REGISTER, an ACK or an answer", async () => {
  const ends = await makeEnds();
  const { phone, pbx, near, far } = ends;
  const lie = [["X-Forwarded-For", "10.0.3.9"]] as const;
  await phone.registers({ headers: lie });
  expect(pbx.registers.at(-1)?.lines("X-Forwarded-For")).toEqual([HOME_PUBLIC]);
  phone.sendsInvite("600", near.sdp(), { headers: lie });
  pbx.replies(await pbx.receivesOn("INVITE"), 200, "pbx", far.sdp());
  const answer = await phone.receives("200 INVITE");
  phone.inDialog(callerDialog(answer), "ACK", { headers: lie });
  expect((await pbx.receives("ACK")).lines("X-Forwarded-For")).toEqual([HOME_PUBLIC]);
  const talk = await pbxCalls(ends);
  pbx.inDialog(talk.pbxSide, "INFO");
  phone.answers(await phone.receivesOn("INFO"), 200, { headers: lie });
  expect((await pbx.receives("200 INFO")).has("X-Forwarded-For")).toBe(false);
});

test("its name can be chosen; it can be left out, and is taken off even then", async () => {
  for (const [sourceHeader, expected] of [
    ["X-Real-Client", [HOME_PUBLIC]],
    [null, []],
  ] as const) {
    const { phone, pbx } = await makeEnds({ instance: { sip: { sourceHeader } } });
    const headers = [
      ["x-real-client", sourceHeader === null ? "kept" : "10.0.3.9"],
      ["X-Forwarded-For", "10.0.3.9"],
    ] as const;
    await phone.registers({ headers });
    const register = pbx.registers.at(-1)!;
    expect(register.has("X-Forwarded-For")).toBe(false);
    const own = sourceHeader === null ? ["kept"] : expected;
    expect(register.lines("X-Real-Client")).toEqual([...own]);
  }
});

test("one phone's address is not told to another by an instance that passes headers on", async () => {
  const { phone, pbx } = await makeEnds();
  pbx.requestsTo("100", "MESSAGE", { headers: [["X-Forwarded-For", "198.51.100.77"]] });
  expect((await phone.receives("MESSAGE")).has("X-Forwarded-For")).toBe(false);
});
