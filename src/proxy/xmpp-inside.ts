/**
 * A connection to an instance's XMPP server, over TCP, TLS from the start or STARTTLS as `xmpp.tls` says,
 * silent and ready for a client's opening. Addresses are those that are known already: a client waits for
 * no DNS.
 */
import type { Limits } from "../config/limits.ts";
import type { ByteStream, World } from "../io/types.ts";
import { STARTTLS } from "../xmpp/features.ts";
import { ALPN } from "../xmpp/names.ts";
import { StartTlsQuestion, type StartTlsStep } from "../xmpp/starttls-question.ts";
import { formatOpening } from "../xmpp/stream-errors.ts";
import type { Instance } from "./instances.ts";

/** Bytes of an instance's opening and features. */
export const FEATURES_BYTES = 65_536;

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

async function connectTo(o: InsideOptions, address: string, local: string): Promise<ByteStream> {
  const { name, config } = o.instance;
  const { port, tls, verifyTls, caPem } = config.xmpp;
  const stream = await o.world.connectByteStream({
    local: { address: local },
    remote: { address, port },
    // The certificate of a domain (RFC 6120 §13.7.2) or of the machine it runs on.
    tls: { names: [o.to, name, config.address], verify: verifyTls, caPem, protocol: ALPN },
    timeoutMs: o.limits.connectTimeout * 1000,
  });
  if (tls === "starttls") await ask(o, stream);
  if (tls !== "off") await stream.startTls();
  return stream;
}

/** Until <proceed/>. */
function ask({ world, to, limits }: InsideOptions, stream: ByteStream): Promise<void> {
  const question = new StartTlsQuestion(FEATURES_BYTES);
  return new Promise((resolve, reject) => {
    const over = (problem: string | null): void => {
      deadline.cancel();
      if (problem === null) return resolve();
      stream.destroy();
      reject(new Error(problem));
    };
    const late = (): void => over("no STARTTLS in time");
    const deadline = world.clock.after(limits.xmppOpeningTimeout * 1000, late);
    const step = (taken: StartTlsStep | null): void => {
      if (taken === "ask") stream.write(Buffer.from(STARTTLS));
      else if (taken === "proceed") over(null);
      else if (taken !== null) over(taken.failed);
    };
    stream.events = {
      data: (bytes) => step(question.push(new Uint8Array(bytes))),
      drained() {},
      ended: () => over("closed by the peer"),
      closed: (reason) => over(reason),
    };
    stream.write(Buffer.from(formatOpening({ to })));
    stream.resume();
  });
}
