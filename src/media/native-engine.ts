/**
 * The media engine on the sockets that are passed in (OpenDatagrams), in this thread: works
 * everywhere and is the reference for any other engine. Owns four sockets a stream and one shared
 * tick, which runs only while streams are open.
 */
import type { Clock, DatagramReceiver, Datagrams, OpenDatagrams, Timer } from "../io/types.ts";
import { DROP, dropsByReason, type StreamCounters } from "./counters.ts";
import {
  isAddressMissing,
  type LegName,
  type LegSettings,
  type LocalPair,
  type MediaEngine,
  otherLeg,
  PortTaken,
  RECEIVE_BUFFER_BYTES,
  type StreamHandle,
} from "./engine.ts";
import { Relay, type RelayOptions } from "./relay.ts";
import { type RelayLeg, RelayStream } from "./relay-leg.ts";

const TICK_MS = 100;

type PairOfSockets = { readonly rtp: Datagrams; readonly rtcp: Datagrams };

type OpenStream = {
  readonly relay: RelayStream;
  /** Null while the sockets are being opened. */
  readonly sockets: Record<LegName, PairOfSockets | null>;
};

export class NativeEngine implements MediaEngine {
  readonly name = "native";
  readonly #clock: Clock;
  readonly #openDatagrams: OpenDatagrams;
  readonly #relay: Relay;
  readonly #trafficClass: number;
  readonly #streams = new Map<StreamHandle, OpenStream>();
  #nextHandle: StreamHandle = 1;
  #timer: Timer | null = null;

  constructor(o: {
    clock: Clock;
    openDatagrams: OpenDatagrams;
    relay: RelayOptions;
    /** The whole byte: DSCP << 2. */
    trafficClass: number;
  }) {
    this.#trafficClass = o.trafficClass;
    this.#clock = o.clock;
    this.#openDatagrams = o.openDatagrams;
    this.#relay = new Relay(o.relay);
  }

  get drops(): Record<string, number> {
    return dropsByReason(this.#relay.drops);
  }

  async open(pairs: Readonly<Record<LegName, LocalPair>>): Promise<StreamHandle> {
    const stream: OpenStream = { relay: new RelayStream(), sockets: { outer: null, inner: null } };
    stream.sockets.outer = await this.#openPair(stream, "outer", pairs.outer);
    try {
      stream.sockets.inner = await this.#openPair(stream, "inner", pairs.inner);
    } catch (error) {
      closePair(stream.sockets.outer);
      throw error;
    }
    const handle = this.#nextHandle++;
    this.#streams.set(handle, stream);
    this.#startTick();
    return handle;
  }

  configure(handle: StreamHandle, leg: LegName, settings: LegSettings): void {
    const stream = this.#streams.get(handle);
    if (stream === undefined) return;
    this.#relay.tick(this.#clock.now());
    this.#relay.configure(stream.relay[leg], settings);
  }

  close(handle: StreamHandle): void {
    const stream = this.#streams.get(handle);
    if (stream === undefined) return;
    this.#streams.delete(handle);
    closePair(stream.sockets.outer);
    closePair(stream.sockets.inner);
    if (this.#streams.size > 0) return;
    this.#timer?.cancel();
    this.#timer = null;
  }

  stop(): void {
    for (const handle of [...this.#streams.keys()]) this.close(handle);
  }

  counters(handle: StreamHandle): StreamCounters | null {
    const stream = this.#streams.get(handle);
    if (stream === undefined) return null;
    return { outer: stream.relay.outer.view(), inner: stream.relay.inner.view() };
  }

  async #openPair(stream: OpenStream, leg: LegName, pair: LocalPair): Promise<PairOfSockets> {
    const { address, rtpPort } = pair;
    const from = stream.relay[leg];
    const far = otherLeg(leg);
    let rtp: Datagrams | null = null;
    try {
      const buffer = { receiveBufferBytes: RECEIVE_BUFFER_BYTES };
      rtp = await this.#bind(address, rtpPort, buffer, (bytes, source, port) => {
        if (this.#receiveRtp(from, bytes, source, port) === 0) return;
        this.#send(from.peer, stream.sockets[far]);
      });
      const rtcp = await this.#bind(address, rtpPort + 1, {}, (bytes, source, port) => {
        if (this.#receiveRtcp(from, bytes, source, port) === 0) return;
        this.#send(from.peer, stream.sockets[far]);
      });
      return { rtp, rtcp };
    } catch (error) {
      rtp?.close();
      throw isAddressMissing(error) ? error : new PortTaken(leg, error);
    }
  }

  #bind(
    address: string,
    port: number,
    buffer: { readonly receiveBufferBytes?: number },
    receive: DatagramReceiver,
  ): Promise<Datagrams> {
    const local = { address, port };
    const trafficClass = this.#trafficClass;
    return this.#openDatagrams({ local, receive, trafficClass, ...buffer });
  }

  /**
   * A fault of ours costs one packet, not the process with all its calls; it is counted and shown.
   */
  #receiveRtp(leg: RelayLeg, bytes: Uint8Array, address: string, port: number): number {
    this.#relay.arrivalMs = this.#clock.now();
    try {
      return this.#relay.receiveRtp(leg, bytes, bytes.length, address, port);
    } catch {
      return this.#relay.drop(leg, DROP.fault);
    }
  }

  #receiveRtcp(leg: RelayLeg, bytes: Uint8Array, address: string, port: number): number {
    this.#relay.arrivalMs = this.#clock.now();
    try {
      return this.#relay.receiveRtcp(leg, bytes, bytes.length, address, port);
    } catch {
      return this.#relay.drop(leg, DROP.fault);
    }
  }

  #send(leg: RelayLeg, sockets: PairOfSockets | null): void {
    const { output, isForRtcpPort } = this.#relay;
    const { latch } = isForRtcpPort ? leg.rtcp : leg.rtp;
    const socket = isForRtcpPort ? sockets?.rtcp : sockets?.rtp;
    const isSent = socket?.send(output, latch.targetAddress, latch.targetPort);
    if (isSent !== true) this.#relay.drop(leg, DROP["send-failed"]);
  }

  #startTick(): void {
    if (this.#timer !== null) return;
    const beat = () => {
      this.#relay.tick(this.#clock.now());
      this.#timer = this.#clock.after(TICK_MS, beat);
    };
    beat();
  }
}

function closePair(pair: PairOfSockets | null): void {
  pair?.rtp.close();
  pair?.rtcp.close();
}
