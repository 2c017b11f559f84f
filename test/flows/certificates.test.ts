/** What the status says of a proxy's certificate. The clock of these conversations stands at the begin of 1970. */
import { expect, test } from "bun:test";
import { type Issued, type IssueOptions, issue } from "../peers/certificates.ts";
import { type Document, Place, sliceOf } from "./place.ts";

const FQDN = "mobydick.example.com";
const root = await issue({ name: "Root", from: "1969-01-01", until: "2000-01-01" });

const leaf = (o: Partial<IssueOptions>) =>
  issue({ name: FQDN, issuer: root, names: [FQDN], from: "1969-12-01", until: "1971-01-01", ...o });
const withRoot = ({ certificatePem: pem, keyPem: certificateKey }: Issued): Document => ({
  certificatePem: root.certificatePem + pem,
  certificateKey,
});

test("warns of an expiry 21 days before, and takes each new certificate at the reload", async () => {
  const place = await Place.open({ proxy: withRoot(await leaf({ until: "1970-01-15" })) });
  const told = () => place.status.warnings.map(({ code, text }) => [code, text]);
  const reload = (proxy: Document) => place.proxy.reload(sliceOf({ proxy }), place.status.config);
  expect(told()).toEqual([
    ["certificate-expires", "the certificate expires in 13 days, on 1970-01-15"],
  ]);
  await reload(withRoot(await leaf({ until: "1970-01-01" })));
  expect(told()).toEqual([["certificate-expired", "the certificate expired on 1970-01-01"]]);
  await reload(withRoot(await leaf({})));
  expect(told()).toEqual([]);
  await reload({ ...withRoot(await leaf({})), fqdn: "other.example.com" });
  expect(told()).toEqual([["certificate-name", "the certificate is not for other.example.com"]]);
  const { certificatePem, keyPem } = await leaf({});
  await reload({ certificatePem, certificateKey: keyPem });
  expect(told()).toEqual([
    ["certificate-chain", "the certificate of its issuer is missing in the chain: CN=Root"],
  ]);
});

test("the one that was made for the proxy warns of nothing", async () => {
  const place = await Place.open();
  expect(place.status.warnings).toEqual([]);
});
