import { expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { selfSignedIdentity, selfSignedServerIdentity } from "./self-signed.ts";

const serial = new Uint8Array([0xff, 2, 3, 4, 5, 6, 7, 8]);
const notBefore = new Date("2026-01-01T00:00:00Z");
const make = (fqdn: string) => selfSignedIdentity({ fqdn, notBefore, days: 365, serial });

test("the certificate of a host name holds it and all names below it", async () => {
  const { certificatePem, keyPem } = await make("mobydick.example.com");
  const certificate = new X509Certificate(certificatePem);
  expect(certificate.subject).toBe("CN=mobydick.example.com");
  expect(certificate.subjectAltName).toBe("DNS:mobydick.example.com, DNS:*.mobydick.example.com");
  expect(certificate.checkHost("mobydick.example.com")).toBe("mobydick.example.com");
  expect(certificate.checkHost("other.example.com")).toBeUndefined();
  expect(certificate.checkPrivateKey(createPrivateKey(keyPem))).toBe(true);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
});

test("it is RSA 2048, no authority, for servers, and valid as long as asked", async () => {
  const certificate = new X509Certificate((await make("mobydick.example.com")).certificatePem);
  expect(certificate.publicKey.asymmetricKeyType).toBe("rsa");
  expect(certificate.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
  expect(certificate.ca).toBe(false);
  expect(certificate.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
  expect(new Date(certificate.validFrom).toISOString()).toBe("2026-01-01T00:00:00.000Z");
  expect(new Date(certificate.validTo).toISOString()).toBe("2027-01-01T00:00:00.000Z");
});

test("its serial number is the one given, made positive", async () => {
  const certificate = new X509Certificate((await make("a.example.com")).certificatePem);
  expect(certificate.serialNumber).toBe("7F02030405060708");
});

test("the certificate of an address holds the address and no name", async () => {
  const four = new X509Certificate((await make("10.5.6.100")).certificatePem);
  expect(four.subjectAltName).toBe("IP Address:10.5.6.100");
  expect(four.checkIP("10.5.6.100")).toBe("10.5.6.100");
  const six = new X509Certificate((await make("fd00:1::5")).certificatePem);
  expect(six.subjectAltName).toBe("IP Address:FD00:1:0:0:0:0:0:5");
});

test("a name too long for a common name still stands in the certificate", async () => {
  const name = `${"a".repeat(60)}.example.com`;
  const certificate = new X509Certificate((await make(name)).certificatePem);
  expect(certificate.subject).toBe("CN=pequod");
  expect(certificate.subjectAltName).toBe(`DNS:${name}, DNS:*.${name}`);
});

test("two certificates never share a key", async () => {
  const [one, other] = await Promise.all([make("a.example.com"), make("a.example.com")]);
  expect(one?.keyPem).not.toBe(other?.keyPem);
});

test("that of the admin is P-256 and holds every name and address", async () => {
  const names = ["pequod", "10.0.0.10", "fd00::10"];
  const made = await selfSignedServerIdentity({ names, notBefore, days: 3650, serial });
  const certificate = new X509Certificate(made.certificatePem);
  expect(certificate.subject).toBe("CN=pequod");
  expect(certificate.subjectAltName).toBe(
    "DNS:pequod, IP Address:10.0.0.10, IP Address:FD00:0:0:0:0:0:0:10",
  );
  expect(certificate.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
  expect(certificate.checkPrivateKey(createPrivateKey(made.keyPem))).toBe(true);
  expect(certificate.checkIP("10.0.0.10")).toBe("10.0.0.10");
});
