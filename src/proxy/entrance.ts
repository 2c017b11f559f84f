/**
 * Where phones and clients come in: SIP, provisioning, web, XMPP. RunningProxy drives all of them alike; what
 * one needs of the rest it is given in its constructor.
 */
import type { ProxyConfig } from "../config/config.ts";
import type { Endpoint, Identity } from "../io/types.ts";
import { type Opened, openBoth } from "./listeners.ts";

export type Entrance = {
  /**
   * Opens the ports that this configuration asks for, each on all of the zone's addresses; a port that did
   * not change stays open with its connections. Rejects with ListenError, all as it was. The configuration
   * in use changes after this, and only when every entrance could open.
   */
  open(config: ProxyConfig, addresses: readonly string[]): Promise<Opened>;
  /** New handshakes get it; open connections stay. */
  setIdentity(identity: Identity): void;
  /** What is open, by the names of `ports` (and those with a 6). */
  readonly listening: Readonly<Record<string, Endpoint>>;
  /** Requests under way, whose end a draining proxy waits for. */
  readonly pending: number;
  /** Ends the connections from a source that was banned. */
  closeFrom(source: string): void;
  /** Ends what goes on for any but these instances: nothing of one that was taken away goes on. */
  endOthers?(instances: ReadonlySet<string>): void;
  /** Takes nothing new; what is under way goes on until close(). */
  stopListening(): void;
  close(): void;
};

/** All or none. */
export async function openAll(
  entrances: readonly Entrance[],
  config: ProxyConfig,
  addresses: readonly string[],
): Promise<Opened> {
  let all: Opened = { keep() {}, undo() {} };
  for (const entrance of entrances) {
    const before = all;
    all = await openBoth(
      async () => before,
      () => entrance.open(config, addresses),
    );
  }
  return all;
}

/** The same port on each of the zone's addresses. */
export function onEach(addresses: readonly string[], port: number): readonly Endpoint[] {
  return addresses.map((address) => ({ address, port }));
}
