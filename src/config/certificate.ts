/**
 * Reads certificates and keys in PEM and finds out whether they can be used together. What only time or the
 * proxy's name makes wrong does not matter here: an expired certificate is a warning (certificate-facts.ts),
 * never a document that is refused, since what runs today must start again tomorrow.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** The fields of a proxy that a certificate's problem belongs to. */
export type CertificateProblem = {
  readonly field: "certificatePem" | "certificateKey";
  readonly message: string;
};

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const BEGINNING = /-----BEGIN CERTIFICATE-----/g;
/** Shorter keys are refused by today's clients. */
const LEAST_RSA_BITS = 2048;

/** One message for each certificate of the text that cannot be read. */
export function certificateProblems(pem: string): string[] {
  const blocks = pem.match(CERTIFICATE) ?? [];
  if (blocks.length !== pem.match(BEGINNING)?.length) {
    return ["a certificate has no -----END CERTIFICATE----- line"];
  }
  return blocks.flatMap((block, index) =>
    readCertificate(block) === null ? [`certificate ${index + 1} cannot be read`] : [],
  );
}

/** What is wrong with a chain and its key, each or both. The leaf may stand at any place of the chain. */
export function pairProblems(certificatePem: string, keyPem: string): CertificateProblem[] {
  const problems: CertificateProblem[] = certificateProblems(certificatePem).map((message) => ({
    field: "certificatePem",
    message,
  }));
  const key = readKey(keyPem);
  if (typeof key === "string") return [...problems, { field: "certificateKey", message: key }];
  if (problems.length === 0 && leafIndex(readChain(certificatePem), key) === -1) {
    const message = "does not belong to any certificate in certificatePem";
    problems.push({ field: "certificateKey", message });
  }
  return problems;
}

/**
 * The chain as TLS sends it (RFC 5246 section 7.4.2, RFC 8446 section 4.4.2): the certificate of the key first,
 * then each issuer; what certifies none of them is left out, since old phones refuse a chain that is not one.
 * Throws when pairProblems() finds anything.
 */
export function orderedChain(certificatePem: string, keyPem: string): string {
  const key = readKey(keyPem);
  if (typeof key === "string") throw new Error(`certificateKey ${key}`);
  const all = readChain(certificatePem);
  let next = all[leafIndex(all, key)];
  if (next === undefined) throw new Error("certificateKey does not belong to certificatePem");
  const chain: X509Certificate[] = [];
  while (next !== undefined) {
    const certificate: X509Certificate = next;
    chain.push(certificate);
    next = isSelfSigned(certificate)
      ? undefined
      : all.find((other) => !chain.includes(other) && isIssuedBy(certificate, other));
  }
  return chain.map((certificate) => certificate.toString()).join("");
}

/** By name and by signature: an issuer may have had another key under the same name. */
function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && isSignedBy(certificate, issuer);
}

/** A server's own one must not sign certificates (keyUsage), and checkIssued() says no to that. */
export function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.issuer === certificate.subject && isSignedBy(certificate, certificate);
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.verify(issuer.publicKey);
  } catch {
    return false; // keys of different kinds
  }
}

function leafIndex(chain: readonly X509Certificate[], key: KeyObject): number {
  return chain.findIndex((certificate) => certificate.checkPrivateKey(key));
}

/** Those that can be read, in the order of the text. */
export function readChain(pem: string): X509Certificate[] {
  return (pem.match(CERTIFICATE) ?? []).flatMap((block) => readCertificate(block) ?? []);
}

function readCertificate(block: string): X509Certificate | null {
  try {
    return new X509Certificate(block);
  } catch {
    return null;
  }
}

/** The key, or what is wrong with it in words. */
function readKey(pem: string): KeyObject | string {
  if (/ENCRYPTED/.test(pem)) return "is encrypted with a passphrase; it is needed without";
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    return "cannot be read as a private key";
  }
  const { asymmetricKeyType: kind, asymmetricKeyDetails: details } = key;
  if (kind !== "rsa" && kind !== "ec") return "must be an RSA or an EC key";
  const bits = details?.modulusLength ?? LEAST_RSA_BITS;
  return bits < LEAST_RSA_BITS ? `must have at least ${LEAST_RSA_BITS} bits, not ${bits}` : key;
}
