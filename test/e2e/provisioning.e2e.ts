/** Phone provisioning by the compiled binary: bun test ./test/e2e/provisioning.e2e.ts */
import { afterEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { Agent } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { ProvisioningTokens } from "../../src/provisioning/token.ts";
import { begins, ConfigurationServer, type FetchOptions, fetches } from "../peers/phone-http.ts";
import type { LoopbackPlace, Running } from "./binary.ts";
import { closeAll, closing, makeEnds, place } from "./call.ts";

afterEach(closeAll);

const KEY = Buffer.alloc(32, 7);
const MAC = "08C25A4F0321";
const TOKEN = new ProvisioningTokens(KEY).make({ instance: "mycompany", mac: MAC });
const PLAIN = `/p/mycompany/${MAC}`;
const FREE = { sipTls: 0, provisioningHttps: 0, provisioningHttp: 0 };

type Ends = {
  readonly at: LoopbackPlace;
  readonly running: Running;
  readonly server: ConfigurationServer;
  readonly listening: Record<string, string>;
  ask(path: string, more?: Partial<FetchOptions>): ReturnType<typeof fetches>;
  configure(proxy: object, others?: readonly object[]): void;
};

async function ends(proxy: object = {}, others: readonly object[] = []): Promise<Ends> {
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
async function reload({ at, running }: Ends): Promise<void> {
  const before = running.stderr.length;
  running.signal("SIGHUP");
  await running.prints(new RegExp(`[\\s\\S]{${before}}[\\s\\S]*reloaded`), "stderr");
  expect((await at.status()).config.error).toBeNull();
}

/** What of an answer could tell two refusals apart: all but the time and the request's id. */
function shape({ status, rawHeaders, body }: Awaited<ReturnType<typeof fetches>>) {
  const names = rawHeaders.filter((_, at) => at % 2 === 0);
  const values = rawHeaders.filter((_, at) => at % 2 === 1 && names[(at - 1) / 2] !== "Date");
  return { status, names, values, length: body.length };
}

describe("https-encrypted", () => {
  test("a token leads to the phone's files, with what the phone puts behind it", async () => {
    const { server, ask, at, listening } = await ends();
    expect(Object.keys(listening)).not.toContain("provisioningHttp");
    const answer = await ask(`/p/${TOKEN}`);
    expect([answer.status, answer.body]).toEqual([200, `configuration of ${PLAIN}\n`]);
    for (const end of ["=", "=%2B", "%3D", "+"]) {
      expect((await ask(`/p/${TOKEN}${end}`)).status).toBe(200);
    }
    await ask(`/p/${TOKEN}/fw/a%20b.bin?x=1&y=%2F`);
    expect(server.asked.at(-1)?.url).toBe(`${PLAIN}/fw/a%20b.bin?x=1&y=%2F`);
    const head = await ask(`/p/${TOKEN}`, { method: "HEAD" });
    expect([head.status, head.body, server.asked.at(-1)?.method]).toEqual([200, "", "HEAD"]);
    expect(server.asked.every(({ from }) => from === at.inside)).toBe(true);
    expect(server.asked.at(-1)?.headers["x-forwarded-for"]).toBe(at.phone);
  });

  test("all that leads nowhere gets one and the same answer, and reaches no instance", async () => {
    const { server, ask } = await ends({ instances: ["mycompany"] }, [
      { name: "closed", address: "10.0.0.1", enabled: false },
      { name: "elsewhere", address: "10.0.0.2" },
    ]);
    const tokens = new ProvisioningTokens(KEY);
    const other = new ProvisioningTokens(Buffer.alloc(32, 8));
    const wanted = shape(await ask("/nothing"));
    expect(wanted.status).toBe(404);
    for (const path of [
      "/",
      PLAIN,
      `/p/${other.make({ instance: "mycompany", mac: MAC })}`,
      `/p/${tokens.make({ instance: "closed", mac: MAC })}`,
      `/p/${tokens.make({ instance: "elsewhere", mac: MAC })}`,
      `/p/${tokens.make({ instance: "nobody", mac: MAC })}`,
      `/p/${TOKEN.slice(0, -1)}${TOKEN.endsWith("A") ? "B" : "A"}`,
      `/p/${TOKEN}/../x`,
      `/p/${TOKEN}/%2e%2e/x`,
    ]) {
      expect([path, shape(await ask(path))]).toEqual([path, wanted]);
    }
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
      expect(shape(await ask(`/p/${TOKEN}`, { method }))).toEqual(wanted);
    }
    expect(server.asked).toEqual([]);
  });

  test("a token from before the key was changed is as good as none", async () => {
    const all = await ends();
    expect((await all.ask(`/p/${TOKEN}`)).status).toBe(200);
    const key = Buffer.alloc(32, 9);
    all.configure({
      phoneProvisioning: "https-encrypted",
      provisioningKey: key.toString("base64"),
    });
    await reload(all);
    expect((await all.ask(`/p/${TOKEN}`)).status).toBe(404);
    const token = new ProvisioningTokens(key).make({ instance: "mycompany", mac: MAC });
    expect((await all.ask(`/p/${token}`)).status).toBe(200);
  });

  test("neither tokens nor MACs stand in the log", async () => {
    const { running, ask, server, at } = await ends();
    await ask(`/p/${TOKEN}/secret.cfg`);
    await ask("/p/wrong-token-of-somebody");
    server.close();
    expect((await ask(`/p/${TOKEN}`)).status).toBe(502);
    await at.status();
    for (const text of [TOKEN, MAC, MAC.toLowerCase(), "secret.cfg", "wrong-token"]) {
      expect(running.stderr).not.toContain(text);
    }
  });
});

describe("https and http-and-https", () => {
  test("instance and MAC in any spelling, and files named by the MAC", async () => {
    const { server, ask, listening } = await ends({ phoneProvisioning: "https" });
    expect(Object.keys(listening)).not.toContain("provisioningHttp");
    const asked: Record<string, string> = {
      [PLAIN]: PLAIN,
      "/p/MyCompany/08:c2:5a:4f:03:21": PLAIN,
      "/p/mycompany/08-C2-5A-4F-03-21/": `${PLAIN}/`,
      "/p/mycompany/08c25a4f0321.cfg": `${PLAIN}/08c25a4f0321.cfg`,
      "/p/mycompany/snomD375-08C25A4F0321.htm?a": `${PLAIN}/snomD375-08C25A4F0321.htm?a`,
      "/p/mycompany/08C25A4F0321.xml": `${PLAIN}/08C25A4F0321.xml`,
      [`/p/${TOKEN}`]: PLAIN,
    };
    for (const [path, target] of Object.entries(asked)) {
      expect([path, (await ask(path)).status]).toEqual([path, 200]);
      expect(server.asked.at(-1)?.url).toBe(target);
    }
    expect((await ask("/p/mycompany/")).status).toBe(404);
    expect((await ask(`/p/nobody/${MAC}`)).status).toBe(404);
  });

  test("HTTP serves the plain form too where it is wanted, never a token", async () => {
    const { ask } = await ends({ phoneProvisioning: "http-and-https" });
    for (const scheme of ["http", "https"] as const) {
      expect((await ask(PLAIN, { scheme })).status).toBe(200);
    }
    expect((await ask(`/p/${TOKEN}`, { scheme: "http" })).status).toBe(404);
    expect((await ask(`/p/${TOKEN}`)).status).toBe(200);
  });

  test("a reload to off closes both ports, and what is open serves nothing more", async () => {
    const all = await ends({ phoneProvisioning: "http-and-https" });
    all.configure({ phoneProvisioning: "off" });
    await reload(all);
    for (const scheme of ["http", "https"] as const) {
      const refused = await all.ask(PLAIN, { scheme }).catch((error: Error) => error);
      expect(refused).toBeInstanceOf(Error);
    }
  });
});

describe("the instance", () => {
  test("a large firmware file arrives whole, by ranges too, and its headers as they are", async () => {
    const { server, ask } = await ends();
    const firmware = Buffer.alloc(64 << 20, "firmware ");
    server.answer = (request, response) => {
      const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
      response.setHeader("ETag", '"v1"');
      response.setHeader("Content-Type", "application/octet-stream");
      if (range === null) return void response.end(firmware);
      response.statusCode = 206;
      response.setHeader("Content-Range", `bytes ${range[1]}-${range[2]}/${firmware.length}`);
      response.end(firmware.subarray(Number(range[1]), Number(range[2]) + 1));
    };
    const digest = (text: string | Buffer) =>
      createHash("sha256")
        .update(text as string, "latin1")
        .digest("hex");
    const whole = await ask(`/p/${TOKEN}/fw.bin`);
    expect([whole.headers.etag, whole.headers["content-length"]]).toEqual(['"v1"', "67108864"]);
    expect(digest(whole.body)).toBe(createHash("sha256").update(firmware).digest("hex"));
    const part = await ask(`/p/${TOKEN}/fw.bin`, { headers: { Range: "bytes=9-17" } });
    expect([part.status, part.headers["content-range"], part.body]).toEqual([
      206,
      "bytes 9-17/67108864",
      "firmware ",
    ]);
  });

  test("a phone that goes away ends the transfer at the instance too", async () => {
    const { server, at, listening } = await ends();
    const gone = new Promise<void>((resolve) => {
      server.answer = (_, response) => {
        response.on("close", resolve);
        response.write(Buffer.alloc(1 << 20));
      };
    });
    const from = { at: listening["provisioningHttps"] ?? "", from: at.phone };
    const response = await begins({ ...from, path: `/p/${TOKEN}/fw.bin` });
    await once(response, "readable");
    response.destroy();
    await gone;
  });

  test("that is down is 502 with the request's id, and names nothing", async () => {
    const { server, ask, at, running } = await ends();
    server.close();
    const answer = await ask(`/p/${TOKEN}`);
    expect(answer.status).toBe(502);
    const id = /Request ([A-Za-z0-9_-]{6,})/.exec(answer.body)?.[1] ?? "none";
    await running.prints(new RegExp(id), "stderr");
    for (const text of [at.pbx, at.inside, "mycompany", MAC, "ECONNREFUSED", "Pequod", "Bun"]) {
      expect(answer.body + answer.rawHeaders.join()).not.toContain(text);
    }
  });
});

describe("the instance, at its worst", () => {
  test("one that takes the request and never answers is 504 with the request's id", async () => {
    const { server, ask } = await ends({ limits: { httpResponseTimeout: 1 } });
    server.answer = () => {};
    const answer = await ask(`/p/${TOKEN}`);
    expect([answer.status, answer.body]).toEqual([504, expect.stringMatching(/Request [0-9a-f]+/)]);
  });

  test("its redirections point to the phone's own URL, and tell no address of the inside", async () => {
    const { server, ask, at } = await ends();
    const locations: Record<string, string> = {
      [`${PLAIN}/fw/`]: `/p/${TOKEN}/fw/`,
      [`http://HOST${PLAIN}?x`]: `/p/${TOKEN}?x`,
      "http://HOST/p/mycompany/other": "/p/mycompany/other",
      "https://firmware.example.com/a.bin": "https://firmware.example.com/a.bin",
      "next.cfg": "next.cfg",
    };
    for (const [inside, outside] of Object.entries(locations)) {
      server.answer = ({ headers: { host = "" } }, response) => {
        response.writeHead(302, { Location: inside.replace("HOST", host) }).end();
      };
      const { status, headers } = await ask(`/p/${TOKEN}`);
      expect([status, headers.location]).toEqual([302, outside]);
      expect(headers.location).not.toContain(at.pbx);
    }
  });

  test("one that is taken away by a reload ends the transfers of its phones, others go on", async () => {
    const all = await ends({ phoneProvisioning: "https" }, [
      { name: "other", address: "127.0.0.9", provisioning: { url: "http://127.0.0.9" } },
    ]);
    const { server, listening, at, configure } = all;
    server.answer = (_, response) => void response.write("the first part");
    const response = await begins({ at: listening["provisioningHttps"] ?? "", path: PLAIN });
    await once(response, "readable");
    const ended = new Promise<void>((resolve) => response.on("close", resolve));
    response.on("error", () => {}).resume();
    configure({ phoneProvisioning: "https", instances: ["other"] }, [
      { name: "other", address: "127.0.0.9" },
    ]);
    await reload(all);
    await ended;
    expect(response.complete).toBe(false);
    expect((await all.ask(PLAIN, { from: at.phone })).status).toBe(404);
  });

  test("one that takes the connection and says nothing is 502 after the connect timeout", async () => {
    const all = await ends();
    const silent = createServer(() => {});
    silent.listen({ host: all.at.pbx, port: 0 });
    await once(silent, "listening");
    closing({ close: () => void silent.close() });
    const { port } = silent.address() as AddressInfo;
    const proxy = { provisioningKey: KEY.toString("base64"), ports: FREE };
    const limits = { httpConnectTimeout: 1 };
    all.at.writeConfig(
      { ...proxy, phoneProvisioning: "https-encrypted", limits },
      { provisioning: { url: `https://${all.at.pbx}:${port}` } },
    );
    await reload(all);
    expect((await all.ask(`/p/${TOKEN}`)).status).toBe(502);
  });

  test("a change of protocol is nothing that phones may ask for", async () => {
    const { ask, server } = await ends();
    const headers = { Connection: "Upgrade", Upgrade: "websocket" };
    expect((await ask(`/p/${TOKEN}`, { headers })).status).toBe(404);
    expect(server.asked).toEqual([]);
  });
});

describe("a reload", () => {
  test("holds for connections that are open: the plain form ends with the mode", async () => {
    const all = await ends({ phoneProvisioning: "https" });
    const agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
    expect((await all.ask(PLAIN, { agent })).status).toBe(200);
    all.configure({ phoneProvisioning: "https-encrypted" });
    await reload(all);
    expect((await all.ask(PLAIN, { agent })).status).toBe(404);
    expect((await all.ask(`/p/${TOKEN}`, { agent })).status).toBe(200);
    agent.destroy();
  });
});

describe("guessing", () => {
  const strict = { failedLookUps: 20 };

  test("many tokens ban the address, whose connections end; the phone elsewhere goes on", async () => {
    const { ask, at } = await ends({ limits: strict });
    const attacker = at.inside;
    for (let n = 0; n < 20; n++) {
      await ask(`/p/${TOKEN.slice(0, -3)}${100 + n}`, { from: attacker }).catch(() => null);
    }
    const { bans, drops, http } = (await at.status()) as {
      bans?: { address: string; reason: string }[];
      drops?: Record<string, number>;
      http?: { requests: number };
    };
    expect(bans?.map(({ address, reason }) => [address, reason])).toEqual([
      [attacker, "failed-look-ups"],
    ]);
    expect(drops?.["look-up-failed"]).toBe(20);
    expect(http?.requests).toBe(20);
    const refused = await ask(`/p/${TOKEN}`, { from: attacker }).catch((error: Error) => error);
    expect(refused).toBeInstanceOf(Error);
    expect((await ask(`/p/${TOKEN}`)).status).toBe(200);
  });

  test("MACs that the instance does not know are guesses; one wrong MAC again and again is none", async () => {
    const { ask, server, at } = await ends({ phoneProvisioning: "https", limits: strict });
    server.answer = (request, response) => {
      response.statusCode = request.url === PLAIN ? 200 : 404;
      response.end("from the instance");
    };
    for (let n = 0; n < 60; n++) {
      const answer = await ask("/p/mycompany/000000000001");
      expect([answer.status, answer.body]).toEqual([404, "from the instance"]);
    }
    expect((await ask(PLAIN)).status).toBe(200);
    for (let n = 0; n < 19; n++) {
      await ask(`/p/mycompany/0000000001${10 + n}`).catch(() => null);
    }
    expect(await at.status()).toMatchObject({ bans: [{ reason: "failed-look-ups" }] });
  });

  test("an office whose phone is registered is never banned for it, only answered slowly", async () => {
    const at = place();
    const server = closing(new ConfigurationServer());
    const url = `http://${at.pbx}:${await server.opens(at.pbx)}`;
    const own = { phoneProvisioning: "https-encrypted", provisioningKey: KEY.toString("base64") };
    const proxy = { ...own, ports: FREE, limits: { failedLookUps: 2 } };
    await makeEnds({ proxy, instance: { provisioning: { url } } }, at);
    const { listening = {} } = (await at.status()) as { listening?: Record<string, string> };
    const office = { at: listening["provisioningHttps"] ?? "", from: at.phone };
    for (let n = 0; n < 3; n++) await fetches({ ...office, path: `/wrong/${n}` });
    const begin = performance.now();
    expect((await fetches({ ...office, path: "/wrong/3" })).status).toBe(404);
    expect(performance.now() - begin).toBeGreaterThan(1900);
    expect((await fetches({ ...office, path: `/p/${TOKEN}` })).status).toBe(200);
    expect(await at.status()).toMatchObject({ bans: [], sip: { flows: 1 } });
  });
});
