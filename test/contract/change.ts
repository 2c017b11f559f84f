/**
 * How the bad documents of this folder are told: minimal.json with a few fields changed, and the lines that
 * `pequod check` prints for it. minimal.json has one instance (mycompany, 10.0.3.150) and two proxies: dmz
 * (auto) and lan (manual, eth1, 10.5.6.100).
 */

/** Paths as in problems; undefined takes the field away. */
export type Changes = Readonly<Record<string, unknown>>;
export type BadDocument = readonly [title: string, changes: Changes, lines: readonly string[]];

/** A copy of a document with some fields replaced. */
export function change(document: unknown, changes: Changes): unknown {
  const copy: unknown = structuredClone(document);
  for (const [path, value] of Object.entries(changes)) {
    const keys = path.split(/[.[\]]+/).filter((part) => part !== "");
    const last = keys.pop() ?? "";
    const owner = keys.reduce<Record<string, unknown>>(
      (node, part) => {
        node[part] ??= {};
        return node[part] as Record<string, unknown>;
      },
      copy as Record<string, unknown>,
    );
    if (value === undefined) delete owner[last];
    else owner[last] = value;
  }
  return copy;
}
