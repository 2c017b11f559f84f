/**
 * Which way a stream flows (RFC 8866 §6.7), with the old hold of RFC 2543 (c=0.0.0.0) seen as
 * inactive: then nothing may be sent and nothing learnt. Pure.
 */
import { connectionOf, isHoldAddress } from "./connection.ts";
import { hasAttribute, type Section } from "./media-description.ts";
import type { MediaDescription, SessionDescription } from "./session-description.ts";

/** As seen by the side that wrote the description. */
export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

const DIRECTIONS: readonly Direction[] = ["sendrecv", "sendonly", "recvonly", "inactive"];

/** The media level's attribute, else the session's, else sendrecv; c=0.0.0.0 is inactive. */
export function direction(description: SessionDescription, media: MediaDescription): Direction {
  const connection = connectionOf(description, media);
  if (connection !== null && isHoldAddress(connection.address)) return "inactive";
  return written(media) ?? written(description) ?? "sendrecv";
}

function written(section: Section): Direction | undefined {
  return DIRECTIONS.find((one) => hasAttribute(section, one));
}
