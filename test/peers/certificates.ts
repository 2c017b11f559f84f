/** An authority for tests: certificates with any names, dates, keys and faults, from @peculiar/x509. */
import "reflect-metadata";
import { isIP } from "node:net";
import {
  BasicConstraintsExtension,
  type JsonGeneralNames,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { Identity } from "../../src/io/types.ts";

export type Issued = Identity & {
  readonly subject: string;
  readonly keys: CryptoKeyPair;
  readonly algorithm: Algorithm;
};

const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
type Algorithm = typeof EC | ReturnType<typeof rsa>;

export const rsa = (bits: number) => ({
  name: "RSASSA-PKCS1-v1_5",
  hash: "SHA-256",
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength: bits,
});

export type IssueOptions = {
  readonly name: string;
  /** Null = self-signed. */
  readonly issuer?: Issued | null;
  /** Host names and addresses of subjectAltName. */
  readonly names?: readonly string[];
  readonly from?: string;
  readonly until?: string;
  readonly algorithm?: Algorithm;
  /** What the issuer signs with, else SHA-256. */
  readonly hash?: string;
};

const general = (names: readonly string[]): JsonGeneralNames =>
  names.map((value) => ({ type: isIP(value) === 0 ? "dns" : "ip", value }));

/** An RSA key of webcrypto signs with one hash only. */
async function withHash(key: CryptoKey, algorithm: Algorithm): Promise<CryptoKey> {
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", key);
  return crypto.subtle.importKey("pkcs8", pkcs8, algorithm, false, ["sign"]);
}

let serial = 1;

export async function issue(o: IssueOptions): Promise<Issued> {
  const algorithm = o.algorithm ?? EC;
  const issuer = o.issuer ?? null;
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const isAuthority = o.names === undefined;
  const signing = { ...(issuer?.algorithm ?? algorithm), hash: o.hash ?? "SHA-256" };
  serial += 1;
  const certificate = await X509CertificateGenerator.create(
    {
      notBefore: new Date(o.from ?? "2020-01-01"),
      notAfter: new Date(o.until ?? "2037-01-01"),
      serialNumber: serial.toString(16).padStart(4, "0"),
      subject: `CN=${o.name}`,
      issuer: `CN=${issuer?.subject ?? o.name}`,
      publicKey: keys.publicKey,
      signingKey: await withHash((issuer?.keys ?? keys).privateKey, signing),
      signingAlgorithm: signing,
      extensions: [
        new BasicConstraintsExtension(isAuthority, undefined, true),
        ...(o.names === undefined ? [] : [new SubjectAlternativeNameExtension(general(o.names))]),
      ],
    },
    crypto,
  );
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    certificatePem: `${certificate.toString("pem")}\n`,
    keyPem: `${PemConverter.encode(pkcs8, "PRIVATE KEY")}\n`,
    subject: o.name,
    keys,
    algorithm,
  };
}
