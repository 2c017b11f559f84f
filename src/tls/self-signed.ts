/**
 * Makes self-signed certificates (RFC 5280). That of a proxy that was given none is RSA 2048 with SHA-256,
 * since old desk phones know neither elliptic curves nor longer keys at a bearable speed; that of the admin,
 * which only browsers and programs see, is P-256. Nothing is stored here.
 */
import "reflect-metadata";
import { isIP } from "node:net";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type GeneralNameType,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { Identity } from "../io/types.ts";

export type SelfSignedOptions = {
  /** Host name, then it and *.NAME are in the certificate; or an IP address, then only that. */
  readonly fqdn: string;
  readonly notBefore: Date;
  readonly days: number;
  /** Random bytes, 8 to 20; the first byte is made 1 to 127, since a serial number is positive. */
  readonly serial: Uint8Array;
};

const DAY_MS = 86_400_000;
const LONGEST_COMMON_NAME = 64;
const RSA_2048 = {
  name: "RSASSA-PKCS1-v1_5",
  hash: "SHA-256",
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength: 2048,
};

const P_256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** A new key and its certificate. Takes some 50-500 ms of CPU in a thread of its own (key generation). */
export function selfSignedIdentity(options: SelfSignedOptions): Promise<Identity> {
  const { fqdn, ...rest } = options;
  return makeIdentity(RSA_2048, { ...rest, name: fqdn, alternativeNames: alternativeNames(fqdn) });
}

/** P-256, for all these host names and IP addresses; the first one is the common name. */
export function selfSignedServerIdentity(
  options: Omit<SelfSignedOptions, "fqdn"> & { readonly names: readonly string[] },
): Promise<Identity> {
  const { names, ...rest } = options;
  return makeIdentity(P_256, {
    ...rest,
    name: names[0] ?? "pequod",
    alternativeNames: names.map(alternativeName),
  });
}

type CertificateOptions = Omit<SelfSignedOptions, "fqdn"> & {
  readonly name: string;
  readonly alternativeNames: JsonGeneralName[];
};

async function makeIdentity(
  algorithm: typeof RSA_2048 | typeof P_256,
  options: CertificateOptions,
): Promise<Identity> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  // Only RSA can encipher keys (RFC 5280 section 4.2.1.3).
  const rsaUsage = algorithm === RSA_2048 ? KeyUsageFlags.keyEncipherment : 0;
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      keys,
      name: commonName(options.name),
      serialNumber: serialNumber(options.serial),
      notBefore: options.notBefore,
      notAfter: new Date(options.notBefore.getTime() + options.days * DAY_MS),
      signingAlgorithm: algorithm,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature | rsaUsage, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
        new SubjectAlternativeNameExtension(options.alternativeNames),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    crypto,
  );
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    certificatePem: `${certificate.toString("pem")}\n`,
    keyPem: `${PemConverter.encode(pkcs8, "PRIVATE KEY")}\n`,
  };
}

function alternativeName(value: string): JsonGeneralName {
  if (isIP(value) !== 0) return { type: "ip", value };
  return { type: "dns" satisfies GeneralNameType, value };
}

function alternativeNames(fqdn: string): JsonGeneralName[] {
  const names = isIP(fqdn) !== 0 ? [fqdn] : [fqdn, `*.${fqdn}`];
  return names.map(alternativeName);
}

/** A common name has at most 64 characters (RFC 5280 appendix A.1); clients look at the SAN anyway. */
function commonName(fqdn: string): Name {
  return new Name([{ CN: [fqdn.length <= LONGEST_COMMON_NAME ? fqdn : "pequod"] }]);
}

function serialNumber(serial: Uint8Array): string {
  const positive = Buffer.from(serial);
  positive[0] = ((positive[0] ?? 0) & 0x7f) | 0x01;
  return positive.toString("hex");
}
