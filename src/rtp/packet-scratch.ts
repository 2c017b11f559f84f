/**
 * The one packet that is being worked on. SRTP runs synchronously, so a thread needs only one:
 * 4-aligned, to XOR by words, with its prefixes made once (a subarray a packet would cost 25 ns and
 * garbage). A caller that receives into `packetScratch.bytes` and passes that array spares two
 * copies.
 */

export const PACKET_SCRATCH_BYTES = 2048;

export class PacketScratch {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly #prefixes: Uint8Array[] = [];

  constructor() {
    const buffer = new ArrayBuffer(PACKET_SCRATCH_BYTES);
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
  }

  /** The first `length` bytes. */
  prefix(length: number): Uint8Array {
    this.#prefixes[length] ??= this.bytes.subarray(0, length);
    return this.#prefixes[length]!;
  }

  /**
   * Copies a packet in; at most PACKET_SCRATCH_BYTES of it. Nothing to do when it is here already.
   */
  load(packet: Uint8Array, length: number): void {
    if (packet === this.bytes) return;
    const isWhole = packet.length <= PACKET_SCRATCH_BYTES;
    this.bytes.set(isWhole ? packet : packet.subarray(0, length));
  }

  /** Copies the first `length` bytes back into the packet. */
  store(packet: Uint8Array, length: number): void {
    if (packet !== this.bytes) packet.set(this.prefix(length));
  }
}

export const packetScratch = new PacketScratch();
