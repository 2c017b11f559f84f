/** The steps of the first set-up, as a row on top of each of its pages. */
import type { View } from "./view.ts";

export const STEPS = ["account", "instance", "proxy", "certificate", "apply"] as const;
export type Step = (typeof STEPS)[number];

export function WizardSteps({ view, current }: { view: View; current: Step }) {
  const place = STEPS.indexOf(current);
  const { t } = view;
  return (
    <ol class="steps" aria-label={t("setup.steps")}>
      {STEPS.map((step, at) => (
        <li
          class={at < place ? "past" : undefined}
          aria-current={step === current ? "step" : undefined}
        >
          {at > 0 && at < place ? (
            <a href={`/setup/${step}`}>{t(`setup.step-${step}`)}</a>
          ) : (
            t(`setup.step-${step}`)
          )}
        </li>
      ))}
    </ol>
  );
}
