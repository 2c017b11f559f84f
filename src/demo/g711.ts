/**
 * G.711 (ITU-T), A-law and µ-law: 8 bits a sample, 8,000 samples a second. Tables are made once from the
 * decoders, so that encoding is the nearest code by definition and decode(encode(x)) is stable.
 */

export type G711Law = "PCMA" | "PCMU";

/** RTP payload types of RFC 3551 table 4. */
export const PAYLOAD_TYPE: Readonly<Record<G711Law, number>> = { PCMU: 0, PCMA: 8 };

export const SAMPLE_RATE_HZ = 8000;

function decodeALaw(code: number): number {
  const bits = code ^ 0x55;
  const exponent = (bits >> 4) & 7;
  const mantissa = (bits & 0x0f) << 4;
  const magnitude = exponent === 0 ? mantissa + 8 : (mantissa + 0x108) << (exponent - 1);
  return (bits & 0x80) === 0 ? -magnitude : magnitude;
}

function decodeMuLaw(code: number): number {
  const bits = ~code & 0xff;
  const magnitude = ((((bits & 0x0f) << 3) + 0x84) << ((bits >> 4) & 7)) - 0x84;
  return (bits & 0x80) === 0 ? magnitude : -magnitude;
}

const decoders = { PCMA: decodeALaw, PCMU: decodeMuLaw };

type Tables = { readonly decoded: Int16Array; readonly codes: Uint8Array };

/** codes[(sample + 32768) >> 2] is the code whose value is nearest. */
function makeTables(law: G711Law): Tables {
  const decoded = Int16Array.from({ length: 256 }, (_, code) => decoders[law](code));
  const sorted = [...decoded.keys()].sort((a, b) => decoded[a]! - decoded[b]!);
  const codes = new Uint8Array(16_384);
  let at = 0;
  for (let index = 0; index < codes.length; index++) {
    const sample = index * 4 + 2 - 32_768;
    const distance = (place: number): number => Math.abs(decoded[sorted[place]!]! - sample);
    while (at + 1 < sorted.length && distance(at + 1) <= distance(at)) at++;
    codes[index] = sorted[at]!;
  }
  return { decoded, codes };
}

const tables: Readonly<Record<G711Law, Tables>> = {
  PCMA: makeTables("PCMA"),
  PCMU: makeTables("PCMU"),
};

/** Samples of 16 bits. */
export function decodeG711(law: G711Law, bytes: Uint8Array): Int16Array {
  return Int16Array.from(bytes, (code) => tables[law].decoded[code]!);
}

export function encodeG711(law: G711Law, samples: Int16Array): Uint8Array {
  return Uint8Array.from(samples, (sample) => tables[law].codes[(sample + 32_768) >> 2]!);
}
