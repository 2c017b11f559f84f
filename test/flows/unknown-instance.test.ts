import { expect, test } from "bun:test";
import { HOME_PUBLIC, Place, sliceOf } from "./place.ts";

test("an unknown and a switched-off instance answer alike over TLS, and ten close the connection", async () => {
  const place = await Place.open({
    instances: [{ name: "asleep", address: "10.0.9.9", enabled: false }],
  });
  await place.pbx();
  const texts: string[] = [];
  for (const domain of ["nobody", "asleep"]) {
    const phone = await place.phone({ domain });
    for (let attempt = 1; attempt <= 10; attempt += 1) {
      expect(phone.wire?.isOpen).toBe(true);
      phone.sendsRegister();
      const answer = await phone.receives("404 REGISTER");
      texts.push(`${answer.startLine} ${answer.lines("Server").join()} ${answer.body}`);
    }
    await phone.sees("the end of its connection", () => phone.wire?.isOpen === false);
  }
  expect(new Set(texts).size).toBe(1);
  expect(place.status.drops["unknown-domain"]).toBe(20);
});

test("over UDP one 404 a source and minute, else silence", async () => {
  const place = await Place.open({ proxy: { voipSip: "udp" } });
  await place.pbx();
  const phone = await place.phone({ domain: "nobody", transport: "udp" });
  phone.sendsRegister();
  await phone.receives("404 REGISTER");
  for (let second = 0; second < 59; second += 1) {
    await place.network.elapse(1000);
    phone.sendsRegister();
    await phone.receivesNothingMore();
  }
  await place.network.elapse(1001);
  phone.sendsRegister();
  await phone.receives("404 REGISTER");
  const answers = place.network.sent.filter(({ to }) => to.address === HOME_PUBLIC);
  expect(answers.length).toBe(2);
});

test("the answer to a stranger by UDP is hardly larger than what he sent", async () => {
  const place = await Place.open({ proxy: { voipSip: "udp" } });
  const phone = await place.phone({ domain: "nobody", transport: "udp" });
  phone.sendsRegister();
  await place.network.settle();
  const [request, answer] = place.network.sent;
  expect(answer?.bytes.length).toBeLessThanOrEqual((request?.bytes.length ?? 0) + 64);
});

test("a known instance that cannot be reached is told apart in the status, not on the wire", async () => {
  const place = await Place.open({ instance: { sip: { transport: "tcp" } } });
  const phone = await place.phone();
  phone.sendsRegister();
  const answer = await phone.receives("503 REGISTER");
  expect(answer.header("Retry-After")).toBe("10");
  expect(place.status.instances["mycompany"]).toMatchObject({ reachable: false });
});

test("an instance switched off by a reload keeps no flows and answers as unknown", async () => {
  const place = await Place.open();
  await place.pbx();
  const phone = await place.phone();
  await phone.registers();
  const slice = sliceOf({ instance: { enabled: false } });
  await place.proxy.reload(slice, { sha256: "1".repeat(64), loadedAt: "", error: null });
  phone.sendsRegister();
  await phone.receives("404 REGISTER");
  expect(place.status.sip.flows).toBe(0);
});

for (const kind of ["tls", "udp"] as const) {
  test(`a registered phone by ${kind} that dials unknown domains hears so each time and keeps its way`, async () => {
    const isUdp = kind === "udp";
    const place = await Place.open({ proxy: isUdp ? { voipSip: "udp", voipMedia: "rtp" } : {} });
    await place.pbx();
    const phone = await place.phone({ transport: kind });
    await phone.registers();
    for (let times = 0; times < 15; times += 1) {
      phone.requests("MESSAGE", {
        uri: "sip:anybody@elsewhere.example",
        from: `<${phone.uri}>;tag=a`,
        to: "<sip:anybody@elsewhere.example>",
        callId: phone.newId(),
        cseq: 1,
      });
      await phone.receives("404 MESSAGE");
    }
    expect(phone.wire?.isOpen).toBe(true);
    expect((await phone.registers()).status).toBe(200);
  });
}
