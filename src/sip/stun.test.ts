import { expect, test } from "bun:test";
import { answerBinding, isStun } from "./stun.ts";

const ID = "b7e7a701bc34d686fa87dfae";
const hex = (text: string): Buffer<ArrayBuffer> => Buffer.from(text.replaceAll(" ", ""), "hex");
const request = (attributes = ""): Buffer<ArrayBuffer> => {
  const body = hex(attributes);
  const length = body.length.toString(16).padStart(4, "0");
  return Buffer.concat([hex(`0001 ${length} 2112a442 ${ID}`), body]);
};
const V4 = { address: "192.0.2.1", port: 32853 };
const V6 = { address: "2001:db8:1234:5678:11:2233:4455:6677", port: 32853 };

test("the addresses of RFC 5769 §2.2 and §2.3 are masked as there", () => {
  expect(Buffer.from(answerBinding(request(), V4)!)).toEqual(
    hex(`0101 000c 2112a442 ${ID} 0020 0008 0001a147 e112a643`),
  );
  expect(Buffer.from(answerBinding(request(), V6)!)).toEqual(
    hex(`0101 0018 2112a442 ${ID} 0020 0014 0002a147 0113a9faa5d3f179bc25f4b5bed2b9d9`),
  );
});

test("SOFTWARE and other attributes that may be ignored are", () => {
  const named = request("8022 0005 61626364 65000000 802a 0008 0102030405060708");
  expect(answerBinding(named, V4)).toHaveLength(32);
});

test("attributes that must be understood and are not get 420 and their names", () => {
  const answer = Buffer.from(answerBinding(request("0003 0004 00000006 0002 0000"), V4)!);
  expect(answer).toEqual(hex(`0111 0010 2112a442 ${ID} 0009 0004 00000414 000a 0004 0003 0002`));
});

test("no answer is more than 64 bytes longer than its request", () => {
  for (let count = 0; count <= 132; count++) {
    const asked = request("7000 0000".repeat(count));
    for (const source of [V4, V6]) {
      expect(answerBinding(asked, source)!.length - asked.length).toBeLessThanOrEqual(64);
    }
  }
});

test("anything but a well-formed Binding request gets no answer", () => {
  const good = request("8022 0004 61626364");
  const bad = [
    hex(""),
    good.subarray(0, 19),
    hex(`0001 0004 2112a442 ${ID}`), // length says more than there is
    hex(`0001 0000 2112a442 ${ID} 00000000`), // and less
    hex(`0001 0000 2112a443 ${ID}`), // RFC 3489: no cookie
    hex(`0011 0000 2112a442 ${ID}`), // an indication
    hex(`0101 0000 2112a442 ${ID}`), // an answer: two servers must not talk for ever
    hex(`0111 0000 2112a442 ${ID}`),
    hex(`0003 0000 2112a442 ${ID}`), // TURN
    hex(`0001 0008 2112a442 ${ID} 8022 0008 61626364`), // the attribute runs out of the message
    hex(`0001 0006 2112a442 ${ID} 8022 0002 6162`), // not padded
    request("8022 0004 61626364".repeat(80)), // far too long for a keep-alive
    Buffer.from("OPTIONS sip:a SIP/2.0\r\n\r\n"),
  ];
  for (const bytes of bad) expect(answerBinding(bytes, V4)).toBeNull();
});

test("SIP is never taken for STUN", () => {
  expect(isStun(request())).toBe(true);
  for (const text of [
    "OPTIONS sip:a@b SIP/2.0\r\nVia: x",
    "\r\n\r\nINVITE sip:a@b SIP/2.0",
    "\0\0\0\0",
  ]) {
    expect(isStun(Buffer.from(text))).toBe(false);
  }
});

test("no bytes make it throw, or answer with much more than came", () => {
  const good = request("8022 0005 61626364 65000000 0006 0004 61626364 7001 0000");
  let state = 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let round = 0; round < 5000; round++) {
    const bytes = Buffer.from(
      good.subarray(0, random(4) === 0 ? random(good.length + 1) : good.length),
    );
    for (let changes = random(4); changes > 0 && bytes.length > 0; changes--) {
      bytes[random(bytes.length)] = random(256);
    }
    const answer = answerBinding(bytes, V6);
    if (answer !== null) expect(answer.length).toBeLessThanOrEqual(bytes.length + 64);
  }
});
