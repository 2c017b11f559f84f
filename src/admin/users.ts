/**
 * The administrators (DIR/admin/users.json) and the one-time set-up code (DIR/setup-code), which exists only
 * until the first of them does. Passwords are kept as argon2id hashes.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { TextStore } from "./revisions.ts";

export type User = {
  readonly name: string;
  readonly passwordHash: string;
  /** ISO 8601. */
  readonly createdAt: string;
};

const USERS = "admin/users.json";
const SETUP_CODE = "setup-code";
/** Without I, O, 0, 1: it is read from a console and typed. 32 letters, so 5 bits each. */
const ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const CODE_LENGTH = 16;
const USER_NAME = /^[A-Za-z0-9._@-]{1,64}$/;

export const isUserName = (name: string): boolean => USER_NAME.test(name);

/** 80 bits in groups of four: `K7QF-9M2X-3PLT-VVWA`. */
function makeCode(random: (lengthBytes: number) => Uint8Array): string {
  const letters = [...random(CODE_LENGTH)].map((byte) => ALPHABET[byte % ALPHABET.length]);
  return letters.join("").replace(/(....)(?!$)/g, "$1-");
}

/** However it was typed: case, blanks and hyphens do not matter. */
function hashOfCode(code: string): Uint8Array {
  const plain = code.toUpperCase().replace(/[\s-]/g, "");
  return createHash("sha256").update(plain).digest();
}

/** The file of users cannot be trusted; `message` is one clear line for the operator. */
export class UsersError extends Error {
  override readonly name = "UsersError";

  constructor() {
    super(`${USERS} is damaged; put it back, or remove it to set the appliance up with a new code`);
  }
}

export class Users {
  readonly #store: TextStore;
  #users: readonly User[];
  #setupCode: string | null;

  /** Throws UsersError when users.json is damaged: opening set-up again would hand the appliance to a stranger. */
  constructor(o: { readonly store: TextStore; random(lengthBytes: number): Uint8Array }) {
    this.#store = o.store;
    this.#users = readUsers(o.store.read(USERS));
    this.#setupCode = null;
    if (this.#users.length > 0) {
      o.store.remove(SETUP_CODE);
      return;
    }
    this.#setupCode = o.store.read(SETUP_CODE)?.trim() || makeCode(o.random);
    o.store.write(SETUP_CODE, `${this.#setupCode}\n`);
  }

  /** null = the appliance is set up. */
  get setupCode(): string | null {
    return this.#setupCode;
  }

  /** Takes the same time for every wrong code. */
  isSetupCode(code: string): boolean {
    if (this.#setupCode === null) return false;
    return timingSafeEqual(hashOfCode(code), hashOfCode(this.#setupCode));
  }

  find(name: string): User | null {
    return this.#users.find((user) => user.name === name) ?? null;
  }

  /** The code is gone only when the user is on the disk. */
  add(user: User): void {
    const users = [...this.#users, user];
    this.#store.write(USERS, `${JSON.stringify({ users }, null, 2)}\n`);
    this.#users = users;
    this.#setupCode = null;
    this.#store.remove(SETUP_CODE);
  }
}

function readUsers(text: string | null): readonly User[] {
  if (text === null) return [];
  const users = listIn(text);
  if (users.length === 0) throw new UsersError();
  return users.map((user) => {
    const { name, passwordHash, createdAt }: Partial<User> = user ?? {};
    if (typeof name !== "string" || typeof passwordHash !== "string") throw new UsersError();
    return { name, passwordHash, createdAt: createdAt ?? "" };
  });
}

function listIn(text: string): readonly (Partial<User> | null)[] {
  try {
    const { users } = JSON.parse(text);
    return Array.isArray(users) ? users : [];
  } catch {
    return [];
  }
}
