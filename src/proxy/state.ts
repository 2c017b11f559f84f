/**
 * What a proxy keeps over restarts (the --state folder): the key of its flow tokens, that of its provisioning
 * URLs and the certificate that was made for it. Files come through the passed-in store.
 */
import { X509Certificate } from "node:crypto";
import { orderedChain } from "../config/certificate.ts";
import type { ProxyConfig } from "../config/config.ts";
import type { JournalFile } from "../io/journal-file.ts";
import type { Identity } from "../io/types.ts";
import type { TokenKey } from "../sip/flow-token.ts";
import { selfSignedIdentity } from "../tls/self-signed.ts";

/** One small secret text a name; write() is atomic and mode 0600. */
export type StateStore = {
  read(name: string): string | null;
  write(name: string, text: string): void;
  journal(name: string): JournalFile;
};

const FLOW_KEYS = "flow-keys.json";
const PROVISIONING_KEY = "provisioning-key";
const CERTIFICATE = "certificate.pem";
const CERTIFICATE_KEY = "certificate-key.pem";
const KEY_BYTES = 32;
/** Old phones compute certificate dates in signed 32 bits: nothing beyond January 2038. */
const VALID_DAYS = 3650;

/** The state folder holds what we cannot go on with; `message` is one clear line for the operator. */
export class StateError extends Error {
  override readonly name = "StateError";
}

type Random = (lengthBytes: number) => Uint8Array;

/** Tokens lie in the instances' location tables, so the key outlives the process. */
export function flowKeys(store: StateStore, random: Random): TokenKey[] {
  const stored = store.read(FLOW_KEYS);
  if (stored !== null) return parseFlowKeys(stored);
  const key = { number: 1, secret: random(KEY_BYTES) };
  const secret = Buffer.from(key.secret).toString("base64");
  store.write(FLOW_KEYS, `${JSON.stringify([{ number: key.number, secret }])}\n`);
  return [key];
}

/** A damaged file ends the start: a new key would silently cut off every registered phone. */
function parseFlowKeys(text: string): TokenKey[] {
  const damaged = `${FLOW_KEYS} is damaged; without it every phone has to register again`;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new StateError(damaged, { cause: error });
  }
  if (!Array.isArray(parsed) || parsed.length === 0) throw new StateError(damaged);
  return parsed.map((entry: { number?: unknown; secret?: unknown } | null) => {
    const secret = Buffer.from(String(entry?.secret), "base64");
    const number = entry?.number;
    if (!isKeyNumber(number) || secret.length !== KEY_BYTES) throw new StateError(damaged);
    return { number, secret };
  });
}

/**
 * The configured key of encrypted provisioning URLs, else the one made when there was none. As with flow keys a
 * damaged file ends the start: a new key would silently cut off every phone that has its URL.
 */
export function provisioningKey(
  config: Pick<ProxyConfig, "provisioningKey">,
  store: Pick<StateStore, "read" | "write">,
  random: Random,
): Uint8Array {
  const text = config.provisioningKey ?? store.read(PROVISIONING_KEY);
  if (text !== null) {
    const key = Buffer.from(text, "base64");
    if (key.length === KEY_BYTES) return key;
    throw new StateError(`${PROVISIONING_KEY} is damaged; without it phones' URLs lead nowhere`);
  }
  const key = random(KEY_BYTES);
  store.write(PROVISIONING_KEY, `${Buffer.from(key).toString("base64")}\n`);
  return key;
}

/** Four bits of a token. */
function isKeyNumber(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 15;
}

/** The configured certificate, else the self-signed one, made when there is none for this name. */
export async function identityOf(
  config: ProxyConfig,
  store: StateStore,
  o: { readonly random: Random; readonly nowMs: number },
): Promise<Identity> {
  if (config.certificatePem !== null && config.certificateKey !== null) {
    const keyPem = config.certificateKey;
    return { certificatePem: orderedChain(config.certificatePem, keyPem), keyPem };
  }
  const certificatePem = store.read(CERTIFICATE);
  const keyPem = store.read(CERTIFICATE_KEY);
  if (certificatePem !== null && keyPem !== null && isFor(certificatePem, keyPem, config.fqdn)) {
    return { certificatePem, keyPem };
  }
  // A day back, for phones whose clock is slow.
  const notBefore = new Date(o.nowMs - 86_400_000);
  const serial = o.random(16);
  const made = await selfSignedIdentity({ fqdn: config.fqdn, notBefore, days: VALID_DAYS, serial });
  store.write(CERTIFICATE_KEY, made.keyPem);
  store.write(CERTIFICATE, made.certificatePem);
  return made;
}

function isFor(certificatePem: string, keyPem: string, fqdn: string): boolean {
  try {
    const certificate = new X509Certificate(certificatePem);
    const covers = certificate.checkHost(fqdn) ?? certificate.checkIP(fqdn);
    return covers !== undefined && keyPem.includes("PRIVATE KEY");
  } catch {
    return false;
  }
}
