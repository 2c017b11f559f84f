/**
 * The secrets of a proxy: its certificate's key and the key of encrypted provisioning URLs. They never leave
 * by the API; what was sent in says what happens to them: missing = keep, null = make a new one. Both
 * stand in the document, so that the proxy, its backup and its restored copy use the same ones.
 */
import { createHash, createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { isSelfSigned, orderedChain } from "../config/certificate.ts";
import { certificateWarnings, judgeCertificate } from "../config/certificate-facts.ts";
import type { ProxyDocument } from "../config/proxy.ts";
import type { Identity } from "../io/types.ts";
import type { PublicProxy } from "./operations.ts";

/** Fields of PublicProxy that are told and never taken. */
const READ_ONLY = [
  "certificate",
  "certificateKeyFingerprint",
  "certificateSelfSigned",
  "provisioningKeySet",
];
const PROVISIONING_KEY_BYTES = 32;

type Fields = Readonly<Record<string, unknown>>;

/** The proxy as everybody who is signed in may see it. `nowMs` is what its certificate is judged by. */
export function publicProxy(proxy: ProxyDocument, nowMs: number): PublicProxy {
  const { certificateKey, provisioningKey, ...rest } = proxy;
  const certificate = certificateOf(proxy, nowMs);
  return {
    ...rest,
    certificate,
    certificateKeyFingerprint: certificateKey === null ? null : keyFingerprint(certificateKey),
    certificateSelfSigned: certificate?.isSelfSigned ?? false,
    provisioningKeySet: provisioningKey !== null,
  };
}

function certificateOf(proxy: ProxyDocument, nowMs: number): PublicProxy["certificate"] {
  const { certificatePem: pem, certificateKey: key, fqdn } = proxy;
  const judged =
    pem === null || key === null ? null : judgeCertificate(orderedChain(pem, key), fqdn);
  if (judged === null) return null;
  const warnings = certificateWarnings(judged, nowMs).map(({ message }) => message);
  return { ...judged.facts, warnings };
}

/** SHA-256 of the public key (SPKI, DER), upper-case hex with colons. `keyPem` is a valid key. */
export function keyFingerprint(keyPem: string): string {
  const spki = createPublicKey(createPrivateKey(keyPem)).export({ type: "spki", format: "der" });
  const hex = createHash("sha256").update(spki).digest("hex").toUpperCase();
  return hex.replace(/(..)(?!$)/g, "$1:");
}

function readCertificate(pem: string | null): X509Certificate | null {
  try {
    return pem === null ? null : new X509Certificate(pem);
  } catch {
    return null;
  }
}

/** Made by us for that name, see src/tls/self-signed.ts: no other certificate is replaced unasked. */
function isMadeFor(pem: string | null, fqdn: string): boolean {
  const certificate = readCertificate(pem);
  if (certificate === null || !isSelfSigned(certificate)) return false;
  const names = certificate.subjectAltName;
  return names === `DNS:${fqdn}, DNS:*.${fqdn}` || names === `IP Address:${fqdn}`;
}

/** Whether a new self-signed certificate is to be made for what was sent in. */
function wantsNewIdentity(sent: Fields, stored: ProxyDocument | null): boolean {
  const { certificateKey: key, certificatePem: pem, fqdn } = sent;
  if (typeof key === "string") return false;
  const isOldPem = pem === undefined || pem === (stored?.certificatePem ?? null);
  if (key === null || stored?.certificateKey == null) return isOldPem || pem === null;
  if (!isOldPem) return pem === null;
  return fqdn !== stored.fqdn && isMadeFor(stored.certificatePem, stored.fqdn);
}

export type CompletedProxy = {
  /** What was sent in, with secrets and the inside SIP port filled in; not checked. */
  readonly fields: Fields;
  /** true = `identity` was missing: certificate and key stand as null. */
  readonly needsIdentity: boolean;
};

/**
 * Completes what a client sent in for a proxy. `stored` null = the proxy is new. `freeSipPort` is given to
 * one that has none yet and then stays, since instances remember it.
 */
export function completeProxy(
  sent: Fields,
  stored: ProxyDocument | null,
  o: {
    readonly identity: Identity | null;
    readonly freeSipPort: number;
    random(lengthBytes: number): Uint8Array;
  },
): CompletedProxy {
  const fields: Record<string, unknown> = { ...sent };
  for (const name of READ_ONLY) delete fields[name];
  fields["provisioningKey"] = provisioningKeyFor(sent["provisioningKey"], stored, o.random);
  fields["inside"] = withSipPort(sent["inside"], stored?.inside.sipPort ?? o.freeSipPort);
  const isNew = wantsNewIdentity(sent, stored);
  if (isNew) {
    fields["certificatePem"] = o.identity?.certificatePem ?? null;
    fields["certificateKey"] = o.identity?.keyPem ?? null;
  } else {
    fields["certificatePem"] = sent["certificatePem"] ?? stored?.certificatePem ?? null;
    if (sent["certificateKey"] === undefined) fields["certificateKey"] = stored?.certificateKey;
  }
  return { fields, needsIdentity: isNew && o.identity === null };
}

function provisioningKeyFor(
  sent: unknown,
  stored: ProxyDocument | null,
  random: (lengthBytes: number) => Uint8Array,
): unknown {
  if (sent !== undefined && sent !== null) return sent;
  if (sent === undefined && stored?.provisioningKey) return stored.provisioningKey;
  return Buffer.from(random(PROVISIONING_KEY_BYTES)).toString("base64");
}

function withSipPort(inside: unknown, sipPort: number): unknown {
  if (inside === undefined) return { sipPort };
  if (typeof inside !== "object" || inside === null || Array.isArray(inside)) return inside;
  return "sipPort" in inside && inside.sipPort !== undefined ? inside : { ...inside, sipPort };
}
