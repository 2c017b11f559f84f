/**
 * The instances' web beside nginx and haproxy, all with the same certificate and the same nginx behind them.
 * Goals: CPU per forwarded HTTPS request at most 4 times nginx's, a download of 1 GiB in constant memory, 2,000
 * idle WebSockets at most 40 KiB each (PSS). Load and servers are on the other core.
 */
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import tls from "node:tls";
import type { Identity } from "../../src/io/types.ts";
import { cpuSeconds, median, memoryOf } from "./cost.ts";
import { type Addresses, addresses } from "./pequod.ts";
import { BINARY, type Child, FOLDER, IN_TREE, start, until } from "./place.ts";
import { row, tell } from "./report.ts";

const SUTS = ["pequod", "nginx", "haproxy"] as const;
type Sut = (typeof SUTS)[number];

const PORT = 443;
const FILES = 8081;
const SOCKETS = 8082;
const GIB = 1_073_741_824;
const AT_A_TIME = 20;
const MANY = 1_000_000;

type Cost = {
  readonly microseconds: number;
  readonly perSecond: number;
  readonly cpuPerGib: number;
  /** More than before, while 1 GiB came down. */
  readonly gibMib: number;
  readonly kibPerSocket: number;
};

export async function webBench(
  identity: Identity,
  o: { readonly rounds: number; readonly seconds: number; readonly sockets: number },
): Promise<void> {
  const costs: Record<Sut, Cost[]> = { pequod: [], nginx: [], haproxy: [] };
  for (let round = 0; round < o.rounds; round++) {
    const order = round % 2 === 0 ? SUTS : [...SUTS].reverse();
    for (const sut of order) costs[sut].push(await measure(sut, identity, o));
  }
  const of = (sut: Sut, figure: keyof Cost) => median(costs[sut].map((cost) => cost[figure]));
  const line = (what: string, unit: string, figure: keyof Cost) => {
    for (const peer of ["nginx", "haproxy"] as const) {
      row(`${what} (${peer})`, unit, of("pequod", figure), of(peer, figure));
    }
  };
  line("forwarded HTTPS request, CPU", "us", "microseconds");
  line("forwarded HTTPS requests", "/s", "perSecond");
  line("download of 1 GiB, CPU", "s", "cpuPerGib");
  line("download of 1 GiB, memory", "MiB", "gibMib");
  line(`memory of an idle WebSocket, ${o.sockets} open`, "KiB", "kibPerSocket");
}

async function measure(
  sut: Sut,
  identity: Identity,
  o: { readonly seconds: number; readonly sockets: number },
): Promise<Cost> {
  const place = addresses(84 + SUTS.indexOf(sut));
  const servers = await openServers(place);
  const child = await raise(sut, place, identity);
  await until("its port", () => isAnswered(place));
  const pids = [child.pid];
  const kibPerSocket = await idleSockets(place, pids, o.sockets);
  await load(place, 3 * o.seconds); // warm: compilers are at work for the first 30,000
  const before = cpuSeconds(pids);
  const requests = await load(place, o.seconds);
  const microseconds = ((cpuSeconds(pids) - before) * 1e6) / requests;
  const download = await gibibyte(place, pids);
  await child.stop();
  await servers.stop();
  const cost = { microseconds, perSecond: requests / o.seconds, ...download, kibPerSocket };
  tell("web", { sut, sockets: o.sockets, ...cost });
  return cost;
}

/** nginx for files, and what answers a WebSocket's handshake and then keeps still. */
async function openServers(place: Addresses): Promise<{ stop(): Promise<void> }> {
  const files = join(FOLDER, "files");
  await Bun.write(join(files, "1k"), "x".repeat(1024));
  await Bun.write(join(files, "big"), "");
  truncateSync(join(files, "big"), GIB);
  const name = `files-${place.instance}`;
  const config = `${NGINX} keepalive_requests ${MANY}; sendfile on;
    server { listen ${place.instance}:${FILES}; root ${IN_TREE}/files; } }`;
  writeFileSync(join(FOLDER, `${name}.conf`), config);
  const nginx = startNginx(name, "load");
  const sockets = Bun.serve({
    hostname: place.instance,
    port: SOCKETS,
    fetch: (request, server) => (server.upgrade(request) ? undefined : new Response("")),
    websocket: { idleTimeout: 0, message() {} },
  });
  return {
    async stop() {
      await sockets.stop(true);
      await nginx.stop();
    },
  };
}

const NGINX = `daemon off; user root; worker_processes 1; error_log stderr;
  events { worker_connections 9000; }
  http { access_log off;`;

function startNginx(name: string, core: "test" | "load"): Child {
  const argv = ["nginx", "-e", "stderr", "-c", `${IN_TREE}/${name}.conf`];
  const pid = ["-g", `pid ${IN_TREE}/${name}.pid;`];
  return start([...argv, ...pid], { name, core, isRealTime: false, isPeer: true });
}

async function raise(sut: Sut, place: Addresses, identity: Identity): Promise<Child> {
  const name = `${sut}-web`;
  writeFileSync(join(FOLDER, `${name}.pem`), identity.certificatePem + identity.keyPem);
  if (sut === "pequod") return await raisePequod(name, place, identity);
  if (sut === "nginx") {
    const inside = (port: number) => `proxy_http_version 1.1; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr; proxy_pass http://${port === FILES ? "files/" : `${place.instance}:${port}/`};`;
    const pem = `${IN_TREE}/${name}.pem`;
    const config = `${NGINX} keepalive_requests ${MANY}; proxy_max_temp_file_size 0;
      upstream files { server ${place.instance}:${FILES}; keepalive 64; keepalive_requests ${MANY}; }
      server { listen ${place.outer}:${PORT} ssl; ssl_certificate ${pem}; ssl_certificate_key ${pem};
        location /files/ { ${inside(FILES)} proxy_set_header Connection ""; }
        location /sockets/ { ${inside(SOCKETS)} proxy_set_header Upgrade $http_upgrade;
          proxy_set_header Connection upgrade; proxy_read_timeout 1h; } } }`;
    writeFileSync(join(FOLDER, `${name}.conf`), config);
    return startNginx(name, "test");
  }
  writeFileSync(
    join(FOLDER, `${name}.cfg`),
    `global
  maxconn 9000
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  http-reuse always
  option forwardfor
frontend web
  bind ${place.outer}:${PORT} ssl crt ${IN_TREE}/${name}.pem
  use_backend sockets if { path_beg /sockets/ }
  default_backend files
backend files
  http-request replace-path /files(/.*) \\1
  server one ${place.instance}:${FILES}
backend sockets
  http-request replace-path /sockets(/.*) \\1
  server one ${place.instance}:${SOCKETS}
`,
  );
  const argv = ["haproxy", "-db", "-f", `${IN_TREE}/${name}.cfg`];
  return start(argv, { name, core: "test", isRealTime: false, isPeer: true });
}

async function raisePequod(name: string, place: Addresses, identity: Identity): Promise<Child> {
  const instance = (called: string, port: number, sipPort: number) => ({
    name: called,
    address: place.instance,
    sip: { port: sipPort, healthCheck: false },
    web: { url: `http://${place.instance}:${port}` },
  });
  const proxy = {
    ...{ name: "bench", bindAddress: place.outer, fqdn: place.outer },
    ...{ certificatePem: identity.certificatePem, certificateKey: identity.keyPem },
    ...{ voipSip: "off", phoneProvisioning: "off", allowXmpp: false, redirectHttp: false },
    inside: { address: place.inner },
    limits: {
      httpConnectionsPerAddress: MANY,
      httpInstanceConnections: 4000,
      handshakesPerSecond: MANY,
    },
  };
  const instances = [instance("files", FILES, 5060), instance("sockets", SOCKETS, 5062)];
  const file = join(FOLDER, `${name}.json`);
  writeFileSync(file, JSON.stringify({ version: 1, instances, proxies: [proxy] }));
  const state = ["--state", join(FOLDER, `${name}.state`)];
  const child = start([BINARY, "proxy", "bench", "--config", file, ...state], {
    ...{ name, core: "test", isRealTime: false },
    environment: { MIMALLOC_PURGE_DELAY: "-1", BUN_JSC_useFTLJIT: "0" },
  });
  await child.line();
  return child;
}

async function isAnswered(place: Addresses): Promise<boolean> {
  const insecure = { tls: { rejectUnauthorized: false } };
  return await fetch(`https://${place.outer}/files/1k`, insecure).then(
    ({ status }) => status === 200,
    () => false,
  );
}

/** How many requests were answered within so long. */
async function load(place: Addresses, seconds: number): Promise<number> {
  const flags = ["-t1", "-c64", `-d${seconds}s`, `https://${place.outer}/files/1k`];
  const child = start(["wrk", ...flags], peer("wrk"));
  for (;;) {
    const line = await child.line();
    if (/Non-2xx|Socket errors/.test(line)) throw new Error(line);
    const count = /^\s*(\d+) requests in/.exec(line)?.[1];
    if (count !== undefined) return await child.exited.then(() => Number(count));
  }
}

const peer = (name: string) => ({ name, core: "load", isRealTime: false, isPeer: true }) as const;

async function gibibyte(
  place: Addresses,
  pids: readonly number[],
): Promise<Pick<Cost, "cpuPerGib" | "gibMib">> {
  const before = { cpu: cpuSeconds(pids), mib: memoryOf(pids).rssMib };
  let most = before.mib;
  const url = `https://${place.outer}/files/big`;
  const child = start(
    ["curl", "-sSk", "-o", "/dev/null", "-w", "%{size_download}\n", url],
    peer("curl"),
  );
  const isOver = child.line().then((size) => {
    if (Number(size) !== GIB) throw new Error(`${size} bytes came`);
    return true;
  });
  while (!(await Promise.race([isOver, delay(100, false)]))) {
    most = Math.max(most, memoryOf(pids).rssMib);
  }
  return { cpuPerGib: cpuSeconds(pids) - before.cpu, gibMib: most - before.mib };
}

async function idleSockets(
  place: Addresses,
  pids: readonly number[],
  count: number,
): Promise<number> {
  for (const socket of await openSockets(place, 100)) socket.destroy(); // warm
  await delay(1000);
  const before = memoryOf(pids).pssMib;
  const sockets = await openSockets(place, count);
  await delay(2000);
  const kib = ((memoryOf(pids).pssMib - before) * 1024) / count;
  for (const socket of sockets) socket.destroy();
  return kib;
}

async function openSockets(place: Addresses, count: number): Promise<tls.TLSSocket[]> {
  const sockets: tls.TLSSocket[] = [];
  const request = [
    ...["GET /sockets/ HTTP/1.1", `Host: ${place.outer}`, "Upgrade: websocket"],
    ...["Connection: Upgrade", "Sec-WebSocket-Version: 13"],
    ...["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", ""],
  ].join("\r\n");
  const some = async (): Promise<void> => {
    while (sockets.length < count) {
      const socket = tls.connect({ host: place.outer, port: PORT, rejectUnauthorized: false });
      sockets.push(socket);
      await new Promise((resolve, reject) => {
        socket.once("secureConnect", () => socket.write(request));
        socket.once("data", resolve);
        socket.once("error", reject);
      }).then((bytes) => {
        if (!String(bytes).startsWith("HTTP/1.1 101")) throw new Error(String(bytes).slice(0, 200));
      });
      socket.on("error", () => {});
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, some));
  return sockets;
}
