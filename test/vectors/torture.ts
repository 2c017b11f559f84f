/**
 * The test messages of RFC 4475 (SIP) and RFC 5118 (SIP over IPv6), one file each, with the bytes of the
 * wire. Two differ from the archives inside those RFCs: baddn.dat has the empty line that its text has and
 * its archived copy lacks, and the RFC 5118 messages, archived with bare LF, have CRLF and the
 * Content-Length that follows from it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type TortureRfc = "rfc4475" | "rfc5118";

const folderOf = (rfc: TortureRfc): string => join(import.meta.dir, rfc);

export function tortureNames(rfc: TortureRfc): string[] {
  return readdirSync(folderOf(rfc))
    .map((name) => name.replace(/\.dat$/, ""))
    .sort();
}

export function tortureMessage(rfc: TortureRfc, name: string): Buffer {
  return readFileSync(join(folderOf(rfc), `${name}.dat`));
}
