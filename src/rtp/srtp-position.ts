/**
 * How far a context has come, as numbers that outlive it: of the SSRCs used last their indexes, and the index of
 * the reports. A context made anew with the same key takes nothing twice and uses no index again. Cells of zero
 * read as "no packet yet".
 *
 *   report index | SSRC + 1, index + 1, offset | SSRC + 1, index + 1, offset | ...      the one used last is last
 */
import type { SsrcTable } from "./ssrc-table.ts";

/** Of one context; a leg has one for most of its life, and rarely more than three. */
const SSRCS_MAX = 16;
const SSRC_CELLS = 3;
export const POSITION_CELLS = 1 + SSRC_CELLS * SSRCS_MAX;
/**
 * More than may have been sent since a position was noted: an index must never be used twice. Reports have
 * 2^31 of them; of RTP no more than what a receiver still takes for loss (MAX_DROPOUT, RFC 3550 §A.1).
 */
const RTCP_SKIPPED = 65_536;
const RTP_SKIPPED = 2000;

export function writePosition(
  cells: Float64Array,
  at: number,
  table: SsrcTable,
  rtcpIndex: number,
): void {
  cells[at] = rtcpIndex;
  const { recent } = table;
  const first = Math.max(0, recent.length - SSRCS_MAX);
  const end = at + POSITION_CELLS;
  let cell = at + 1;
  for (let i = first; i < recent.length; i++, cell += SSRC_CELLS) {
    const { ssrc, window, sequenceOffset } = recent[i]!;
    cells[cell] = ssrc + 1;
    cells[cell + 1] = window.highest + 1;
    cells[cell + 2] = sequenceOffset;
  }
  if (cell < end) cells[cell] = 0;
}

/** Into a table without packets. Gives the index of the next report. */
export function resumePosition(cells: Float64Array, table: SsrcTable): number {
  for (let cell = 1; cell < POSITION_CELLS && cells[cell]! > 0; cell += SSRC_CELLS) {
    const stream = table.admit(cells[cell]! - 1);
    const highest = cells[cell + 1]! - 1;
    if (stream === null || highest < 0) continue;
    stream.window.resume(highest);
    stream.sequenceOffset = cells[cell + 2]!;
    stream.skipped = RTP_SKIPPED;
  }
  return cells[0]! + RTCP_SKIPPED;
}
