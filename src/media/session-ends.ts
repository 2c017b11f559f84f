/**
 * The two ends of a call as the configuration and the SIP side describe them, and what follows for
 * each leg: policy, whom it listens to, where it sends. Pure.
 */
import type { CryptoSuite } from "../rtp/crypto-suite.ts";
import type { LegName, LegSettings } from "./engine.ts";
import { innerSettings, type LegKeys, outerSettings } from "./leg-settings.ts";
import type { LegPolicy, RemoteMedia } from "./offer-answer.ts";

/** Towards the instance. Addresses in text form, networks as CIDR. */
export type InnerEnd = {
  readonly bindAddress: string;
  /** The instance's own addresses. */
  readonly addresses: readonly string[];
  /** Where else its media may come from and go to. */
  readonly networks: readonly string[];
  readonly media: "rtp" | "srtp" | "srtp-passthrough";
  /** T.38, which nobody can encrypt, passes although SRTP is promised. */
  readonly allowsClearT38: boolean;
};

/** Towards the phone. */
export type OuterEnd = {
  readonly bindAddress: string;
  /** Our address as this phone sees it. */
  readonly advertise: string;
  readonly media: "srtp" | "rtp";
  /** This phone may speak RTP although SRTP is promised: it offers it, or refuses anything else. */
  readonly acceptsPlain: boolean;
  /** It has refused SRTP before. */
  readonly isPlain: boolean;
  readonly suites: readonly CryptoSuite[];
  /** Source address of the phone's SIP flow. */
  readonly signallingAddress: string;
};

export type SessionEnds = { readonly outer: OuterEnd; readonly inner: InnerEnd };

export type SessionRules = {
  /** m= lines of one SDP body. */
  readonly linesMax: number;
  readonly learnsAnySource: boolean;
  /** Our own and the instances' addresses, beside those that the ends name. */
  readonly forbiddenAddresses: readonly string[];
};

/**
 * With passthrough the inner leg speaks what the outer one does: the promise made outside counts.
 */
export function policyOf(
  { outer, inner }: SessionEnds,
  leg: LegName,
  /** The phone has refused SRTP. */
  isPlainOutside: boolean,
): LegPolicy {
  const { suites } = outer;
  const isClear = outer.media === "rtp" && inner.media !== "srtp";
  const isPassthrough = inner.media === "srtp-passthrough";
  const isOuter = leg === "outer" && !isPassthrough;
  return {
    media: inner.media === "srtp-passthrough" || leg === "outer" ? outer.media : inner.media,
    suites,
    isPassthrough,
    acceptsPlain: isOuter && outer.acceptsPlain,
    offersPlain: isOuter && outer.acceptsPlain && isPlainOutside,
    carriesUdptl: isClear || inner.allowsClearT38,
  };
}

/** Our address in the SDP that goes to this leg. */
export function addressTowards(ends: SessionEnds, leg: LegName): string {
  return leg === "outer" ? ends.outer.advertise : ends.inner.bindAddress;
}

/** `isHairpin`: the peer named a port of ours that a call of the same instance holds. */
export function settingsOf(
  ends: SessionEnds,
  leg: LegName,
  remote: RemoteMedia,
  o: { keys: LegKeys; rules: SessionRules; isHairpin: boolean },
): LegSettings {
  const { outer, inner } = ends;
  if (leg === "inner") {
    // The instance may join two of its calls through us; their inner legs then send to one another.
    const hairpin = o.isHairpin ? [inner.bindAddress] : [];
    const allowedNetworks = [...inner.addresses, ...inner.networks, ...hairpin];
    return innerSettings({ bindAddress: inner.bindAddress, allowedNetworks }, remote, o.keys);
  }
  const { bindAddress, advertise, signallingAddress } = outer;
  const ours = [bindAddress, advertise, inner.bindAddress];
  const forbiddenAddresses = [...ours, ...inner.addresses, ...o.rules.forbiddenAddresses];
  const { learnsAnySource } = o.rules;
  const place = { bindAddress, signallingAddress, forbiddenAddresses, learnsAnySource };
  return outerSettings(place, remote, o.keys);
}
