/**
 * The file of a backup: one proxy with its secrets, its instances and what its process keeps. By passphrase
 * (scrypt, RFC 7914, then XChaCha20-Poly1305 with the head as associated text) or plain with a checksum.
 *
 *   PEQUOD-BACKUP 1 LF | head as JSON LF | body: the content as JSON, encrypted or not
 */
import { createHash, scrypt } from "node:crypto";
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { z } from "zod";
import { instanceSchema } from "../config/instance.ts";
import { proxySchema } from "../config/proxy.ts";
import { done, type Outcome, refused } from "./outcome.ts";

/** Files of a proxy's state folder that a backup takes along: they keep registered phones registered. */
export const STATE_FILES = ["flow-keys.json", "certificate.pem", "certificate-key.pem"] as const;

export const BACKUP_TYPE = "application/vnd.pequod.backup";
export const LONGEST_BACKUP_BYTES = 4_194_304;

const MAGIC = "PEQUOD-BACKUP 1\n";
const LONGEST_HEAD_BYTES = 1024;
const SALT_BYTES = 16;
const NONCE_BYTES = 24;
const KEY_BYTES = 32;
/** 64 MB and some 0.3 s for each guess. */
const COST = 2 ** 16;
/** What a file may ask for, so that none makes us run out of memory. */
const COSTS = [2 ** 14, 2 ** 15, 2 ** 16, 2 ** 17] as const;
const BLOCK_SIZE = 8;

const base64 = (lengthBytes: number) =>
  z.base64().refine((text) => Buffer.from(text, "base64").length === lengthBytes);

const headSchema = z.discriminatedUnion("cipher", [
  z.strictObject({ cipher: z.literal("none"), sha256: z.string() }),
  z.strictObject({
    cipher: z.literal("xchacha20poly1305"),
    scryptCost: z.literal(COSTS),
    salt: base64(SALT_BYTES),
    nonce: base64(NONCE_BYTES),
  }),
]);

const contentSchema = z.strictObject({
  takenAt: z.iso.datetime(),
  proxy: proxySchema,
  instances: z.array(instanceSchema),
  state: z.partialRecord(z.enum(STATE_FILES), z.string().max(262_144)),
});

type Head = z.infer<typeof headSchema>;
export type BackupContent = z.infer<typeof contentSchema>;

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function deriveKey(passphrase: string, salt: Uint8Array, cost: number): Promise<Uint8Array> {
  // The memory it needs is 128 * N * r bytes; the limit has to be above that.
  const options = { N: cost, r: BLOCK_SIZE, p: 1, maxmem: 256 * cost * BLOCK_SIZE };
  return new Promise((settle, fail) => {
    scrypt(passphrase.normalize("NFKC"), salt, KEY_BYTES, options, (error, key) =>
      error ? fail(error) : settle(key),
    );
  });
}

function formatHead(head: Head): Buffer {
  return Buffer.from(`${MAGIC}${JSON.stringify(head)}\n`);
}

/** `passphrase` null = plain. */
export async function formatBackup(
  content: BackupContent,
  passphrase: string | null,
  random: (lengthBytes: number) => Uint8Array,
  scryptCost: (typeof COSTS)[number] = COST,
): Promise<Uint8Array> {
  const text = Buffer.from(JSON.stringify(content));
  if (passphrase === null) {
    return Buffer.concat([formatHead({ cipher: "none", sha256: sha256(text) }), text]);
  }
  const salt = random(SALT_BYTES);
  const nonce = random(NONCE_BYTES);
  const head = formatHead({
    cipher: "xchacha20poly1305",
    scryptCost,
    salt: Buffer.from(salt).toString("base64"),
    nonce: Buffer.from(nonce).toString("base64"),
  });
  const key = await deriveKey(passphrase, salt, scryptCost);
  return Buffer.concat([head, xchacha20poly1305(key, nonce, head).encrypt(text)]);
}

type Parted = { readonly headBytes: Uint8Array; readonly head: Head; readonly body: Uint8Array };

function partFile(file: Uint8Array): Parted | null {
  const start = Buffer.from(file.subarray(0, MAGIC.length + LONGEST_HEAD_BYTES));
  if (start.toString("latin1", 0, MAGIC.length) !== MAGIC) return null;
  const end = start.indexOf("\n", MAGIC.length);
  if (end < 0) return null;
  try {
    const head = headSchema.safeParse(JSON.parse(start.toString("utf8", MAGIC.length, end)));
    if (!head.success) return null;
    return { headBytes: file.subarray(0, end + 1), head: head.data, body: file.subarray(end + 1) };
  } catch {
    return null;
  }
}

async function decrypt(
  { headBytes, head, body }: Parted,
  passphrase: string | null,
): Promise<Outcome<Uint8Array>> {
  if (head.cipher === "none") {
    return sha256(body) === head.sha256 ? done(body) : refused("damaged-backup");
  }
  if (passphrase === null) {
    return refused("wrong-passphrase", { detail: "The backup is encrypted; give its passphrase." });
  }
  const key = await deriveKey(passphrase, Buffer.from(head.salt, "base64"), head.scryptCost);
  try {
    const cipher = xchacha20poly1305(key, Buffer.from(head.nonce, "base64"), headBytes);
    return done(cipher.decrypt(body));
  } catch {
    return refused("wrong-passphrase");
  }
}

/** Refusals: damaged-backup, wrong-passphrase (an authenticated cipher cannot tell the two apart). */
export async function parseBackup(
  file: Uint8Array,
  passphrase: string | null,
): Promise<Outcome<BackupContent>> {
  const parted = file.length > LONGEST_BACKUP_BYTES ? null : partFile(file);
  if (parted === null) return refused("damaged-backup");
  const text = await decrypt(parted, passphrase);
  if (!text.ok) return text;
  try {
    const content = contentSchema.safeParse(JSON.parse(Buffer.from(text.value).toString()));
    if (content.success) return done(content.data);
    const problems = content.error.issues.map((issue) => ({
      path: issue.path.join("."),
      message: issue.message,
    }));
    return refused("damaged-backup", { problems });
  } catch {
    return refused("damaged-backup");
  }
}
