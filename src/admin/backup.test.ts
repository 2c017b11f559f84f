import { expect, test } from "bun:test";
import { configSchema } from "../config/config.ts";
import { type BackupContent, formatBackup, parseBackup } from "./backup.ts";

const document = configSchema.parse({
  version: 1,
  instances: [{ name: "mycompany", address: "10.0.3.150" }],
  proxies: [{ name: "dmz", fqdn: "mobydick.example.com" }],
});
const content: BackupContent = {
  takenAt: "2026-01-02T00:00:00.000Z",
  proxy: document.proxies[0]!,
  instances: document.instances,
  state: { "flow-keys.json": '[{"number":1}]' },
};
const random = (lengthBytes: number) => new Uint8Array(lengthBytes).fill(7);
const PASSPHRASE = "correct horse";

const typeOf = (outcome: Awaited<ReturnType<typeof parseBackup>>) =>
  outcome.ok ? "read" : outcome.refusal.type;

test("what was backed up by passphrase comes back, and the file shows nothing of it", async () => {
  const file = await formatBackup(content, PASSPHRASE, random);
  expect(await parseBackup(file, PASSPHRASE)).toEqual({ ok: true, value: content });
  const text = Buffer.from(file).toString("latin1");
  expect(text.startsWith('PEQUOD-BACKUP 1\n{"cipher":"xchacha20poly1305"')).toBe(true);
  expect(text).not.toContain("mobydick");
});

/** The cheapest cost that is read, to save time. */
const cheap = (passphrase: string | null) => formatBackup(content, passphrase, random, 2 ** 14);

test("a passphrase may be typed in either form of Unicode", async () => {
  const file = await cheap("gr\u00fcn-gr\u00fcn");
  expect(typeOf(await parseBackup(file, "gru\u0308n-gru\u0308n"))).toBe("read");
});

test("a plain backup can be read by anybody, with or without a passphrase", async () => {
  const file = await cheap(null);
  expect(Buffer.from(file).toString()).toContain('"mobydick.example.com"');
  expect(await parseBackup(file, null)).toEqual({ ok: true, value: content });
  expect(typeOf(await parseBackup(file, "anything"))).toBe("read");
});

test("the wrong passphrase, or none, is told as that", async () => {
  const file = await cheap(PASSPHRASE);
  expect(typeOf(await parseBackup(file, "correct hors"))).toBe("wrong-passphrase");
  expect(typeOf(await parseBackup(file, null))).toBe("wrong-passphrase");
});

test.each([
  ["plain", null, "damaged-backup"],
  ["encrypted", PASSPHRASE, "wrong-passphrase"],
] as const)("a %s file with any one byte changed is refused", async (_, passphrase, type) => {
  const file = await cheap(passphrase);
  const headLength = file.indexOf(10, 16) + 1;
  const places = [0, 15, 30, headLength - 3, headLength, headLength + 99, file.length - 1];
  for (const at of places) {
    const damaged = Uint8Array.from(file);
    damaged[at]! ^= 1;
    expect(["damaged-backup", type]).toContain(typeOf(await parseBackup(damaged, passphrase)));
  }
});

test.each([
  ["nothing", ""],
  ["another file", "%PDF-1.7\n"],
  ["a later version", "PEQUOD-BACKUP 2\n{}\n"],
  ["a head without end", `PEQUOD-BACKUP 1\n{${" ".repeat(5000)}}`],
  ["a head that is no JSON", "PEQUOD-BACKUP 1\nxyz\n"],
  ["a head of an unknown cipher", 'PEQUOD-BACKUP 1\n{"cipher":"rot13"}\n'],
  [
    "a cost that would take all memory",
    `PEQUOD-BACKUP 1\n${JSON.stringify({
      cipher: "xchacha20poly1305",
      scryptCost: 2 ** 30,
      salt: "AAAAAAAAAAAAAAAAAAAAAA==",
      nonce: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    })}\n`,
  ],
])("%s is no backup", async (_, text) => {
  expect(typeOf(await parseBackup(Buffer.from(text), PASSPHRASE))).toBe("damaged-backup");
});

test("a cut file is refused at every length", async () => {
  const file = await cheap(null);
  for (let length = 0; length < file.length; length += 37) {
    expect(typeOf(await parseBackup(file.subarray(0, length), null))).toBe("damaged-backup");
  }
});

test("content with an unknown file of state is refused: it would be written to the disk", async () => {
  const odd = { ...content, state: { "../../etc/passwd": "x" } } as BackupContent;
  const file = await formatBackup(odd, null, random);
  expect(typeOf(await parseBackup(file, null))).toBe("damaged-backup");
});
