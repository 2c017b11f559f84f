import { beforeAll, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import "reflect-metadata";
import { PemConverter, X509CertificateGenerator } from "@peculiar/x509";
import { certificateProblems, orderedChain, pairProblems } from "./certificate.ts";

const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DATES = { notBefore: new Date("2020-01-01"), notAfter: new Date("2021-01-01") };

type Issued = { pem: string; keyPem: string; subject: string; keys: CryptoKeyPair };

/** A certificate that expired long ago, which makes no difference here. */
async function issue(name: string, issuer: Issued | null): Promise<Issued> {
  const keys = await crypto.subtle.generateKey(EC, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.create(
    {
      ...DATES,
      serialNumber: "01",
      subject: `CN=${name}`,
      issuer: `CN=${issuer?.subject ?? name}`,
      publicKey: keys.publicKey,
      signingKey: (issuer?.keys ?? keys).privateKey,
      signingAlgorithm: EC,
    },
    crypto,
  );
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    pem: `${certificate.toString("pem")}\n`,
    keyPem: PemConverter.encode(pkcs8, "PRIVATE KEY"),
    subject: name,
    keys,
  };
}

let root: Issued;
let intermediate: Issued;
let leaf: Issued;
let stranger: Issued;

beforeAll(async () => {
  root = await issue("Root", null);
  intermediate = await issue("Intermediate", root);
  leaf = await issue("mobydick.example.com", intermediate);
  stranger = await issue("Stranger", null);
});

const subjects = (pem: string) =>
  (pem.match(/-----BEGIN[^-]*-----[^-]*-----END CERTIFICATE-----/g) ?? []).map(
    (block) => new X509Certificate(block).subject,
  );

test("a key belongs to its certificate wherever that stands in the chain", () => {
  expect(pairProblems(leaf.pem + intermediate.pem, leaf.keyPem)).toEqual([]);
  expect(pairProblems(root.pem + intermediate.pem + leaf.pem, leaf.keyPem)).toEqual([]);
});

test("text around the certificates, as openssl prints it, does no harm", () => {
  expect(pairProblems(`subject=CN = x\n${leaf.pem}\n issuer=CN = y\n`, leaf.keyPem)).toEqual([]);
});

test("a key of somebody else is told at the key", () => {
  expect(pairProblems(leaf.pem + intermediate.pem, stranger.keyPem)).toEqual([
    { field: "certificateKey", message: "does not belong to any certificate in certificatePem" },
  ]);
});

test("an RSA key beside an EC certificate is a mismatch, not a crash", async () => {
  const { privateKey } = await crypto.subtle.generateKey(
    {
      name: "RSASSA-PKCS1-v1_5",
      hash: "SHA-256",
      publicExponent: new Uint8Array([1, 0, 1]),
      modulusLength: 2048,
    },
    true,
    ["sign", "verify"],
  );
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", privateKey);
  expect(pairProblems(leaf.pem, PemConverter.encode(pkcs8, "PRIVATE KEY"))).toEqual([
    { field: "certificateKey", message: "does not belong to any certificate in certificatePem" },
  ]);
});

test("a damaged certificate is told by its place", () => {
  const damaged = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
  expect(certificateProblems(leaf.pem + damaged)).toEqual(["certificate 2 cannot be read"]);
  expect(certificateProblems(leaf.pem + intermediate.pem)).toEqual([]);
});

test("a certificate without its last line is told", () => {
  expect(certificateProblems(leaf.pem + intermediate.pem.slice(0, 200))).toEqual([
    "a certificate has no -----END CERTIFICATE----- line",
  ]);
});

test("the chain is put in the order of TLS: the leaf, its issuer, the root", () => {
  const mixed = root.pem + leaf.pem + intermediate.pem;
  expect(subjects(orderedChain(mixed, leaf.keyPem))).toEqual([
    "CN=mobydick.example.com",
    "CN=Intermediate",
    "CN=Root",
  ]);
});

test("a certificate that is not of the chain comes last", () => {
  expect(subjects(orderedChain(stranger.pem + intermediate.pem + leaf.pem, leaf.keyPem))).toEqual([
    "CN=mobydick.example.com",
    "CN=Intermediate",
    "CN=Stranger",
  ]);
});

test("no chain is made with a key that does not belong to it", () => {
  expect(() => orderedChain(leaf.pem, stranger.keyPem)).toThrow(
    "certificateKey does not belong to certificatePem",
  );
});
