/**
 * The inputs of a form, one for each kind of field. What was typed stays in them; a secret is never shown.
 */
import { labelOf, optionOf, problemText } from "../i18n/texts.ts";
import type { Refusal } from "../outcome.ts";
import type { Field } from "./fields.ts";
import { choiceName, inputOf, renewName, type Typed, typedText, valueAt } from "./form-values.ts";
import type { View } from "./view.ts";

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

export type RowProps = { readonly view: View; readonly field: Field; readonly form: FormState };

/** The list of the names of interfaces that a form offers. */
export const INTERFACES = "interfaces";

export const inputId = (name: string): string => `field-${name}`;

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

export type InputProps = RowProps & { readonly name: string };

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

/** The input of one field, by its kind. */
export function Input(props: InputProps) {
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
