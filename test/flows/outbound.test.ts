import { expect, test } from "bun:test";
import type { Phone } from "../peers/phone.ts";
import { OUTSIDE, Place, type PlaceOptions } from "./place.ts";
import { Nat } from "./simulated-nat.ts";

const UDP = { proxy: { voipSip: "udp" }, transport: "udp" } as const;
const INSTANCE_ID = '"<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"';
const SUPPORTED = [["Supported", "path, outbound"]] as const;

async function phoneAt(options: PlaceOptions & { readonly transport?: "udp" | "tls" } = {}) {
  const place = await Place.open(options);
  const pbx = await place.pbx();
  const phone = await place.phone({ transport: options.transport ?? "tls" });
  phone.contactParams = `;reg-id=1;+sip.instance=${INSTANCE_ID}`;
  return { place, pbx, phone };
}

test("a phone with outbound: ob in the Path, its Contact's parameters untouched, Flow-Timer in the 200", async () => {
  for (const [transport, seconds] of [
    ["tls", "120"],
    ["udp", "29"],
  ] as const) {
    const { pbx, phone } = await phoneAt(transport === "udp" ? UDP : {});
    const answer = await phone.registers({ headers: SUPPORTED });
    expect(answer.header("Flow-Timer")).toBe(seconds);
    const [asked] = pbx.registers;
    expect(asked?.header("Path")).toMatch(/;lr;ob>$/);
    expect(asked?.header("Contact")).toContain(`;reg-id=1;+sip.instance=${INSTANCE_ID}`);
    expect(asked?.header("Supported")).toBe("path, outbound");
  }
});

test("Require: outbound of the instance's 200 reaches the phone, a Flow-Timer of its own does not", async () => {
  const { pbx, phone } = await phoneAt({ proxy: { limits: { flowTimerTls: 90 } } });
  pbx.automatic = () => false;
  phone.sendsRegister({ headers: SUPPORTED });
  const asked = await pbx.receivesOn("REGISTER");
  pbx.answers(asked, 200, {
    headers: [
      ["Require", "outbound"],
      ["Flow-Timer", "7"],
      ["Path", asked.message.header("Path")],
      ["Contact", `${asked.message.header("Contact")};expires=600`],
    ],
  });
  const answer = await phone.receives("200 REGISTER");
  expect(answer.header("Require")).toBe("outbound");
  expect(answer.values("Flow-Timer")).toEqual(["90"]);
});

test("GRUUs of the instance's 200 (RFC 5627) and ob in a dialog's Contact pass", async () => {
  const { place, pbx, phone } = await phoneAt();
  pbx.automatic = () => false;
  phone.sendsRegister({ headers: [["Supported", "path, outbound, gruu"]] });
  const asked = await pbx.receivesOn("REGISTER");
  expect(asked.message.header("Supported")).toBe("path, outbound, gruu");
  const gruu = ';pub-gruu="sip:100@mycompany;gr=urn:uuid:1";temp-gruu="sip:tgruu.7h@mycompany;gr"';
  pbx.answers(asked, 200, {
    headers: [
      ["Path", asked.message.header("Path")],
      ["Contact", `${asked.message.header("Contact")};expires=600${gruu}`],
    ],
  });
  expect((await phone.receives("200 REGISTER")).header("Contact")).toEndWith(gruu);
  phone.contact = `${phone.contact};ob`;
  phone.sendsInvite("600", (await place.phoneMedia(phone)).sdp());
  expect((await pbx.receives("INVITE")).header("Contact")).toMatch(/;ob[;>]/);
});

test("439 and 430 of the instance are the phone's business", async () => {
  const { pbx, phone } = await phoneAt();
  pbx.automatic = () => false;
  phone.sendsRegister({ headers: SUPPORTED });
  pbx.answers(await pbx.receivesOn("REGISTER"), 439);
  await phone.receives("439 REGISTER");
});

test("without outbound, without reg-id, or behind another proxy: no ob and no Flow-Timer", async () => {
  const { pbx, phone } = await phoneAt();
  const via: [string, string] = ["Via", "SIP/2.0/TLS 192.168.1.1;branch=z9hG4bKother"];
  const params = phone.contactParams;
  for (const [contactParams, headers] of [
    [params, []],
    [`;+sip.instance=${INSTANCE_ID}`, SUPPORTED],
    [";reg-id=1", SUPPORTED],
    [params, [...SUPPORTED, via]],
  ] as const) {
    phone.contactParams = contactParams;
    const answer = await phone.registers({ headers });
    expect(answer.status).toBe(200);
    expect(answer.has("Flow-Timer")).toBe(false);
    expect(pbx.registers.at(-1)?.header("Path")).toMatch(/;lr>$/);
  }
});

test("Expires towards UDP phones is capped where that is wanted, and each refresh goes to the instance", async () => {
  const shortExpires = { ...UDP, proxy: { ...UDP.proxy, shortExpires: true } };
  const { place, pbx, phone } = await phoneAt(shortExpires);
  phone.contactParams = "";
  for (let i = 1; i <= 3; i++) {
    const answer = await phone.registers({ expires: 3600 });
    expect(answer.header("Contact")).toBe(`<${phone.contact}>;expires=120`);
    expect(pbx.registers).toHaveLength(i);
    expect(pbx.registers.at(-1)?.header("Expires")).toBe("3600");
  }
  // The binding lives as long as the instance says: a late refresh costs no call.
  await place.network.elapse(200_000);
  expect(place.status.sip.flows).toBe(1);
  const brief = await phone.registers({ expires: 60 });
  expect(brief.header("Contact")).toEndWith(";expires=60");
});

test("TLS phones, and UDP phones where nothing was said, hear the instance's Expires", async () => {
  for (const options of [UDP, { proxy: { shortExpires: true } }]) {
    const { phone } = await phoneAt(options);
    const answer = await phone.registers({ expires: 3600 });
    expect(answer.header("Contact")).toEndWith(";expires=3600");
  }
});

const BINDING_REQUEST = Buffer.from("000100002112a442b7e7a701bc34d686fa87dfae", "hex");
const TO = { address: OUTSIDE, port: 5060 };

/** A STUN client beside SIP: gives the answers as bytes. */
async function stunAt(place: Place, nat: Nat | null) {
  const answers: Buffer[] = [];
  const { world } = place.home("192.168.1.77", nat);
  const socket = await world.openDatagrams({
    local: { address: "192.168.1.77", port: 5060 },
    receive: (bytes) => void answers.push(Buffer.from(bytes)),
  });
  const asks = async (bytes: Uint8Array = BINDING_REQUEST): Promise<Buffer | undefined> => {
    socket.send(bytes, TO.address, TO.port);
    await place.network.settle();
    return answers.pop();
  };
  return { asks };
}

test("STUN on the SIP port tells the address seen from outside", async () => {
  const place = await Place.open(UDP);
  const nat = new Nat({ name: "stun", publicAddress: "198.51.100.3", firstPort: 61001 });
  const { asks } = await stunAt(place, nat);
  const answer = await asks();
  expect(answer?.readUInt16BE(0)).toBe(0x0101);
  expect(answer?.subarray(4, 20)).toEqual(BINDING_REQUEST.subarray(4));
  const port = (answer?.readUInt16BE(26) ?? 0) ^ 0x2112;
  const address = [...(answer?.subarray(28) ?? [])].map(
    (byte, at) => byte ^ BINDING_REQUEST[4 + at]!,
  );
  expect([address.join("."), port]).toEqual(["198.51.100.3", 61008]);
  expect(place.status.sip.keepAlives.stun).toBe(1);
  expect(place.status.drops).toEqual({});
});

test("strangers get one answer a second, phones that have registered get all", async () => {
  const { place, phone } = await phoneAt(UDP);
  const stranger = await stunAt(place, new Nat({ name: "other", publicAddress: "198.51.100.4" }));
  let answered = 0;
  for (let i = 0; i < 15; i++) if ((await stranger.asks()) !== undefined) answered++;
  expect(answered).toBe(1);
  expect(place.status.drops).toEqual({ "unproven-source": 14 });
  await place.network.elapse(1000);
  expect(await stranger.asks()).toBeDefined();
  await phone.registers();
  await stunsOften(phone, 30);
  expect(place.status.drops).toEqual({ "unproven-source": 14 });
});

/** The peer reads SIP only: what is no SIP text arrives as a message without a start line. */
async function stunsOften(phone: Phone, times: number): Promise<void> {
  let answers = 0;
  phone.automatic = ({ message }) => {
    answers++;
    return message.from.address === OUTSIDE;
  };
  for (let i = 0; i < times; i++) phone.sendsBytes(BINDING_REQUEST, { to: TO });
  await phone.sees("all answers", () => answers === times);
}

test("a STUN keep-alive is life: no OPTIONS, no CRLF", async () => {
  const { place, phone } = await phoneAt(UDP);
  await phone.registers();
  for (let i = 0; i < 10; i++) {
    await place.network.elapse(15_000);
    await stunsOften(phone, 1);
  }
  expect(phone.wire?.keepAlives).toBe(0);
});

test("what only looks like STUN is counted and gets no answer", async () => {
  const place = await Place.open(UDP);
  const { asks } = await stunAt(place, null);
  expect(await asks(Buffer.concat([BINDING_REQUEST, Buffer.alloc(4)]))).toBeUndefined();
  expect(place.status.drops).toEqual({ "stun-malformed": 1 });
});
