/**
 * rtpengine of the tree in userspace, the yardstick of the relay: started here, its sessions set up over its
 * ng protocol (bencode over UDP).
 */
import { randomBytes } from "node:crypto";
import { readSdp, sdp } from "../peers/sdp-text.ts";
import { type Addresses, addresses } from "./pequod.ts";
import { type Child, start, until } from "./place.ts";
import type { Leg, LegSrtp, Session } from "./rtp-load.ts";

export type RelayMode = "rtp-rtp" | "srtp-rtp" | "srtp-srtp";

type Value = string | number | readonly Value[] | { readonly [key: string]: Value };

export type RtpengineOptions = {
  readonly name: string;
  readonly addresses: Addresses;
  readonly ngPort: number;
  readonly threads: number;
  readonly isRealTime: boolean;
};

export async function startRtpengine(o: RtpengineOptions): Promise<{ child: Child; ng: Ng }> {
  const argv = [
    ...["rtpengine", "--config-file=none", "--foreground", "--log-stderr", "--log-level=4"],
    ...["--table=-1", `--interface=outer/${o.addresses.outer}`],
    ...[`--interface=inner/${o.addresses.inner}`, `--listen-ng=127.0.0.1:${o.ngPort}`],
    ...["--port-min=20000", "--port-max=59999", "--delete-delay=0", "--timeout=86400"],
    `--num-threads=${o.threads}`,
  ];
  const { name, isRealTime } = o;
  const child = start(argv, { name, core: "test", isRealTime, isPeer: true });
  const ng = await Ng.open(o.ngPort);
  await until("rtpengine's pong", async () => (await ng.tell({ command: "ping" })) !== null);
  return { child, ng };
}

/** A client of the ng protocol; one request at a time. */
export class Ng {
  readonly #socket: Bun.udp.ConnectedSocket<"buffer">;
  #count = 0;
  #answered: ((text: string) => void) | null = null;

  private constructor(socket: Bun.udp.ConnectedSocket<"buffer">) {
    this.#socket = socket;
  }

  static async open(port: number): Promise<Ng> {
    let ng: Ng | null = null;
    const socket = await Bun.udpSocket({
      connect: { hostname: "127.0.0.1", port },
      socket: {
        data: (_socket, bytes) => ng?.answer(bytes.toString("latin1")),
        error() {}, // rtpengine is not up yet
      },
    });
    ng = new Ng(socket);
    return ng;
  }

  /** The "sdp" of the answer, "" when it has none; null when no answer came. */
  tell(command: { readonly [key: string]: Value }): Promise<string | null> {
    this.#count += 1;
    const cookie = `${process.pid}-${this.#count} `;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => resolve(null), 1000);
      this.#answered = (text) => {
        if (!text.startsWith(cookie)) return;
        clearTimeout(late);
        if (!/6:result(2:ok|4:pong)/.test(text)) reject(new Error(`rtpengine: ${text}`));
        resolve(sdpOf(text));
      };
      this.#socket.send(Buffer.from(cookie + bencode(command), "latin1"));
    });
  }

  close(): void {
    this.#socket.close();
  }

  private answer(text: string): void {
    this.#answered?.(text);
  }
}

function bencode(value: Value): string {
  if (typeof value === "number") return `i${value}e`;
  if (typeof value === "string") return `${value.length}:${value}`;
  if (Array.isArray(value)) return `l${value.map(bencode).join("")}e`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `d${entries.map(([key, one]) => bencode(key) + bencode(one)).join("")}e`;
}

function sdpOf(text: string): string {
  const found = /3:sdp(\d+):/.exec(text);
  if (found === null) return "";
  const start = found.index + found[0].length;
  return text.slice(start, start + Number(found[1]));
}

const SUITE_80 = "AES_CM_128_HMAC_SHA1_80";
const SUITE_32 = "AES_CM_128_HMAC_SHA1_32";

/**
 * Sessions of rtpengine. SRTP on both sides: rtpengine would keep the phone's key and pass packets through,
 * so the other side is made to use the other suite; then it re-encrypts as Pequod does.
 */
export async function rtpengineSessions(
  ng: Ng,
  mode: RelayMode,
  count: number,
): Promise<Session[]> {
  const place = addresses(MODE_NUMBER[mode]);
  const sessions: Session[] = [];
  for (let at = 0; at < count; at += 1) {
    const phone = makeSide(place.phone, 10_000 + 2 * at, mode === "rtp-rtp" ? null : SUITE_80);
    const system = makeSide(
      place.instance,
      10_000 + 2 * at,
      mode === "srtp-srtp" ? SUITE_32 : null,
    );
    const call = { "call-id": `${mode}-${at}`, "from-tag": "phone" };
    const toSystem = await ng.tell({
      ...{ command: "offer", ...call, sdp: phone.sdp, ICE: "remove", flags: ["trust-address"] },
      ...{ direction: ["outer", "inner"], "rtcp-mux": ["demux"], replace: ["origin"] },
      "transport-protocol": mode === "srtp-srtp" ? "RTP/SAVP" : "RTP/AVP",
      ...(mode === "srtp-srtp" ? { SDES: [`only-${SUITE_32}`], DTLS: "off" } : {}),
    });
    const toPhone = await ng.tell({
      ...{ command: "answer", ...call, "to-tag": "system", sdp: system.sdp },
      ...{ ICE: "remove", flags: ["trust-address"], replace: ["origin"] },
    });
    sessions.push({ a: legOf(phone, toPhone ?? ""), b: legOf(system, toSystem ?? "") });
  }
  return sessions;
}

const MODE_NUMBER: Readonly<Record<RelayMode, number>> = {
  "rtp-rtp": 11,
  "srtp-rtp": 12,
  "srtp-srtp": 13,
};

export type Side = {
  readonly address: string;
  readonly port: number;
  readonly suite: string | null;
  readonly key: Buffer;
  readonly sdp: string;
};

/** One end of a call: its socket, its key, its SDP. */
export function makeSide(address: string, port: number, suite: string | null, tag = 1): Side {
  const key = randomBytes(30);
  const crypto = suite === null ? [] : [`${tag} ${suite} inline:${key.toString("base64")}`];
  const text = sdp({ address, port, crypto, formats: "0", lines: ["a=rtpmap:0 PCMU/8000"] });
  return { address, port, suite, key, sdp: `${text.replaceAll("\n", "\r\n")}\r\n` };
}

/** The leg of that end, once it has the relay's SDP. */
export function legOf(side: Side, fromRelay: string): Leg {
  const { address, port, crypto } = readSdp(fromRelay);
  return {
    address: side.address,
    port: side.port,
    destination: { address, port },
    srtp: srtpOf(side, crypto),
  };
}

function srtpOf(side: Side, crypto: readonly string[]): LegSrtp | null {
  if (side.suite === null) return null;
  const line = crypto.find((one) => one.split(" ")[1] === side.suite);
  const key = /inline:([A-Za-z0-9+/=]+)/.exec(line ?? "")?.[1];
  if (key === undefined) throw new Error(`the relay gave no key for ${side.suite}`);
  return {
    tagBits: side.suite === SUITE_32 ? 32 : 80,
    sendKey: side.key,
    receiveKey: Buffer.from(key, "base64"),
  };
}
