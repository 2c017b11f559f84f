/**
 * The configuration document: the one source of types, defaults, limits and descriptions. `configSchema`
 * says what may stand in it; what fields must be to one another is in the rules-*.ts files, and check.ts
 * puts both together. Nobody else parses a document.
 */
import { z } from "zod";
import { type ApplianceConfig, applianceSchema } from "./appliance.ts";
import { type InstanceDocument, instanceSchema } from "./instance.ts";
import { type ProxyDocument, proxySchema } from "./proxy.ts";

const FIRST_INSIDE_SIP_PORT = 15_060;
/** Where XMPP servers serve BOSH and WebSocket by default. */
const XMPP_HTTP_PORT = 5280;

/** The whole document; an unknown key anywhere is an error. */
export const configSchema = z.strictObject({
  version: z.literal(1).describe("Version of this format: 1. Required."),
  appliance: applianceSchema.prefault({}).describe("The virtual machine itself."),
  instances: z
    .array(instanceSchema)
    .default([])
    .describe("The telephone systems inside. Default none."),
  proxies: z.array(proxySchema).default([]).describe("The proxies, one a zone. Default none."),
});

export type ConfigDocument = z.infer<typeof configSchema>;

/** An instance with its URLs filled in. */
export type InstanceConfig = InstanceDocument & {
  web: { url: string };
  provisioning: { url: string };
  xmpp: { httpUrl: string };
};

/** A proxy with its inside SIP port filled in. */
export type ProxyConfig = ProxyDocument & { inside: { sipPort: number } };

/** What the program runs on: a document with every default filled in. It is a valid document itself. */
export type Config = {
  version: 1;
  appliance: ApplianceConfig;
  instances: InstanceConfig[];
  proxies: ProxyConfig[];
};

/** What one proxy's process gets to know. `instances` are those enabled and reachable through it. */
export type ProxySlice = { proxy: ProxyConfig; instances: InstanceConfig[] };

export type { ApplianceConfig };

/** The inside SIP port of a proxy whose document leaves it out; `index` is its place in the document. */
export function defaultInsideSipPort(index: number): number {
  return FIRST_INSIDE_SIP_PORT + 2 * index;
}

/** Fills the defaults that depend on other fields. */
export function resolveConfig(document: ConfigDocument): Config {
  return {
    ...document,
    instances: document.instances.map(resolveInstance),
    proxies: document.proxies.map(resolveProxy),
  };
}

function resolveInstance(instance: InstanceDocument): InstanceConfig {
  const url = `http://${instance.address.includes(":") ? `[${instance.address}]` : instance.address}`;
  return {
    ...instance,
    web: { ...instance.web, url: instance.web.url ?? url },
    provisioning: { url: instance.provisioning.url ?? url },
    xmpp: { ...instance.xmpp, httpUrl: instance.xmpp.httpUrl ?? `${url}:${XMPP_HTTP_PORT}` },
  };
}

function resolveProxy(proxy: ProxyDocument, index: number): ProxyConfig {
  const sipPort = proxy.inside.sipPort ?? defaultInsideSipPort(index);
  return { ...proxy, inside: { ...proxy.inside, sipPort } };
}

/** The part of the configuration that the proxy of that name may see; null = there is no such proxy. */
export function sliceFor(config: Config, proxyName: string): ProxySlice | null {
  const proxy = config.proxies.find((candidate) => candidate.name === proxyName);
  if (proxy === undefined) return null;
  const { instances } = proxy;
  const named = instances === "all" ? null : new Set(instances.map((name) => name.toLowerCase()));
  const isReachable = (instance: InstanceConfig) =>
    instance.enabled && (named === null || named.has(instance.name.toLowerCase()));
  return { proxy, instances: config.instances.filter(isReachable) };
}
