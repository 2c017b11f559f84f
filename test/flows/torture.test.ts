/**
 * What a running proxy does with each message of RFC 4475 and RFC 5118, sent as a datagram from outside:
 * passed on to the instance with every line the proxy has no business with as it came, answered, or dropped
 * and counted. How they are parsed: src/sip/torture.test.ts.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { TelephoneSystem } from "../peers/telephone-system.ts";
import { type TortureRfc, tortureMessage, tortureNames } from "../vectors/torture.ts";
import { OUTSIDE, Place } from "./place.ts";

const PASSED = "passed on";

/** "passed on", the status of the answer, or the reason under which it was dropped. */
const OUTCOMES: Readonly<Record<TortureRfc, Readonly<Record<string, string>>>> = {
  rfc4475: {
    // 3.1.1 valid
    wsinv: "403", // its Route names somebody else
    intmeth: "malformed", // an escaped NUL
    esc01: PASSED,
    escnull: PASSED,
    esc02: PASSED,
    lwsdisp: PASSED,
    longreq: PASSED,
    dblreq: PASSED, // the REGISTER; what lies behind it in the datagram is cut
    semiuri: PASSED,
    transports: PASSED,
    mpart01: "403", // its Route names somebody else; without it: below
    unreason: "stray-response",
    noreason: "stray-response",
    // 3.1.2 invalid
    badinv01: "400",
    clerr: "400",
    ncl: "400",
    scalar02: "400",
    scalarlg: "malformed",
    quotbal: "400",
    ltgtruri: "400",
    lwsruri: "400",
    lwsstart: "400",
    trws: "400",
    escruri: PASSED,
    baddate: PASSED,
    regbadct: PASSED,
    badaspec: PASSED,
    baddn: "400",
    badvers: "505",
    mismatch01: "400",
    mismatch02: "400",
    bigcode: "malformed",
    // 3.2 and 3.3
    badbranch: PASSED,
    insuf: "malformed",
    unkscm: "416",
    novelsc: "416",
    unksm2: "403", // a REGISTER for nobody's address
    bext01: "420",
    invut: PASSED,
    regaut01: PASSED,
    multi01: "400",
    mcl01: "400",
    bcast: "stray-response",
    zeromf: "483",
    cparam01: PASSED,
    cparam02: PASSED,
    regescrt: PASSED,
    sdp01: PASSED,
    // 3.4
    inv2543: PASSED,
  },
  rfc5118: {
    "ipv6-good": "404", // an address that is nobody's domain here
    "ipv6-bad": "400",
    "port-ambiguous": "404",
    "port-unambiguous": "404",
    "via-received-param-with-delim": "404",
    "via-received-param-no-delim": "404",
    "ipv6-in-sdp": "404",
    "mult-ip-in-header": PASSED,
    "mult-ip-in-sdp": "404",
    "ipv4-mapped-ipv6": PASSED,
    "ipv6-bug-abnf-3-colons": "404",
    "ipv6-correct-abnf-2-colons": "404",
  },
};

let place: Place;
let pbx: TelephoneSystem;
let machines = 0;

beforeAll(async () => {
  const aliases = ["example.com", "example.net", "example.org", "chair-dnrc.example.com"];
  place = await Place.open({
    proxy: { voipSip: "udp", voipMedia: "rtp" },
    instance: { aliases: [...aliases, "registrar.example.com", "host.example.net"] },
  });
  pbx = await place.pbx();
  pbx.automatic = () => false;
});

afterAll(() => place.proxy.close());

/** From a machine nobody has heard of: what came of it. */
async function outcomeOf(bytes: Uint8Array): Promise<{ outcome: string; text: string }> {
  machines += 1;
  const stranger = await place.phone({
    nat: null,
    transport: "udp",
    address: `192.0.2.${machines}`,
  });
  const before = place.status.drops;
  pbx.inbox.length = 0;
  stranger.sendsBytes(bytes, { to: { address: OUTSIDE, port: 5060 } });
  await place.network.settle();
  const [passed] = pbx.inbox;
  const [answer] = stranger.inbox;
  expect(pbx.inbox.length + stranger.inbox.length).toBeLessThanOrEqual(1);
  if (passed !== undefined) return { outcome: PASSED, text: passed.message.text };
  if (answer !== undefined) {
    return { outcome: `${answer.message.status}`, text: answer.message.text };
  }
  const after = Object.entries(place.status.drops);
  const reasons = after.filter(([reason, count]) => count > (before[reason] ?? 0));
  return { outcome: reasons.map(([reason]) => reason).join(), text: "" };
}

/** What a forwarder may write anew (RFC 3261 §16.6), and the lines that media makes different. */
const OURS =
  /^(via|v|max-forwards|contact|m|content-length|l|record-route|path|supported|k|user-agent|x-forwarded-for)$/i;

/** Headers with their folds, as they stand in the text. */
function untouchable(text: string): string[] {
  const head = text.slice(0, text.indexOf("\r\n\r\n"));
  const [start = "", ...lines] = head.split(/\r\n(?![ \t])/);
  return [start, ...lines.filter((line) => !OURS.test(line.split(":")[0]?.trim() ?? ""))];
}

for (const rfc of ["rfc4475", "rfc5118"] as const) {
  test.each(Object.entries(OUTCOMES[rfc]))(`${rfc} %s: %s`, async (name, expected) => {
    const bytes = tortureMessage(rfc, name);
    const { outcome, text } = await outcomeOf(bytes);
    expect(outcome).toBe(expected);
    if (outcome !== PASSED) return;
    // One line more or less, or one letter of it, would be a line the proxy has no business with.
    expect(untouchable(text)).toEqual(untouchable(bytes.toString("latin1")));
  });

  test(`${rfc}: all of them are here`, () => {
    expect(Object.keys(OUTCOMES[rfc]).sort()).toEqual(tortureNames(rfc));
  });
}

const textOf = (name: string): string => tortureMessage("rfc4475", name).toString("latin1");
const latin1 = (text: string): Uint8Array => Buffer.from(text, "latin1");

test("a binary body of several parts arrives with every byte", async () => {
  const text = textOf("mpart01").replace(/Route: .*\r\n/, "");
  const passed = await outcomeOf(latin1(text));
  expect(passed.outcome).toBe(PASSED);
  expect(passed.text.split("\r\n\r\n").slice(1)).toEqual(text.split("\r\n\r\n").slice(1));
});

test("the Vias below ours stay as they came, folds and unknown transports included", async () => {
  const text = textOf("wsinv").replace("Route:\r\n <sip:services", "X-Route:\r\n <sip:services");
  const passed = await outcomeOf(latin1(text));
  expect(passed.outcome).toBe(PASSED);
  expect(passed.text).toContain(
    "\r\nv:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8  ,\r\n" +
      " SIP  /    2.0   / UDP  192.168.255.111   ; branch=\r\n z9hG4bK30239\r\n",
  );
  expect(passed.text).toMatch(/max-forwards: 67\r\n/i);
  const transports = await outcomeOf(latin1(textOf("transports")));
  for (const via of ["SCTP t2", "TLS t3", "UNKNOWN t4", "TCP t5"]) {
    expect(transports.text).toContain(`\r\nVia: SIP/2.0/${via}.example.com;branch=`);
  }
});

test("a branch that is nothing but the cookie does not make two requests one", async () => {
  const stranger = await place.phone({ nat: null, transport: "udp", address: "192.0.2.250" });
  const to = { address: OUTSIDE, port: 5060 };
  pbx.inbox.length = 0;
  const first = textOf("badbranch");
  stranger.sendsBytes(latin1(first), { to });
  stranger.sendsBytes(latin1(first), { to }); // a retransmission
  stranger.sendsBytes(latin1(first.replace("CSeq: 8", "CSeq: 9")), { to });
  await place.network.settle();
  expect(pbx.inbox.map(({ message }) => message.header("CSeq"))).toEqual([
    "8 OPTIONS",
    "9 OPTIONS",
  ]);
});

test("420 names what is not supported, a request without Max-Forwards gets one", async () => {
  const refused = await outcomeOf(latin1(textOf("bext01").replace("8 OPTIONS", "9 OPTIONS")));
  expect(refused.text).toContain("Unsupported: noProxiesSupportThis, norDoAnyProxiesSupportThis");
  const old = await outcomeOf(latin1(textOf("inv2543")));
  expect(old.text).toContain("\r\nMax-Forwards: 69\r\n");
  // Its Record-Route is the way back on the phone's side; inside there is none but ours.
  expect(old.text).not.toContain("maddr=ss1.example.com");
});

test("nothing of it is left when the timers have run out", async () => {
  await place.network.elapse(400_000);
  const { transactions, dialogs } = place.status.sip;
  expect({ transactions, dialogs }).toEqual({ transactions: 0, dialogs: 0 });
  expect(place.status.media).toMatchObject({ sessions: 0, portsInUse: 0 });
  expect(place.status.drops["internal-error"]).toBeUndefined();
});
