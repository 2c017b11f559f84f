/**
 * A connection to an instance's XMPP server, as its `xmpp` says. Addresses are those that are known already:
 * a client waits for no DNS.
 */
import type { Limits } from "../config/limits.ts";
import type { ByteStream, World } from "../io/types.ts";
import { connectToServer } from "../xmpp/server-connection.ts";
import type { Instance } from "./instances.ts";

export type InsideOptions = {
  readonly world: World;
  readonly instance: Instance;
  /** The domain, as the client named it. */
  readonly to: string;
  readonly limits: Limits;
};

/** Tries one address after another; rejects with one clear line, of the last. */
export async function connectInside(o: InsideOptions): Promise<ByteStream> {
  let problem = new Error("it has no address");
  for (const [address, insideAddress] of waysTo(o.instance)) {
    try {
      return await connectTo(o, address, insideAddress);
    } catch (error) {
      problem = error instanceof Error ? error : new Error(String(error));
    }
  }
  throw problem;
}

/** Each address of its targets once, the well ones first, with ours towards it. */
function waysTo({ targets, name }: Instance): ReadonlyMap<string, string> {
  const ways = new Map<string, string>();
  for (const { address, insideAddress } of targets.inOrder(name)) {
    if (insideAddress !== null && !ways.has(address)) ways.set(address, insideAddress);
  }
  return ways;
}

function connectTo(o: InsideOptions, address: string, inside: string): Promise<ByteStream> {
  const { name, config } = o.instance;
  const { port, ...tls } = config.xmpp;
  return connectToServer({
    ...tls,
    world: o.world,
    local: { address: inside },
    remote: { address, port },
    to: o.to,
    names: [name, config.address],
    connectTimeoutMs: o.limits.connectTimeout * 1000,
    answerTimeoutMs: o.limits.xmppOpeningTimeout * 1000,
  });
}
