import { describe, expect, test } from "bun:test";
import { HandClock } from "../../test/flows/hand-clock.ts";
import { PowerCutStore } from "../../test/flows/power-cut-store.ts";
import { makeLog } from "../io/log.ts";
import { accessOperations } from "./access.ts";
import type { Outcome } from "./outcome.ts";
import { Sessions } from "./sessions.ts";
import { Users } from "./users.ts";

const PASSWORD = "eight or more";
const quick = {
  hash: async (password: string) => `hash of ${password}`,
  verify: async (password: string, hash: string) => hash === `hash of ${password}`,
};
let counter = 0;
const random = (lengthBytes: number) => {
  counter += 1;
  return new Uint8Array(lengthBytes).fill(counter % 251);
};

function place(store = new PowerCutStore()) {
  const clock = new HandClock();
  const lines: string[] = [];
  const log = makeLog({ write: (line) => void lines.push(line), minimum: "debug", journal: false });
  const users = new Users({ store, random });
  const sessions = new Sessions({ clock, random });
  const access = accessOperations({ users, sessions, passwords: quick, clock, log });
  const setUp = (code: string, password = PASSWORD, username = "anna", address = "192.0.2.1") =>
    access.setUp({ code, username, password, address });
  const signIn = (password: string, address = "192.0.2.1", username = "anna") =>
    access.signIn({ username, password, address });
  return { clock, lines, users, sessions, access, setUp, signIn, store };
}

const typeOf = (outcome: Outcome<unknown>) => (outcome.ok ? "done" : outcome.refusal.type);

describe("set-up", () => {
  test("the code lies in a file until the first user is there, then it is gone", async () => {
    const { users, setUp, store, access } = place();
    const code = users.setupCode ?? "";
    expect(code).toMatch(/^[A-HJ-NP-Z2-9]{4}(-[A-HJ-NP-Z2-9]{4}){3}$/);
    expect(store.texts.get("setup-code")).toBe(`${code}\n`);
    expect(access.isSetUp()).toBe(false);
    const outcome = await setUp(code);
    expect(outcome).toMatchObject({ ok: true, value: { user: "anna" } });
    expect(access.isSetUp()).toBe(true);
    expect(store.texts.has("setup-code")).toBe(false);
    expect(typeOf(await setUp(code))).toBe("already-set-up");
  });

  test("the code is the same after a restart, and the users are known after one", async () => {
    const first = place();
    const code = first.users.setupCode ?? "";
    const second = place(first.store);
    expect(second.users.setupCode).toBe(code);
    await second.setUp(code);
    const third = place(first.store);
    expect(third.access.isSetUp()).toBe(true);
    expect(typeOf(await third.signIn(PASSWORD))).toBe("done");
  });

  test("case, blanks and hyphens of the code do not matter", async () => {
    const { users, setUp } = place();
    const typed = ` ${(users.setupCode ?? "").toLowerCase().replaceAll("-", " ")} `;
    expect(typeOf(await setUp(typed))).toBe("done");
  });

  test("five wrong codes, then a pause that grows and that the right one does not cut short", async () => {
    const { users, setUp, clock } = place();
    const code = users.setupCode ?? "";
    for (let at = 0; at < 5; at += 1) expect(typeOf(await setUp("WRONG"))).toBe("wrong-code");
    const sixth = await setUp(code);
    expect(sixth).toMatchObject({ refusal: { type: "too-many-tries", retryAfterSeconds: 30 } });
    clock.advance(30_000);
    expect(typeOf(await setUp("WRONG"))).toBe("wrong-code");
    const eighth = await setUp(code);
    expect(eighth).toMatchObject({ refusal: { retryAfterSeconds: 60 } });
    clock.advance(60_000);
    expect(typeOf(await setUp(code))).toBe("done");
  });

  test("a stranger who guesses codes does not keep the owner from set-up", async () => {
    const { users, setUp } = place();
    for (let at = 0; at < 6; at += 1) await setUp("WRONG", PASSWORD, "mallory", "198.51.100.9");
    const stranger = await setUp("WRONG", PASSWORD, "mallory", "198.51.100.9");
    expect(typeOf(stranger)).toBe("too-many-tries");
    expect(typeOf(await setUp(users.setupCode ?? ""))).toBe("done");
  });

  test("a weak password and an odd name are told together and cost nothing", async () => {
    const { users, setUp } = place();
    const code = users.setupCode ?? "";
    const outcome = await setUp(code, "short", "an na");
    expect(outcome).toMatchObject({
      refusal: { type: "invalid", problems: [{ path: "username" }, { path: "password" }] },
    });
    expect(typeOf(await setUp(code))).toBe("done");
  });

  test("two set-ups at one time make one user", async () => {
    const { users, setUp } = place();
    const code = users.setupCode ?? "";
    const both = await Promise.all([setUp(code), setUp(code, PASSWORD, "mallory")]);
    expect(both.map(typeOf)).toEqual(["done", "already-set-up"]);
    expect(users.find("mallory")).toBeNull();
  });

  test("a damaged file of users does not open set-up again", () => {
    const half = ["", "{ half", "null", '{"users":[]}', '{"users":[null]}'];
    for (const text of [...half, '{"users":[{"name":"anna"}]}']) {
      const store = new PowerCutStore(new Map([["admin/users.json", text]]));
      expect(() => place(store)).toThrow("admin/users.json is damaged; put it back");
    }
  });
});

describe("signing in", () => {
  async function ready() {
    const set = place();
    await set.setUp(set.users.setupCode ?? "");
    return set;
  }

  test("a token says who it is until it is signed out or twelve hours old", async () => {
    const { access, signIn, clock } = await ready();
    const outcome = await signIn(PASSWORD);
    if (!outcome.ok) throw new Error(outcome.refusal.type);
    const { token, expires } = outcome.value;
    expect(Buffer.from(token, "base64url")).toHaveLength(32);
    expect(Date.parse(expires) - clock.now()).toBe(43_200_000);
    expect(access.actorOf(token)).toEqual({ user: "anna" });
    expect(access.actorOf(`${token}x`)).toBeNull();
    expect(access.actorOf(null)).toBeNull();
    const other = await signIn(PASSWORD);
    access.signOut(token);
    expect(access.actorOf(token)).toBeNull();
    if (!other.ok) throw new Error(other.refusal.type);
    expect(access.actorOf(other.value.token)).toEqual({ user: "anna" });
    clock.advance(43_200_000);
    expect(access.actorOf(other.value.token)).toBeNull();
  });

  test("a wrong name and a wrong password are answered alike", async () => {
    const { signIn } = await ready();
    const wrong = await signIn("not this one");
    expect(typeOf(wrong)).toBe("wrong-login");
    expect(await signIn(PASSWORD, "192.0.2.1", "nobody")).toEqual(wrong);
  });

  test("five wrong tries from one address pause it, and no other address", async () => {
    const { signIn, clock } = await ready();
    for (let at = 0; at < 5; at += 1) await signIn("wrong word");
    expect(typeOf(await signIn(PASSWORD))).toBe("too-many-tries");
    expect(typeOf(await signIn(PASSWORD, "192.0.2.2"))).toBe("done");
    clock.advance(30_000);
    expect(typeOf(await signIn(PASSWORD))).toBe("done");
  });

  test("one name is guarded against many addresses, with short pauses only", async () => {
    const { signIn, clock } = await ready();
    for (let at = 0; at < 60; at += 1) {
      await signIn("wrong word", `192.0.2.${at}`);
      clock.advance(at >= 49 ? 60_000 : 0);
    }
    await signIn("wrong word", "198.51.100.1");
    const owner = await signIn(PASSWORD, "198.51.100.2");
    expect(owner).toMatchObject({ refusal: { type: "too-many-tries", retryAfterSeconds: 60 } });
  });

  test("a twenty-first session ends the oldest one", async () => {
    const { access, signIn, sessions } = await ready();
    const tokens: string[] = [];
    for (let at = 0; at < 21; at += 1) {
      const outcome = await signIn(PASSWORD);
      if (outcome.ok) tokens.push(outcome.value.token);
    }
    expect(sessions.size).toBe(20);
    expect(access.actorOf(tokens[0] ?? "")).toBeNull();
    expect(access.actorOf(tokens[20] ?? "")).toEqual({ user: "anna" });
  });

  test("at most eight passwords wait to be checked", async () => {
    const { signIn } = await ready();
    const many = Array.from({ length: 20 }, (_, at) => signIn(PASSWORD, `198.51.100.${at}`));
    const types = (await Promise.all(many)).map(typeOf);
    expect(types.filter((type) => type === "done")).toHaveLength(8);
    expect(types.filter((type) => type === "too-many-tries")).toHaveLength(12);
  });

  test("no password, code or token is ever in the log", async () => {
    const { lines, signIn, users, setUp } = place();
    const code = users.setupCode ?? "";
    await setUp("WRONG-CODE");
    await setUp(code);
    await signIn("wrong word");
    const outcome = await signIn(PASSWORD);
    const token = outcome.ok ? outcome.value.token : "";
    expect(lines).toHaveLength(4);
    for (const secret of ["WRONG-CODE", code, "wrong word", PASSWORD, token]) {
      expect(lines.join("")).not.toContain(secret);
    }
  });
});
