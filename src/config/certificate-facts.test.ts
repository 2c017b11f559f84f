import { expect, test } from "bun:test";
import { type IssueOptions, issue, rsa } from "../../test/peers/certificates.ts";
import { orderedChain } from "./certificate.ts";
import {
  certificateFacts,
  certificateWarnings,
  coversName,
  judgeCertificate,
} from "./certificate-facts.ts";

const FQDN = "mobydick.example.com";
const NOW = Date.parse("2026-06-01T12:00:00Z");
const root = await issue({ name: "Root", algorithm: rsa(2048) });
const intermediate = await issue({ name: "Intermediate", issuer: root, algorithm: rsa(2048) });

const leafOf = (o: Partial<IssueOptions> = {}) =>
  issue({ name: FQDN, issuer: intermediate, names: [FQDN], ...o });
const good = await leafOf();

function warnings(chainPem: string, fqdn = FQDN, nowMs = NOW) {
  const judged = judgeCertificate(chainPem, fqdn);
  if (judged === null) throw new Error("no certificate");
  return certificateWarnings(judged, nowMs);
}
const codes = (chainPem: string, fqdn = FQDN): string[] =>
  warnings(chainPem, fqdn).map(({ code }) => code);
const withIssuer = (pem: string): string => pem + intermediate.certificatePem;

test("a good chain has no warning, with its root and without", () => {
  expect(codes(withIssuer(good.certificatePem))).toEqual([]);
  expect(codes(withIssuer(good.certificatePem) + root.certificatePem)).toEqual([]);
});

test("what a certificate says, for people", async () => {
  const leaf = await leafOf({ names: [FQDN, `*.${FQDN}`, "192.0.2.1", "2001:db8::1"] });
  expect(certificateFacts(withIssuer(leaf.certificatePem))).toEqual({
    subject: `CN=${FQDN}`,
    issuer: "CN=Intermediate",
    names: [FQDN, `*.${FQDN}`, "192.0.2.1", "2001:DB8:0:0:0:0:0:1"],
    validFrom: "2020-01-01T00:00:00.000Z",
    validUntil: "2037-01-01T00:00:00.000Z",
    isSelfSigned: false,
  });
  expect(certificateFacts("")).toBeNull();
  expect(judgeCertificate("", FQDN)).toBeNull();
});

test("a self-signed one has no issuer that could be missing", async () => {
  const own = await issue({ name: FQDN, names: [FQDN] });
  expect(codes(own.certificatePem)).toEqual([]);
  expect(certificateFacts(own.certificatePem)?.isSelfSigned).toBe(true);
});

test("21 days before the first certificate of the chain ends there is a warning, and after it another", async () => {
  const until = "2027-03-01T00:00:00Z";
  const at = (day: string) => warnings(chain, FQDN, Date.parse(day));
  let chain = withIssuer((await leafOf({ until })).certificatePem);
  expect(at("2027-02-07T23:59:59Z")).toEqual([]);
  expect(at("2027-02-08T00:00:00Z")).toEqual([
    {
      code: "certificate-expires",
      message: "the certificate expires in 21 days, on 2027-03-01",
    },
  ]);
  expect(at("2027-02-28T23:59:59Z")[0]?.message).toContain("in 0 days");
  expect(at(until)).toEqual([
    { code: "certificate-expired", message: "the certificate expired on 2027-03-01" },
  ]);
  const short = await issue({ name: "Short", issuer: root, until, algorithm: rsa(2048) });
  chain = (await leafOf({ issuer: short })).certificatePem + short.certificatePem;
  expect(at("2027-02-20")[0]?.code).toBe("certificate-expires");
});

test("a root that ended, or is signed with SHA-1, is nobody's concern: clients trust their own", async () => {
  const old = await issue({
    name: "Old",
    until: "2025-01-01",
    algorithm: rsa(2048),
    hash: "SHA-1",
  });
  const leaf = await leafOf({ issuer: old });
  expect(codes(leaf.certificatePem + old.certificatePem)).toEqual([]);
});

test("a certificate of the future is told", async () => {
  const { certificatePem } = await leafOf({ from: "2026-07-01" });
  expect(warnings(withIssuer(certificatePem))).toEqual([
    {
      code: "certificate-not-yet-valid",
      message: "the certificate is not valid before 2026-07-01",
    },
  ]);
});

test.each([
  [["*.example.com"], FQDN, true],
  [["*.example.com"], "example.com", false],
  [["*.example.com"], `a.${FQDN}`, false],
  [["m*.example.com"], FQDN, false],
  [["MOBYDICK.example.com"], FQDN, true],
  [["other.example.com", FQDN], FQDN, true],
  [["192.0.2.1"], "192.0.2.1", true],
  [["192.0.2.1"], "192.0.2.2", false],
  [["2001:db8::1"], "2001:db8:0::1", true],
  [[], FQDN, false],
  [[FQDN], "", false],
  [[FQDN], `${FQDN}\0.evil.example`, false],
] as const)("names %p are good for %s: %p", async (names, fqdn, isCovered) => {
  const { certificatePem } = await issue({ name: FQDN, issuer: intermediate, names });
  expect(coversName(certificatePem, fqdn)).toBe(isCovered);
  expect(codes(withIssuer(certificatePem), fqdn)).toEqual(isCovered ? [] : ["certificate-name"]);
});

test("a leaf alone lacks the certificate of its issuer, whatever else stood in the text", () => {
  const chain = orderedChain(root.certificatePem + good.certificatePem, good.keyPem);
  expect(warnings(chain)).toEqual([
    {
      code: "certificate-chain",
      message: "the certificate of its issuer is missing in the chain: CN=Intermediate",
    },
  ]);
});

test("SHA-1 in the leaf or in an intermediate is a warning", async () => {
  const weak = await leafOf({ hash: "SHA-1" });
  expect(codes(withIssuer(weak.certificatePem))).toEqual(["certificate-signature"]);
  const middle = await issue({ name: "M", issuer: root, algorithm: rsa(2048), hash: "SHA-1" });
  const under = await leafOf({ issuer: middle });
  expect(codes(under.certificatePem + middle.certificatePem)).toEqual(["certificate-signature"]);
});
