/**
 * Reads certificates and keys in PEM and finds out whether they belong together. Validity dates do not
 * matter here: an expired certificate is a warning while running, never a document that is refused.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";

/** The fields of a proxy that a certificate's problem belongs to. */
export type CertificateProblem = {
  readonly field: "certificatePem" | "certificateKey";
  readonly message: string;
};

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
const BEGINNING = /-----BEGIN CERTIFICATE-----/g;

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
 * The chain in the order TLS sends it (RFC 8446 section 4.4.2): the certificate of the key first, then each
 * issuer; what does not belong to the chain comes last. Throws when pairProblems() finds anything.
 */
export function orderedChain(certificatePem: string, keyPem: string): string {
  const rest = readChain(certificatePem);
  const key = readKey(keyPem);
  if (typeof key === "string") throw new Error(`certificateKey ${key}`);
  const chain: X509Certificate[] = [];
  let next = leafIndex(rest, key);
  if (next === -1) throw new Error("certificateKey does not belong to certificatePem");
  while (next !== -1) {
    const [certificate] = rest.splice(next, 1);
    if (certificate === undefined) break;
    chain.push(certificate);
    next = rest.findIndex((candidate) => certificate.checkIssued(candidate));
  }
  return [...chain, ...rest].map((certificate) => certificate.toString()).join("");
}

function leafIndex(chain: readonly X509Certificate[], key: KeyObject): number {
  return chain.findIndex((certificate) => certificate.checkPrivateKey(key));
}

function readChain(pem: string): X509Certificate[] {
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
  try {
    return createPrivateKey(pem);
  } catch {
    return "cannot be read as a private key";
  }
}
