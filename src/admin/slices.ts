/**
 * What each proxy's process gets to see: a document of its own with only itself and its instances
 * (DIR/proxies/NAME/config.json), so that one zone never holds the keys of another.
 */
import {
  type Config,
  type ConfigDocument,
  configSchema,
  resolveConfig,
  sliceFor,
} from "../config/config.ts";
import type { TextStore } from "./revisions.ts";

const FOLDER = "proxies";
export const slicePath = (name: string): string => `${FOLDER}/${name}/config.json`;

/** A valid document with the one proxy, its inside SIP port told; null = there is no such proxy. */
export function sliceDocument(document: ConfigDocument, name: string): Config | null {
  const slice = sliceFor(resolveConfig(document), name);
  if (slice === null) return null;
  const { proxy, instances } = slice;
  const { version, appliance } = configSchema.parse({ version: 1 });
  const reachable = new Set(instances.map((instance) => instance.name.toLowerCase()));
  // A disabled instance is not in the slice, so its name must not be in the list either.
  const names =
    proxy.instances === "all"
      ? ("all" as const)
      : proxy.instances.filter((one) => reachable.has(one.toLowerCase()));
  return { version, appliance, instances, proxies: [{ ...proxy, instances: names }] };
}

/** Writes the slice where it differs from the one that is there. Answers whether it did. */
export function writeSlice(store: TextStore, document: ConfigDocument, name: string): boolean {
  const text = `${JSON.stringify(sliceDocument(document, name), null, 2)}\n`;
  if (store.read(slicePath(name)) === text) return false;
  store.write(slicePath(name), text);
  return true;
}

/** Names of the proxies that have a slice, also of those that are in no document any more. */
export function slicedNames(store: TextStore): readonly string[] {
  return store.list(FOLDER).filter((name) => store.read(slicePath(name)) !== null);
}

export function removeSlice(store: TextStore, name: string): void {
  store.remove(slicePath(name));
}
