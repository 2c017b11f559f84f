/** What every media engine does alike, on real sockets of the loopback interface. */
import { afterEach, describe, expect, test } from "bun:test";
import {
  call,
  closeAll,
  closers,
  counted,
  drop,
  engines,
  key,
  LOOPBACK,
  openAnywhere,
  peer,
  seal,
  TRAFFIC_CLASS,
  told,
} from "../../test/flows/engine-ends.ts";
import { rtcpPacket, rtpPacket } from "../../test/flows/media-ends.ts";
import { trafficClassesAt } from "../../test/peers/traffic-class.ts";
import { SrtpContext } from "../rtp/srtp-context.ts";
import { type MediaEngine, PortTaken } from "./engine.ts";

afterEach(closeAll);

describe.each(Object.keys(engines))("%s", (name) => {
  async function start(): Promise<MediaEngine> {
    const engine = await engines[name]!();
    closers.push(() => engine.stop());
    return engine;
  }

  test("packets and reports go through both ways, are counted, and the ports are free after close", async () => {
    const engine = await start();
    const { handle, outer, inner, pairs, phone, instance, reports } = await call(engine);
    phone.send(rtpPacket(1), outer);
    expect(await instance.next()).toEqual(rtpPacket(1));
    instance.send(rtpPacket(2), inner);
    expect(await phone.next()).toEqual(rtpPacket(2));
    phone.send(rtcpPacket(), outer + 1);
    expect(await reports.next()).toEqual(rtcpPacket());
    const latched = { address: LOOPBACK, port: phone.port };
    await counted(engine, handle, "outer", { packets: 1, rtcpPackets: 1, latched });
    await counted(engine, handle, "inner", { packets: 1, rtcpPackets: 0 });
    engine.close(handle);
    expect(engine.counters(handle)).toBeNull();
    for (;;) {
      const again = await engine.open(pairs).catch((error: unknown) => error);
      if (typeof again === "number") break;
      expect(again).toBeInstanceOf(PortTaken);
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  test("RTCP on the port of RTP goes to two ports and back, a fax goes through as it is", async () => {
    const engine = await start();
    const { handle, outer, inner, phone, instance, reports, settings } = await call(engine);
    engine.configure(handle, "outer", { ...settings.outer, carries: "rtp-mux" });
    await told();
    phone.send(rtcpPacket(), outer);
    expect(await reports.next()).toEqual(rtcpPacket());
    reports.send(rtcpPacket({ ssrc: 7 }), inner + 1);
    expect(await phone.next()).toEqual(rtcpPacket({ ssrc: 7 }));
    engine.configure(handle, "outer", { ...settings.outer, carries: "udptl" });
    engine.configure(handle, "inner", { ...settings.inner, carries: "udptl" });
    await told();
    const fax = new Uint8Array([0x80, 200, 1, 6, 0, 0]);
    phone.send(fax, outer);
    expect(await instance.next()).toEqual(fax);
    instance.send(fax, inner);
    expect(await phone.next()).toEqual(fax);
  });

  test("all that is sent is marked as it was configured", async () => {
    const engine = await start();
    const { outer, inner } = await openAnywhere(engine);
    for (const port of [outer, outer + 1, inner, inner + 1]) {
      expect(trafficClassesAt(port)).toEqual([TRAFFIC_CLASS]);
    }
  });

  test("many calls at once do not mix", async () => {
    const engine = await start();
    const calls = [];
    for (let at = 0; at < 8; at++) calls.push(await call(engine));
    for (const [at, { phone, outer }] of calls.entries()) phone.send(rtpPacket(at), outer);
    for (const [at, { instance }] of calls.entries()) {
      expect(await instance.next()).toEqual(rtpPacket(at));
    }
  });

  test("SRTP outside is taken off and put on, a wrong key is dropped and counted", async () => {
    const engine = await start();
    const { handle, outer, inner, phone, instance } = await call(engine, {
      inbound: key(1),
      outbound: key(2),
    });
    phone.send(seal(new SrtpContext(key(3)), 7), outer);
    await drop(engine, "auth", 1);
    phone.send(seal(new SrtpContext(key(1)), 8), outer);
    expect(await instance.next()).toEqual(rtpPacket(8));
    instance.send(rtpPacket(9), inner);
    const sealed = await phone.next();
    const length = new SrtpContext(key(2)).unprotect(sealed, sealed.length);
    expect(sealed.subarray(0, length)).toEqual(rtpPacket(9));
    await counted(engine, handle, "outer", { packets: 1 });
  });

  test("what is no packet, too long or from a stranger goes nowhere", async () => {
    const engine = await start();
    const { outer, phone, instance } = await call(engine);
    phone.send(rtpPacket(1), outer);
    expect(await instance.next()).toEqual(rtpPacket(1));
    phone.send(new Uint8Array(0), outer);
    phone.send(Buffer.from("hello, world!"), outer);
    await drop(engine, "not-rtp", 2);
    const long = new Uint8Array(1600);
    long.set(rtpPacket(2));
    phone.send(long, outer);
    await drop(engine, "oversize", 1);
    (await peer()).send(rtpPacket(3), outer);
    await drop(engine, "foreign-source", 1);
    phone.send(rtpPacket(4), outer);
    expect(await instance.next()).toEqual(rtpPacket(4));
  });

  test("a taken port names its leg and leaves nothing open", async () => {
    const engine = await start();
    const { pairs } = await openAnywhere(engine);
    const error = await engine.open(pairs).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(PortTaken);
    expect((error as PortTaken).leg).toBe("outer");
  });

  test("an address that this machine has not is told as such", async () => {
    const engine = await start();
    const pairs = {
      outer: { address: "192.0.2.1", rtpPort: 30_000 },
      inner: { address: LOOPBACK, rtpPort: 30_000 },
    };
    expect(engine.open(pairs)).rejects.toThrow("the address is not on this machine");
  });
});
