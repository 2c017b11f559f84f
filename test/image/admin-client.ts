/** The admin's REST API as an operator's script uses it. */
import { connect } from "node:tls";

const DEADLINE_MS = 60_000;

export class AdminClient {
  readonly #origin: string;
  #token: string | null = null;

  constructor(address: string) {
    this.#origin = `https://${address}:8443`;
  }

  /** Status and body of any request. */
  async asks(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(`${this.#origin}/api/v1/${path}`, {
      method,
      headers: {
        "content-type": "application/json",
        ...(this.#token === null ? {} : { authorization: `Bearer ${this.#token}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      tls: { rejectUnauthorized: false },
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? null : JSON.parse(text) };
  }

  /** The body of what must succeed. */
  async does(method: string, path: string, body?: unknown): Promise<Body> {
    const answer = await this.asks(method, path, body);
    if (answer.status >= 300) {
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    return answer.body ?? {};
  }

  async signsIn(path: "setup" | "session", credentials: object): Promise<void> {
    const { token } = await this.does("POST", path, credentials);
    this.#token = String(token);
  }

  /** Apply and confirm. */
  async applies(): Promise<void> {
    const { confirmBefore } = await this.does("POST", "apply", {});
    if (confirmBefore !== null) await this.does("POST", "apply/confirm");
  }

  /** Once a proxy is seen in that state. */
  proxyIs(name: string, state: string): Promise<Body> {
    return eventually(async () => {
      const status = await this.does("GET", `proxies/${name}/status`);
      if (status["state"] === state) return status;
      throw new Error(`proxy ${name}: ${JSON.stringify(status)}`);
    }, 120_000);
  }

  /** SHA-256 of the certificate it shows. */
  fingerprint(): Promise<string> {
    const { hostname: host, port } = new URL(this.#origin);
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port: Number(port), rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate().fingerprint256);
        socket.destroy();
      });
      socket.once("error", reject);
    });
  }
}

export type Body = Record<string, unknown>;
export type Answer = { readonly status: number; readonly body: Body | null };

/** Asks every half second until it does not throw; after the time it throws what was thrown last. */
export async function eventually<T>(ask: () => Promise<T>, timeoutMs = DEADLINE_MS): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}
