/**
 * An instance's own Contact as phones see it: our address, and for a user part the sealed true URI. What a
 * phone sends there (in a dialog, after a 302, by Refer-To) comes back to us and goes on to exactly the URI
 * that the instance had named, after a restart too.
 */
import type { SealedTexts } from "../sip/sealed-text.ts";
import { isSipUri, parseSipUri } from "../sip/uri.ts";
import { type Place, placeUri } from "./routes.ts";

/** A user part that begins so is ours or forged: no telephone system gives such a name. */
const PREFIX = "pq.";
const CONTEXT = "contact";
const TAG_DIGITS = 12;
/** Each costs an HMAC, forged or not, and 64 KB hold thousands: so many in one message. */
export const MOST_MASKS = 64;
/** A masked URI in the text of a header or of XML; URI headers (?Replaces=...) stay behind it. */
const MASKED = /sips?:pq\.([A-Za-z0-9_-]+)@[^\s<>"',;?]+(?:;transport=[a-z]+)?/gi;

export type Unmasked = { readonly instanceTag: string; readonly uri: string };

export class Masks {
  readonly #seals: SealedTexts;

  constructor(seals: SealedTexts) {
    this.#seals = seals;
  }

  /** null: too long to be carried. */
  mask(uri: string, instanceTag: string, place: Place): string | null {
    const sealed = this.#seals.seal(`${instanceTag}${uri}`, CONTEXT);
    return sealed === null ? null : placeUri(place, `${PREFIX}${sealed}`);
  }

  /** null: not masked at all. "forged": it looks so and is not ours, or is another proxy's. */
  open(uri: string): Unmasked | "forged" | null {
    const user = isSipUri(uri) ? parseSipUri(uri).user : null;
    if (user === null || !user.startsWith(PREFIX)) return null;
    return this.#opened(user.slice(PREFIX.length)) ?? "forged";
  }

  /** A quick look. */
  isIn(text: string): boolean {
    return text.includes(`:${PREFIX}`);
  }

  /** Every masked URI of this instance in a text is again what it stands for, as far as `left` goes. */
  openAll(text: string, instanceTag: string, left = { masks: MOST_MASKS }): string {
    if (!this.isIn(text)) return text;
    return text.replace(MASKED, (whole, sealed: string) => {
      if (left.masks-- <= 0) return whole;
      const opened = this.#opened(sealed);
      return opened?.instanceTag === instanceTag ? opened.uri : whole;
    });
  }

  #opened(sealed: string): Unmasked | null {
    const text = this.#seals.open(sealed, CONTEXT);
    if (text === null) return null;
    return { instanceTag: text.slice(0, TAG_DIGITS), uri: text.slice(TAG_DIGITS) };
  }
}
