/**
 * A connection to an XMPP server, over TCP, TLS from the start (XEP-0368) or STARTTLS, silent and ready for an
 * opening; and what a server offers to who opens a stream there.
 */
import type { ByteStream, Endpoint, World } from "../io/types.ts";
import { InstanceFeatures, type Offer, STARTTLS } from "./features.ts";
import { ALPN } from "./names.ts";
import { StartTlsQuestion, type StartTlsStep } from "./starttls-question.ts";
import { formatOpening } from "./stream-errors.ts";

/** Bytes of a server's opening and features. */
export const FEATURES_BYTES = 65_536;

export type ServerOptions = {
  readonly world: Pick<World, "connectByteStream" | "clock">;
  readonly local: { readonly address: string };
  readonly remote: Endpoint;
  /** The domain that is asked for. */
  readonly to: string;
  readonly tls: "off" | "starttls" | "direct";
  /** Further names that its certificate may be for: of a domain (RFC 6120 §13.7.2), or of its machine. */
  readonly names: readonly string[];
  readonly verifyTls: boolean;
  readonly caPem: string | null;
  readonly connectTimeoutMs: number;
  readonly answerTimeoutMs: number;
};

/** Rejects with one clear line. */
export async function connectToServer(o: ServerOptions): Promise<ByteStream> {
  const { local, remote, to, names, verifyTls: verify, caPem } = o;
  const stream = await o.world.connectByteStream({
    local,
    remote,
    tls: { names: [to, ...names], verify, caPem, protocol: ALPN },
    timeoutMs: o.connectTimeoutMs,
  });
  if (o.tls === "starttls") await askForTls(o, stream);
  if (o.tls !== "off") await stream.startTls();
  return stream;
}

/** What it offers to a client; the connection is closed afterwards. Rejects with one clear line. */
export async function askForOffer(o: ServerOptions): Promise<Offer> {
  const stream = await connectToServer(o);
  const features = new InstanceFeatures(FEATURES_BYTES);
  const offer = await talk<Offer>(o, stream, (bytes) => {
    const answer = features.push(bytes);
    if (answer === null) return null;
    if (answer.kind === "features") return { good: answer.offer };
    return { failed: answer.kind === "broken" ? "it speaks no XMPP" : "it refuses this domain" };
  });
  stream.destroy();
  return offer;
}

/** Until <proceed/>. */
async function askForTls(o: ServerOptions, stream: ByteStream): Promise<void> {
  const question = new StartTlsQuestion(FEATURES_BYTES);
  const step = (taken: StartTlsStep | null): Heard<void> => {
    if (taken === "ask") stream.write(Buffer.from(STARTTLS));
    if (taken === null || taken === "ask") return null;
    return taken === "proceed" ? { good: undefined } : { failed: taken.failed };
  };
  await talk<void>(o, stream, (bytes) => step(question.push(bytes)));
}

/** null = not yet. */
type Heard<T> = { readonly good: T } | { readonly failed: string } | null;

/** Our opening, then what is heard of the answer. */
function talk<T>(
  { world, to, answerTimeoutMs }: ServerOptions,
  stream: ByteStream,
  hear: (bytes: Uint8Array<ArrayBuffer>) => Heard<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const failed = (problem: string): void => {
      deadline.cancel();
      stream.destroy();
      reject(new Error(problem));
    };
    const deadline = world.clock.after(answerTimeoutMs, () => failed("no answer in time"));
    stream.events = {
      data(bytes) {
        const heard = hear(new Uint8Array(bytes));
        if (heard === null) return;
        if ("failed" in heard) return failed(heard.failed);
        deadline.cancel();
        resolve(heard.good);
      },
      drained() {},
      ended: () => failed("closed by the peer"),
      closed: (reason) => failed(reason),
    };
    stream.write(Buffer.from(formatOpening({ to })));
    stream.resume();
  });
}
