/** What the configuration of a proxy means for its media, in the units of the media part. */
import type { ProxyConfig } from "../config/config.ts";
import type { MediaOptions } from "../media/media-sessions.ts";
import type { RelayOptions } from "../media/relay.ts";
import { facing } from "./addresses.ts";

export function relayOptions(config: ProxyConfig): RelayOptions {
  return { packetsPerSecond: config.limits.packetsPerSecond, maxSsrcs: config.limits.ssrcs };
}

export function mediaOptions(
  config: ProxyConfig,
  bindAddresses: readonly string[],
  instances: number,
): MediaOptions {
  const { limits, publicAddress, publicAddress6 } = config;
  const own = [...bindAddresses, publicAddress, publicAddress6].filter((one) => one !== null);
  return {
    outerPorts: config.rtpPorts,
    innerPorts: config.inside.rtpPorts,
    outerAddress: facing(bindAddresses, ""),
    innerAddress: config.inside.address ?? facing(bindAddresses, ""),
    sessionsMax: limits.mediaSessions,
    instanceSessionsMax: limits.instanceMediaSessions,
    instances,
    linesMax: limits.mLines,
    mediaSilentMs: limits.mediaSilent * 1000,
    mediaTimeoutMs: limits.mediaTimeout * 1000,
    portRestMs: limits.portRest * 1000,
    learnsAnySource: config.latchAnySource,
    forbiddenAddresses: own,
  };
}
