/** What the image build says on a machine that lacks something. */
import { expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SCRIPT = join(import.meta.dir, "../../image/host.sh");

/** Runs the check on a list of packages; apt-get is one that gets nothing. */
function check(list: string): { readonly code: number; readonly said: string } {
  const folder = mkdtempSync(join(tmpdir(), "pequod-host-"));
  writeFileSync(join(folder, "list"), list);
  writeFileSync(join(folder, "apt-get"), "#!/bin/sh\nexit 100\n");
  chmodSync(join(folder, "apt-get"), 0o755);
  const run = Bun.spawnSync([SCRIPT, join(folder, "list")], {
    env: { PATH: `${folder}:${process.env["PATH"]}`, PEQUOD_IMAGE: folder },
  });
  rmSync(folder, { recursive: true });
  return { code: run.exitCode, said: `${run.stdout}${run.stderr}` };
}

test("packages that are there are not spoken of", () => {
  expect(check("# none\ncoreutils /bin/ls\n")).toEqual({ code: 0, said: "" });
});

test("missing packages that cannot be installed are named, and only they", () => {
  const { code, said } = check("coreutils /bin/ls\nno-such-one /no/a\nno-such-two /no/b*\n");
  expect(code).toBe(1);
  expect(said).toContain("cannot be installed: no-such-one no-such-two\n");
  expect(said).not.toContain("coreutils");
});
