/**
 * Which nonces went to whom. Credentials under a nonce that a UDP source was given prove that it is no forged
 * one; a refusal of credentials under any nonce given here is a wrong password, by whatever connection the
 * guesser has got it. A bare challenge, or one for a nonce that nobody knows any more, is neither.
 */
import type { Flow } from "../sip/flow.ts";
import type { Headers } from "../sip/headers.ts";
import { Recent } from "./recent.ts";

/** Instances change their nonces within minutes. */
const NONCE_MS = 600_000;
/** How long a UDP source stays proven without a registration; it proves itself anew with each one. */
const PROOF_MS = 900_000;
/** Of one request: a phone sends one, or one for each realm. */
const MOST_CREDENTIALS = 4;

// All that look like one count: a decoy must not hide the one that the instance reads.
const NONCE = /\bnonce\s*=\s*(?:"([^"]{1,512})"|([^\s",]{1,512}))/gi;
const USERNAME = /\busername\s*=\s*(?:"([^"]{1,128})"|([^\s",]{1,128}))/gi;
const STALE = /\bstale\s*=\s*"?true\b/i;

export type Credentials = {
  readonly usernames: readonly string[];
  readonly nonces: readonly string[];
};

function found(text: string, pattern: RegExp): string[] {
  const values: string[] = [];
  for (const [, quoted, bare] of text.matchAll(pattern)) {
    if (values.push(quoted ?? bare ?? "") >= MOST_CREDENTIALS) break;
  }
  return values;
}

/** Of Authorization and Proxy-Authorization; null = there are none. */
export function credentialsOf(headers: Headers): Credentials | null {
  if (!headers.has("authorization") && !headers.has("proxy-authorization")) return null;
  const lines = [...headers.lines("authorization"), ...headers.lines("proxy-authorization")];
  const text = lines.join("\n");
  return { usernames: found(text, USERNAME), nonces: found(text, NONCE) };
}

export class Challenges {
  readonly #given: Recent<true>;
  readonly #proven: Recent<true>;

  constructor(maximum: () => number) {
    this.#given = new Recent(maximum, NONCE_MS);
    this.#proven = new Recent(maximum, PROOF_MS);
  }

  /** A 401 or 407 goes to this flow. True: the instance says that the nonce was merely too old. */
  give(flow: Flow, headers: Headers, nowMs: number): boolean {
    const lines = [...headers.lines("www-authenticate"), ...headers.lines("proxy-authenticate")];
    const text = lines.join("\n");
    for (const nonce of found(text, NONCE)) {
      this.#given.set(nonce, true, nowMs);
      if (flow.transport === "udp") this.#given.set(`${flow.id} ${nonce}`, true, nowMs);
    }
    return STALE.test(text);
  }

  /** A UDP source shows a nonce that was sent to it and to nobody else. */
  prove(flow: Flow, { nonces }: Credentials, nowMs: number): void {
    if (flow.transport !== "udp") return;
    const isItsOwn = nonces.some((one) => this.#given.get(`${flow.id} ${one}`, nowMs) === true);
    if (isItsOwn) this.proved(flow, nowMs);
  }

  proved(flow: Flow, nowMs: number): void {
    this.#proven.set(flow.id, true, nowMs);
  }

  /** A nonce that an instance has given, to whomever. */
  isCurrent({ nonces }: Credentials, nowMs: number): boolean {
    return nonces.some((one) => this.#given.get(one, nowMs) === true);
  }

  /** A connection proves its source by being there. */
  isProven(flow: Flow, nowMs: number): boolean {
    return flow.transport !== "udp" || this.#proven.get(flow.id, nowMs) === true;
  }
}
