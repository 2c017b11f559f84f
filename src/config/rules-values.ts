/**
 * Rules within one proxy or instance that need more than the field itself: certificate and key belong
 * together, and no SRTP suite stands twice.
 */
import { certificateProblems, pairProblems } from "./certificate.ts";
import type { InstanceDocument } from "./instance.ts";
import type { Part, Parts, Problem } from "./parts.ts";
import type { ProxyDocument } from "./proxy.ts";

/** All rules of this file. */
export function valueProblems({ instances, proxies }: Parts): Problem[] {
  return [
    ...instances.flatMap(authorityProblems),
    ...proxies.flatMap(identityProblems),
    ...proxies.flatMap(suiteProblems),
  ];
}

function authorityProblems({
  path,
  fields: { sip, web, xmpp },
}: Part<InstanceDocument>): Problem[] {
  const texts = [
    [`${path}.sip.caPem`, sip?.caPem ?? null],
    [`${path}.web.caPem`, web?.caPem ?? null],
    [`${path}.xmpp.caPem`, xmpp?.caPem ?? null],
  ] as const;
  return texts.flatMap(([at, pem]) =>
    pem === null ? [] : certificateProblems(pem).map((message) => ({ path: at, message })),
  );
}

function identityProblems({ path, fields }: Part<ProxyDocument>): Problem[] {
  const { certificatePem: chain, certificateKey: key } = fields;
  if (chain === undefined || key === undefined) return [];
  if (chain === null && key === null) return [];
  if (key === null)
    return [{ path: `${path}.certificateKey`, message: "the certificate needs its key" }];
  if (chain === null) {
    return [{ path: `${path}.certificatePem`, message: "the key needs its certificate" }];
  }
  return pairProblems(chain, key).map(({ field, message }) => ({
    path: `${path}.${field}`,
    message,
  }));
}

function suiteProblems({ path, fields: { srtpSuites = [] } }: Part<ProxyDocument>): Problem[] {
  return srtpSuites.flatMap((suite, index) =>
    srtpSuites.indexOf(suite) < index
      ? [{ path: `${path}.srtpSuites[${index}]`, message: "is listed twice" }]
      : [],
  );
}
