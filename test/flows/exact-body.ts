/**
 * Requests and answers whose body has exactly these bytes, which templates would trim and end in CRLF.
 */
import type { Received } from "../peers/sip-peer.ts";
import { latin1, type SipText, sipText } from "../peers/sip-text.ts";
import {
  type AnswerParts,
  answerText,
  type Dialog,
  type ExtraHeaders,
  type UserAgent,
} from "../peers/user-agent.ts";

/** Latin-1 text, one character a byte. Without a type there is no Content-Type. */
export type Body = { readonly type: string; readonly bytes: string };

/** What XML, binary parts and lone line ends make of a body that somebody has "put right". */
export const ODD_BYTES = "\t <a>\u00e4\u00ff\0</a>\r\n\r\n--x\n\r end without line end ";

function withBody(template: string, { type, bytes }: Body): Uint8Array {
  const typed = type === "" ? "" : `Content-Type: ${type}\n`;
  const head = `${typed}Content-Length: ${bytes.length}`;
  return latin1(sipText(template.replace("Content-Length: *", head)) + bytes);
}

/** A request outside dialogs. `from` and `to` are header values. */
export function sendsExactly(
  peer: UserAgent,
  method: string,
  o: { uri: string; from: string; to: string; headers?: ExtraHeaders; body: Body },
): void {
  const text = peer.requestText(method, { ...o, body: "", callId: peer.newId("-exact-"), cseq: 1 });
  const to = peer.destination([]) ?? undefined;
  peer.sendsBytes(withBody(text, o.body), to === undefined ? {} : { to });
}

/** A request of a dialog, along its routes. */
export function sendsExactlyInDialog(
  peer: UserAgent,
  dialog: Dialog,
  method: string,
  o: { headers?: ExtraHeaders; body: Body },
): void {
  dialog.cseq += 1;
  const routes = dialog.routes.map((route) => ["Route", route] as const);
  const text = peer.requestText(method, {
    uri: dialog.target,
    from: dialog.local,
    to: dialog.remote,
    callId: dialog.callId,
    cseq: dialog.cseq,
    headers: [...routes, ...(o.headers ?? [])],
  });
  const to = peer.destination(dialog.routes) ?? undefined;
  peer.sendsBytes(withBody(text, o.body), to === undefined ? {} : { to });
}

export function answersExactly(
  peer: UserAgent,
  request: Received,
  status: number,
  o: AnswerParts & { readonly exact: Body },
): void {
  const text = answerText(request.message, status, o);
  const options = { to: request.message.from, wire: request.wire };
  peer.sendsBytes(withBody(text, o.exact), options);
}

/** Headers of these names, in order, as they arrived. */
export function linesOf(message: SipText, names: readonly string[]): string[][] {
  return names.map((name) => [name, ...message.lines(name)]);
}
