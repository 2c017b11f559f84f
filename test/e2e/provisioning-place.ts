/** A proxy that serves phones, an instance that has their files, and a phone that asks; the compiled binary. */
import { expect } from "bun:test";
import { ProvisioningTokens } from "../../src/provisioning/token.ts";
import { ConfigurationServer, type FetchOptions, fetches } from "../peers/phone-http.ts";
import type { LoopbackPlace, Running } from "./binary.ts";
import { closing, place } from "./call.ts";

export const KEY = Buffer.alloc(32, 7);
export const MAC = "08C25A4F0321";
export const TOKEN = new ProvisioningTokens(KEY).make({ instance: "mycompany", mac: MAC });
export const PLAIN = `/p/mycompany/${MAC}`;
export const FREE = { sipTls: 0, provisioningHttps: 0, provisioningHttp: 0 };

export type Ends = {
  readonly at: LoopbackPlace;
  readonly running: Running;
  readonly server: ConfigurationServer;
  readonly listening: Record<string, string>;
  ask(path: string, more?: Partial<FetchOptions>): ReturnType<typeof fetches>;
  configure(proxy: object, others?: readonly object[]): void;
};

export async function ends(proxy: object = {}, others: readonly object[] = []): Promise<Ends> {
  const at = place();
  const server = closing(new ConfigurationServer());
  const url = `http://${at.pbx}:${await server.opens(at.pbx)}`;
  const base = { provisioningKey: KEY.toString("base64"), ports: FREE };
  const configure = (own: object, more: readonly object[] = []): void =>
    at.writeConfig({ ...base, ...own }, { provisioning: { url } }, more);
  configure({ phoneProvisioning: "https-encrypted", ...proxy }, others);
  const { running, listening } = await at.startProxy();
  const ask: Ends["ask"] = (path, more = {}) => {
    const port = more.scheme === "http" ? "provisioningHttp" : "provisioningHttps";
    return fetches({ at: listening[port] ?? "", path, from: at.phone, ...more });
  };
  return { at, running, server, listening, ask, configure };
}

/** SIGHUP, and the new configuration is in use. */
export async function reload({ at, running }: Ends): Promise<void> {
  const before = running.stderr.length;
  running.signal("SIGHUP");
  await running.prints(new RegExp(`[\\s\\S]{${before}}[\\s\\S]*reloaded`), "stderr");
  expect((await at.status()).config.error).toBeNull();
}

/** What of an answer could tell two refusals apart: all but the time and the request's id. */
export function shape({ status, rawHeaders, body }: Awaited<ReturnType<typeof fetches>>) {
  const names = rawHeaders.filter((_, at) => at % 2 === 0);
  const values = rawHeaders.filter((_, at) => at % 2 === 1 && names[(at - 1) / 2] !== "Date");
  return { status, names, values, length: body.length };
}
