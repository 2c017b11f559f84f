/**
 * Tries the XMPP server of an instance as a proxy would, and judges what it offers: behind a TLS that ends in
 * the proxy channel binding cannot hold. To take the mechanisms out of the offer is not enough, since a client
 * that knows channel binding then says so (gs2 flag "y") and the server must refuse it (RFC 5802 §6).
 */
import type { InstanceConfig } from "../config/config.ts";
import type { World } from "../io/types.ts";
import { isBound } from "../xmpp/features.ts";
import { askForOffer } from "../xmpp/server-connection.ts";
import type { ReachAdvice } from "./operations.ts";

const PATIENCE_MS = 3000;

/** Rejects with one clear line when it is not reached. */
export async function reachXmpp(
  world: World,
  { name, address: host, xmpp }: InstanceConfig,
): Promise<ReachAdvice | null> {
  const { port, tls, verifyTls, caPem } = xmpp;
  const [address] = (await world.resolve(host)).addresses;
  if (address === undefined) throw new Error(`${host} has no address`);
  const local = await world.sourceAddressFor(address);
  if (local === null) throw new Error("there is no route");
  const { startTls, mechanisms, tellsChannelBinding } = await askForOffer({
    world,
    local: { address: local },
    remote: { address, port },
    to: name,
    tls,
    names: [host],
    verifyTls,
    caPem,
    connectTimeoutMs: PATIENCE_MS,
    answerTimeoutMs: PATIENCE_MS,
  });
  if (tls === "off") {
    return startTls === "required" && mechanisms.length === 0 ? "xmpp-wants-tls" : null;
  }
  return tellsChannelBinding || mechanisms.some(isBound) ? "xmpp-binding" : "xmpp-no-binding";
}
