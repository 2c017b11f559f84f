/** What a proxy's stored certificate says, and what its clients will not like about it. */
import { problemText } from "../i18n/texts.ts";
import type { SeenCertificate } from "../operations.ts";
import { valueAt } from "./form-values.ts";
import { timeText, type View } from "./view.ts";

export function CertificateBox({ view, stored }: { view: View; stored: unknown }) {
  const { t, language } = view;
  const certificate = valueAt(stored, "certificate") as SeenCertificate | null | undefined;
  if (!certificate) return null;
  const { subject, issuer, names, validFrom, validUntil, isSelfSigned, warnings } = certificate;
  const facts = [
    [t("certificate.subject"), subject],
    [t("certificate.names"), names.join(", ")],
    [t("certificate.issuer"), isSelfSigned ? t("certificate.itself") : issuer],
    [t("certificate.valid"), `${timeText(validFrom)} – ${timeText(validUntil)}`],
  ];
  return (
    <div class="certificate">
      {warnings.map((warning) => (
        <p class="problem">{problemText(language, warning)}</p>
      ))}
      <dl class="facts">
        {facts.map(([name, value]) => (
          <>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </>
        ))}
      </dl>
      {isSelfSigned && <p class="hint">{t("field.self-signed")}</p>}
    </div>
  );
}
