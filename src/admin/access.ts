/**
 * Set-up with the one-time code, signing in and out. Wrong tries cost a growing pause, a wrong name takes as
 * long as a wrong password, and few passwords are hashed at one time, since each takes 64 MB.
 */
import type { Problem } from "../config/check.ts";
import type { Clock, Log } from "../io/types.ts";
import type { AccessOperations, SignedIn } from "./operations.ts";
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
const SETUP = "setup";

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
  const { users, sessions, passwords, clock, log } = o;
  const pauses = { clock, firstPauseMs: FIRST_PAUSE_MS };
  const byAddress = new Tries({ ...pauses, free: FREE_TRIES, longestPauseMs: LONGEST_PAUSE_MS });
  const byName = new Tries({
    ...pauses,
    free: FREE_TRIES_OF_NAME,
    longestPauseMs: LONGEST_PAUSE_OF_NAME_MS,
  });
  const inTurn = oneByOne();
  let dummyHash: Promise<string> | null = null;

  function mustWait(retryAfterSeconds: number) {
    return refused("too-many-tries", {
      retryAfterSeconds,
      detail: `Try again in ${retryAfterSeconds} seconds.`,
    });
  }

  async function isRight(username: string, password: string): Promise<boolean> {
    dummyHash ??= passwords.hash("nobody has this password");
    const known = users.find(username);
    const isVerified = await passwords.verify(password, known?.passwordHash ?? (await dummyHash));
    return known !== null && isVerified;
  }

  async function setUp(given: {
    code: string;
    username: string;
    password: string;
  }): Promise<Outcome<SignedIn>> {
    if (users.setupCode === null) return refused("already-set-up");
    const pause = byAddress.pauseSeconds(SETUP);
    if (pause > 0) return mustWait(pause);
    if (!users.isSetupCode(given.code)) {
      byAddress.failed(SETUP);
      log.warn("setup-code-wrong", {});
      return refused("wrong-code");
    }
    const problems = accountProblems(given.username, given.password);
    if (problems.length > 0) return refused("invalid", { problems });
    const hashing = inTurn(() => passwords.hash(given.password));
    if (hashing === null) return mustWait(1);
    const passwordHash = await hashing;
    if (users.setupCode === null) return refused("already-set-up");
    const createdAt = new Date(clock.now()).toISOString();
    users.add({ name: given.username, passwordHash, createdAt });
    log.info("set-up", { user: given.username });
    return done(sessions.open(given.username));
  }

  async function signIn(given: {
    username: string;
    password: string;
    address: string;
  }): Promise<Outcome<SignedIn>> {
    const { username, password, address } = given;
    const name = username.slice(0, 64);
    const pause = Math.max(byAddress.pauseSeconds(address), byName.pauseSeconds(name));
    if (pause > 0) return mustWait(pause);
    if (users.setupCode !== null) return refused("setup-required");
    const checking = inTurn(() => isRight(username, password.slice(0, LONGEST_PASSWORD + 1)));
    if (checking === null) return mustWait(1);
    if (!(await checking)) {
      byAddress.failed(address);
      byName.failed(name);
      log.warn("sign-in-refused", { address });
      return refused("wrong-login");
    }
    byAddress.succeeded(address);
    byName.succeeded(name);
    log.info("signed-in", { user: username, address });
    return done(sessions.open(username));
  }

  return {
    isSetUp: () => users.setupCode === null,
    setUp,
    signIn,
    signOut: (token) => sessions.close(token),
    actorOf(token) {
      const user = token === null ? null : sessions.userOf(token);
      return user === null ? null : { user };
    },
  };
}
