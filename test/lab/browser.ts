/**
 * A real browser (Debian's headless Chromium of the tree) in one place of the lab, driven over its DevTools
 * protocol by a pair of pipes. Host names are resolved as the case says; the one certificate it is told
 * about is trusted, no other. Owns the browser's process.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { commandIn, eventually, type Place, TREE } from "./peers.ts";

type Answer = { readonly result?: Record<string, unknown>; readonly error?: { message: string } };

/** Without these it asks hosts of its maker at every start. */
const QUIET = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-quic",
  "--no-first-run",
];

export type BrowserOptions = {
  /** Every host name leads there. */
  readonly address: string;
  /** SHA-256 of the public key (SPKI) in base64. */
  readonly trustedKey: string;
};

export class Browser {
  readonly #child: Bun.Subprocess;
  readonly #send: Bun.FileSink;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #count = 0;
  #session: string | undefined;

  private constructor(child: Bun.Subprocess, send: number, receive: number) {
    this.#child = child;
    this.#send = Bun.file(send).writer();
    void this.#read(receive);
  }

  /** With one empty page. */
  static async start(place: Place, o: BrowserOptions): Promise<Browser> {
    const profile = "/tmp/lab-browser";
    rmSync(join(TREE, profile), { recursive: true, force: true });
    mkdirSync(join(TREE, profile), { recursive: true });
    const flags = [
      ...["--headless", "--no-sandbox", "--disable-gpu", ...QUIET, "--remote-debugging-pipe"],
      ...[`--user-data-dir=${profile}`, `--host-resolver-rules=MAP * ${o.address}`],
      `--ignore-certificate-errors-spki-list=${o.trustedKey}`,
    ];
    const child = Bun.spawn(commandIn(place, ["chromium-headless-shell", ...flags]), {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
      env: {
        PATH: process.env.PATH ?? "",
        HOME: "/root",
        PEQUOD_LAB: process.env.PEQUOD_LAB ?? "",
      },
    });
    const [send, receive] = [child.stdio[3], child.stdio[4]];
    if (typeof send !== "number" || typeof receive !== "number") throw new Error("no pipes");
    const browser = new Browser(child, send, receive);
    const { targetId } = await browser.#ask("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await browser.#ask("Target.attachToTarget", { targetId, flatten: true });
    browser.#session = sessionId as string;
    return browser;
  }

  /** Opens the page and waits until it is there. */
  async open(url: string): Promise<void> {
    const { errorText } = await this.#ask("Page.navigate", { url });
    if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
    await this.sees("document.readyState === 'complete'");
  }

  /** The value of a script within the page; a promise is waited for. */
  async run<T>(script: string): Promise<T> {
    const { result, exceptionDetails } = (await this.#ask("Runtime.evaluate", {
      expression: script,
      awaitPromise: true,
      returnByValue: true,
      userGesture: true,
    })) as { result: { value: T }; exceptionDetails?: { exception?: { description?: string } } };
    if (exceptionDetails === undefined) return result.value;
    throw new Error(`${script}: ${exceptionDetails.exception?.description}`);
  }

  /** Waits until that script is true; between two pages there is none that could run. */
  async sees(script: string): Promise<void> {
    await eventually(
      20_000,
      () =>
        this.run<boolean>(script).then(
          (value) => value || null,
          () => null,
        ),
      async () =>
        `the browser never saw ${script} at ${await this.run("location.href + document.body.innerText")}`,
    );
  }

  /** As typed on a keyboard, into what has the focus. */
  async types(text: string): Promise<void> {
    await this.#ask("Input.insertText", { text });
  }

  async presses(key: "Enter"): Promise<void> {
    const press = { key, code: key, windowsVirtualKeyCode: 13, text: "\r" };
    await this.#ask("Input.dispatchKeyEvent", { type: "keyDown", ...press });
    await this.#ask("Input.dispatchKeyEvent", { type: "keyUp", ...press });
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }

  #ask(method: string, params: object): Promise<Record<string, unknown>> {
    this.#count += 1;
    const id = this.#count;
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    this.#send.write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    void this.#send.flush();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => {
        if (result === undefined) reject(new Error(`${method}: ${error?.message}`));
        else resolve(result);
      });
    });
  }

  async #read(receive: number): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const bytes of Bun.file(receive).stream()) {
      const messages = (rest + decoder.decode(bytes, { stream: true })).split("\0");
      rest = messages.pop() ?? "";
      for (const message of messages) this.#take(JSON.parse(message));
    }
  }

  #take(message: Answer & { id?: number }): void {
    const waiting = this.#waiting.get(message.id ?? 0);
    this.#waiting.delete(message.id ?? 0);
    waiting?.(message);
  }
}
