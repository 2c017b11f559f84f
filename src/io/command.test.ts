/** Real commands of the machine the tests run on. */
import { expect, test } from "bun:test";
import { CommandError, runCommand } from "./command.ts";

async function failure(argv: readonly string[], timeoutMs?: number): Promise<CommandError> {
  try {
    await runCommand(argv, timeoutMs === undefined ? {} : { timeoutMs });
  } catch (error) {
    if (error instanceof CommandError) return error;
    throw error;
  }
  throw new Error("the command succeeded");
}

test("gives what the command wrote, each argument as it is", async () => {
  expect(await runCommand(["printf", "%s|", "a b", "$HOME", ";ls", ""])).toBe("a b|$HOME|;ls||");
});

test("the command sees nothing of our environment", async () => {
  process.env["PEQUOD_SECRET"] = "x";
  const seen = await runCommand(["env"]);
  delete process.env["PEQUOD_SECRET"];
  expect(seen).toBe("PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=C\n");
});

test("a failure tells the command, its exit code and what it said", async () => {
  const error = await failure(["sh", "-c", "echo no such device >&2; exit 3"]);
  expect(error.exit).toBe(3);
  expect(error.stderr).toBe("no such device\n");
  expect(error.message).toEndWith("exit 3: no such device");
  expect((await failure(["false"])).message).toBe("false: exit 1");
});

test("a program that is not there is a failure like others", async () => {
  const error = await failure(["/nowhere/pequod-test"]);
  expect(error.exit).toBeNull();
  expect(error.argv).toEqual(["/nowhere/pequod-test"]);
});

test("a command that does not end is killed", async () => {
  const error = await failure(["sleep", "60"], 50);
  expect(error.exit).toBeNull();
  expect(error.message).toContain("did not end within 0.05 s");
});
