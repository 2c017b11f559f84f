/**
 * Messages that have brought down or opened other proxies and telephone systems. What is refused here never
 * reaches the inside; what passes is harmless to us, and a phone beside it still registers.
 */
import { expect, test } from "bun:test";
import { latin1 } from "../peers/sip-text.ts";
import { Place } from "./place.ts";

const LONG = "9".repeat(20_000);

type Parts = {
  readonly start?: string;
  readonly via?: string;
  readonly from?: string;
  readonly to?: string;
  readonly cseq?: string;
  readonly lines?: readonly string[];
  readonly body?: string;
};

function message(o: Parts): string {
  const body = o.body ?? "";
  return [
    o.start ?? "OPTIONS sip:200@mycompany SIP/2.0",
    `Via: ${o.via ?? `SIP/2.0/TLS 192.168.1.10:5061;branch=z9hG4bK-${LONG.slice(0, 9)}`}`,
    `From: ${o.from ?? "<sip:100@mycompany>;tag=a"}`,
    `To: ${o.to ?? "<sip:200@mycompany>"}`,
    "Call-ID: known",
    `CSeq: ${o.cseq ?? "1 OPTIONS"}`,
    ...(o.lines ?? []),
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n");
}

/** [what happened to others, the message, whether it may reach the inside]. */
const FAULTS: readonly (readonly [string, string, "refused" | "passes"])[] = [
  [
    "a From tag that is empty or only a sign (CVE-2018-8828)",
    message({ from: "<sip:1@mycompany>;tag=" }),
    "passes",
  ],
  ["a From tag of 20,000 characters", message({ from: `<sip:1@mycompany>;tag=${LONG}` }), "passes"],
  [
    "two To headers, the second one without a tag (CVE-2018-14767)",
    message({ lines: ["To: x;tag"] }),
    "refused",
  ],
  ["a To that is no address (CVE-2018-14767)", message({ to: "%s%s%n" }), "refused"],
  [
    "a Via without a host, then one too many (CVE-2018-16657)",
    message({ via: "SIP/2.0/TLS ;branch" }),
    "refused",
  ],
  ["a Via of nothing but commas", message({ via: ",,,;," }), "refused"],
  [
    "digest parameters without end (CVE-2023-28098)",
    message({
      lines: ['Authorization: Digest username="a", x="', "Proxy-Authorization: Digest ,,,=,="],
    }),
    "passes",
  ],
  [
    "credentials of 20,000 characters",
    message({ lines: [`Authorization: Digest username="${LONG}"`] }),
    "passes",
  ],
  ["a CSeq beyond 32 bits", message({ cseq: "4294967296 OPTIONS" }), "refused"],
  ["a CSeq of another method", message({ cseq: "1 INVITE" }), "refused"],
  [
    "a Request-URI of 20,000 digits",
    message({ start: `OPTIONS sip:${LONG}@mycompany SIP/2.0` }),
    "passes",
  ],
  ["a port beyond 65535", message({ start: "OPTIONS sip:200@mycompany:99999 SIP/2.0" }), "refused"],
  ["escapes that end too early", message({ start: "OPTIONS sip:2%0@mycompany SIP/2.0" }), "passes"],
  [
    "a Contact list of 300 in one line",
    message({ lines: [`Contact: ${Array(300).fill("<sip:a@b>").join(",")}`] }),
    "passes",
  ],
  ["a Content-Type of slashes", message({ lines: ["Content-Type: ////"], body: "x" }), "passes"],
  [
    "a multipart body whose boundary is empty",
    message({ lines: ["Content-Type: multipart/mixed;boundary="], body: "----" }),
    "passes",
  ],
  [
    "a Timestamp, an Expires and a Session-Expires of no number",
    message({ lines: ["Timestamp: .", "Expires: -1", "Session-Expires: x"] }),
    "passes",
  ],
];

for (const [what, text, outcome] of FAULTS) {
  test(`${what}: ${outcome}`, async () => {
    const place = await Place.open({ instance: { sip: { healthCheck: false } } });
    const pbx = await place.pbx();
    pbx.automatic = () => false;
    const phone = await place.phone();
    phone.sendsBytes(latin1(text));
    await place.network.settle();
    const reached = pbx.inbox.splice(0);
    expect(reached.length).toBe(outcome === "passes" ? 1 : 0);
    for (const request of reached) pbx.answers(request, 405);
    await phone.receives(/^SIP\/2\.0 4/);
    expect(place.status.drops["internal-error"]).toBeUndefined();
    const other = await place.phone({ user: "101", address: "192.168.1.11" });
    pbx.registersPhones();
    expect((await other.registers()).status).toBe(200);
    await place.network.elapse(70_000);
    expect(place.status.sip.transactions).toBe(0);
  });
}
