/** A page for a fax machine: TIFF 6.0 with one strip of ITU-T T.6 (Group 4), all white. */

const WIDTH = 1728;
const HEADER_BYTES = 8;

/** As many scan lines, 98 to the inch. */
export function blankPage(lines: number): Uint8Array {
  const strip = whiteLines(lines);
  const at = HEADER_BYTES + strip.length + (strip.length & 1);
  const fields: readonly (readonly [tag: number, type: "short" | "long", value: number])[] = [
    [256, "long", WIDTH],
    [257, "long", lines],
    [258, "short", 1], // bits a sample
    [259, "short", 4], // T.6
    [262, "short", 0], // 0 is white
    [266, "short", 1],
    [273, "long", HEADER_BYTES],
    [277, "short", 1],
    [278, "long", lines],
    [279, "long", strip.length],
    [296, "short", 2], // inches
  ];
  const file = Buffer.alloc(at + 2 + 12 * fields.length + 4);
  file.write("II*\0", 0, "latin1");
  file.writeUInt32LE(at, 4);
  file.set(strip, HEADER_BYTES);
  file.writeUInt16LE(fields.length, at);
  fields.forEach(([tag, type, value], place) => {
    const entry = at + 2 + 12 * place;
    file.writeUInt16LE(tag, entry);
    file.writeUInt16LE(type === "short" ? 3 : 4, entry + 2);
    file.writeUInt32LE(1, entry + 4);
    file.writeUInt32LE(value, entry + 8);
  });
  return file;
}

/** A line like the white one before it is the one bit V0; then EOFB, twice EOL (T.6 §2.4.1.1). */
function whiteLines(lines: number): Uint8Array {
  const bits = "1".repeat(lines) + "000000000001".repeat(2);
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, "0");
  return Uint8Array.from(padded.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
}
