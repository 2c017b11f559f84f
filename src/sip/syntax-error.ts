/**
 * The one error of the SIP parsers: the peer is wrong. The connection loop catches it, answers `status`
 * to `partial` when there is one, else drops the message, and counts.
 */
import type { SipRequest } from "./message.ts";

export class SipSyntaxError extends Error {
  override readonly name = "SipSyntaxError";
  /** 400, or 505 for another SIP version. */
  readonly status: number;
  /**
   * A request with enough headers (Via, From, To, Call-ID, CSeq) to answer it, else null. Their values
   * may be the broken ones: send them back, do not parse them. An ACK is never answered.
   */
  readonly partial: SipRequest | null;

  constructor(message: string, status = 400, partial: SipRequest | null = null) {
    super(message);
    this.status = status;
    this.partial = partial;
  }
}
