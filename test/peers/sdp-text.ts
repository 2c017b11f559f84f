/** SDP bodies for scripts, and the few lines scripts read from one. Text level, no parser. */

export type SdpParts = {
  readonly address: string;
  readonly port: number;
  /** Left out = RTP/SAVP when there is a crypto line, else RTP/AVP. */
  readonly proto?: string;
  /** The value after "a=crypto:". */
  readonly crypto?: readonly string[];
  readonly direction?: "sendrecv" | "sendonly" | "recvonly" | "inactive";
  readonly formats?: string;
  readonly lines?: readonly string[];
  readonly version?: number;
};

/** One audio stream. */
export function sdp(parts: SdpParts): string {
  const crypto = parts.crypto ?? [];
  const proto = parts.proto ?? (crypto.length > 0 ? "RTP/SAVP" : "RTP/AVP");
  const family = parts.address.includes(":") ? "IP6" : "IP4";
  return [
    "v=0",
    `o=- 4711 ${parts.version ?? 1} IN ${family} ${parts.address}`,
    "s=-",
    `c=IN ${family} ${parts.address}`,
    "t=0 0",
    `m=audio ${parts.port} ${proto} ${parts.formats ?? "8 0 101"}`,
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-15",
    ...(parts.lines ?? []),
    ...crypto.map((value) => `a=crypto:${value}`),
    `a=${parts.direction ?? "sendrecv"}`,
  ].join("\n");
}

export type SdpAnswer = {
  readonly address: string;
  readonly port: number;
  readonly proto: string;
  readonly crypto: readonly string[];
  readonly direction: string;
};

/** The first m= line of a body. */
export function readSdp(body: string): SdpAnswer {
  const media = /^m=\w+ (\d+) (\S+) /m.exec(body);
  const address = /^c=IN IP[46] (\S+)/m.exec(body)?.[1];
  if (media === null || address === undefined) throw new Error(`no media in\n${body}`);
  return {
    address,
    port: Number(media[1]),
    proto: media[2] ?? "",
    crypto: [...body.matchAll(/^a=crypto:(.*?)\r?$/gm)].map((line) => line[1] ?? ""),
    direction: /^a=(sendrecv|sendonly|recvonly|inactive)\r?$/m.exec(body)?.[1] ?? "sendrecv",
  };
}
