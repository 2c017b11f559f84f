/**
 * The root helper behind its socket: does what a request asks, if the peer may ask and the proxy is known.
 * Network verbs go one after the other (ConfirmedApply); units are systemd's, so that a proxy that is slow
 * to start keeps nobody from confirming.
 */
import { isIPv6 } from "node:net";
import type { Config } from "../config/config.ts";
import { sourceAddress } from "../config/source.ts";
import { CommandError } from "../io/command.ts";
import type { PeerCredentials } from "../io/peer-credentials.ts";
import type { Log } from "../io/types.ts";
import { type ConfirmedApply, StateError } from "./confirmed-apply.ts";
import { banSetName, hasFamily } from "./firewall-parts.ts";
import {
  type HelperAnswer,
  type HelperErrorCode,
  type HelperRequest,
  parseRequest,
  RequestError,
} from "./helper-request.ts";
import { DocumentError, type RevisionFiles } from "./revision-files.ts";
import type { NetworkSystem } from "./system.ts";
import { zonesOf } from "./zones.ts";

/** READY or not: systemd gives up before this does. */
const UNIT_TIMEOUT_MS = 100_000;

export type HelperOptions = {
  readonly system: NetworkSystem;
  readonly files: RevisionFiles;
  readonly apply: ConfirmedApply;
  readonly log: Log;
  /** Users that may ask: root and the admin's. */
  readonly allowedUids: ReadonlySet<number>;
  /** Whether DIR/proxies has a folder of that name: a proxy that was deleted can still be stopped. */
  hasProxyFolder(name: string): boolean;
};

export class Helper {
  readonly #o: HelperOptions;

  constructor(o: HelperOptions) {
    this.#o = o;
  }

  /** Whether it must not end now. */
  get isBusy(): boolean {
    return this.#o.apply.isBusy;
  }

  /** null = the peer may go on; else the answer it gets before it is hung up on. */
  refusal(peer: PeerCredentials | null): HelperAnswer | null {
    if (peer !== null && this.#o.allowedUids.has(peer.uid)) return null;
    this.#o.log.warn("peer-refused", { uid: peer?.uid, pid: peer?.pid });
    return { ok: false, code: "not-allowed", error: "not allowed" };
  }

  /** Answers one line. Never rejects. */
  async answer(line: string): Promise<HelperAnswer> {
    try {
      const request = parseRequest(line);
      const answer = await this.#do(request);
      this.#o.log.info("done", { ...request });
      return answer;
    } catch (error) {
      const answer = answerOf(error);
      this.#o.log.warn("refused", { code: answer.code, reason: answer.error, request: line });
      return answer;
    }
  }

  async #do(request: HelperRequest): Promise<HelperAnswer> {
    switch (request.verb) {
      case "apply":
        return { ok: true, ...(await this.#o.apply.apply()) };
      case "confirm":
        return { ok: true, ...(await this.#o.apply.confirm()) };
      case "start":
      case "stop":
      case "reload":
        return this.#unit(request.verb, request.proxy);
      case "ban":
        await this.#unban(request.proxy, request.address);
        return this.#ban(request.proxy, request.address, request.seconds);
      case "unban":
        await this.#unban(request.proxy, request.address);
        return { ok: true };
    }
  }

  async #unit(verb: "start" | "stop" | "reload", proxy: string): Promise<HelperAnswer> {
    const isKnown =
      this.#configs().some((config) => config.proxies.some(({ name }) => name === proxy)) ||
      (verb === "stop" && this.#o.hasProxyFolder(proxy));
    if (!isKnown) throw new UnknownProxy(proxy);
    if (verb !== "stop") await this.#o.apply.refresh();
    const argv = ["systemctl", verb, `pequod-proxy@${proxy}.service`];
    await this.#o.system.run(argv, { timeoutMs: UNIT_TIMEOUT_MS });
    return { ok: true };
  }

  async #ban(proxy: string, address: string, seconds: number): Promise<HelperAnswer> {
    const element = `{ ${sourceAddress(address)} timeout ${seconds}s }`;
    const set = banSetName(proxy, isIPv6(address) ? 6 : 4);
    await this.#o.system.run(["nft", "add", "element", "inet", "pequod", set, element]);
    return { ok: true };
  }

  /** Also before a ban: adding an element that is there already would keep its old end. */
  async #unban(proxy: string, address: string): Promise<void> {
    const family = isIPv6(address) ? 6 : 4;
    const zone = this.#configs()
      .flatMap((config) => zonesOf(config))
      .find((one) => one.proxy.name === proxy && hasFamily(one, family));
    if (zone === undefined) throw new UnknownProxy(proxy);
    const set = banSetName(proxy, family);
    try {
      await this.#o.system.run([
        "nft",
        "delete",
        "element",
        "inet",
        "pequod",
        set,
        `{ ${sourceAddress(address)} }`,
      ]);
    } catch (error) {
      const isAbsent = error instanceof CommandError && /No such file/.test(error.stderr);
      if (!isAbsent) throw error;
    }
  }

  /** What is known now: confirmed or about to be. */
  #configs(): readonly Config[] {
    const { files } = this.#o;
    return [files.known("active"), files.known("candidate")].filter((one) => one !== null);
  }
}

class UnknownProxy extends Error {
  constructor(proxy: string) {
    super(`there is no proxy ${proxy}`);
  }
}

function answerOf(error: unknown): HelperAnswer & { readonly ok: false } {
  const message = error instanceof Error ? error.message : String(error);
  return { ok: false, code: codeOf(error), error: message };
}

function codeOf(error: unknown): HelperErrorCode {
  if (error instanceof RequestError) return "bad-request";
  if (error instanceof UnknownProxy) return "unknown-proxy";
  if (error instanceof DocumentError) return "invalid";
  return error instanceof StateError ? error.code : "failed";
}
