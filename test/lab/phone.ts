/**
 * A real phone: baresip in one place of the lab, driven over its control connection, with a tone for a
 * voice and a WAV file for an ear. Owns its two processes and its folder in the tree.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { formatNetstring, NetstringReader } from "./netstring.ts";
import {
  commandIn,
  eventually,
  LONG,
  onTime,
  type Peer,
  type Place,
  startPeer,
  TREE,
} from "./peers.ts";
import {
  describeTones,
  endsWithTone,
  isSound,
  measureWav,
  type ToneWindow,
  toneWav,
} from "./tone.ts";

export type PhoneOptions = {
  readonly place: Place;
  /** SIP domain = instance name; the proxy is reached by the outbound setting only. */
  readonly instance: string;
  readonly user: string;
  /** Address and port of the proxy. */
  readonly proxy: string;
  readonly transport: "tls" | "udp";
  readonly media: "srtp" | "rtp";
  /** What this phone says. */
  readonly hz: number;
  /** How keys travel: RTP packets (RFC 4733, the default) or INFO. */
  readonly keys?: "rtp" | "info";
  readonly isIpv6?: boolean;
  /** A moving test picture, VP8. */
  readonly hasVideo?: boolean;
};

type PhoneEvent = { readonly type: string; readonly param: string; readonly peer: string };

/**
 * baresip's file player lets its thread say that it runs; stopped before the thread did so, as every hold,
 * resume and recvonly call stops it, it frees what the thread then uses and baresip dies. So each new thread
 * gets 20 ms to start. Only thread creation is traced; -D keeps the process id.
 */
const GIVE_THREADS_TIME = [
  "strace",
  "-D",
  "-f",
  "--seccomp-bpf",
  "-qqq",
  "-o",
  "/dev/null",
  "-e",
  "trace=clone,clone3",
  "-e",
  "inject=clone,clone3:delay_exit=20000",
];

/** Longer than any call: baresip hangs up when its voice ends. */
const VOICE_SECONDS = LONG ? 600 : 120;

let nextControlPort = 14000;

export class Phone {
  readonly hz: number;
  readonly #name: string;
  readonly #folder: string;
  readonly #phone: Peer;
  readonly #control: Peer;
  readonly #events: PhoneEvent[] = [];
  #seen = 0;

  constructor(options: PhoneOptions) {
    this.hz = options.hz;
    this.#name = `${options.user}@${options.instance} in ${options.place}`;
    const inside = `/lab/phones/${options.instance}-${options.user}-${options.place}`;
    this.#folder = join(TREE, inside);
    const port = nextControlPort++;
    writeFolder(this.#folder, inside, port, options);
    const command = [...GIVE_THREADS_TIME, "env", `HOME=${inside}`];
    command.push("stdbuf", "-oL", "baresip", options.isIpv6 === true ? "-6" : "-4", "-s");
    command.push("-f", inside);
    this.#phone = startPeer(onTime(commandIn(options.place, command)), join(this.#folder, "log"));
    const control = ["socat", "-", `TCP:127.0.0.1:${port},retry=100,interval=0.1`];
    this.#control = startPeer(commandIn(options.place, control), `${this.#folder}/control`, "read");
    void this.#listen();
    // The account comes by the connection that tells the events, so none is missed.
    this.#send("uanew", accountLine(options));
  }

  async #listen(): Promise<void> {
    const reader = new NetstringReader();
    for await (const chunk of this.#control.stdout) {
      for (const text of reader.push(chunk)) {
        const message = JSON.parse(text) as Record<string, string | boolean>;
        if (message.event !== true) continue;
        const { type, param, peeruri } = message;
        this.#events.push({ type: `${type}`, param: `${param ?? ""}`, peer: `${peeruri ?? ""}` });
      }
    }
  }

  /** The next event of that type after the last one asked for; `CALL_CLOSED` is told in the message. */
  async expects(type: string, timeoutMs = 8000): Promise<PhoneEvent> {
    return eventually(
      timeoutMs,
      () => {
        const at = this.#events.findIndex((event, i) => i >= this.#seen && event.type === type);
        if (at < 0) return null;
        this.#seen = at + 1;
        return this.#events[at] ?? null;
      },
      () => `${this.#name}: no ${type} within ${timeoutMs} ms; ${this.#story()}`,
    );
  }

  /** How often an event of that type came since the start. */
  count(type: string): number {
    return this.#events.filter((event) => event.type === type).length;
  }

  /** How many 200s to that method its SIP trace shows. */
  answers(method: string): number {
    return this.#answersTo(method).length;
  }

  #answersTo(method: string): string[] {
    const messages = readFileSync(join(this.#folder, "log"), "latin1").split(" -> ");
    const isAnswer = new RegExp(`^\\S+\\s+SIP/2\\.0 200 [^]*^CSeq: *\\d+ ${method}\\s*$`, "m");
    return messages.filter((message) => isAnswer.test(message));
  }

  /** Does it, and waits until the request it makes the phone send is answered 200. */
  async isAnswered(method: string, timeoutMs: number, act: () => void): Promise<void> {
    const before = this.answers(method);
    act();
    await eventually(
      timeoutMs,
      () => (this.answers(method) > before ? true : null),
      () => `${this.#name}: no 200 to ${method} within ${timeoutMs} ms; ${this.#story()}`,
    );
  }

  #story(): string {
    const events = this.#events.map((event) => `${event.type} ${event.param}`.trim());
    const heard = describeTones(this.#heard());
    return `heard: ${heard}; events: ${events.join(", ") || "none"}; log: ${this.#folder}/log`;
  }

  #send(command: string, params?: string): void {
    this.#control.write(
      formatNetstring(JSON.stringify(params ? { command, params } : { command })),
    );
  }

  async isRegistered(): Promise<void> {
    await this.expects("REGISTER_OK", 10_000);
  }

  dial(number: string): void {
    this.#send("dial", number);
  }

  /** Calls but says nothing: the offer is recvonly and no audio packet ever leaves. */
  dialToListen(number: string): void {
    this.#send("dialdir", `${number} audio=recvonly video=inactive`);
  }

  /** Waits for a call and takes it. */
  async accept(): Promise<void> {
    await this.expects("CALL_INCOMING");
    await this.picksUp();
  }

  /** Takes the call that rings. */
  async picksUp(): Promise<void> {
    this.#send("accept");
    await this.expects("CALL_ESTABLISHED");
  }

  hold(): void {
    this.#send("hold");
  }

  resume(): void {
    this.#send("resume");
  }

  hangUp(): void {
    this.#send("hangup");
  }

  /** Presses keys in a call. */
  presses(keys: string): void {
    this.#send("sndcode", keys);
  }

  /** REFERs the far end of the call it speaks in (baresip: the newest) to a number or URI. */
  transfer(to: string): void {
    this.#send("transfer", to);
  }

  /** Our port of its m= line of that kind, in the newest 200 to its INVITE in its SIP trace. */
  farPort(kind: "audio" | "video"): number {
    const answer = this.#answersTo("INVITE").at(-1) ?? "";
    const port = new RegExp(`^m=${kind} (\\d+) `, "m").exec(answer)?.[1];
    if (port === undefined) throw new Error(`${this.#name} has no ${kind} in an answer`);
    return Number(port);
  }

  /** The value of Replaces (RFC 3891) for the call it dialled last, taken from its own SIP trace. */
  replaces(number: string): string {
    const trace = readFileSync(join(this.#folder, "log"), "utf8");
    const answers = trace.match(/^SIP\/2\.0 200 [\s\S]*?^CSeq: \d+ INVITE/gm) ?? [];
    const answer = answers.findLast((text) => new RegExp(`^To: .*sip:${number}@`, "m").test(text));
    const value = (pattern: RegExp): string => {
      const found = pattern.exec(answer ?? "")?.[1];
      if (found === undefined) throw new Error(`${this.#name} has no call with ${number}`);
      return found;
    };
    const to = value(/^To: .*;tag=([^\s;]+)/m);
    const from = value(/^From: .*;tag=([^\s;]+)/m);
    return `${value(/^Call-ID: (\S+)/m)};to-tag=${to};from-tag=${from}`;
  }

  async hangsUp(): Promise<void> {
    this.hangUp();
    await this.expects("CALL_CLOSED");
  }

  /** The recording so far, in real time; each change of the call's media begins it anew. */
  #heard(): ToneWindow[] {
    const file = join(this.#folder, "rx.wav");
    return existsSync(file) ? measureWav(readFileSync(file)) : [];
  }

  /** Waits until what comes from now on ends with `seconds` of that tone. */
  async hears(hz: number, seconds: number): Promise<void> {
    let heard = this.#heard();
    let start = heard.length;
    await eventually(
      seconds * 1000 + 10_000,
      () => {
        const before = heard.length;
        heard = this.#heard();
        if (heard.length < before) start = 0;
        return endsWithTone(heard.slice(start), hz, seconds) ? true : null;
      },
      () => `${this.#name}: should hear ${hz} Hz for ${seconds} s, ${this.#story()}`,
    );
  }

  /** Waits until for `seconds` no sound has come. */
  async hearsNothing(seconds: number): Promise<void> {
    let sounds = -1;
    let since = 0;
    await eventually(
      seconds * 1000 + 5000,
      () => {
        const now = this.#heard().filter(isSound).length;
        if (now !== sounds) since = performance.now();
        sounds = now;
        return performance.now() - since >= seconds * 1000 ? true : null;
      },
      () => `${this.#name}: should hear nothing for ${seconds} s, ${this.#story()}`,
    );
  }

  /** Waits until it has decoded a picture of that size. */
  async sees(width: number, height: number): Promise<void> {
    const words = `receiving with resolution ${width} x ${height}`;
    await eventually(
      5000,
      () => (readFileSync(join(this.#folder, "log"), "latin1").includes(words) ? true : null),
      () => `${this.#name}: sees no picture; ${this.#story()}`,
    );
  }

  async stop(): Promise<void> {
    await this.#phone.stop();
    await this.#control.stop();
  }
}

function writeFolder(folder: string, inside: string, port: number, options: PhoneOptions): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "accounts"), "");
  writeFileSync(join(folder, "config"), configText(inside, port, options));
  writeFileSync(join(folder, "tx.wav"), toneWav(options.hz, VOICE_SECONDS));
  writeFileSync(join(folder, "contacts"), "");
  writeFileSync(join(folder, "uuid"), "");
}

function accountLine(options: PhoneOptions): string {
  const { user, instance, transport, proxy, media } = options;
  return [
    `<sip:${user}@${instance};transport=${transport}>`,
    `outbound="sip:${proxy};transport=${transport}"`,
    `auth_user=${user}`,
    `auth_pass=secret-${instance}-${user}`,
    "regint=20",
    "answermode=manual",
    "audio_codecs=PCMA/8000/1",
    `video_codecs=${options.hasVideo === true ? "VP8" : ""}`,
    ...(media === "srtp" ? ["mediaenc=srtp-mand"] : []),
    ...(options.keys === "info" ? ["dtmfmode=info"] : []),
  ].join(";");
}

const VIDEO = `module vp8.so
module fakevideo.so
video_source fakevideo,nil
video_display fakevideo,nil
video_size 176x144
video_fps 10
video_bitrate 200000
`;

/** aufile on both ends (ausine does 48 kHz only); every ring tone off, or the player crashes on them. */
function configText(inside: string, port: number, options: PhoneOptions): string {
  return `poll_method epoll
sip_cafile /lab/tls/ca.crt
sip_verify_server yes
net_interface eth0
audio_player aufile,${inside}/rx.wav
audio_source aufile,${inside}/tx.wav
audio_alert aufile,/dev/null
audio_level no
rtp_ports 20000-39999
rtp_stats yes
ring_aufile none
ringback_aufile none
notfound_aufile none
busy_aufile none
error_aufile none
callwaiting_aufile none
sip_autoanswer_aufile none
ctrl_tcp_listen 127.0.0.1:${port}
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module srtp.so
${options.hasVideo === true ? VIDEO : ""}module_app account.so
module_app menu.so
module_app mwi.so
module_app ctrl_tcp.so
`;
}
