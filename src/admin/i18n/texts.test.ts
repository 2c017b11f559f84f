import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as badFields from "../../../test/contract/bad-fields.ts";
import * as badNetworks from "../../../test/contract/bad-networks.ts";
import type { BadDocument } from "../../../test/contract/change.ts";
import { FINDINGS } from "../../health/calls.ts";
import { refusal } from "../outcome.ts";
import { type Field, fieldsOf } from "../pages/fields.ts";
import findingsDe from "./findings.de.json" with { type: "json" };
import hintsDe from "./hints.de.json" with { type: "json" };
import labelsDe from "./labels.de.json" with { type: "json" };
import labelsEn from "./labels.en.json" with { type: "json" };
import optionsDe from "./options.de.json" with { type: "json" };
import optionsEn from "./options.en.json" with { type: "json" };
import textsDe from "./texts.de.json" with { type: "json" };
import textsEn from "./texts.en.json" with { type: "json" };
import {
  chooseLanguage,
  findingText,
  hintOf,
  labelOf,
  optionOf,
  problemText,
  refusalText,
  type TextKey,
  translator,
} from "./texts.ts";

const PAGES = join(import.meta.dir, "../pages");
const sources = readdirSync(PAGES)
  .filter((name) => /\.tsx?$/.test(name) && !name.includes(".test."))
  .map((name) => readFileSync(join(PAGES, name), "utf8"));

const own = readFileSync(join(import.meta.dir, "texts.ts"), "utf8");

const allFields: readonly Field[] = (["proxy", "instance", "appliance"] as const)
  .flatMap((kind) => fieldsOf(kind))
  .flatMap((field) => [field, ...field.columns]);
const keyOf = ({ of, path }: Field) => `${of}.${path}`;

describe("English and German", () => {
  test("have the same texts, and none is empty", () => {
    expect(Object.keys(textsDe)).toEqual(Object.keys(textsEn));
    for (const text of [...Object.values(textsDe), ...Object.values(textsEn)]) {
      expect(text.trim()).not.toBe("");
    }
  });

  test("have the same holes in each text", () => {
    const holes = (text: string) => (text.match(/\{[^}]*\}/g) ?? []).sort();
    for (const key of Object.keys(textsEn) as TextKey[]) {
      expect([key, ...holes(textsDe[key])]).toEqual([key, ...holes(textsEn[key])]);
    }
  });

  test("every hole can be filled", () => {
    for (const key of Object.keys(textsEn) as TextKey[]) {
      const names = textsEn[key].match(/(?<=\{)[^}]*/g) ?? [];
      const values = Object.fromEntries(names.map((name) => [name, "x"]));
      for (const language of ["en", "de"] as const) {
        expect(translator(language)(key, values)).not.toContain("{");
      }
    }
  });

  test("have a name for every field of the configuration, and no other", () => {
    const known = allFields.map(keyOf).sort();
    const told = (labels: object) =>
      Object.keys(labels)
        .filter((key) => !key.includes(".routes[]."))
        .sort();
    expect(told(labelsEn)).toEqual(known);
    expect(Object.keys(labelsDe)).toEqual(Object.keys(labelsEn));
  });

  test("have a hint for every field", () => {
    expect(Object.keys(hintsDe).sort()).toEqual(Object.keys(labelsEn).sort());
    for (const field of allFields) {
      expect([keyOf(field), field.description === ""]).toEqual([keyOf(field), false]);
      expect(hintOf("en", field)).not.toContain("Required.");
      expect(hintOf("en", field)).not.toMatch(/Default null/);
    }
  });

  test("have a word for every value of a choice", () => {
    const choices = allFields.filter(({ kind }) => kind === "choice");
    expect(choices.length).toBeGreaterThan(8);
    for (const [key, options] of choices.map((one) => [keyOf(one), one.options] as const)) {
      for (const table of [optionsEn, optionsDe] as Record<string, object>[]) {
        expect([key, ...Object.keys(table[key] ?? {})]).toEqual([key, ...options]);
      }
    }
  });

  test("have words for every diagnosis of a call", () => {
    expect(Object.keys(findingsDe)).toEqual(Object.keys(FINDINGS));
    for (const text of Object.values(findingsDe)) expect(text.trim()).not.toBe("");
    expect(findingText("de", { code: "good", text: FINDINGS.good })).toBe("gut");
    expect(findingText("en", { code: "good", text: FINDINGS.good })).toBe("good");
    expect(findingText("de", { code: "newer" as never, text: "newer" })).toBe("newer");
  });

  test("every text is used by a page", () => {
    const families = /^(?:refusal|done|state|theme|language|setup|reach|changes)[.-]/;
    const unused = Object.keys(textsEn).filter(
      (key) => !families.test(key) && ![...sources, own].some((text) => text.includes(`"${key}"`)),
    );
    expect(unused).toEqual([]);
  });
});

describe("the maker's names", () => {
  test.each([
    ["voipSip", "VoIP SIP", ["TLS", "UDP", "off"]],
    ["voipMedia", "VoIP media", ["SRTP", "RTP"]],
    [
      "phoneProvisioning",
      "Phone Provisioning",
      ["HTTPS only, encrypted URL", "HTTPS only", "HTTP and HTTPS", "Off"],
    ],
    ["provisioningKey", "Provisioning key", []],
    ["allowXmpp", "Allow Client (XMPP) Connections", []],
    [
      "manageInstances",
      "Manage mobydick Instances",
      ["HTTPS Web-UI and REST", "HTTPS REST only", "Off"],
    ],
    ["network.mode", "Network mode", ["auto", "manual"]],
    ["network.interface", "Network Interface", []],
    ["network.address", "Network IP-Address", []],
    ["network.netmask", "Network Netmask", []],
    ["network.gateway", "Network Gateway", []],
    ["fqdn", "Proxy DNS Name (FQDN)", []],
    ["certificatePem", "Certificate PEM", []],
    ["certificateKey", "Certificate Key", []],
    ["redirectionUrl", "Redirection URL", []],
  ])("%s is %s", (path, label, options) => {
    const field = fieldsOf("proxy").find((one) => one.path === path);
    if (field === undefined) throw new Error("no such field");
    expect(labelOf("en", field)).toBe(label);
    expect(field.options.map((option) => optionOf("en", field, option))).toEqual(options);
  });
});

describe("pages", () => {
  /** Letters between tags or in an attribute that is read out, outside of {braces}. */
  const strayText = (source: string): string[] => [
    ...(source.match(/[>}]\s*[A-Za-zÄÖÜäöü][^<>{}=;()`"]*<\//g) ?? []),
    ...(source.match(/\b(?:title|placeholder|aria-label|alt)="[^"]+"/g) ?? []),
  ];

  test("hold no text by themselves", () => {
    expect(sources.flatMap(strayText)).toEqual([]);
  });

  test("the rule sees a breach", () => {
    expect(strayText("<p>Hello</p>")).toHaveLength(1);
    expect(strayText("<p>\n  {name} is on\n</p>")).toHaveLength(1);
    expect(strayText('<input placeholder="Name" />')).toHaveLength(1);
    expect(strayText("<p>{t(key)}</p>")).toHaveLength(0);
  });
});

describe("what the check says", () => {
  const documents = [...Object.values(badFields), ...Object.values(badNetworks)].flatMap((one) =>
    Array.isArray(one) ? (one as readonly BadDocument[]) : [],
  );
  const messages = documents.flatMap(([, , problems]) =>
    problems.map((problem) => problem.slice(problem.indexOf(": ") + 2)),
  );

  test("is told in German, every message of the bad examples", () => {
    expect(messages.length).toBeGreaterThan(60);
    const untold = messages.filter((message) => problemText("de", message) === message);
    expect([...new Set(untold)]).toEqual([]);
  });

  test("keeps what stands in it", () => {
    expect(problemText("de", "must be at most 65535")).toBe("darf höchstens 65535 sein");
    expect(problemText("de", "must be inside 10.0.0.0/24")).toBe("muss in 10.0.0.0/24 liegen");
    expect(problemText("de", "must not be eth0, which is for management")).toBe(
      "darf nicht eth0 sein, das für die Verwaltung da ist",
    );
    expect(problemText("de", "$& and $1 of nobody")).toBe("$& and $1 of nobody");
    expect(problemText("en", "must be at most 65535")).toBe("must be at most 65535");
  });

  test("is told of what was tried and failed, too, without words of the operating system", () => {
    const refused = "pbx: connect ECONNREFUSED 10.0.3.150:5060";
    expect(problemText("en", refused)).toBe(
      "pbx: nothing listens at 10.0.3.150:5060 (connection refused)",
    );
    expect(problemText("de", refused)).toBe(
      "pbx: unter 10.0.3.150:5060 läuft kein Dienst (Verbindung abgelehnt)",
    );
    expect(problemText("de", "pbx: no answer to OPTIONS")).toBe("pbx: keine Antwort auf OPTIONS");
    const ssl = "error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER";
    expect(problemText("en", ssl)).toBe("it speaks no TLS there");
    expect(problemText("de", "it refuses this domain")).toStartWith("weist diese Domain ab");
  });
});

test("a default is told as the page shows it", () => {
  const hint = (path: string) => {
    const field = fieldsOf("proxy").find((one) => one.path === path);
    return field === undefined ? "" : hintOf("en", field);
  };
  expect(hint("voipSip")).toBe("SIP from phones. Default: TLS.");
  expect(hint("allowXmpp")).toBe("Whether XMPP clients are served. Default: yes.");
  expect(hint("phoneProvisioning")).toEndWith("Default: HTTPS only, encrypted URL.");
  expect(hint("network.gateway")).toBe("Default gateway, inside the subnet. Default: none.");
  expect(hint("fqdn")).not.toContain("Required");
});

test("a refusal says how long to wait, else what it is about", () => {
  const t = translator("de");
  expect(refusalText(t, refusal("wrong-login"))).toBe("Benutzername oder Passwort ist falsch.");
  const waiting = refusal("too-many-tries", { retryAfterSeconds: 30, detail: "Try again." });
  expect(refusalText(t, waiting)).toBe(
    "Zu viele falsche Versuche. Versuchen Sie es in 30 Sekunden wieder.",
  );
  expect(refusalText(t, refusal("network-refused", { detail: "eth1 is missing" }))).toEndWith(
    "eth1 is missing",
  );
});

test.each([
  [undefined, "de-DE,de;q=0.9,en;q=0.8", "de"],
  [undefined, "fr, de;q=0.5, en;q=0.7", "en"],
  [undefined, "de;q=0", "en"],
  [undefined, undefined, "en"],
  [undefined, ";;;,,q=", "en"],
  ["de", "en", "de"],
  ["xx", "de", "de"],
] as const)("cookie %p and Accept-Language %p make %s", (cookie, accept, language) => {
  expect(chooseLanguage(cookie, accept)).toBe(language);
});
