/**
 * How well one peer's RTP arrives: loss by sequence numbers (RFC 3550 §A.1, §A.3), interarrival jitter (§A.8),
 * what came twice or late. On the packet path: numbers in fixed fields, nothing allocated. Knows the two sources
 * (SSRC) it heard last, so that one that comes back within a second, or two side by side, are told apart.
 */
import { sequenceNumber, ssrc, timestamp } from "./packet.ts";

/** RFC 3550 §A.1: so far ahead is still loss, so far behind still late; beyond, the source has started again. */
const MAX_DROPOUT = 3000;
const MAX_MISORDER = 100;
/** Packets back within which a second arrival can be told from a late one. */
const REMEMBERED = 32;
/** A source that was silent for so long while another spoke begins anew: nobody knows what it sent elsewhere. */
const FORGOTTEN_MS = 1000;
/** More than this between two packets is no jitter: the timestamps have jumped. */
const JUMP_MS = 1000;

class Source {
  ssrc = -1;
  /** Highest sequence number so far. */
  highest = 0;
  /** Bit n: the packet `n` before the highest one has come. */
  recent = 0;
  /** Sequence numbers since it began. */
  span = 0;
  /** The one that would prove that it has started again; -1 = none. */
  restartSequence = -1;
  arrivalMs = 0;
  timestamp = 0;
}

export class Reception {
  /** Packets that came, once each, and those that should have. */
  received = 0;
  expected = 0;
  duplicates = 0;
  /** Came after a later one. */
  reordered = 0;
  jitterMs = 0;
  #source = new Source();
  #other = new Source();

  /** SSRC that was heard last; -1 = none. */
  get ssrc(): number {
    return this.#source.ssrc;
  }

  get lost(): number {
    return Math.max(0, this.expected - this.received);
  }

  /** One packet, decrypted or not. `msPerTick` of its codec's clock; 0 = not known, without jitter. */
  note(packet: Uint8Array, arrivalMs: number, msPerTick: number): void {
    if (ssrc(packet) !== this.#source.ssrc) this.#turnTo(packet, arrivalMs);
    const source = this.#source;
    const sequence = sequenceNumber(packet);
    const ahead = (sequence - source.highest) & 0xffff;
    if (ahead === 1) this.#advance(source, sequence, 1);
    else if (!this.#noteOther(source, sequence, ahead)) return;
    const time = timestamp(packet);
    const ticks = (time - source.timestamp) | 0;
    // Packets of one frame, or of one key press, share a timestamp and say nothing of the way they came.
    if (ticks === 0) return;
    if (msPerTick > 0) {
      const difference = Math.abs(arrivalMs - source.arrivalMs - ticks * msPerTick);
      if (difference < JUMP_MS) this.jitterMs += (difference - this.jitterMs) / 16;
    }
    source.timestamp = time;
    source.arrivalMs = arrivalMs;
  }

  #advance(source: Source, sequence: number, ahead: number): void {
    source.recent = ahead < REMEMBERED ? (source.recent << ahead) | 1 : 1;
    source.highest = sequence;
    source.span += ahead;
    this.expected += ahead;
    this.received++;
  }

  /** Not the next one: false = nothing newer has come. */
  #noteOther(source: Source, sequence: number, ahead: number): boolean {
    const behind = -ahead & 0xffff;
    if (behind <= MAX_MISORDER) {
      this.#noteLate(source, behind);
      return false;
    }
    if (ahead < MAX_DROPOUT) this.#advance(source, sequence, ahead);
    else if (sequence === source.restartSequence) {
      begin(source, sequence);
      this.#advance(source, sequence, 1);
    } else {
      source.restartSequence = (sequence + 1) & 0xffff;
      return false;
    }
    return true;
  }

  #noteLate(source: Source, behind: number): void {
    if (behind < REMEMBERED) {
      const bit = 1 << behind;
      if ((source.recent & bit) !== 0) {
        this.duplicates++;
        return;
      }
      source.recent |= bit;
    }
    this.reordered++;
    this.received++;
    // It was sent before the first one that came.
    if (behind >= source.span) {
      this.expected += behind + 1 - source.span;
      source.span = behind + 1;
    }
  }

  #turnTo(packet: Uint8Array, arrivalMs: number): void {
    const source = this.#other;
    this.#other = this.#source;
    this.#source = source;
    const isKnown = source.ssrc === ssrc(packet) && arrivalMs - source.arrivalMs < FORGOTTEN_MS;
    if (isKnown) return;
    source.ssrc = ssrc(packet);
    source.timestamp = timestamp(packet);
    source.arrivalMs = arrivalMs;
    begin(source, sequenceNumber(packet));
  }
}

/** Nothing has come of it yet; `sequence` will be the first. */
function begin(source: Source, sequence: number): void {
  source.highest = (sequence - 1) & 0xffff;
  source.recent = 0;
  source.span = 0;
  source.restartSequence = -1;
}
