import { beforeAll, expect, test } from "bun:test";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { type Issued, issue, rsa } from "../../test/peers/certificates.ts";
import { certificateProblems, orderedChain, pairProblems } from "./certificate.ts";

/** Certificates that expired long ago, which makes no difference here. */
const PAST = { from: "2020-01-01", until: "2021-01-01" };

let root: Issued;
let intermediate: Issued;
let leaf: Issued;
let stranger: Issued;

beforeAll(async () => {
  root = await issue({ name: "Root", ...PAST });
  intermediate = await issue({ name: "Intermediate", issuer: root, ...PAST });
  leaf = await issue({ name: "mobydick.example.com", issuer: intermediate, ...PAST });
  stranger = await issue({ name: "Stranger", ...PAST });
});

const subjects = (pem: string) =>
  (pem.match(/-----BEGIN[^-]*-----[^-]*-----END CERTIFICATE-----/g) ?? []).map(
    (block) => new X509Certificate(block).subject,
  );

test("a key belongs to its certificate wherever that stands in the chain", () => {
  expect(pairProblems(leaf.certificatePem + intermediate.certificatePem, leaf.keyPem)).toEqual([]);
  expect(
    pairProblems(
      root.certificatePem + intermediate.certificatePem + leaf.certificatePem,
      leaf.keyPem,
    ),
  ).toEqual([]);
});

test("text around the certificates, as openssl prints it, does no harm", () => {
  expect(
    pairProblems(`subject=CN = x\n${leaf.certificatePem}\n issuer=CN = y\n`, leaf.keyPem),
  ).toEqual([]);
});

test("a key of somebody else is told at the key", () => {
  expect(pairProblems(leaf.certificatePem + intermediate.certificatePem, stranger.keyPem)).toEqual([
    { field: "certificateKey", message: "does not belong to any certificate in certificatePem" },
  ]);
});

test("an RSA key beside an EC certificate is a mismatch, not a crash", async () => {
  const { keyPem } = await issue({ name: "Other", algorithm: rsa(2048) });
  expect(pairProblems(leaf.certificatePem, keyPem)).toEqual([
    { field: "certificateKey", message: "does not belong to any certificate in certificatePem" },
  ]);
});

test("a key is read in PKCS#8, PKCS#1 and SEC1, with EC parameters before it", async () => {
  const server = await issue({ name: "RSA", algorithm: rsa(2048) });
  const key = createPrivateKey(server.keyPem);
  const pkcs1 = key.export({ type: "pkcs1", format: "pem" }).toString();
  expect(pkcs1).toContain("-----BEGIN RSA PRIVATE KEY-----");
  expect(pairProblems(server.certificatePem, pkcs1)).toEqual([]);
  expect(
    pairProblems(server.certificatePem, key.export({ type: "pkcs8", format: "pem" }).toString()),
  ).toEqual([]);
  const sec1 = createPrivateKey(leaf.keyPem).export({ type: "sec1", format: "pem" }).toString();
  expect(sec1).toContain("-----BEGIN EC PRIVATE KEY-----");
  expect(pairProblems(leaf.certificatePem, sec1)).toEqual([]);
  const parameters =
    "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
  expect(pairProblems(leaf.certificatePem, parameters + sec1)).toEqual([]);
});

test("an encrypted key is refused in words, in both forms", () => {
  const key = createPrivateKey(leaf.keyPem);
  const message = "is encrypted with a passphrase; it is needed without";
  for (const type of ["pkcs8", "sec1"] as const) {
    const pem = key.export({ type, format: "pem", cipher: "aes-256-cbc", passphrase: "secret" });
    expect(pem).toContain("ENCRYPTED");
    expect(pairProblems(leaf.certificatePem, pem.toString())).toEqual([
      { field: "certificateKey", message },
    ]);
  }
});

test("a key that clients refuse is told: RSA below 2048 bits, and what is neither RSA nor EC", async () => {
  const short = await issue({ name: "Short", algorithm: rsa(1024) });
  expect(pairProblems(short.certificatePem, short.keyPem)).toEqual([
    { field: "certificateKey", message: "must have at least 2048 bits, not 1024" },
  ]);
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  expect(pairProblems(leaf.certificatePem, pem)).toEqual([
    { field: "certificateKey", message: "must be an RSA or an EC key" },
  ]);
});

test("a damaged certificate is told by its place", () => {
  const damaged = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
  expect(certificateProblems(leaf.certificatePem + damaged)).toEqual([
    "certificate 2 cannot be read",
  ]);
  expect(certificateProblems(leaf.certificatePem + intermediate.certificatePem)).toEqual([]);
});

test("a certificate without its last line is told", () => {
  expect(
    certificateProblems(leaf.certificatePem + intermediate.certificatePem.slice(0, 200)),
  ).toEqual(["a certificate has no -----END CERTIFICATE----- line"]);
});

test("the chain is put in the order of TLS: the leaf, its issuer, the root", () => {
  const mixed = root.certificatePem + leaf.certificatePem + intermediate.certificatePem;
  expect(subjects(orderedChain(mixed, leaf.keyPem))).toEqual([
    "CN=mobydick.example.com",
    "CN=Intermediate",
    "CN=Root",
  ]);
});

test("a certificate that is not of the chain is left out, and none comes twice", () => {
  const mixed =
    stranger.certificatePem +
    intermediate.certificatePem +
    leaf.certificatePem +
    intermediate.certificatePem +
    leaf.certificatePem;
  expect(subjects(orderedChain(mixed, leaf.keyPem))).toEqual([
    "CN=mobydick.example.com",
    "CN=Intermediate",
  ]);
  expect(subjects(orderedChain(root.certificatePem + root.certificatePem, root.keyPem))).toEqual([
    "CN=Root",
  ]);
});

test("of two issuers of one name the one that signed is taken", async () => {
  const namesake = await issue({ name: "Intermediate", issuer: root, ...PAST });
  const chain = orderedChain(
    namesake.certificatePem + intermediate.certificatePem + leaf.certificatePem,
    leaf.keyPem,
  );
  expect(chain).toContain(intermediate.certificatePem.trim());
  expect(chain).not.toContain(namesake.certificatePem.trim());
});

test("no chain is made with a key that does not belong to it", () => {
  expect(() => orderedChain(leaf.certificatePem, stranger.keyPem)).toThrow(
    "certificateKey does not belong to certificatePem",
  );
});
