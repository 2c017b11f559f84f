/** `pequod version`. */
import { version } from "../../package.json" with { type: "json" };

/** Set by `make build`; absent when run from the sources. */
declare const PEQUOD_COMMIT: string | undefined;

export function versionText(): string {
  const commit = typeof PEQUOD_COMMIT === "string" ? PEQUOD_COMMIT : "from sources";
  return `pequod ${version} (Bun ${Bun.version}, commit ${commit})`;
}
