/**
 * The configuration that the demonstration instance gives to its phones: the MAC 02000000NNNN (no maker has
 * it, IEEE 802 "locally administered") is the phone of user NNNN. In the format that Yealink phones read.
 */
import type { Endpoint } from "../io/types.ts";
import type { FindPage } from "./web.ts";

export type PhoneAccounts = {
  readonly domain: string;
  readonly users: readonly string[];
  readonly password: string;
  /** Where phones find the proxy; null = it is not known yet. */
  proxy(): Endpoint | null;
};

/** 12 upper-case hex digits. */
export function macOf(user: string): string {
  return `02${user.padStart(10, "0")}`;
}

function configuration(user: string, { domain, password }: PhoneAccounts, proxy: Endpoint): string {
  return [
    "#!version:1.0.0.1",
    `# user ${user} of the demonstration`,
    "account.1.enable = 1",
    `account.1.user_name = ${user}`,
    `account.1.auth_name = ${user}`,
    `account.1.password = ${password}`,
    `account.1.sip_server.1.address = ${domain}`,
    "account.1.outbound_proxy_enable = 1",
    `account.1.outbound_proxy.1.address = ${proxy.address}`,
    `account.1.outbound_proxy.1.port = ${proxy.port}`,
    "account.1.sip_server.1.transport_type = 2",
    "account.1.srtp_encryption = 2",
    "",
  ].join("\n");
}

/** `/p/DOMAIN/MAC`, and whatever a phone puts behind it. */
export function phoneConfigurations(accounts: PhoneAccounts): FindPage {
  return (path) => {
    const [, root, domain, mac] = path.split("/");
    const user = accounts.users.find((one) => macOf(one) === mac);
    const proxy = accounts.proxy();
    if (root !== "p" || domain !== accounts.domain || user === undefined || proxy === null)
      return null;
    return { type: "text/plain; charset=utf-8", body: configuration(user, accounts, proxy) };
  };
}
