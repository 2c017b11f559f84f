/**
 * Every text of the pages, by key and language. English hints of fields are the descriptions of the schema,
 * so that manual, schema and pages say the same; all else stands in the JSON files beside. What the check
 * of the configuration says in English is translated by its pattern.
 */
import type { Finding } from "../../health/calls.ts";
import type { Refusal } from "../outcome.ts";
import findingsDe from "./findings.de.json" with { type: "json" };
import hintsDe from "./hints.de.json" with { type: "json" };
import labelsDe from "./labels.de.json" with { type: "json" };
import labelsEn from "./labels.en.json" with { type: "json" };
import optionsDe from "./options.de.json" with { type: "json" };
import optionsEn from "./options.en.json" with { type: "json" };
import problemsDe from "./problems.de.json" with { type: "json" };
import problemsEn from "./problems.en.json" with { type: "json" };
import textsDe from "./texts.de.json" with { type: "json" };
import textsEn from "./texts.en.json" with { type: "json" };

export const LANGUAGES = ["en", "de"] as const;
export type Language = (typeof LANGUAGES)[number];
export type TextKey = keyof typeof textsEn;
export type Values = Readonly<Record<string, string | number>>;
/** The text of that key with its `{names}` filled in. */
export type Translate = (key: TextKey, values?: Values) => string;

/** A field as far as its texts go: `proxy.network.address`. */
type Told = { readonly of: string; readonly path: string; readonly description: string };
type Table = Readonly<Record<string, string>>;

const TEXTS: Readonly<Record<Language, Readonly<Record<TextKey, string>>>> = {
  en: textsEn,
  de: textsDe,
};
const LABELS: Readonly<Record<Language, Table>> = { en: labelsEn, de: labelsDe };
const OPTIONS: Readonly<Record<Language, Readonly<Record<string, Table>>>> = {
  en: optionsEn,
  de: optionsDe,
};
const HINTS_DE: Table = hintsDe;

export function translator(language: Language): Translate {
  const texts = TEXTS[language];
  return (key, values = {}) =>
    texts[key].replace(/\{([a-zA-Z]+)\}/g, (all, name: string) => String(values[name] ?? all));
}

const keyOf = ({ of, path }: Pick<Told, "of" | "path">): string => `${of}.${path}`;

/** The name of a field; its path where it has none (a test finds out). */
export function labelOf(language: Language, field: Pick<Told, "of" | "path">): string {
  return LABELS[language][keyOf(field)] ?? field.path;
}

/** The word for a value of a choice; the value itself where it has none. */
export function optionOf(
  language: Language,
  field: Pick<Told, "of" | "path">,
  value: string,
): string {
  return OPTIONS[language][keyOf(field)]?.[value] ?? value;
}

/** One or two sentences: what the field means, and its default. */
export function hintOf(language: Language, field: Told): string {
  if (language === "de") return HINTS_DE[keyOf(field)] ?? field.description;
  return field.description
    .replace(/ ?Required\.$/, "")
    .replace(
      /(?<=\. )Default (?:null = )?(.*)\.$/,
      (_, words: string) => `Default: ${told(field, words)}.`,
    );
}

/** The word of a default as the page shows it, not as the document spells it. */
function told(field: Told, words: string): string {
  const plain: Table = { null: "none", true: "yes", false: "no", '"all"': "all" };
  return plain[words] ?? optionOf("en", field, words);
}

type Pattern = { readonly test: RegExp; readonly text: string };

function patternOf([english, text]: readonly [string, string]): Pattern {
  const escaped = english.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{\}/g, "(.*)");
  return { test: new RegExp(`^${escaped}$`), text };
}

/** Patterns with fewer holes first: they say more. */
const holes = (text: string): number => text.split("{}").length;
const patterns = (table: Table): readonly Pattern[] =>
  Object.entries(table)
    .sort(([a], [b]) => holes(a) - holes(b) || b.length - a.length)
    .map(patternOf);
/** English as it comes, but for what the operating system says. */
const PROBLEMS: Readonly<Record<Language, readonly Pattern[]>> = {
  en: patterns(problemsEn),
  de: patterns(problemsDe),
};

/**
 * What is wrong with a value, or with something that was tried, in that language; in English where there is
 * no translation.
 */
export function problemText(language: Language, message: string): string {
  for (const { test, text } of PROBLEMS[language]) {
    const found = test.exec(message);
    if (found === null) continue;
    let hole = 0;
    return text.replace(/\{\}/g, () => {
      hole += 1;
      return found[hole] ?? "";
    });
  }
  return message;
}

/** What is wrong with a call; one that a newer proxy tells in its own words. */
export function findingText(language: Language, { code, text }: Finding): string {
  return language === "de" ? ((findingsDe as Table)[code] ?? text) : text;
}

/** What was refused; `detail` (English) is added where it says more than the waiting time. */
export function refusalText(t: Translate, { type, detail, retryAfterSeconds }: Refusal): string {
  const words = [t(`refusal.${type}`)];
  if (retryAfterSeconds !== null) words.push(t("error.wait", { seconds: retryAfterSeconds }));
  else if (detail !== null) words.push(detail);
  return words.join(" ");
}

/** The language asked for by cookie, else the first known one of Accept-Language (RFC 9110 §12.5.4). */
export function chooseLanguage(cookie: string | undefined, accept: string | undefined): Language {
  const chosen = LANGUAGES.find((language) => language === cookie);
  if (chosen !== undefined) return chosen;
  const wanted = (accept ?? "")
    .slice(0, 500)
    .split(",")
    .map((range) => {
      const [tag = "", ...parameters] = range
        .trim()
        .toLowerCase()
        .split(/\s*;\s*/);
      const weight = Number(parameters.find((one) => one.startsWith("q="))?.slice(2) ?? 1);
      return { tag: tag.split("-")[0], weight };
    })
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight);
  for (const { tag } of wanted) {
    const known = LANGUAGES.find((language) => language === tag);
    if (known !== undefined) return known;
  }
  return "en";
}
