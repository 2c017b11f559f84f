/**
 * Instances that fail, reloads in mid-transfer, and who guesses: bun test ./test/e2e/provisioning-worst.e2e.ts
 */
import { afterEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { Agent } from "node:https";
import { type AddressInfo, createServer } from "node:net";
import { begins, ConfigurationServer, fetches } from "../peers/phone-http.ts";
import { closeAll, closing, makeEnds, place } from "./call.ts";
import { ends, FREE, KEY, PLAIN, reload, TOKEN } from "./provisioning-place.ts";

afterEach(closeAll);

describe("an instance", () => {
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

  test("its cookies stay with the phone's own path: all ports of the host share them", async () => {
    const { server, ask } = await ends();
    const cookies: Record<string, string> = {
      "a=1": `a=1; Path=/p/${TOKEN}/`,
      "a=1; Path=/; Domain=example.com": `a=1; Path=/p/${TOKEN}/`,
      [`a=1; Path=${PLAIN}/fw`]: `a=1; Path=/p/${TOKEN}/fw`,
    };
    for (const [inside, outside] of Object.entries(cookies)) {
      server.answer = (_, response) => void response.writeHead(200, { "Set-Cookie": inside }).end();
      const { headers } = await ask(`/p/${TOKEN}`);
      expect(headers["set-cookie"]).toEqual([outside]);
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

  test("a flood of one wrong thing ends its connections; what is found counts towards no rate", async () => {
    const limits = { requestsPerSecond: 1, requestsPerPhone: 0, burst: 5 };
    const { ask, at } = await ends({ limits });
    for (let n = 0; n < 20; n++) expect((await ask(`/p/${TOKEN}/${n}`)).status).toBe(200);
    const flood = Array.from({ length: 20 }, () =>
      ask("/wrong", { from: at.inside }).then(
        ({ status }) => status,
        () => "ended",
      ),
    );
    const ended = (await Promise.all(flood)).filter((one) => one === "ended");
    expect(ended.length).toBeGreaterThan(5);
    expect((await ask(`/p/${TOKEN}`)).status).toBe(200);
    const { drops = {} } = (await at.status()) as { drops?: Record<string, number> };
    expect(drops["requests-per-address"]).toBe(ended.length);
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
