/**
 * Every byte that leaves the proxy towards the outside, of every kind of message an instance sends, and none
 * of them names the inside: not the instance, not its neighbours, not our own address there.
 */
import { expect, test } from "bun:test";
import type { Phone } from "../peers/phone.ts";
import type { Received } from "../peers/sip-peer.ts";
import type { TelephoneSystem } from "../peers/telephone-system.ts";
import { INSIDE, OUTSIDE, PBX, Place } from "./place.ts";
import { SimulatedNetwork } from "./simulated-network.ts";
import { type Ends, phoneCalls } from "./talk.ts";

const HOST_NAME = "pbx.inside.example.net";
/** Anything of the inside: addresses of 10.0.0.0/8, its names. */
const INSIDE_TEXT = /10\.0\.\d+\.\d+|inside\.example/i;

/** Lines a telephone system may add anywhere, each naming the inside in its own way. */
const LEAKS = [
  ["Warning", `399 ${PBX}:5060 "noisy", 307 ${HOST_NAME} "odd"`],
  ["Call-Info", `<http://${PBX}/photo.jpg>;purpose=icon, <sip:${PBX}>;answer-after=0`],
  ["Alert-Info", `<http://${HOST_NAME}:8088/ring.wav>`],
  ["Error-Info", `<sip:${PBX}:5060>, <sip:PBX.Inside.Example.NET>`],
  ["P-Asserted-Identity", `"Bob" <sip:200@${PBX}>, <tel:200>`],
  ["Remote-Party-ID", `"Bob" <sip:200@${PBX}:5060>;party=calling`],
  ["Diversion", `<sip:300@${PBX}>;reason=unconditional`],
  ["History-Info", `<sip:300@${PBX}?Reason=SIP%3Bcause%3D302>;index=1`],
  ["Reply-To", `<sip:200@${INSIDE}:15060>`],
  ["P-Associated-URI", `<sip:100@${HOST_NAME}>`],
  ["Path", `<sip:${PBX};lr>`],
  ["X-Forwarded-For", "10.0.7.7"],
  ["Geolocation", `<https://${PBX}/where>`],
] as const;

const DIALOG_INFO = [
  '<?xml version="1.0"?>',
  `<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" entity="sip:101@${PBX}">`,
  `<dialog id="1"><state>confirmed</state><local><identity>sip:101@${PBX}:5060</identity>`,
  `<target uri="sip:101@${HOST_NAME}:5060;x=1"/></local></dialog></dialog-info>`,
].join("");

const SUMMARY = `Messages-Waiting: yes\nMessage-Account: sip:*97@${PBX}\nVoice-Message: 1/0`;

/** Everything the proxy has sent from its address outside, SIP and media. */
function leaving(place: Place): string {
  const sent = place.network.sent.filter(({ from }) => from.address === OUTSIDE);
  return sent.map(({ bytes }) => Buffer.from(bytes).toString("latin1")).join("\n");
}

function expectNothingInside(place: Place): void {
  const lines = leaving(place).split(/\r?\n/);
  expect(lines.length).toBeGreaterThan(20);
  expect(lines.filter((line) => INSIDE_TEXT.test(line))).toEqual([]);
}

async function answersWithLeaks(pbx: TelephoneSystem, what: string, status: number): Promise<void> {
  pbx.answers(await pbx.receivesOn(what), status, { contact: pbx.contact, headers: LEAKS });
}

async function answersAsPhone(phone: Phone, what: string): Promise<Received> {
  const request = await phone.receivesOn(what);
  phone.answers(request, 200, { tag: "phone" });
  return request;
}

type Variant = { readonly transport: "tls" | "udp"; readonly routing: "path" | "contact" };

const variants: readonly Variant[] = [
  { transport: "tls", routing: "path" },
  { transport: "udp", routing: "path" },
  { transport: "tls", routing: "contact" },
];

/** The instance is known by a name, which is as secret as its address. */
async function endsOf({ transport, routing }: Variant): Promise<Ends> {
  const network = new SimulatedNetwork();
  network.names.set(HOST_NAME, [PBX]);
  const instance = { address: HOST_NAME, sip: { routing } };
  const place = await Place.open({ proxy: { voipSip: transport }, instance }, network);
  const pbx = await place.pbx({ path: routing === "path" ? "echoed" : "ignored" });
  const phone = await place.phone({ transport });
  expect((await phone.registers()).status).toBe(200);
  return { place, pbx, phone, near: await place.phoneMedia(phone), far: await place.pbxMedia(pbx) };
}

for (const variant of variants) {
  const name = `${variant.transport}, ${variant.routing}`;
  test(`${name}: requests and answers of an instance, in and out of dialogs`, async () => {
    const talk = await phoneCalls(await endsOf(variant));
    const { place, phone, pbx, pbxSide, phoneSide } = talk;
    for (const method of ["INFO", "MESSAGE", "REFER", "UPDATE", "BANANA"]) {
      phone.inDialog(phoneSide, method);
      await answersWithLeaks(pbx, method, method === "INFO" ? 200 : 488);
      await phone.receives(new RegExp(`CSeq: \\d+ ${method}`));
      pbx.inDialog(pbxSide, method, { headers: [["Contact", `<${pbx.contact}>`], ...LEAKS] });
      await answersAsPhone(phone, method);
      await pbx.receives(`200 ${method}`);
    }
    for (const [type, body] of [
      ["application/dialog-info+xml", DIALOG_INFO],
      ["application/simple-message-summary", SUMMARY],
      ["message/sipfrag;version=2.0", `SIP/2.0 200 OK\nContact: <sip:200@${PBX}>`],
    ] as const) {
      const headers = [["Content-Type", type], ["Event", "x"], ...LEAKS] as const;
      pbx.requestsTo("100", "NOTIFY", { headers, body });
      const { message } = await answersAsPhone(phone, "NOTIFY");
      expect(message.body).toContain("@mycompany");
      expect(message.header("Content-Length")).toBe(String(message.body.length));
    }
    expectNothingInside(place);
  });

  test(`${name}: calls that are redirected, refused, challenged, and OPTIONS with SDP`, async () => {
    const { place, phone, pbx, near, far } = await endsOf(variant);
    for (const status of [183, 302, 401, 404, 486, 488, 503, 603]) {
      const sent = phone.sendsInvite("600", near.sdp());
      const invite = await pbx.receivesOn("INVITE");
      const contact = `sip:600@${HOST_NAME}:5080`;
      if (status === 183) pbx.replies(invite, 183, "pbx", far.sdp());
      const final = status === 183 ? 480 : status;
      const body = `v=0\no=- 1 1 IN IP4 ${PBX}\nc=IN IP4 ${PBX}`;
      pbx.answers(invite, final, { tag: "pbx", contact, headers: LEAKS, body });
      const answer = await phone.receives(new RegExp(`^SIP/2.0 ${final}`));
      phone.acknowledges(sent, answer);
    }
    const parts = { uri: "sip:mycompany", from: `<${phone.uri}>;tag=a`, to: "<sip:mycompany>" };
    pbx.automatic = () => false;
    phone.requests("OPTIONS", { ...parts, callId: "options", cseq: 1 });
    const asked = await pbx.receivesOn("OPTIONS");
    pbx.answers(asked, 200, { contact: pbx.contact, headers: LEAKS, body: far.sdp() });
    const told = await phone.receives("200 OPTIONS");
    expect([told.body, told.has("Content-Type")]).toEqual(["", false]);
    expectNothingInside(place);
  });

  test(`${name}: an offer with all of SDP's places for an address`, async () => {
    const { place, phone, pbx, near } = await endsOf(variant);
    const sdp = [
      `v=0\no=root 1 1 IN IP4 ${PBX}\ns=call at ${PBX}\nc=IN IP4 ${PBX}\nt=0 0`,
      `a=candidate:1 1 UDP 2130706431 ${PBX} 4000 typ host`,
      `m=audio 4000 RTP/AVP 0\nc=IN IP4 ${PBX}\na=rtcp:4001 IN IP4 ${PBX}`,
      `a=candidate:2 1 UDP 1694498815 ${PBX} 4000 typ srflx raddr ${PBX} rport 4000`,
      `a=remote-candidates:1 ${PBX} 4000\na=rtcp-fb:0 nack\na=sendrecv`,
    ].join("\n");
    pbx.sendsInvite("100", sdp, { headers: LEAKS });
    const invite = await phone.receivesOn("INVITE");
    phone.replies(invite, 200, "phone", near.sdp());
    await pbx.isAnswered();
    await phone.receives("ACK");
    expectNothingInside(place);
  });
}

test("the answer to a REGISTER", async () => {
  const { place, phone, pbx } = await endsOf(variants[0]!);
  pbx.automatic = (received) => {
    const { message } = received;
    if (message.method !== "REGISTER") return false;
    const own = message.header("Contact");
    const others = `<sip:101@${PBX}:5060>, <sip:100@10.0.9.9>`;
    const gruu = `;pub-gruu="sip:100@${PBX};gr=1"`;
    const contact = `${own};expires=60${gruu}, ${others}`;
    const headers = [["Contact", contact], ["Service-Route", `<sip:${PBX};lr>`], ...LEAKS] as const;
    pbx.answers(received, 200, { headers });
    return true;
  };
  for (let count = 0; count < 5; count++) {
    const answer = await phone.registers();
    expect(answer.header("Contact")).toEndWith(';pub-gruu="sip:100@mycompany;gr=1"');
  }
  expectNothingInside(place);
});

test("longer names that only contain one of the inside are somebody else's", async () => {
  const { phone, pbx } = await endsOf(variants[0]!);
  const alert = `<http://x${PBX}/>, <http://${PBX}7/>, <http://${HOST_NAME}.org/>`;
  pbx.requestsTo("100", "MESSAGE", { headers: [["Alert-Info", alert]] });
  expect((await phone.receives("MESSAGE")).header("Alert-Info")).toBe(alert);
});
