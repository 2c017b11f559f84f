/** What both sides of a proxy need from it to open their ports and hand messages in. */
import type { ProxyConfig } from "../config/config.ts";
import type { Identity, Log, World } from "../io/types.ts";
import type { Flow } from "../sip/flow.ts";
import type { Admission } from "./admission.ts";
import type { StreamFlow } from "./stream-flow.ts";

export type SideOptions = {
  readonly world: World;
  readonly log: Log;
  /** Always the present configuration, so that a reload needs no new sides. */
  settings(): ProxyConfig;
  identity(): Identity;
  /** The address a peer shall find us at: the public one where the proxy stands behind 1:1 NAT. */
  advertised(peer: string): string;
  isRegistered(flow: Flow): boolean;
  readonly admission: Admission;
  /** A phone has sent something, whatever it was. */
  heard(flow: Flow): void;
  /** One datagram. */
  receive(bytes: Uint8Array, flow: Flow): void;
  makeStreamFlow(side: "outer" | "inner", advertised: () => string, closed: () => void): StreamFlow;
  count(reason: string): void;
};
