/**
 * What every TLS server of ours speaks, in one place: SIP, HTTPS, STARTTLS and the admin. TLS 1.3 with its own
 * suites, TLS 1.2 with forward secrecy and AEAD only (RFC 9325 section 4.2). Old phones, where they are
 * allowed, also get TLS 1.0 and 1.1 and the one suite that those can do with forward secrecy.
 */
import type { Identity } from "./types.ts";

/** Of TLS 1.2. ECDSA and RSA: which of them is met depends on the certificate. */
const MODERN = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
];

/** AEAD came with TLS 1.2: before it there is CBC and SHA-1 at best. */
const OLD = "ECDHE-RSA-AES128-SHA";

export const MODERN_CIPHERS = MODERN.join(":");

export type ServerTlsOptions = {
  readonly key: string;
  readonly cert: string;
  readonly minVersion: "TLSv1" | "TLSv1.2";
  readonly ciphers: string;
  /** Ours, not the client's: the old suite is never chosen by one who can do better. */
  readonly honorCipherOrder: true;
};

/** For tls.createServer(), setSecureContext() and createSecureContext(). */
export function serverTlsOptions(identity: Identity, allowsTls10 = false): ServerTlsOptions {
  return {
    key: identity.keyPem,
    cert: identity.certificatePem,
    minVersion: allowsTls10 ? "TLSv1" : "TLSv1.2",
    ciphers: allowsTls10 ? `${MODERN_CIPHERS}:${OLD}` : MODERN_CIPHERS,
    honorCipherOrder: true,
  };
}

/** Whether both would be the same to a client: then a new context would only make old tickets worthless. */
export function isSameServer(left: ServerTlsOptions | null, right: ServerTlsOptions): boolean {
  return (
    left?.key === right.key && left.cert === right.cert && left.minVersion === right.minVersion
  );
}
