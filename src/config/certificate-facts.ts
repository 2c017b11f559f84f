/**
 * What a proxy's certificate says, for people, and what clients will not like about it at a given time. Takes
 * the chain as orderedChain() of certificate.ts gives it.
 */
import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { isSelfSigned, readChain } from "./certificate.ts";

export type CertificateFacts = {
  readonly subject: string;
  readonly issuer: string;
  /** Host names and IP addresses (subjectAltName, RFC 5280 section 4.2.1.6). */
  readonly names: readonly string[];
  /** ISO 8601. */
  readonly validFrom: string;
  /** ISO 8601: when the first certificate of the chain ends. */
  readonly validUntil: string;
  readonly isSelfSigned: boolean;
};

/** `message` is English and stands in the status; the admin translates it. */
export type CertificateWarning = { readonly code: string; readonly message: string };

const HOST_NAME = /^[0-9a-z_.-]+$/i;
const DAY_MS = 86_400_000;
const EXPIRY_WARNING_DAYS = 21;
/** Broken: MD5 since 2008, SHA-1 since 2017. */
const WEAK_SIGNATURE = /md5|sha1/i;

/** One line instead of one a part. */
const oneLine = (name: string): string => name.split("\n").join(", ");

/** Null = there is no certificate in the text. */
export function certificateFacts(chainPem: string): CertificateFacts | null {
  const chain = readChain(chainPem);
  const [leaf] = chain;
  if (leaf === undefined) return null;
  const untilMs = Math.min(...judgedOf(chain).map(({ validToDate }) => validToDate.getTime()));
  return {
    subject: oneLine(leaf.subject),
    issuer: oneLine(leaf.issuer),
    names: (leaf.subjectAltName ?? "")
      .split(", ")
      .flatMap((name) => /^(?:DNS|IP Address):(.+)$/.exec(name)?.[1] ?? []),
    validFrom: leaf.validFromDate.toISOString(),
    validUntil: new Date(untilMs).toISOString(),
    isSelfSigned: isSelfSigned(leaf),
  };
}

/** Whether the certificate is good for that name or address; common names do not count (RFC 9525 section 2). */
export function coversName(chainPem: string, name: string): boolean {
  const [leaf] = readChain(chainPem);
  return leaf !== undefined && covers(leaf, name);
}

function covers(leaf: X509Certificate, name: string): boolean {
  if (isIP(name) !== 0) return leaf.checkIP(name) !== undefined;
  // checkHost() throws at what is no host name.
  if (!HOST_NAME.test(name)) return false;
  return leaf.checkHost(name, { subject: "never", partialWildcards: false }) !== undefined;
}

/** A certificate, and what is wrong with it at any time. */
export type JudgedCertificate = {
  readonly facts: CertificateFacts;
  readonly lasting: readonly CertificateWarning[];
};

/** What clients that check it will object to, but for its dates. Null = there is no certificate. */
export function judgeCertificate(chainPem: string, fqdn: string): JudgedCertificate | null {
  const chain = readChain(chainPem);
  const [leaf] = chain;
  const facts = certificateFacts(chainPem);
  if (leaf === undefined || facts === null) return null;
  const lasting: CertificateWarning[] = [];
  if (!covers(leaf, fqdn)) {
    lasting.push({ code: "certificate-name", message: `the certificate is not for ${fqdn}` });
  }
  if (chain.length === 1 && !facts.isSelfSigned) {
    const message = `the certificate of its issuer is missing in the chain: ${facts.issuer}`;
    lasting.push({ code: "certificate-chain", message });
  }
  const weak = judgedOf(chain).map(signatureOf).find(isWeak);
  if (weak !== undefined) {
    const message = `the certificate is signed with ${weak}, which is broken`;
    lasting.push({ code: "certificate-signature", message });
  }
  return { facts, lasting };
}

/** What is to be told of it at that time, the dates first. */
export function certificateWarnings(
  { facts, lasting }: JudgedCertificate,
  nowMs: number,
): readonly CertificateWarning[] {
  return [...dateWarnings(facts, nowMs), ...lasting];
}

/** Expired, about to expire, or not valid yet; at most one. */
export function dateWarnings(
  { validFrom, validUntil }: CertificateFacts,
  nowMs: number,
): CertificateWarning[] {
  const [from, until] = [Date.parse(validFrom), Date.parse(validUntil)];
  const day = (iso: string): string => iso.slice(0, 10);
  if (until <= nowMs) {
    const message = `the certificate expired on ${day(validUntil)}`;
    return [{ code: "certificate-expired", message }];
  }
  if (from > nowMs) {
    const message = `the certificate is not valid before ${day(validFrom)}`;
    return [{ code: "certificate-not-yet-valid", message }];
  }
  if (until - nowMs > EXPIRY_WARNING_DAYS * DAY_MS) return [];
  const days = Math.floor((until - nowMs) / DAY_MS);
  const message = `the certificate expires in ${days} days, on ${day(validUntil)}`;
  return [{ code: "certificate-expires", message }];
}

/** Without the root at its end: clients trust theirs, whatever that one's date and signature are. */
function judgedOf(chain: readonly X509Certificate[]): readonly X509Certificate[] {
  const last = chain.at(-1);
  const hasRoot = chain.length > 1 && last !== undefined && isSelfSigned(last);
  return hasRoot ? chain.slice(0, -1) : chain;
}

const signatureOf = ({ signatureAlgorithm }: X509Certificate): string => signatureAlgorithm ?? "";
const isWeak = (algorithm: string): boolean => WEAK_SIGNATURE.test(algorithm);
