import { expect, test } from "bun:test";
import { startThread, type ThreadEvents } from "../io/threads.ts";
import type { Log, LogFields } from "../io/types.ts";
import { realWorld } from "../io/world.ts";
import { startMediaEngine, startMediaEngineOn } from "./media-engine.ts";

/** As where the kernel lays memory out otherwise: the loop's test of itself fails. */
const startBrokenThread = (events: ThreadEvents) => {
  const script = 'self.onmessage = () => { throw new Error("the packet loop heard nothing"); };';
  return startThread(URL.createObjectURL(new Blob([script])), events);
};

function options(mediaEngine: "auto" | "native" | "loop") {
  const said: (readonly [string, LogFields | undefined])[] = [];
  const say = (event: string, fields?: LogFields): void => void said.push([event, fields]);
  const log: Log = { debug: say, info: say, warn: say, error: say, with: () => log };
  const config = { mediaEngine, mediaDscp: 46, limits: { mediaSessions: 8 } };
  const relay = { packetsPerSecond: 1000, maxSsrcs: 16 };
  const count = (reason: string): void => void said.push([reason, undefined]);
  const o = { config, world: realWorld, log, relay, count };
  return { said, o: o as unknown as Parameters<typeof startMediaEngine>[0] };
}

test("auto takes the packet loop where it can", async () => {
  const { said, o } = options("auto");
  const engine = await startMediaEngine(o);
  expect(engine.name).toBe("loop");
  engine.stop();
  expect(said).toEqual([]);
});

test("auto falls back to native sockets, with one line of why", async () => {
  const { said, o } = options("auto");
  const engine = await startMediaEngineOn(startBrokenThread, o);
  expect(engine.name).toBe("native");
  engine.stop();
  const reason = expect.stringMatching(/^error: the packet loop heard nothing$/i);
  expect(said).toEqual([["media-engine-native", { reason }]]);
});

test("loop does not start where there is none, and says why", async () => {
  const { said, o } = options("loop");
  await expect(startMediaEngineOn(startBrokenThread, o)).rejects.toThrow(
    /^media engine loop: error: the packet loop heard nothing$/i,
  );
  expect(said).toEqual([]);
});

test("native starts no thread", async () => {
  const engine = await startMediaEngineOn(() => expect.unreachable(), options("native").o);
  expect(engine.name).toBe("native");
  engine.stop();
});
