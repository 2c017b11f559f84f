/** The script of a media thread: a packet loop, and between its turns the messages of the control side. */
import { elapsedMs, systemClock } from "./io/clock.ts";
import { PacketLoop } from "./io/packet-loop.ts";
import { type PacketPort, PacketStreams } from "./media/packet-streams.ts";
import { PACKET_BYTES_MAX } from "./media/relay.ts";
import { RelayStream } from "./media/relay-leg.ts";
import { StreamSlab } from "./media/stream-slab.ts";
import type { FromThread, ToThread } from "./media/thread-messages.ts";
import { packetScratch } from "./rtp/packet-scratch.ts";

declare const self: Worker;

/** Woken earlier by packets and messages. */
const TURN_MS = 100;
/** Whoever posts a message wakes the loop; else the runtime gets a turn of its own only so often: it is dear. */
const TURNS_MAX = 500;

let streams: PacketStreams | null = null;

function start({ memory, owner, relay }: Extract<ToThread, { do: "start" }>): void {
  // One byte more than may pass, so that a longer packet can be told from one of that length.
  const loop = new PacketLoop<PacketPort>(packetScratch.bytes, PACKET_BYTES_MAX + 1);
  try {
    loop.selfTest({ leg: new RelayStream().outer, isRtcp: false, far: null, farRtcp: null });
  } catch (error) {
    loop.close();
    throw error;
  }
  const slab = new StreamSlab(memory);
  streams = new PacketStreams({ loop, relay, slab, owner, nowMs: systemClock.now, elapsedMs });
  const started: FromThread = {
    did: "start",
    wakeFd: loop.wakeFd,
    ownFds: loop.ownFds,
  };
  self.postMessage(started);
  setImmediate(serve);
}

function serve(): void {
  for (let turns = 0; turns < TURNS_MAX && streams?.turn(TURN_MS) === true; turns++);
  setImmediate(serve);
}

self.onmessage = ({ data }: MessageEvent<readonly ToThread[]>) => {
  const [first] = data;
  if (first?.do === "start") start(first);
  const answer = streams?.take(data) ?? null;
  if (answer !== null) self.postMessage(answer);
};
