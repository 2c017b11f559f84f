/**
 * Which media engine a proxy runs on: `loop` where this machine can (Linux), else `native`. The script of the
 * threads is a second entry point of the compiled binary and lies beside main.ts.
 */
import { availableParallelism } from "node:os";
import { type StartThread, startThread } from "../io/threads.ts";
import type { MediaEngine } from "../media/engine.ts";
import { LoopEngine } from "../media/loop-engine.ts";
import { NativeEngine } from "../media/native-engine.ts";
import type { StartEngine } from "../proxy/proxy.ts";

/** One thread relays more than the ports of a proxy can carry on most machines; SIP keeps a core. */
const THREADS_MAX = 4;

const isCompiled = import.meta.url.includes("/$bunfs/");
const SCRIPT = isCompiled
  ? new URL("./media-worker.js", import.meta.url)
  : new URL("../media-worker.ts", import.meta.url);

/** Rejects only where `loop` is asked for and cannot be had. */
export const startMediaEngine: StartEngine = (o) =>
  startMediaEngineOn((events) => startThread(SCRIPT, events), o);

export async function startMediaEngineOn(
  startThread: StartThread,
  { config, world, log, relay, count }: Parameters<StartEngine>[0],
): Promise<MediaEngine> {
  const trafficClass = config.mediaDscp << 2;
  if (config.mediaEngine !== "native") {
    try {
      return await LoopEngine.start({
        startThread,
        threads: Math.max(1, Math.min(THREADS_MAX, availableParallelism() - 1)),
        streamsMax: config.limits.mediaSessions * 2,
        clock: world.clock,
        relay,
        trafficClass,
        log,
        count,
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (config.mediaEngine === "loop") throw new Error(`media engine loop: ${reason}`);
      log.warn("media-engine-native", { reason });
    }
  }
  const { openDatagrams, clock } = world;
  return new NativeEngine({ openDatagrams, clock, relay, trafficClass });
}
