/** Phone provisioning by the compiled binary: bun test ./test/e2e/provisioning.e2e.ts */
import { afterEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { ProvisioningTokens } from "../../src/provisioning/token.ts";
import { begins } from "../peers/phone-http.ts";
import { closeAll } from "./call.ts";
import { ends, KEY, MAC, PLAIN, reload, shape, TOKEN } from "./provisioning-place.ts";

afterEach(closeAll);

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
    const firmware = Buffer.alloc(32 << 20, "firmware ");
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
    expect([whole.headers.etag, whole.headers["content-length"]]).toEqual(['"v1"', "33554432"]);
    expect(digest(whole.body)).toBe(createHash("sha256").update(firmware).digest("hex"));
    const part = await ask(`/p/${TOKEN}/fw.bin`, { headers: { Range: "bytes=9-17" } });
    expect([part.status, part.headers["content-range"], part.body]).toEqual([
      206,
      "bytes 9-17/33554432",
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
