/**
 * An estimate of how speech sounds (mean opinion score, 1 to 4.5) by the E-model of ITU-T G.107 with its default
 * values: R = 93.2 - Id - Ie,eff. Narrowband scale: wideband codecs are worth what G.711 is worth, no more.
 */

/** Equipment impairment, and robustness against random loss (Bpl), of ITU-T G.113 Appendix I. */
type CodecQuality = { readonly impairment: number; readonly robustness: number };

const WITH_CONCEALMENT: CodecQuality = { impairment: 0, robustness: 25.1 };
/** G.113 has no narrowband values for G.722 and Opus: they are taken as G.711 with concealment. */
const CODECS: ReadonlyMap<string, CodecQuality> = new Map([
  ["pcmu", WITH_CONCEALMENT],
  ["pcma", WITH_CONCEALMENT],
  ["g722", WITH_CONCEALMENT],
  ["opus", WITH_CONCEALMENT],
  ["g729", { impairment: 11, robustness: 19 }],
  ["g723", { impairment: 15, robustness: 16.1 }],
]);

const R_DEFAULT = 93.2;
/** What a jitter buffer and one packet of 20 ms add to the way. */
const PACKET_MS = 20;

export type Heard = {
  /** As in SDP, any case. */
  readonly codec: string;
  /** Packets lost on the way, 0..1. */
  readonly lossPart: number;
  readonly jitterMs: number;
  /** Of this leg; null = not known, taken as none. */
  readonly roundTripMs: number | null;
};

/** Null for a codec without known values. */
export function estimateMos(o: Heard): number | null {
  const quality = CODECS.get(o.codec.toLowerCase());
  if (quality === undefined) return null;
  // A jitter buffer is about twice as long as the jitter it is there for.
  const delayMs = (o.roundTripMs ?? 0) / 2 + 2 * o.jitterMs + PACKET_MS;
  const r = R_DEFAULT - delayImpairment(delayMs) - effectiveImpairment(quality, o.lossPart);
  return mosOf(r);
}

/** Ie,eff (G.107 §7.3) for losses that are not in bursts. */
export function effectiveImpairment(quality: CodecQuality, lossPart: number): number {
  const percent = 100 * lossPart;
  const { impairment, robustness } = quality;
  return impairment + ((95 - impairment) * percent) / (percent + robustness);
}

/** Idd (G.107 §7.2): what a long way alone costs. */
export function delayImpairment(delayMs: number): number {
  if (delayMs <= 100) return 0;
  const x = Math.log2(delayMs / 100);
  return 25 * ((1 + x ** 6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2);
}

/** G.107 Annex B. */
export function mosOf(r: number): number {
  if (r <= 0) return 1;
  if (r >= 100) return 4.5;
  return 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6;
}
