/** One JSON line for each result as it comes, and the short table at the end. */
import { loadAverage } from "./cost.ts";

type Row = readonly [what: string, pequod: string, peer: string, ratio: string];

const rows: Row[] = [];

/** A result as a JSON line. */
export function tell(bench: string, result: object): void {
  console.log(JSON.stringify({ bench, ...result, load: loadAverage() }));
}

/** A line of the table; the ratio is Pequod's figure to the peer's. */
export function row(what: string, unit: string, pequod: number, peer: number | null): void {
  const show = (value: number): string => `${Number(value.toPrecision(3))} ${unit}`.trim();
  const ratio = peer === null || peer === 0 ? "" : (pequod / peer).toFixed(2);
  rows.push([what, show(pequod), peer === null ? "" : show(peer), ratio]);
}

export function printTable(): void {
  const all: Row[] = [["", "Pequod", "peer", "ratio"], ...rows];
  const widths = [0, 1, 2].map((at) => Math.max(...all.map((cells) => cells[at]?.length ?? 0)));
  console.log("");
  for (const cells of all) {
    console.log(cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  "));
  }
}
