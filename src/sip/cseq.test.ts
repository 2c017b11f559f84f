import { expect, test } from "bun:test";
import { formatCSeq, parseCSeq } from "./cseq.ts";
import { SipSyntaxError } from "./syntax-error.ts";

test("a CSeq is a number below 2^31 and a method", () => {
  expect(parseCSeq("1 INVITE")).toEqual({ number: 1, method: "INVITE" });
  expect(parseCSeq("0009\t  !weird'%_METHOD")).toEqual({ number: 9, method: "!weird'%_METHOD" });
  expect(parseCSeq("2147483647 BYE").number).toBe(2147483647);
  expect(formatCSeq({ number: 0, method: "ACK" })).toBe("0 ACK");
});

test("another CSeq is refused", () => {
  const wrong = ["", "1", "INVITE", "1 ", "-1 INVITE", "+1 INVITE", "1x INVITE", "0x1 INVITE"];
  wrong.push(
    "2147483648 INVITE",
    "36893488147419103232 REGISTER",
    "1 INVITE ACK",
    "1 INV(TE",
    "1.0 A",
  );
  for (const value of wrong) expect(() => parseCSeq(value), value).toThrow(SipSyntaxError);
});
