/**
 * An admin in one process: files in memory, a clock driven by hand, proxies that run when they are told to
 * and answer as real ones would. Requests go to the app without a port.
 */
import { randomBytes } from "node:crypto";
import { makeApp } from "../../src/admin/app.ts";
import type { HelperRequest } from "../../src/admin/helper.ts";
import { helperFirewall, helperNetwork } from "../../src/admin/helper.ts";
import { type Admin, openAdmin } from "../../src/admin/open.ts";
import { pages } from "../../src/admin/pages/pages.tsx";
import type { Supervisor } from "../../src/admin/supervisor.ts";
import type { CallReport } from "../../src/health/calls.ts";
import type { ProxyStatus } from "../../src/health/status.ts";
import { makeLog } from "../../src/io/log.ts";
import type { World } from "../../src/io/types.ts";
import { HandClock } from "./hand-clock.ts";
import { PowerCutStore } from "./power-cut-store.ts";

/** Whatever an answer holds: tests say what they expect of it. */
// biome-ignore lint/suspicious/noExplicitAny: a test reads any member and fails where it is not there
type Json = any;

const START_MS = Date.UTC(2026, 0, 2);
const PASSWORD = "eight or more";

export function statusOf(name: string): ProxyStatus {
  return {
    proxy: name,
    state: "running",
    since: "2026-01-02T00:00:00.000Z",
    config: { sha256: "", loadedAt: "2026-01-02T00:00:00.000Z", error: null },
    listening: {
      sipTls: "192.0.2.1:5061",
      web: "192.0.2.1:443",
      provisioningHttps: "192.0.2.1:8884",
      sipInside: [],
    },
    sip: {
      connections: 3,
      flows: 0,
      flowsDead: 0,
      keepAlives: { crlf: 0, options: 0, stun: 0 },
      transactions: 0,
      dialogs: 0,
    },
    media: {
      sessions: 0,
      streams: 0,
      portsInUse: 0,
      portsResting: 0,
      portsTotal: 2500,
      offloaded: 0,
      engine: "native",
      inside: { inUse: 0, resting: 0, total: 6807 },
    },
    xmpp: { clients: 0, fromClients: 0, toClients: 0 },
    http: { requests: 0 },
    calls: { ended: { good: 3 } },
    drops: { malformed: 2 },
    bans: [],
    instances: {},
    warnings: [],
  };
}

/** Processes that are there as soon as they are wanted, but for those that are broken. */
export class ScriptedProcesses implements Supervisor {
  readonly running = new Set<string>();
  readonly done: string[] = [];
  /** Names that never come up, and why. */
  readonly broken = new Map<string, { state: "starting" | "failing"; reason: string }>();

  async start(name: string): Promise<void> {
    if (this.running.has(name)) return;
    this.done.push(`start ${name}`);
    if (!this.broken.has(name)) this.running.add(name);
  }

  async stop(name: string): Promise<void> {
    if (this.running.delete(name)) this.done.push(`stop ${name}`);
  }

  async reload(name: string): Promise<void> {
    this.done.push(`reload ${name}`);
  }

  trouble(name: string) {
    return this.broken.get(name) ?? null;
  }

  async close(): Promise<void> {}
}

/** The helper's side of the conversation: what it was asked, and what it answers next. */
export class ScriptedHelper {
  readonly asked: string[] = [];
  confirmBefore: string | null = null;
  error: string | null = null;

  readonly ask = async (request: HelperRequest): Promise<unknown> => {
    const { verb, ...rest } = request;
    this.asked.push(
      verb === "ban" || verb === "unban" ? [verb, ...Object.values(rest)].join(" ") : verb,
    );
    if (this.error !== null) return { ok: false, code: "failed", error: this.error };
    if (request.verb === "confirm") return { ok: true, revision: 1 };
    return { ok: true, revision: 1, confirmBefore: this.confirmBefore };
  };
}

const unreachable = (): Promise<never> => Promise.reject(new Error("no network here"));

export class AdminPlace {
  readonly clock = new HandClock(START_MS);
  readonly store: PowerCutStore;
  readonly processes = new ScriptedProcesses();
  readonly helper = new ScriptedHelper();
  readonly states = new Map<string, Record<string, string>>();
  /** What each proxy tells of its bans. */
  readonly bans = new Map<string, ProxyStatus["bans"]>();
  /** What each proxy tells of its calls. */
  readonly calls: CallReport[] = [];
  readonly admin: Admin;
  readonly #app: ReturnType<typeof makeApp>;
  token = "";

  constructor(o: { store?: PowerCutStore; hasHelper?: boolean } = {}) {
    this.store = o.store ?? new PowerCutStore();
    const log = makeLog({ write: () => {}, minimum: "error", journal: false });
    const world: World = {
      clock: this.clock,
      openDatagrams: unreachable,
      listenStream: unreachable,
      connectStream: unreachable,
      listenByteStreams: unreachable,
      connectByteStream: unreachable,
      listenHttp: unreachable,
      openHttpPool: () => {
        throw new Error("unreachable");
      },
      resolve: async (host) => ({ addresses: [host], ttlSeconds: null }),
      resolveService: async () => [],
      sourceAddressFor: async () => null,
      random: (lengthBytes) => randomBytes(lengthBytes),
    };
    this.admin = openAdmin({
      world,
      log,
      store: this.store,
      passwords: {
        hash: async (password) => `hash of ${password}`,
        verify: async (password, hash) => hash === `hash of ${password}`,
      },
      supervisor: this.processes,
      network: o.hasHelper === true ? helperNetwork(this.helper.ask) : null,
      askStatus: async (name) => {
        if (!this.processes.running.has(name)) return null;
        return { ...statusOf(name), bans: this.bans.get(name) ?? [] };
      },
      askBans: async (name) =>
        this.processes.running.has(name) ? (this.bans.get(name) ?? []) : null,
      askCalls: async (name, wanted) => {
        if (!this.processes.running.has(name)) return null;
        const calls = this.calls.filter(({ callId }) => callId.includes(wanted));
        return { running: 0, ended: calls.length, calls };
      },
      liftBan: async (name, address, user) => {
        const before = this.bans.get(name) ?? [];
        const after = before.filter((one) => one.address !== address || one.user !== user);
        this.bans.set(name, after);
        return after.length < before.length;
      },
      firewall: o.hasHelper === true ? helperFirewall(this.helper.ask) : null,
      states: {
        read: (proxy) => this.states.get(proxy) ?? {},
        write: (proxy, texts) => void this.states.set(proxy, texts),
      },
      interfaces: () => [
        { name: "eth0", mac: "02:00:00:00:00:01", isUp: true, addresses: ["10.0.0.10/24"] },
        { name: "lo", mac: null, isUp: true, addresses: ["127.0.0.1/8"] },
      ],
      version: "pequod test",
    });
    const { operations } = this.admin;
    const site = { operations, clock: this.clock, log };
    this.#app = makeApp({ operations, log, pages: pages(site) });
  }

  /** `GET /api/v1/proxies` and so on, without middleware. */
  get routes(): readonly string[] {
    const routes = this.#app.routes.filter(({ method }) => method !== "ALL");
    return routes.map(({ method, path }) => `${method} ${path}`);
  }

  /** Any request; the body is sent as it is. */
  async raw(path: string, init: RequestInit = {}, address = "192.0.2.200"): Promise<Response> {
    return this.#app.request(`https://admin.example${path}`, init, { address });
  }

  /** A request of the signed-in administrator below /api/v1; the body becomes JSON. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; headers: Headers; body: Json }> {
    const init: RequestInit = {
      method,
      headers: { authorization: `Bearer ${this.token}`, ...headers },
    };
    if (body instanceof FormData) init.body = body;
    else if (body !== undefined) init.body = JSON.stringify(body);
    const response = await this.raw(`/api/v1${path}`, init);
    const text = await response.text();
    const isJson = /json/.test(response.headers.get("content-type") ?? "");
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? JSON.parse(text) : text,
    };
  }

  async setUp(): Promise<void> {
    const code = this.admin.setupCode;
    const { body } = await this.ask("POST", "/setup", {
      code,
      username: "anna",
      password: PASSWORD,
    });
    this.token = body.token;
  }

  /** Lets time pass while `work` goes on. */
  async whilePassing<T>(work: Promise<T>): Promise<T> {
    let isOver = false;
    void work.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      this.clock.advance(100);
      await new Promise((settle) => setImmediate(settle));
    }
    return work;
  }
}

/** Set up and signed in. */
export async function adminPlace(
  o: { store?: PowerCutStore; hasHelper?: boolean } = {},
): Promise<AdminPlace> {
  const place = new AdminPlace(o);
  await place.setUp();
  return place;
}

export const PROXY = {
  name: "dmz",
  fqdn: "mobydick.example.com",
  bindAddress: "127.0.0.5",
  network: { mode: "manual", interface: "eth1", address: "10.5.6.100", netmask: "255.255.255.0" },
};
export const INSTANCE = { name: "mycompany", address: "10.0.3.150" };
