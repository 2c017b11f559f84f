/**
 * Who is signed in. A token is known by its hash only, so that a memory dump or a bug that shows this table
 * gives no way in. In memory: a restart of the admin ends all sessions.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../io/types.ts";
import type { SignedIn } from "./operations.ts";

const TOKEN_BYTES = 32;
const LIFETIME_MS = 12 * 3_600_000;
const MOST_SESSIONS = 20;

type Session = { readonly user: string; readonly expiresMs: number };

const hashOf = (token: string): string => createHash("sha256").update(token).digest("base64");

export class Sessions {
  readonly #clock: Clock;
  readonly #random: (lengthBytes: number) => Uint8Array;
  readonly #sessions = new Map<string, Session>();

  constructor(o: { readonly clock: Clock; random(lengthBytes: number): Uint8Array }) {
    this.#clock = o.clock;
    this.#random = o.random;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Above 20 the oldest one ends. */
  open(user: string): SignedIn {
    const token = Buffer.from(this.#random(TOKEN_BYTES)).toString("base64url");
    const expiresMs = this.#clock.now() + LIFETIME_MS;
    this.#sessions.set(hashOf(token), { user, expiresMs });
    for (const oldest of this.#sessions.keys()) {
      if (this.#sessions.size <= MOST_SESSIONS) break;
      this.#sessions.delete(oldest);
    }
    return { user, token, expires: new Date(expiresMs).toISOString() };
  }

  /** The user's name; null = unknown or expired. */
  userOf(token: string): string | null {
    const hash = hashOf(token);
    const session = this.#sessions.get(hash);
    if (session === undefined) return null;
    if (session.expiresMs > this.#clock.now()) return session.user;
    this.#sessions.delete(hash);
    return null;
  }

  close(token: string): void {
    this.#sessions.delete(hashOf(token));
  }
}
