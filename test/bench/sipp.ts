/**
 * sipp of the tree: the scenarios of a phone and a telephone system, and one run of calls at a rate. The
 * scenario files say what is sent, as sipp wants it; the phone's domain is the instance's name.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Identity } from "../../src/io/types.ts";
import { INSTANCE } from "./pequod.ts";
import { type Child, FOLDER, IN_TREE, start } from "./place.ts";

/** One UDP socket; one TLS connection for all calls; a new TLS connection for each call. */
export type SippTransport = "u1" | "l1" | "ln";
/** With SDP, or without a body at all. */
export type Body = "sdp" | "none";

const KEY = "dPJMcjHlk8pTXxCtLqGdvZU69KedagV5g/kExKYg";
const TO = `<sip:600@${INSTANCE}>`;

function sdp(isSrtp: boolean): string {
  return [
    "v=0",
    "o=- 1 1 IN IP4 [local_ip]",
    "s=-",
    "c=IN IP4 [local_ip]",
    "t=0 0",
    `m=audio 30000 ${isSrtp ? "RTP/SAVP" : "RTP/AVP"} 8`,
    "a=rtpmap:8 PCMA/8000",
    ...(isSrtp ? [`a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${KEY}`] : []),
    "",
  ].join("\n");
}

function message(lines: readonly string[], body: string): string {
  const type = body === "" ? [] : ["Content-Type: application/sdp"];
  return [...lines, ...type, "Content-Length: [len]", "", body].join("\n");
}

function request(method: string, uri: string, to: string, cseq: number, body = ""): string {
  const isInDialog = to !== TO;
  return message(
    [
      `${method} ${uri} SIP/2.0`,
      "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch];rport",
      "Max-Forwards: 70",
      `From: <sip:[field0]@${INSTANCE}>;tag=f[call_number]`,
      `To: ${to}`,
      "Call-ID: [call_id]",
      `CSeq: ${cseq} ${method}`,
      "Contact: <sip:[field0]@[local_ip]:[local_port];transport=[transport]>",
      ...(isInDialog ? ["[routes]"] : []),
    ],
    body,
  );
}

function answer(hasTag: boolean, more: readonly string[] = [], body = ""): string {
  return message(
    [
      "SIP/2.0 200 OK",
      "[last_Via:]",
      "[last_Record-Route:]",
      "[last_From:]",
      `[last_To:]${hasTag ? "" : ";tag=u[call_number]"}`,
      "[last_Call-ID:]",
      "[last_CSeq:]",
      ...more,
    ],
    body,
  );
}

const sends = (text: string, isRepeated = false): string =>
  `<send${isRepeated ? ' retrans="500"' : ""}><![CDATA[\n${text}\n]]></send>`;

function phoneScenario(body: Body, isSrtp: boolean): string {
  const offer = body === "sdp" ? sdp(isSrtp) : "";
  const inDialog = `${TO}[peer_tag_param]`;
  return [
    sends(request("INVITE", `sip:600@${INSTANCE}`, TO, 1, offer), true),
    '<recv response="100" optional="true"></recv><recv response="200" rrs="true"></recv>',
    sends(request("ACK", "[next_url]", inDialog, 1)),
    sends(request("BYE", "[next_url]", inDialog, 3), true),
    '<recv response="200"></recv>',
  ].join("\n");
}

function systemScenario(body: Body): string {
  const contact = "Contact: <sip:[local_ip]:[local_port];transport=[transport]>";
  return [
    '<recv request="INVITE" rrs="true"></recv>',
    sends(answer(false, [contact], body === "sdp" ? sdp(false) : ""), true),
    '<recv request="ACK" optional="true"></recv><recv request="BYE"></recv>',
    sends(answer(true)),
  ].join("\n");
}

function writeScenario(name: string, steps: string): void {
  const text = `<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="${name}">\n${steps}\n</scenario>\n`;
  writeFileSync(join(FOLDER, `${name}.xml`), text);
}

/** Once, before the first run. */
export function writeScenarios(identity: Identity): void {
  for (const body of ["sdp", "none"] as const) {
    writeScenario(`system-${body}`, systemScenario(body));
    writeScenario(`phone-${body}-srtp`, phoneScenario(body, true));
    writeScenario(`phone-${body}-rtp`, phoneScenario(body, false));
  }
  const users = Array.from({ length: 4000 }, (_, at) => `${1000 + at}\n`);
  writeFileSync(join(FOLDER, "users.csv"), `SEQUENTIAL\n${users.join("")}`);
  writeFileSync(join(FOLDER, "tls.crt"), identity.certificatePem);
  writeFileSync(join(FOLDER, "tls.key"), identity.keyPem);
  mkdirSync(join(FOLDER, "counts"), { recursive: true });
}

/** The telephone system; answers every call at once. */
export function startSystem(name: string, address: string, body: Body): Child {
  const argv = ["sipp", "-sf", `${IN_TREE}/system-${body}.xml`, "-i", address, "-p", "5060"];
  argv.push("-nostdin", "-buff_size", "4194304");
  return start(argv, { name, core: "load", isRealTime: false, isPeer: true });
}

export type CallsOptions = {
  readonly address: string;
  readonly target: string;
  readonly transport: SippTransport;
  readonly body: Body;
  readonly rate: number;
  readonly seconds: number;
};

export type CallsResult = {
  readonly calls: number;
  readonly failed: number;
  readonly retransmissions: number;
  readonly seconds: number;
  /** All calls were made, in time, without a failed one and with fewer than 0.1 % repeated. */
  readonly isGood: boolean;
};

export async function placeCallsAtRate(o: CallsOptions): Promise<CallsResult> {
  const isTls = o.transport !== "u1";
  const total = Math.round(o.rate * o.seconds);
  const counts = join(FOLDER, "counts/phone.csv");
  rmSync(counts, { force: true });
  const argv = ["sipp", o.target, "-t", o.transport, "-i", o.address, "-nostdin"];
  argv.push("-sf", `${IN_TREE}/phone-${o.body}-${isTls ? "srtp" : "rtp"}.xml`);
  argv.push("-inf", `${IN_TREE}/users.csv`, "-m", `${total}`, "-r", `${o.rate}`);
  argv.push(
    "-l",
    `${Math.max(1000, o.rate * 4)}`,
    "-timeout",
    `${Math.ceil(o.seconds * 1.25 + 4)}`,
  );
  argv.push("-trace_stat", "-stf", `${IN_TREE}/counts/phone.csv`, "-fd", "1");
  argv.push("-max_socket", "20000", "-buff_size", "4194304", "-timer_resol", "5");
  if (isTls) argv.push("-tls_cert", `${IN_TREE}/tls.crt`, "-tls_key", `${IN_TREE}/tls.key`);
  const start_ = performance.now();
  const sipp = start(argv, { name: "phone", core: "load", isRealTime: false, isPeer: true });
  await sipp.exited;
  const seconds = (performance.now() - start_) / 1000;
  const count = lastCounts(readFileSync(counts, "utf8"));
  const calls = count("SuccessfulCall(C)");
  const failed = count("FailedCall(C)");
  const retransmissions = count("Retransmissions(C)");
  const isInTime = seconds < o.seconds * 1.25 + 1.5;
  const isGood = failed === 0 && retransmissions < 0.001 * total && calls >= total && isInTime;
  return { calls, failed, retransmissions, seconds, isGood };
}

function lastCounts(csv: string): (name: string) => number {
  const lines = csv.trim().split("\n");
  const names = (lines[0] ?? "").split(";");
  const values = (lines.at(-1) ?? "").split(";");
  return (name) => Number(values[names.indexOf(name)] ?? "NaN");
}
