/** Phones of another time: one that listens where it does not send from, and TLS 1.0. */
import { expect, test } from "bun:test";
import { HOME_PUBLIC, OUTSIDE, Place, sliceOf } from "./place.ts";

const UDP = { proxy: { voipSip: "udp" } } as const;

/** Sends from 50933, listens on 5060, in the open; whatever comes to either port is noted. */
async function cisco(place: Place, agent: string, via = "") {
  const { world } = place.home(HOME_PUBLIC, null);
  const heard: { readonly port: number; readonly text: string }[] = [];
  const open = (port: number) =>
    world.openDatagrams({
      local: { address: HOME_PUBLIC, port },
      receive: (bytes) => void heard.push({ port, text: Buffer.from(bytes).toString() }),
    });
  const [mouth] = [await open(50933), await open(5060)];
  const sends = async (text: string): Promise<void> => {
    mouth.send(Buffer.from(text), OUTSIDE, 5060);
    await place.network.settle();
  };
  let cseq = 0;
  const registers = (): Promise<void> =>
    sends(
      [
        "REGISTER sip:mycompany SIP/2.0",
        `Via: SIP/2.0/UDP ${HOME_PUBLIC}:5060;branch=z9hG4bK${++cseq}${via}`,
        "Max-Forwards: 70",
        `From: <sip:100@mycompany>;tag=${cseq}`,
        "To: <sip:100@mycompany>",
        "Call-ID: cisco",
        `CSeq: ${cseq} REGISTER`,
        `Contact: <sip:100@${HOME_PUBLIC}:5060>`,
        `User-Agent: ${agent}`,
        "Content-Length: 0\r\n\r\n",
      ].join("\r\n"),
    );
  return { heard, sends, registers };
}

test("Cisco 79xx without rport hears answers and calls at the port of its Via", async () => {
  const place = await Place.open(UDP);
  const pbx = await place.pbx();
  const { heard, registers } = await cisco(place, "Cisco-CP7960G/8.0");
  await registers();
  expect(heard.map(({ port, text }) => [port, text.slice(0, 11)])).toEqual([[5060, "SIP/2.0 200"]]);
  expect(place.status.sip.flows).toBe(1);
  pbx.sendsInvite("100", (await place.pbxMedia(pbx)).sdp());
  await place.network.settle();
  expect(heard.at(-1)?.port).toBe(5060);
  expect(heard.at(-1)?.text).toStartWith("INVITE ");
});

test("what it sends from its other port is its own: answers, keep-alives, the life of its flow", async () => {
  const place = await Place.open(UDP);
  await place.pbx();
  const { heard, sends, registers } = await cisco(place, "Cisco-CP7960G/8.0");
  await registers();
  for (let i = 0; i < 5; i++) {
    await place.network.elapse(61_000);
    const asked = heard.findLast(({ text }) => text.startsWith("OPTIONS"));
    const copied = asked?.text
      .split("\r\n")
      .filter((line) => /^(Via|From|To|Call-ID|CSeq)/.test(line));
    heard.length = 0;
    await sends(["SIP/2.0 200 OK", ...(copied ?? []), "Content-Length: 0\r\n\r\n"].join("\r\n"));
  }
  expect(place.status.drops).toEqual({});
});

test("what it says from its other port is heard: it is not asked whether it is there", async () => {
  const place = await Place.open(UDP);
  await place.pbx();
  const { heard, registers } = await cisco(place, "Cisco-CP7960G/8.0");
  for (let i = 0; i < 6; i++) {
    await registers();
    await place.network.elapse(30_000);
  }
  expect(heard.filter(({ text }) => text.startsWith("OPTIONS"))).toEqual([]);
});

test("with rport, or of another make, it is spoken to where it sends from", async () => {
  for (const [agent, via] of [
    ["Cisco-CP7960G/8.0", ";rport"],
    ["snom870/8.9.3.80", ""],
  ] as const) {
    const place = await Place.open(UDP);
    await place.pbx();
    const { heard, registers } = await cisco(place, agent, via);
    await registers();
    expect(heard.map(({ port }) => port)).toEqual([50933]);
  }
});

test("where TLS 1.0 is allowed the status warns of it, from the reload on and until the next", async () => {
  const place = await Place.open();
  const codes = (): readonly string[] => place.status.warnings.map(({ code }) => code);
  const reload = (allowTls10: boolean): Promise<void> =>
    place.proxy.reload(sliceOf({ proxy: { allowTls10 } }), place.status.config);
  expect(codes()).toEqual([]);
  await reload(true);
  expect(codes()).toEqual(["tls-1.0"]);
  await reload(false);
  expect(codes()).toEqual([]);
  const withoutTls = await Place.open({ proxy: { voipSip: "udp", allowTls10: true } });
  expect(withoutTls.status.warnings).toEqual([]);
});
