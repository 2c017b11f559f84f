/**
 * Parameters after a header value or URI: `;name`, `;name=value`, `;name="quoted"` (RFC 3261 §25.1),
 * kept raw and in order. White space round ";" and "=" is dropped. A last ";" with nothing behind it is
 * forgiven, since old phones send it; any other empty parameter is an error.
 */
import { isToken, quotedStringEnd, skipLws, trimLws } from "./lexical.ts";
import { SipSyntaxError } from "./syntax-error.ts";

/** `value` null = a flag without "="; a quoted value keeps its quotes. */
export type Param = { readonly name: string; readonly value: string | null };

/** Parses text from `at`, which must be a ";" or the end. Throws SipSyntaxError. */
export function parseHeaderParams(text: string, at: number): Param[] {
  const params: Param[] = [];
  const mayQuote = text.includes('"', at);
  at = skipLws(text, at);
  while (at < text.length) {
    if (text.charCodeAt(at) !== 0x3b)
      throw new SipSyntaxError("unexpected text before a parameter");
    const start = skipLws(text, at + 1);
    if (start === text.length) break;
    at = mayQuote ? quotedParamEnd(text, start) : plainParamEnd(text, start);
    params.push(parseParam(text, start, at));
  }
  return params;
}

/** Index of the ";" that ends the parameter, or the text's length. */
function plainParamEnd(text: string, from: number): number {
  const end = text.indexOf(";", from);
  return end < 0 ? text.length : end;
}

/** The same where a ";" may stand in quotes. */
function quotedParamEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x3b) return at;
    if (code === 0x22) {
      const end = quotedStringEnd(text, at);
      if (end < 0) throw new SipSyntaxError("quoted string without end");
      at = end - 1;
    }
  }
  return text.length;
}

function parseParam(text: string, start: number, end: number): Param {
  const param = trimLws(text, start, end);
  const equals = param.indexOf("=");
  const name = equals < 0 ? param : trimLws(param, 0, equals);
  if (!isToken(name)) throw new SipSyntaxError("bad parameter name");
  return { name, value: equals < 0 ? null : checkValue(trimLws(param, equals + 1)) };
}

/** One quoted string, or text without white space, quotes, commas and angle brackets. */
function checkValue(value: string): string {
  if (value.charCodeAt(0) === 0x22) {
    if (quotedStringEnd(value, 0) !== value.length)
      throw new SipSyntaxError("text after a quoted value");
    return value;
  }
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code <= 0x20 || code === 0x22 || code === 0x2c || code === 0x3c || code === 0x3e) {
      throw new SipSyntaxError("bad character in a parameter value");
    }
  }
  return value;
}

/** undefined = absent, null = flag without value. Names are compared without case; `name` is lower case. */
export function findParam(params: readonly Param[], name: string): string | null | undefined {
  for (const param of params) {
    if (param.name === name || param.name.toLowerCase() === name) return param.value;
  }
  return undefined;
}

/** Replaces the parameter where it stands, or appends it. */
export function replaceParam(
  params: readonly Param[],
  name: string,
  value: string | null,
): Param[] {
  const at = params.findIndex((param) => param.name.toLowerCase() === name);
  if (at < 0) return [...params, { name, value }];
  return params.with(at, { name: params[at]!.name, value });
}

export function removeParam(params: readonly Param[], name: string): Param[] {
  return params.filter((param) => param.name.toLowerCase() !== name);
}

export function formatParams(params: readonly Param[]): string {
  let text = "";
  for (const { name, value } of params) text += value === null ? `;${name}` : `;${name}=${value}`;
  return text;
}
