/** The CSeq value (RFC 3261 §20.16): a number below 2^31 and a method. */
import { isLws, isToken, parseDecimal, skipLws } from "./lexical.ts";
import { SipSyntaxError } from "./syntax-error.ts";

export type CSeq = { readonly number: number; readonly method: string };

const MAX_NUMBER = 0x7fffffff;

/** Throws SipSyntaxError. */
export function parseCSeq(value: string): CSeq {
  let end = 0;
  while (end < value.length && !isLws(value.charCodeAt(end))) end++;
  const number = parseDecimal(value.slice(0, end), MAX_NUMBER);
  const method = value.slice(skipLws(value, end));
  if (number < 0 || !isToken(method)) throw new SipSyntaxError("bad CSeq");
  return { number, method };
}

export function formatCSeq(cseq: CSeq): string {
  return `${cseq.number} ${cseq.method}`;
}
