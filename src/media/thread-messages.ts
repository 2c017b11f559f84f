/** What goes between the control side (loop-engine.ts) and a media thread (packet-streams.ts). Plain data. */
import type { LegName, LegSettings, StreamHandle } from "./engine.ts";
import type { RelayOptions } from "./relay.ts";
import type { LegPositions } from "./stream-slab.ts";

/** Descriptors of one leg's sockets. */
export type PairFds = { readonly rtp: number; readonly rtcp: number };

/** Sent several at once, in order. */
export type ToThread =
  /** First of all. `memory` is that of a StreamSlab. */
  | {
      readonly do: "start";
      readonly memory: SharedArrayBuffer;
      /** Its number in that memory while it may go on. */
      readonly owner: number;
      readonly relay: RelayOptions;
    }
  | {
      readonly do: "open";
      readonly handle: StreamHandle;
      /** In the slab. */
      readonly slot: number;
      readonly fds: Readonly<Record<LegName, PairFds>>;
    }
  | {
      readonly do: "configure";
      readonly handle: StreamHandle;
      readonly leg: LegName;
      readonly settings: LegSettings;
      /** Where SRTP goes on after another thread has died; null = from the start. */
      readonly positions: LegPositions | null;
    }
  | { readonly do: "close"; readonly handle: StreamHandle };

export type FromThread =
  /** `ownFds`: to be closed when the thread has died. */
  | { readonly did: "start"; readonly wakeFd: number; readonly ownFds: readonly number[] }
  /** The descriptors are no longer looked at. `failed`: they could not be watched from the start. */
  | {
      readonly did: "close";
      readonly handles: readonly StreamHandle[];
      readonly failed: readonly StreamHandle[];
    };
