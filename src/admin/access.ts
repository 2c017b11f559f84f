/**
 * Set-up with the one-time code, signing in and out. Wrong tries cost a growing pause, a wrong name takes as
 * long as a wrong password, and few passwords are hashed at one time, since each takes 64 MB.
 */
import type { Problem } from "../config/check.ts";
import type { Clock, Log } from "../io/types.ts";
import type { AccessOperations, Actor, SignedIn } from "./operations.ts";
import { done, type Outcome, refused } from "./outcome.ts";
import type { Sessions } from "./sessions.ts";
import { Tries } from "./tries.ts";
import { isUserName, type Users } from "./users.ts";

export type Passwords = {
  hash(password: string): Promise<string>;
  verify(password: string, hash: string): Promise<boolean>;
};

const FREE_TRIES = 5;
const FIRST_PAUSE_MS = 30_000;
const LONGEST_PAUSE_MS = 3_600_000;
/** Against one name from anywhere: gentle, or a stranger could lock the administrator out. */
const FREE_TRIES_OF_NAME = 50;
const LONGEST_PAUSE_OF_NAME_MS = 60_000;
const MOST_WAITING = 8;
const SHORTEST_PASSWORD = 8;
const LONGEST_PASSWORD = 1024;

type AccessOptions = {
  readonly users: Users;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly clock: Clock;
  readonly log: Log;
};

/** One after the other; null = too many wait already. */
function oneByOne(): <T>(work: () => Promise<T>) => Promise<T> | null {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return (work) => {
    if (waiting >= MOST_WAITING) return null;
    waiting += 1;
    const next = last.then(work).finally(() => {
      waiting -= 1;
    });
    last = next.catch(() => undefined);
    return next;
  };
}

function accountProblems(username: string, password: string): Problem[] {
  const problems: Problem[] = [];
  if (!isUserName(username)) {
    const message = "must be 1 to 64 letters, digits, dots, hyphens, underscores or @";
    problems.push({ path: "username", message });
  }
  if (password.length < SHORTEST_PASSWORD || password.length > LONGEST_PASSWORD) {
    const message = `must have ${SHORTEST_PASSWORD} to ${LONGEST_PASSWORD} characters`;
    problems.push({ path: "password", message });
  }
  return problems;
}

export function accessOperations(o: AccessOptions): AccessOperations {
  return new Access(o);
}

class Access implements AccessOperations {
  readonly #o: AccessOptions;
  readonly #byAddress: Tries;
  readonly #byName: Tries;
  readonly #inTurn = oneByOne();
  #dummyHash: Promise<string> | null = null;

  constructor(o: AccessOptions) {
    this.#o = o;
    const pauses = { clock: o.clock, firstPauseMs: FIRST_PAUSE_MS };
    this.#byAddress = new Tries({
      ...pauses,
      free: FREE_TRIES,
      longestPauseMs: LONGEST_PAUSE_MS,
    });
    this.#byName = new Tries({
      ...pauses,
      free: FREE_TRIES_OF_NAME,
      longestPauseMs: LONGEST_PAUSE_OF_NAME_MS,
    });
  }

  isSetUp(): boolean {
    return this.#o.users.setupCode === null;
  }

  async setUp(given: {
    code: string;
    username: string;
    password: string;
    address: string;
  }): Promise<Outcome<SignedIn>> {
    const { users, sessions, passwords, clock, log } = this.#o;
    if (users.setupCode === null) return refused("already-set-up");
    // By address only: 80 bits need no more, and a stranger must not keep the owner from set-up.
    const pause = this.#byAddress.pauseSeconds(given.address);
    if (pause > 0) return mustWait(pause);
    if (!users.isSetupCode(given.code)) {
      this.#byAddress.failed(given.address);
      log.warn("setup-code-wrong", { address: given.address });
      return refused("wrong-code");
    }
    const problems = accountProblems(given.username, given.password);
    if (problems.length > 0) return refused("invalid", { problems });
    const hashing = this.#inTurn(() => passwords.hash(given.password));
    if (hashing === null) return mustWait(1);
    const passwordHash = await hashing;
    // Somebody else may have been quicker while the hash was made.
    if (this.isSetUp()) return refused("already-set-up");
    const createdAt = new Date(clock.now()).toISOString();
    users.add({ name: given.username, passwordHash, createdAt });
    this.#byAddress.succeeded(given.address);
    log.info("set-up", { user: given.username, address: given.address });
    return done(sessions.open(given.username));
  }

  async signIn(given: {
    username: string;
    password: string;
    address: string;
  }): Promise<Outcome<SignedIn>> {
    const { users, sessions, log } = this.#o;
    const { username, password, address } = given;
    const name = username.slice(0, 64);
    const pause = Math.max(this.#byAddress.pauseSeconds(address), this.#byName.pauseSeconds(name));
    if (pause > 0) return mustWait(pause);
    if (users.setupCode !== null) return refused("setup-required");
    const short = password.slice(0, LONGEST_PASSWORD + 1);
    const checking = this.#inTurn(() => this.#isRight(username, short));
    if (checking === null) return mustWait(1);
    if (!(await checking)) {
      this.#byAddress.failed(address);
      this.#byName.failed(name);
      log.warn("sign-in-refused", { address });
      return refused("wrong-login");
    }
    this.#byAddress.succeeded(address);
    this.#byName.succeeded(name);
    log.info("signed-in", { user: username, address });
    return done(sessions.open(username));
  }

  signOut(token: string): void {
    this.#o.sessions.close(token);
  }

  actorOf(token: string | null): Actor | null {
    const user = token === null ? null : this.#o.sessions.userOf(token);
    return user === null ? null : { user };
  }

  /** An unknown name costs the same time as a wrong password. */
  async #isRight(username: string, password: string): Promise<boolean> {
    const { users, passwords } = this.#o;
    this.#dummyHash ??= passwords.hash("nobody has this password");
    const known = users.find(username);
    const hash = known?.passwordHash ?? (await this.#dummyHash);
    const isVerified = await passwords.verify(password, hash);
    return known !== null && isVerified;
  }
}

function mustWait(retryAfterSeconds: number) {
  return refused("too-many-tries", {
    retryAfterSeconds,
    detail: `Try again in ${retryAfterSeconds} seconds.`,
  });
}
