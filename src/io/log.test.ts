import { expect, test } from "bun:test";
import { formatLine, makeLog } from "./log.ts";

test("a line is level, event and fields; undefined fields are left out", () => {
  const line = formatLine("info", "ready", { proxy: "dmz", port: 5061, ok: true, none: undefined });
  expect(line).toBe("info ready proxy=dmz port=5061 ok=true");
});

test("a peer cannot forge a line or a field", () => {
  const line = formatLine("warn", "x", { user: 'a\nerror forged user="root"', uri: "sip:a b" });
  expect(line).toBe('warn x user="a\\nerror forged user=\\"root\\"" uri="sip:a b"');
});

test("long values are cut", () => {
  expect(formatLine("info", "x", { v: "a".repeat(5000) })).toBe(`info x v=${"a".repeat(512)}`);
});

test("lines below the minimum are not written, and fields are inherited", () => {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  const log = makeLog({ write, minimum: "info", journal: true }).with({ proxy: "dmz" });
  log.debug("hidden");
  log.error("seen", { callId: "1" });
  expect(lines).toEqual(["<3>error seen proxy=dmz callId=1\n"]);
});
