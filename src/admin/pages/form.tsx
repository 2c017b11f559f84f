/**
 * Forms of the configuration: every field with its name, hint and default, and what is wrong with it beside
 * it. What was typed stays; secrets are never shown.
 */
import type { Child } from "hono/jsx";
import {
  hintOf,
  labelOf,
  optionOf,
  problemText,
  refusalText,
  type TextKey,
} from "../i18n/texts.ts";
import type { Refusal } from "../outcome.ts";
import { isAvailable } from "./available.ts";
import type { Field } from "./fields.ts";
import {
  choiceName,
  columnName,
  inputOf,
  renewName,
  type Typed,
  typedText,
  valueAt,
} from "./form-values.ts";
import type { View } from "./view.ts";

/** A group of fields. `isClosed` = in a <details>; `when` = a class that hides it by the mode. */
export type Section = {
  readonly title: TextKey;
  readonly fields: readonly Field[];
  readonly isClosed: boolean;
  readonly when: "manual" | "static" | null;
};

export type FormState = {
  readonly typed: Typed;
  /** As it is stored; null = new. */
  readonly stored: unknown;
  readonly refusal: Refusal | null;
  /** All fields on the form. */
  readonly fields: readonly Field[];
  readonly instanceNames: readonly string[];
  readonly interfaceNames: readonly string[];
};

type RowProps = { readonly view: View; readonly field: Field; readonly form: FormState };

const INTERFACES = "interfaces";

const inputId = (name: string): string => `field-${name}`;

/** What is wrong with the input of that name, translated. */
export function messagesFor(view: View, form: FormState, name: string): readonly string[] {
  const problems = form.refusal?.problems ?? [];
  return problems
    .filter((problem) => inputOf(form.fields, problem) === name)
    .map(({ message }) => problemText(view.language, message));
}

export function Messages({ messages }: { messages: readonly string[] }) {
  return (
    <>
      {messages.map((message) => (
        <p class="problem">{message}</p>
      ))}
    </>
  );
}

type InputProps = RowProps & { readonly name: string };

function attributes({ view, form, field, name }: InputProps) {
  return {
    id: inputId(name),
    name,
    "aria-describedby": `${inputId(name)}-hint`,
    "aria-invalid": messagesFor(view, form, name).length > 0 ? ("true" as const) : undefined,
    "aria-required": field.isRequired ? ("true" as const) : undefined,
  };
}

function Choice(props: InputProps) {
  const { view, field, form, name } = props;
  const value = typedText(form.typed, name);
  if (field.path.endsWith(".mode")) {
    return (
      <div
        class="radios"
        role="radiogroup"
        id={inputId(name)}
        aria-label={labelOf(view.language, field)}
      >
        {field.options.map((option) => (
          <label class="radio">
            <input type="radio" name={name} value={option} checked={option === value} />
            {optionOf(view.language, field, option)}
          </label>
        ))}
      </div>
    );
  }
  const isKnown = field.options.includes(value);
  return (
    <select {...attributes(props)}>
      {!isKnown && (
        <option value={value} selected>
          {value}
        </option>
      )}
      {field.options.map((option) => (
        <option value={option} selected={option === value}>
          {optionOf(view.language, field, option)}
        </option>
      ))}
    </select>
  );
}

function Area(props: InputProps & { readonly rows: number }) {
  const text = typedText(props.form.typed, props.name);
  return (
    <textarea {...attributes(props)} rows={props.rows} spellcheck={false} autocomplete="off">
      {`\n${text}`}
    </textarea>
  );
}

function Line(props: InputProps) {
  const { field, form, name } = props;
  const isInterface = /(^|\.)interface$/.test(field.path);
  return (
    <input
      {...attributes(props)}
      type="text"
      inputmode={field.kind === "number" ? "decimal" : undefined}
      class={field.kind === "number" ? "number" : undefined}
      value={typedText(form.typed, name)}
      list={isInterface ? INTERFACES : undefined}
      autocomplete="off"
      autocapitalize="off"
      spellcheck={false}
    />
  );
}

function Instances({ view, field, form }: InputProps) {
  const choice = typedText(form.typed, choiceName(field)) || "all";
  const ticked = form.typed.get(field.path) ?? [];
  const names = [...new Set([...form.instanceNames, ...ticked])];
  return (
    <div class="radios" id={inputId(field.path)}>
      <label class="radio">
        <input type="radio" name={choiceName(field)} value="all" checked={choice === "all"} />
        {view.t("field.all-instances")}
      </label>
      <label class="radio">
        <input type="radio" name={choiceName(field)} value="named" checked={choice === "named"} />
        {view.t("field.named-instances")}
      </label>
      <div class="ticks">
        {names.length === 0 && <span class="hint">{view.t("field.no-instances")}</span>}
        {names.map((name) => (
          <label class="tick">
            <input type="checkbox" name={field.path} value={name} checked={ticked.includes(name)} />
            {name}
          </label>
        ))}
      </div>
    </div>
  );
}

/** Says that it is set, never what it is. */
function Secret(props: InputProps) {
  const { view, field, form } = props;
  const { t } = view;
  const isCertificate = field.path === "certificateKey";
  const fingerprint = valueAt(form.stored, "certificateKeyFingerprint");
  const isSet = isCertificate
    ? typeof fingerprint === "string"
    : valueAt(form.stored, "provisioningKeySet") === true;
  const wasTyped = typedText(form.typed, field.path).trim() !== "" && form.refusal !== null;
  const renew = t(isCertificate ? "field.new-identity" : "field.new-provisioning-key");
  const isRenewing = form.typed.has(renewName(field));
  return (
    <div class="secret">
      {isCertificate && isSet && (
        <p>
          {t("field.key-fingerprint")} <code class="fingerprint">{String(fingerprint)}</code>
        </p>
      )}
      {!isCertificate && <p>{t(isSet ? "field.key-set" : "field.key-not-set")}</p>}
      <details open={wasTyped || isRenewing || messagesFor(view, form, field.path).length > 0}>
        <summary>{t("field.replace-key")}</summary>
        {wasTyped && <p class="problem">{t("field.secret-again")}</p>}
        <textarea {...attributes(props)} rows={3} spellcheck={false} autocomplete="off" />
        {isSet && (
          <label class="tick">
            <input type="checkbox" name={renewName(field)} value="on" checked={isRenewing} />
            {renew}
          </label>
        )}
      </details>
    </div>
  );
}

function Input(props: InputProps) {
  const { view, field, form, name } = props;
  const isLong = field.options.length > 0 || field.kind === "routes";
  switch (field.kind) {
    case "yes-no":
      return (
        <label class="tick">
          <input
            {...attributes(props)}
            type="checkbox"
            value="on"
            checked={form.typed.has(name) && typedText(form.typed, name) === "on"}
          />
          {view.t("field.enabled")}
        </label>
      );
    case "choice":
      return <Choice {...props} />;
    case "lines":
    case "routes":
      return <Area {...props} rows={isLong ? 2 : 3} />;
    case "pem":
      return <Area {...props} rows={5} />;
    case "secret":
      return <Secret {...props} />;
    case "instances":
      return <Instances {...props} />;
    default:
      return <Line {...props} />;
  }
}

/** The hint and, where they help, the form of a list or the bounds of a number. */
function Hint({ view, field, name }: Pick<InputProps, "view" | "field" | "name">) {
  const { t } = view;
  const words = [hintOf(view.language, field)];
  if (field.kind === "lines") words.push(t("field.optional-lines"));
  if (field.kind === "routes") words.push(t("field.routes-form"));
  if (field.least !== null && field.most !== null) {
    words.push(t("field.range", { least: field.least, most: field.most }));
  }
  return (
    <p class="hint" id={`${inputId(name)}-hint`}>
      {words.join(" ")}
      {!isAvailable(field) && <strong class="unavailable"> {t("field.not-available")}</strong>}
    </p>
  );
}

function FieldRow(props: InputProps) {
  const { view, field, form, name } = props;
  const messages = messagesFor(view, form, name);
  return (
    <div class={messages.length > 0 ? "field wrong" : "field"}>
      <label class="name" for={inputId(name)}>
        {labelOf(view.language, field)}
        {field.isRequired && <span class="required">{view.t("field.required")}</span>}
      </label>
      <div class="entry">
        <Input {...props} />
        <Messages messages={messages} />
        <Hint view={view} field={field} name={name} />
        {field.path === "certificatePem" &&
          valueAt(form.stored, "certificateSelfSigned") === true && (
            <p class="hint">{view.t("field.self-signed")}</p>
          )}
      </div>
    </div>
  );
}

/** The entries of a list of objects, and an empty one to add. */
function Rows({ view, field, form }: RowProps) {
  let count = 0;
  while (field.columns.some((column) => form.typed.has(columnName(column, count)))) count += 1;
  const rows = Array.from({ length: count + 1 }, (_, row) => row);
  return (
    <div class="rows" id={inputId(field.path)}>
      <p class="hint">{hintOf(view.language, field)}</p>
      <Messages messages={messagesFor(view, form, field.path)} />
      {rows.map((row) => (
        <fieldset class="row">
          <legend>
            {row === count ? view.t("field.row-new") : view.t("field.row", { number: row + 1 })}
          </legend>
          {field.columns.map((column) => (
            <FieldRow view={view} field={column} form={form} name={columnName(column, row)} />
          ))}
        </fieldset>
      ))}
    </div>
  );
}

function SectionFields({ view, section, form }: { view: View; section: Section; form: FormState }) {
  return (
    <>
      {section.fields.map((field) =>
        field.kind === "rows" ? (
          <Rows view={view} field={field} form={form} />
        ) : (
          <FieldRow view={view} field={field} form={form} name={field.path} />
        ),
      )}
    </>
  );
}

function hasProblem(section: Section, form: FormState): boolean {
  return (form.refusal?.problems ?? []).some(
    (problem) =>
      inputOf(section.fields, problem) === inputOf(form.fields, problem) &&
      inputOf(section.fields, problem) !== null,
  );
}

function SectionBox({ view, section, form }: { view: View; section: Section; form: FormState }) {
  const title = view.t(section.title);
  const fields = <SectionFields view={view} section={section} form={form} />;
  if (section.isClosed) {
    return (
      <details class="section" open={hasProblem(section, form)}>
        <summary>{title}</summary>
        {fields}
      </details>
    );
  }
  return (
    <fieldset class={section.when === null ? "section" : `section when-${section.when}`}>
      <legend>{title}</legend>
      {fields}
    </fieldset>
  );
}

/** All problems in one place, each leading to its field. */
function Problems({ view, form }: { view: View; form: FormState }) {
  const { refusal } = form;
  if (refusal === null) return null;
  return (
    <div class="banner danger" role="alert" id="problems">
      <p>{refusalText(view.t, refusal)}</p>
      {refusal.type === "changed-meanwhile" && <p>{view.t("error.meanwhile")}</p>}
      <ul>
        {refusal.problems.map((problem) => {
          const name = inputOf(form.fields, problem);
          const message = problemText(view.language, problem.message);
          if (name === null) {
            return (
              <li>
                {problem.path === "" ? "" : `${problem.path} (${view.t("problems.elsewhere")}): `}
                {message}
              </li>
            );
          }
          const path = name.replace(/\[[0-9]+\]/, "[]");
          const of = form.fields[0]?.of ?? "";
          return (
            <li>
              <a href={`#${inputId(name)}`}>{labelOf(view.language, { of, path })}</a>: {message}
            </li>
          );
        })}
      </ul>
    </div>
  );
}

type FormProps = {
  readonly view: View;
  readonly action: string;
  readonly sections: readonly Section[];
  readonly form: FormState;
  /** Of what was read; null = new. */
  readonly etag: string | null;
  readonly submit: TextKey;
  readonly children?: Child;
};

export function ObjectForm({ view, action, sections, form, etag, submit, children }: FormProps) {
  const open = sections.filter(({ isClosed }) => !isClosed);
  const closed = sections.filter(({ isClosed }) => isClosed);
  const box = (section: Section) => <SectionBox view={view} section={section} form={form} />;
  return (
    <form class="object" method="post" action={action} novalidate>
      <Problems view={view} form={form} />
      {etag !== null && <input type="hidden" name="etag" value={etag} />}
      <datalist id={INTERFACES}>
        {form.interfaceNames.map((name) => (
          <option value={name} />
        ))}
      </datalist>
      {open.map(box)}
      {closed.length > 0 && <h2>{view.t("section.advanced")}</h2>}
      {closed.map(box)}
      <div class="actions">
        <button type="submit" class="main">
          {view.t(submit)}
        </button>
        {children}
      </div>
    </form>
  );
}
