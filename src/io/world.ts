/** The real outside world; the only one outside the tests. */
import { connectByteStream, listenByteStreams } from "./byte-streams.ts";
import { systemClock } from "./clock.ts";
import { openHttpPool } from "./http-client.ts";
import { listenHttp } from "./http-server.ts";
import { sourceAddressFor } from "./network.ts";
import { resolve, resolveService } from "./resolver.ts";
import { connectStream, listenStream } from "./streams.ts";
import type { World } from "./types.ts";
import { openDatagrams } from "./udp.ts";

export const realWorld: World = {
  clock: systemClock,
  openDatagrams,
  listenStream,
  connectStream,
  listenByteStreams,
  connectByteStream,
  listenHttp,
  openHttpPool,
  resolve,
  resolveService,
  sourceAddressFor,
  random: (lengthBytes) => crypto.getRandomValues(new Uint8Array(lengthBytes)),
};
