/**
 * One request to an instance and its answer back, both bodies streamed, neither kept: whoever is slower holds
 * the other back. A client that goes away ends the request at the instance; an instance that does not answer
 * is a page of ours.
 */
import type { Duplex, Readable, Writable } from "node:stream";
import { headerValue } from "../http/headers.ts";
import type {
  HttpClientExchange,
  HttpClientRequest,
  HttpClientResponse,
  HttpExchange,
  HttpPool,
  HttpResponseHead,
  HttpUpgrade,
  HttpUpgraded,
} from "../io/http-types.ts";
import { HttpClientError } from "../io/http-types.ts";
import type { Clock, Timer } from "../io/types.ts";
import type { HttpInside, InsideUrl } from "./http-inside.ts";

export type ForwardOptions = {
  readonly clock: Clock;
  readonly inside: HttpInside;
  /** Milliseconds an instance may take to begin its answer. */
  responseMs(): number;
  count(reason: string): void;
};

/** No answer, too many that wait for one, none in time. */
type Failure = 502 | 503 | 504;

const COUNTED: Readonly<Record<Failure, string>> = {
  502: "http-instance-down",
  503: "http-instance-busy",
  504: "http-instance-slow",
};

/** What is asked of the instance, and what its answer looks like outside. */
export type Forwarded = {
  readonly at: InsideUrl;
  /** Path and query, the path of the URL being part of it. */
  readonly target: string;
  readonly headers: readonly string[];
  response(head: HttpResponseHead): HttpResponseHead;
  /** Answers with a page. */
  fail(status: Failure, reason: string): void;
};

export class HttpForward {
  readonly #o: ForwardOptions;

  constructor(o: ForwardOptions) {
    this.#o = o;
  }

  request(exchange: HttpExchange, asked: Forwarded): void {
    this.#withPool(asked, (pool) => {
      const { method, hasBody } = exchange;
      const { target, headers } = asked;
      const up = pool.request({ method, target, headers, hasBody });
      this.#send(exchange, asked, up, hasBody);
    });
  }

  upgrade(upgrade: HttpUpgrade, asked: Forwarded): void {
    this.#withPool(asked, (pool) => {
      const { target, headers } = asked;
      const request: HttpClientRequest = { method: "GET", target, headers, hasBody: false };
      this.#splice(upgrade, asked, pool.upgrade(request));
    });
  }

  #withPool(asked: Forwarded, use: (pool: HttpPool) => void): void {
    const pool = this.#o.inside.poolFor(asked.at);
    const go = (one: HttpPool | null): void => {
      if (one === null) this.#fail(asked, 502, "its name cannot be resolved or has no route");
      else if (one.isFull) this.#fail(asked, 503, "as many wait for it as may");
      else use(one);
    };
    if (pool instanceof Promise) void pool.then(go);
    else go(pool);
  }

  #send(
    exchange: HttpExchange,
    asked: Forwarded,
    up: HttpClientExchange<HttpClientResponse>,
    hasBody: boolean,
  ): void {
    let deadline: Timer | null = null;
    let isLate = false;
    const arm = (): void => {
      deadline ??= this.#o.clock.after(this.#o.responseMs(), () => {
        isLate = true;
        up.destroy();
      });
    };
    exchange.onEnd((isComplete) => {
      deadline?.cancel();
      if (!isComplete) up.destroy();
    });
    up.response.then(
      (response) => {
        deadline?.cancel();
        pump(response.body, exchange.respond(asked.response(response)));
      },
      (error: Error) => {
        deadline?.cancel();
        this.#broken(asked, error, isLate);
      },
    );
    if (!hasBody) {
      up.body.end();
      return arm();
    }
    // Not a pipeline, which would end the client's connection with the instance's.
    up.body.once("finish", arm);
    const body = exchange.readBody();
    // The client has gone, perhaps after an answer that did not wait for the body's end.
    body.once("close", () => {
      if (!body.readableEnded) up.destroy();
    });
    body.pipe(up.body);
  }

  #splice(upgrade: HttpUpgrade, asked: Forwarded, up: HttpClientExchange<HttpUpgraded>): void {
    const deadline = this.#o.clock.after(this.#o.responseMs(), () => up.destroy());
    upgrade.onEnd(() => {
      deadline.cancel();
      up.destroy();
    });
    up.body.end();
    up.response.then(
      (answer) => {
        deadline.cancel();
        if (answer.kind === "upgraded") return this.#accept(upgrade, asked, answer);
        const head = asked.response(answer.response);
        pump(answer.response.body, upgrade.respond(head));
      },
      (error: Error) => {
        deadline.cancel();
        this.#broken(asked, error, false);
      },
    );
  }

  #accept(
    upgrade: HttpUpgrade,
    asked: Forwarded,
    { head, stream }: { readonly head: HttpResponseHead; readonly stream: Duplex },
  ): void {
    const protocol = headerValue(head.headers, "upgrade") ?? "";
    if (head.status !== 101 || protocol.toLowerCase() !== "websocket") {
      stream.destroy();
      return this.#fail(asked, 502, "it changed to another protocol");
    }
    const { status, reason, headers } = asked.response(head);
    const both = ["Connection", "Upgrade", "Upgrade", protocol];
    join(upgrade.accept({ status, reason, headers: [...headers, ...both] }), stream);
  }

  #broken(asked: Forwarded, error: Error, isLate: boolean): void {
    const isConnected = error instanceof HttpClientError && error.isConnected;
    if (!isConnected) this.#o.inside.failed(asked.at);
    this.#fail(asked, isLate ? 504 : 502, isLate ? "no answer in time" : error.message);
  }

  #fail(asked: Forwarded, status: Failure, reason: string): void {
    this.#o.count(COUNTED[status]);
    asked.fail(status, reason);
  }
}

/**
 * The body of an answer, whoever is slower holding the other back. Not stream.pipeline(), which took a fifth
 * of all that a small request costs; that the client has gone, the exchange tells.
 */
function pump(from: Readable, to: Writable): void {
  from.on("error", () => {});
  to.on("error", () => {});
  to.on("drain", () => from.resume());
  from.on("data", (bytes: Uint8Array) => {
    if (!to.write(bytes)) from.pause();
  });
  from.once("end", () => to.end());
  // Cut off by the instance: then so is the client's, or it would take it for whole.
  from.once("close", () => {
    if (!from.readableEnded) to.destroy();
  });
}

/** Bytes both ways; the end of one is the end of the other. */
function join(client: Duplex, instance: Duplex): void {
  const end = (from: Duplex, to: Duplex): void => {
    from.on("error", () => to.destroy());
    from.once("close", () => to.destroy());
    from.pipe(to as Writable);
  };
  end(client, instance);
  end(instance, client);
}
