/**
 * The description of the API (OpenAPI 3.1, which is JSON Schema 2020-12): generated from the schemas that
 * check what comes in. A test compares its list of routes with those that are there.
 */
import { z } from "zod";
import { applianceSchema } from "../../config/appliance.ts";
import { instanceSchema } from "../../config/instance.ts";
import { proxySchema } from "../../config/proxy.ts";
import { FINDINGS } from "../../health/calls.ts";
import { BACKUP_TYPE } from "../backup.ts";
import { applySchema, backupSchema, sessionSchema, setupSchema } from "./bodies.ts";

type Json = Readonly<Record<string, unknown>>;

/** [method, path, what it does, body, good answer, refusals]. Names in capitals are components. */
type Route = readonly [
  method: "get" | "post" | "put" | "delete",
  path: string,
  summary: string,
  body: string | null,
  answer: readonly [status: number, schema: string | null],
  refusals: readonly number[],
];

export const ROUTES: readonly Route[] = [
  [
    "post",
    "/setup",
    "First run: make the administrator.",
    "Setup",
    [201, "Token"],
    [403, 409, 429],
  ],
  ["post", "/session", "Sign in.", "Credentials", [200, "Token"], [401, 403, 429]],
  ["delete", "/session", "Sign out.", null, [204, null], []],
  ["get", "/proxies", "All proxies.", null, [200, "Proxy[]"], []],
  ["post", "/proxies", "A new proxy.", "Proxy", [201, "Proxy"], [409, 422]],
  ["get", "/proxies/{name}", "One proxy.", null, [200, "Proxy"], [404]],
  ["put", "/proxies/{name}", "The whole proxy.", "Proxy", [200, "Proxy"], [404, 412, 422]],
  ["delete", "/proxies/{name}", "Delete it.", null, [204, null], [404, 412]],
  ["post", "/proxies/{name}/start", "Start it now.", null, [200, "Status"], [404, 409, 504]],
  ["post", "/proxies/{name}/stop", "Stop it now.", null, [200, "Status"], [404, 409, 504]],
  ["get", "/proxies/{name}/status", "What is observed.", null, [200, "Status"], [404]],
  ["get", "/proxies/{name}/calls", "Running and ended.", null, [200, "Calls"], [404, 409]],
  ["get", "/proxies/{name}/bans", "Who is kept out.", null, [200, "Ban[]"], [404, 409]],
  ["delete", "/proxies/{name}/bans/{address}", "Let in again.", null, [204, null], [404, 409]],
  ["post", "/proxies/{name}/backup", "One file.", "Backup", [200, "File"], [404, 409, 422]],
  ["put", "/proxies/{name}/restore", "From a file.", "Upload", [200, "Restored"], [409, 422]],
  ["get", "/instances", "All instances.", null, [200, "Instance[]"], []],
  ["post", "/instances", "A new instance.", "Instance", [201, "Instance"], [409, 422]],
  ["get", "/instances/{name}", "One instance.", null, [200, "Instance"], [404]],
  ["put", "/instances/{name}", "The whole one.", "Instance", [200, "Instance"], [404, 412, 422]],
  ["delete", "/instances/{name}", "Delete it.", null, [204, null], [404, 409, 412]],
  ["post", "/instances/{name}/check", "Try to reach it.", null, [200, "Reach[]"], [404]],
  ["get", "/appliance", "The machine itself.", null, [200, "Appliance"], []],
  ["put", "/appliance", "The whole object.", "Appliance", [200, "Appliance"], [412, 422]],
  ["get", "/changes", "What waits to be applied.", null, [200, "Pending"], []],
  ["delete", "/changes", "Discard what waits.", null, [204, null], []],
  ["post", "/apply", "Make the candidate active.", "Apply", [200, "Applied"], [409, 422, 502]],
  ["post", "/apply/confirm", "Keep what was applied.", null, [200, "Applied"], [409, 502]],
  ["get", "/revisions", "The history, newest first.", null, [200, "Revision[]"], []],
  ["get", "/revisions/{number}/diff", "What it changed.", null, [200, "Changes"], [404]],
  ["post", "/revisions/{number}/restore", "To the candidate.", null, [200, "Changes"], [404, 422]],
  ["get", "/interfaces", "Network interfaces.", null, [200, "Interface[]"], []],
  ["get", "/provisioning-urls", "Where a phone asks.", null, [200, "Urls[]"], [404, 422]],
  ["get", "/events", "What happens (server-sent events).", null, [200, "Stream"], [503]],
  ["get", "/metrics", "Prometheus text.", null, [200, "Text"], []],
  ["get", "/openapi.json", "This description.", null, [200, "Any"], []],
];

const text = { type: "string" };
const time = { type: "string", format: "date-time" };
const number = { type: "integer" };
const orNull = (schema: Json): Json => ({ anyOf: [schema, { type: "null" }] });
const object = (properties: Json): Json => ({ type: "object", properties });
const list = (items: Json): Json => ({ type: "array", items });

const certificate = object({
  subject: text,
  issuer: text,
  names: list(text),
  validFrom: time,
  validUntil: time,
  isSelfSigned: { type: "boolean" },
  warnings: list(text),
});
const measure = { type: "number" };
const leg = object({
  codec: orNull(text),
  isEncrypted: { type: "boolean" },
  ...{ packets: number, octets: number, rtcpPackets: number, lost: number, lossPercent: measure },
  ...{ jitterMs: measure, duplicates: number, reordered: number, roundTripMs: orNull(measure) },
  ...{ peerLossPercent: orNull(measure), peerJitterMs: orNull(measure), mos: orNull(measure) },
  ...{ lastSeen: orNull(time), source: orNull(text), moves: number, foreign: number },
  drops: { type: "object", additionalProperties: number },
});
const call = object({
  ...{ callId: text, instance: text, caller: { enum: ["phone", "instance"] } },
  ...{ from: orNull(text), to: orNull(text), begun: time, answered: orNull(time) },
  ...{ ended: orNull(time), reason: orNull(text), seconds: number },
  diagnosis: list(object({ code: { enum: Object.keys(FINDINGS) }, text })),
  streams: list(object({ type: text, phone: leg, instance: leg })),
});
const change = object({ path: text, before: {}, after: {} });
const changes = list(change);

function inputSchema(schema: z.ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input" });
  return rest;
}

/** Sent without secrets, with what is told about them; taken with or without both. */
function proxyComponent(): Json {
  const schema = inputSchema(proxySchema);
  const secrets = {
    certificate: { ...orNull(certificate), readOnly: true },
    certificateKeyFingerprint: { ...orNull(text), readOnly: true },
    certificateSelfSigned: { type: "boolean", readOnly: true },
    provisioningKeySet: { type: "boolean", readOnly: true },
  };
  const properties = Object.entries({ ...(schema["properties"] as Json), ...secrets }).map(
    ([name, one]) => {
      const isSecret = name === "certificateKey" || name === "provisioningKey";
      return [name, isSecret ? { ...(one as Json), writeOnly: true } : one];
    },
  );
  return { ...schema, properties: Object.fromEntries(properties) };
}

function components(): Json {
  return {
    Setup: inputSchema(setupSchema),
    Credentials: inputSchema(sessionSchema),
    Token: object({ token: text, expires: time }),
    Proxy: proxyComponent(),
    Instance: inputSchema(instanceSchema),
    Appliance: inputSchema(applianceSchema),
    Status: object({
      proxy: text,
      state: { enum: ["running", "starting", "draining", "stopped", "failing"] },
      reason: orNull(text),
      observedAt: time,
      shallRun: { type: "boolean" },
      revision: number,
    }),
    Calls: object({ running: number, ended: number, calls: list(call) }),
    Ban: object({ address: text, user: orNull(text), reason: text, since: time, until: time }),
    Backup: inputSchema(backupSchema),
    Restored: object({
      proxy: { $ref: "#/components/schemas/Proxy" },
      isNew: { type: "boolean" },
      instances: object({ added: list(text), kept: list(text), differing: list(text) }),
      hasState: { type: "boolean" },
      takenAt: time,
      changes,
      dryRun: { type: "boolean" },
    }),
    Reach: object({
      service: text,
      reachable: { type: "boolean" },
      reason: orNull(text),
      advice: orNull(text),
      tookMs: number,
    }),
    Pending: object({
      changes,
      activeRevision: number,
      pending: orNull(object({ revision: number, confirmBefore: time })),
      undone: orNull(object({ revision: number, time })),
    }),
    Apply: inputSchema(applySchema),
    Applied: object({ revision: number, confirmBefore: orNull(time) }),
    Revision: object({
      number,
      time,
      user: text,
      note: text,
      isActive: { type: "boolean" },
    }),
    Changes: object({ changes }),
    Interface: object({
      name: text,
      mac: orNull(text),
      isUp: { type: "boolean" },
      addresses: list(text),
      usedBy: list(text),
    }),
    Urls: object({ proxy: text, urls: list(text) }),
    Any: { type: "object" },
    Problem: object({
      type: text,
      title: text,
      status: number,
      detail: text,
      problems: list(object({ path: text, message: text })),
    }),
  };
}

const UPLOAD = {
  "multipart/form-data": {
    schema: {
      ...object({ file: { type: "string", contentMediaType: BACKUP_TYPE }, passphrase: text }),
      required: ["file"],
    },
  },
};

/** `Name[]` is a list of that component; File, Text and Stream are no JSON. */
function contentOf(name: string): Json {
  if (name === "Upload") return UPLOAD;
  if (name === "File") return { [BACKUP_TYPE]: {} };
  if (name === "Text") return { "text/plain": { schema: text } };
  if (name === "Stream") return { "text/event-stream": { schema: text } };
  const one = { $ref: `#/components/schemas/${name.replace("[]", "")}` };
  return { "application/json": { schema: name.endsWith("[]") ? list(one) : one } };
}

const PROBLEM = {
  "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } },
};

function query(name: string, schema: Json): Json {
  return { name, in: "query", schema };
}

function parametersOf(method: string, path: string): readonly Json[] {
  const inPath = [...path.matchAll(/\{([a-z]+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: text,
  }));
  const isObject = /^\/(proxies|instances|appliance)(\/\{name\})?$/.test(path);
  if (isObject && method === "get") {
    return [...inPath, query("state", { enum: ["candidate", "active"], default: "candidate" })];
  }
  if (isObject && method !== "post") {
    return [...inPath, { name: "If-Match", in: "header", schema: text }];
  }
  if (path.endsWith("/restore") && method === "put") {
    return [...inPath, query("dryRun", { enum: ["1"] })];
  }
  if (path.endsWith("/calls")) return [...inPath, query("q", text)];
  if (path.endsWith("/bans/{address}")) return [...inPath, query("user", text)];
  if (path === "/provisioning-urls") return [query("instance", text), query("mac", text)];
  return inPath;
}

function operationOf([method, path, summary, body, [status, answer], refusals]: Route): Json {
  const isOpen = path === "/setup" || (path === "/session" && method === "post");
  const refused = [400, ...(isOpen ? [] : [401, 403]), ...refusals];
  const responses = [
    [status, { description: "Done.", ...(answer === null ? {} : { content: contentOf(answer) }) }],
    ...[...new Set(refused)].map((one) => [one, { description: "Refused.", content: PROBLEM }]),
  ];
  return {
    summary,
    parameters: parametersOf(method, path),
    ...(body === null ? {} : { requestBody: { content: contentOf(body) } }),
    responses: Object.fromEntries(responses),
    ...(isOpen ? { security: [] } : {}),
  };
}

export function openApiDocument(version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of ROUTES) {
    const [method, path] = route;
    paths[path] = { ...paths[path], [method]: operationOf(route) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Pequod", version },
    servers: [{ url: "/api/v1" }],
    security: [{ bearer: [] }, { cookie: [] }],
    paths,
    components: {
      schemas: components(),
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        cookie: { type: "apiKey", in: "cookie", name: "__Host-pequod" },
      },
    },
  };
}
