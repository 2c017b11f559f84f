/** What the demonstration prints: what happened, and what to type into a softphone. Pure text. */
import type { Endpoint } from "../io/types.ts";
import { hostPort } from "./flows.ts";
import type { CallReport, RegistrationReport } from "./phone.ts";

export type CallScreen = {
  readonly user: string;
  readonly domain: string;
  readonly proxy: Endpoint;
  readonly instance: Endpoint;
  readonly registration: RegistrationReport;
  readonly call: CallReport;
};

export type SoftphoneScreen = {
  readonly domain: string;
  readonly users: readonly string[];
  readonly password: string;
  readonly proxy: Endpoint;
  /** For a softphone on the same machine, which the other proxy sends no media to; null = the same. */
  readonly here: Endpoint | null;
  /** Where a phone fetches its configuration; null = nowhere. */
  readonly phoneUrl: string | null;
  /** The page of the instance; null = nowhere. */
  readonly webUrl: string | null;
  /** Where XMPP clients are served; null = nowhere. */
  readonly chat: Endpoint | null;
  readonly fingerprint: string | null;
};

const LABEL_WIDTH = 20;

function line(label: string, text: string): string {
  return `  ${label.padEnd(LABEL_WIDTH)}${text}`;
}

function milliseconds(value: number): string {
  return value < 1 ? "below 1 ms" : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

/** Packets that did not come back, and their share. */
function loss({ packetsOut, packetsBack }: CallReport): string {
  const lost = Math.max(0, packetsOut - packetsBack);
  const share = packetsOut === 0 ? 0 : (100 * lost) / packetsOut;
  return `${lost} packets (${share.toFixed(1)} %)`;
}

function tone({ heard, sentHz }: CallReport): string {
  if (heard === null) return `${sentHz} Hz sent, nothing heard`;
  const share = `${Math.round(100 * heard.share)} % of what was heard`;
  return `${sentHz} Hz sent, ${heard.frequencyHz} Hz heard (${share})`;
}

function roundTrip({ roundTrip: measured }: CallReport): string {
  if (measured === null) return "not measured, nothing came back";
  return `${milliseconds(measured.meanMs)} on average, ${milliseconds(measured.worstMs)} at worst`;
}

/** The tone came back, all but whole. */
export function hasWorked(call: CallReport): boolean {
  const { heard } = call;
  const isRightTone = heard !== null && Math.abs(heard.frequencyHz - call.sentHz) <= 2;
  return isRightTone && call.packetsBack >= 0.95 * call.packetsOut;
}

export function callScreen(screen: CallScreen): string {
  const { user, domain, registration, call } = screen;
  const rang = call.rangAfterMs === null ? "no" : `after ${milliseconds(call.rangAfterMs)}`;
  const verdict = hasWorked(call)
    ? "An encrypted call has gone through Pequod:"
    : "A call has gone through Pequod, but not as it should:";
  return [
    "",
    verdict,
    "",
    `  phone ${user}  --TLS, SRTP-->  proxy ${hostPort(screen.proxy)}  --UDP, RTP-->  instance "${domain}" ${hostPort(screen.instance)}`,
    "",
    line("registered", `${user}@${domain}, in ${milliseconds(registration.tookMs)}`),
    line("rang", rang),
    line("answered", `600 (echo), after ${milliseconds(call.answeredAfterMs)}`),
    line("packets", `${call.packetsOut} out, ${call.packetsBack} back`),
    line("loss", loss(call)),
    line("round trip", roundTrip(call)),
    line("tone", tone(call)),
    line("media", `${call.suite}, ${call.law} outside; plain RTP inside`),
  ].join("\n");
}

function chatLines({ domain, users }: SoftphoneScreen, chat: Endpoint): readonly string[] {
  return [
    "And this into an XMPP client (Gajim, Conversations, Dino); then write to echo@demo:",
    "",
    line("address", `${users[1]}@${domain}`),
    line("password", "the same"),
    line("server", `${hostPort(chat)}, STARTTLS or TLS`),
    "",
  ];
}

export function softphoneScreen(screen: SoftphoneScreen): string {
  const { domain, users, password, proxy, here, phoneUrl, webUrl, chat, fingerprint } = screen;
  const range = `${users[0]} to ${users.at(-1)}`;
  return [
    "",
    "Now a phone of your own. Type this into a softphone:",
    "",
    line("domain, registrar", domain),
    line("user", `${users[1]} (any of ${range})`),
    line("password", password),
    line("outbound proxy", `${hostPort(proxy)}  (sip:${hostPort(proxy)};transport=tls;lr)`),
    ...(here === null ? [] : [line("", `${hostPort(here)}  for a softphone on this very machine`)]),
    line("transport", "TLS"),
    line("encryption", "SRTP mandatory, SDES"),
    line("certificate", "self-signed: switch its verification off, or trust it once"),
    ...(fingerprint === null ? [] : [line("", `SHA-256 ${fingerprint}`)]),
    line("then call", `600 = echo, 601 = a tone, ${range} = another phone that is registered`),
    "",
    ...(phoneUrl === null
      ? []
      : [
          `Or let a desk phone fetch its configuration as user ${users[1]}; a browser shows the file:`,
          "",
          `  ${phoneUrl}`,
          "",
        ]),
    ...(webUrl === null
      ? []
      : [
          "The telephone system's own page in a browser, with who is registered:",
          "",
          `  ${webUrl}`,
          "",
        ]),
    ...(chat === null ? [] : chatLines(screen, chat)),
    "Ctrl-C ends the demonstration.",
    "",
  ].join("\n");
}
