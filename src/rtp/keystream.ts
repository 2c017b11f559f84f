/**
 * AES in counter mode as SRTP uses it (RFC 3711 §4.1.1), made from one open ECB cipher a key. The
 * keystream of 16 consecutive packets of an SSRC is made in one call, which costs a quarter a
 * packet and a sixteenth of the garbage; other packets (late ones, the first after a jump, large
 * ones) get theirs alone.
 *
 *   counter block: (salt || 0 0) XOR (0^4 || SSRC || ROC || sequence || 0 0)
 *   and the block number in bytes 14 and 15
 */
import { createCipheriv } from "node:crypto";
import { PACKET_SCRATCH_BYTES, type PacketScratch } from "./packet-scratch.ts";

export const AHEAD_PACKETS = 16;
/** Packets above this payload (video) are large enough that a call each does not show. */
const AHEAD_BLOCKS_MAX = 16;
const BLOCKS_MAX = Math.max(AHEAD_PACKETS * AHEAD_BLOCKS_MAX, PACKET_SCRATCH_BYTES / 16);

// Working memory of one call; every thread has its own.
const counters = new Uint8Array(16 * BLOCKS_MAX);
const counterWords = new Uint32Array(counters.buffer);
const counterPrefixes: Uint8Array[] = [];
const single = new Uint8Array(PACKET_SCRATCH_BYTES);
const singleWords = new Uint32Array(single.buffer);

/** What one SSRC has made ahead. `group` is the packet index without its low four bits. */
export class KeystreamAhead {
  group = -1;
  missedGroup = -1;
  blocksPerPacket = 0;
  bytes = new Uint8Array(0);
  words = new Uint32Array(0);

  resize(blocksPerPacket: number): void {
    this.group = -1;
    this.blocksPerPacket = blocksPerPacket;
    this.bytes = new Uint8Array(16 * AHEAD_PACKETS * blocksPerPacket);
    this.words = new Uint32Array(this.bytes.buffer);
  }
}

export class Keystream {
  readonly #cipher: ReturnType<typeof createCipheriv>;
  readonly #salt: readonly [number, number, number, number];

  /** `cipher` as in the suite table, e.g. "aes-128"; `salt` is the 14-byte session salt. */
  constructor(cipher: string, key: Uint8Array, salt: Uint8Array) {
    this.#cipher = createCipheriv(`${cipher}-ecb`, key, null);
    this.#cipher.setAutoPadding(false);
    const block = new DataView(new ArrayBuffer(16));
    salt.forEach((byte, at) => {
      block.setUint8(at, byte);
    });
    this.#salt = [block.getUint32(0), block.getUint32(4), block.getUint32(8), block.getUint32(12)];
  }

  /**
   * XORs the scratch from `start` (a multiple of 4) to `end` with the keystream of this packet; up
   * to 3 bytes behind `end` are scrambled. `high` and `low` are the 48-bit packet index: ROC and
   * sequence number in SRTP. Call it for authenticated or own packets only, since it changes
   * `ahead`.
   */
  apply(
    scratch: PacketScratch,
    start: number,
    end: number,
    ssrc: number,
    high: number,
    low: number,
    ahead: KeystreamAhead | null,
  ): void {
    const blocks = (end - start + 15) >> 4;
    if (blocks === 0) return;
    let from = 0;
    let keystream = singleWords;
    if (ahead !== null && this.#hasAhead(ahead, blocks, ssrc, high, low)) {
      from = (low & (AHEAD_PACKETS - 1)) * ahead.blocksPerPacket * 4;
      keystream = ahead.words;
    } else {
      this.#write(0, blocks, ssrc, high, low);
      this.#encrypt(blocks, single);
    }
    const words = scratch.words;
    const lastWord = (end + 3) >> 2;
    for (let word = start >> 2; word < lastWord; word++, from++) {
      words[word] = words[word]! ^ keystream[from]!;
    }
  }

  /**
   * A group is made when it follows the last one, or at its second packet: a single stray or late
   * packet must not throw away what the stream needs next.
   */
  #hasAhead(
    ahead: KeystreamAhead,
    blocks: number,
    ssrc: number,
    high: number,
    low: number,
  ): boolean {
    if (blocks > AHEAD_BLOCKS_MAX) return false;
    if (blocks > ahead.blocksPerPacket) ahead.resize(blocks);
    const group = high * (65_536 / AHEAD_PACKETS) + (low >>> 4);
    if (group === ahead.group) return true;
    if (group !== ahead.group + 1 && group !== ahead.missedGroup) {
      ahead.missedGroup = group;
      return false;
    }
    const perPacket = ahead.blocksPerPacket;
    for (let packet = 0; packet < AHEAD_PACKETS; packet++) {
      this.#write(packet * perPacket, perPacket, ssrc, high, (low & ~15) | packet);
    }
    this.#encrypt(AHEAD_PACKETS * perPacket, ahead.bytes);
    ahead.group = group;
    return true;
  }

  #write(firstBlock: number, blocks: number, ssrc: number, high: number, low: number): void {
    const salt = this.#salt;
    const word0 = littleEndian(salt[0]);
    const word1 = littleEndian(salt[1] ^ ssrc);
    const word2 = littleEndian(salt[2] ^ high);
    const word3 = salt[3] ^ (low << 16);
    let at = firstBlock * 4;
    for (let block = 0; block < blocks; block++, at += 4) {
      counterWords[at] = word0;
      counterWords[at + 1] = word1;
      counterWords[at + 2] = word2;
      counterWords[at + 3] = littleEndian(word3 | block);
    }
  }

  #encrypt(blocks: number, into: Uint8Array): void {
    counterPrefixes[blocks] ??= counters.subarray(0, 16 * blocks);
    into.set(this.#cipher.update(counterPrefixes[blocks]!));
  }
}

/** Bun runs on little-endian machines only; the counter block is big-endian. */
function littleEndian(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}
