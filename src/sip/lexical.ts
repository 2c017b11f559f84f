/**
 * The small words of the SIP grammar (RFC 3261 §25.1): tokens, white space, quoted strings, numbers.
 * All text is latin1, one character a byte. Every function looks at each character once, so hostile
 * input costs no more than its length. String.trim() is not used: it would eat 0xA0, half a UTF-8 letter.
 */

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

const TOKEN_CHARS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.!%*_+`'~";
const isTokenCode = new Uint8Array(256);
for (const char of TOKEN_CHARS) isTokenCode[char.charCodeAt(0)] = 1;

/** White space as LWS knows it: SP, HTAB and the line ends of a fold. */
export function isLws(code: number): boolean {
  return code === SPACE || code === TAB || code === CR || code === LF;
}

/** True for a non-empty `token`. */
export function isToken(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    if (isTokenCode[text.charCodeAt(at)] !== 1) return false;
  }
  return text.length > 0;
}

/** Index of the first character at or after `at` that is no white space. */
export function skipLws(text: string, at: number): number {
  while (at < text.length && isLws(text.charCodeAt(at))) at++;
  return at;
}

/** text[from, to) without the white space at its two ends. */
export function trimLws(text: string, from = 0, to = text.length): string {
  while (from < to && isLws(text.charCodeAt(from))) from++;
  while (to > from && isLws(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

/** Folded lines joined by one space (RFC 3261 §7.3.1). */
export function unfold(text: string): string {
  return text.includes("\n") ? text.replace(/\r?\n[ \t]+/g, " ") : text;
}

/** `at` is the opening quote; the index after the closing one, or -1 when it never closes. */
export function quotedStringEnd(text: string, at: number): number {
  for (let next = at + 1; next < text.length; next++) {
    const code = text.charCodeAt(next);
    if (code === BACKSLASH) next++;
    else if (code === QUOTE) return next + 1;
  }
  return -1;
}

/** A quoted string without its quotes and escapes; any other text as it is. */
export function unquote(text: string): string {
  if (text.length < 2 || text.charCodeAt(0) !== QUOTE || !text.endsWith('"')) return text;
  const inner = text.slice(1, -1);
  return inner.includes("\\") ? inner.replace(/\\([\s\S])/g, "$1") : inner;
}

/** 1*DIGIT up to `max` (leading zeros allowed), or -1: no sign, no white space, no overflow. */
export function parseDecimal(text: string, max: number): number {
  if (text.length === 0) return -1;
  let value = 0;
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
    if (value > max) return -1;
  }
  return value;
}

/** True when one of the characters is white space or one of `< > "`: never part of a URI. */
export function hasNonUriChar(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code <= SPACE || code === QUOTE || code === 0x3c || code === 0x3e || code === 0x7f)
      return true;
  }
  return false;
}

/** True when white space stands anywhere in the text. */
export function hasLws(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (isLws(text.charCodeAt(at))) return true;
  return false;
}

const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]{0,30}:./;

/** True for a scheme, a colon and something without white space, quotes and angle brackets. */
export function isAbsoluteUri(text: string): boolean {
  return SCHEME.test(text) && !hasNonUriChar(text);
}
