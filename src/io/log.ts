/**
 * Log lines: one line an event on stderr, `level event key=value …`, ready for journald and grep.
 * Never a key or a password; values are quoted where they hold anything but plain characters, so that
 * a peer cannot forge a line.
 */
import type { Log, LogFields } from "./types.ts";

export type Level = "debug" | "info" | "warn" | "error";
const ORDER: Record<Level, number> = { debug: 0, info: 1, warn: 2, error: 3 };
/** sd-daemon(3): journald reads the priority from a prefix. */
const JOURNAL_PREFIX: Record<Level, string> = {
  debug: "<7>",
  info: "<6>",
  warn: "<4>",
  error: "<3>",
};
const PLAIN = /^[A-Za-z0-9_.:;@/+\-[\]]+$/;

function formatValue(value: string | number | boolean | null): string {
  const text = String(value).slice(0, 512);
  return PLAIN.test(text) ? text : JSON.stringify(text);
}

/** One line without its end. Undefined fields are left out. */
export function formatLine(level: Level, event: string, fields: LogFields): string {
  let line = `${level} ${event}`;
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) line += ` ${key}=${formatValue(value)}`;
  }
  return line;
}

export function makeLog(o: {
  readonly write: (line: string) => void;
  readonly minimum: Level;
  readonly journal: boolean;
  readonly fields?: LogFields;
}): Log {
  const base = o.fields ?? {};
  const put = (level: Level, event: string, fields: LogFields = {}): void => {
    if (ORDER[level] < ORDER[o.minimum]) return;
    const prefix = o.journal ? JOURNAL_PREFIX[level] : "";
    o.write(`${prefix}${formatLine(level, event, { ...base, ...fields })}\n`);
  };
  return {
    debug: (event, fields) => put("debug", event, fields),
    info: (event, fields) => put("info", event, fields),
    warn: (event, fields) => put("warn", event, fields),
    error: (event, fields) => put("error", event, fields),
    with: (fields) => makeLog({ ...o, fields: { ...base, ...fields } }),
  };
}
