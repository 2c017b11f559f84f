import { expect, test } from "bun:test";
import { latin1 } from "../peers/sip-text.ts";
import { Place } from "./place.ts";

const request = (number: number): string =>
  [
    "OPTIONS sip:mobydick.example.com SIP/2.0",
    `Via: SIP/2.0/TLS 192.168.1.10:5061;branch=z9hG4bK-b${number};rport`,
    "Max-Forwards: 70",
    "From: <sip:100@mycompany>;tag=a",
    "To: <sip:mobydick.example.com>",
    "Call-ID: busy",
    "CSeq: 1 OPTIONS",
    "Content-Length: 0",
    "",
    "",
  ].join("\r\n");

test("a busy connection whose reads always end inside a message stays open", async () => {
  const place = await Place.open();
  const phone = await place.phone();
  phone.sendsBytes(latin1(request(0).slice(0, 10)));
  for (let number = 0; number < 40; number++) {
    phone.sendsBytes(latin1(request(number).slice(10) + request(number + 1).slice(0, 10)));
    await place.network.elapse(1000);
  }
  expect(phone.wire?.isOpen).toBe(true);
  expect(place.status.drops).toEqual({});
});

test("a scheme that is neither SIP nor a number means no instance", async () => {
  const place = await Place.open();
  const phone = await place.phone();
  const parts = { from: "<sip:100@mycompany>;tag=a", to: "<soap:x>", callId: "s", cseq: 1 };
  phone.requests("INVITE", { ...parts, uri: "soap.beep://192.0.2.103:3002" });
  expect((await phone.receives("416 INVITE")).status).toBe(416);
});
