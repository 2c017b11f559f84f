/**
 * From what a peer signalled to what its leg may do: whom we listen to and where we send before
 * anything was heard. Outside, an SDP address proves nothing, so only the source address of the SIP
 * flow gets packets early; inside, only the instance's own networks exist. Pure.
 */
import { isIPv4, isIPv6 } from "node:net";
import { addressClass, canonicalAddress, isInNetworks } from "../config/address-class.ts";
import type { Endpoint } from "../io/types.ts";
import { clocksOf } from "../sdp/codecs.ts";
import type { LegCrypto, LegSettings } from "./engine.ts";
import { knownNetworkSet } from "./network-sets.ts";
import type { RemoteMedia } from "./offer-answer.ts";

const LOOPBACK = ["127.0.0.0/8", "::1/128"];
/** No address of one host: unspecified, multicast, broadcast and reserved. */
const NOBODY = ["0.0.0.0/8", "::/128", "224.0.0.0/3", "ff00::/8"];
const FIRST_USER_PORT = 1024;

export type LegKeys = { readonly inbound: LegCrypto | null; readonly outbound: LegCrypto | null };

export type OuterPlace = {
  readonly bindAddress: string;
  readonly signallingAddress: string;
  /** Our own and the instances' addresses: never a phone. */
  readonly forbiddenAddresses: readonly string[];
  readonly learnsAnySource: boolean;
};

export type InnerPlace = {
  readonly bindAddress: string;
  /** The instance's addresses and its media networks. */
  readonly allowedNetworks: readonly string[];
};

export function outerSettings(place: OuterPlace, remote: RemoteMedia, keys: LegKeys): LegSettings {
  const sipSource = canonicalAddress(place.signallingAddress);
  const forbiddenNetworks = [...NOBODY, ...forbiddenOutside(place)];
  const isReachable =
    isIPv6(sipSource) === isIPv6(place.bindAddress) && !isIn(sipSource, forbiddenNetworks);
  const early = (port: number): Endpoint | null =>
    isReachable && !remote.isHeld && port >= FIRST_USER_PORT ? { address: sipSource, port } : null;
  return {
    ...signalled(remote),
    sipSource,
    learnsAnySource: place.learnsAnySource,
    allowedNetworks: null,
    forbiddenNetworks,
    early: early(remote.rtpPort),
    earlyRtcp: early(remote.rtcpPort),
    isSignalledTrusted: false,
    isHeld: remote.isHeld,
    ...keys,
  };
}

export function innerSettings(place: InnerPlace, remote: RemoteMedia, keys: LegKeys): LegSettings {
  const forbiddenNetworks = [...NOBODY, ...(isLoopback(place.bindAddress) ? [] : LOOPBACK)];
  const allowedNetworks = place.allowedNetworks.map(asNetwork);
  const mayGoTo = (endpoint: Endpoint | null): Endpoint | null => {
    if (endpoint === null || isIn(endpoint.address, forbiddenNetworks)) return null;
    return isIn(endpoint.address, allowedNetworks) ? endpoint : null;
  };
  const places = signalled(remote);
  return {
    ...places,
    sipSource: null,
    learnsAnySource: true,
    allowedNetworks,
    forbiddenNetworks,
    early: mayGoTo(places.signalled),
    earlyRtcp: mayGoTo(places.signalledRtcp),
    isSignalledTrusted: true,
    isHeld: remote.isHeld,
    ...keys,
  };
}

/** A single address as a network; networks come back as they are. */
export function asNetwork(text: string): string {
  if (text.includes("/")) return text;
  return `${text}/${isIPv6(text) ? 128 : 32}`;
}

/** IPv4 by its text: it is asked several times in each answer, and a look-up costs microseconds. */
export function isLoopback(address: string): boolean {
  return isIPv4(address) ? address.startsWith("127.") : addressClass(address) === "loopback";
}

function signalled({
  carries,
  codecs,
  ...remote
}: RemoteMedia): Pick<LegSettings, "carries" | "clocks" | "signalled" | "signalledRtcp"> {
  const clocks = clocksOf(codecs);
  if (remote.address === null) return { carries, clocks, signalled: null, signalledRtcp: null };
  return {
    carries,
    clocks,
    signalled: { address: remote.address, port: remote.rtpPort },
    signalledRtcp: { address: remote.rtcpAddress ?? remote.address, port: remote.rtcpPort },
  };
}

/**
 * On a loopback bind address (trials, tests) 127.0.0.0/8 is an ordinary network, ourselves
 * included.
 */
function forbiddenOutside(place: OuterPlace): string[] {
  const forbidden = place.forbiddenAddresses;
  if (!isLoopback(place.bindAddress)) return [...LOOPBACK, ...forbidden.map(asNetwork)];
  return forbidden.filter((address) => !isLoopback(address)).map(asNetwork);
}

function isIn(address: string, networks: readonly string[]): boolean {
  return isInNetworks(address, knownNetworkSet(networks));
}
