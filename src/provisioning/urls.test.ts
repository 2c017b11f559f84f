import { expect, test } from "bun:test";
import { ProvisioningTokens } from "./token.ts";
import { type ProvisioningMode, provisioningUrls } from "./urls.ts";

const tokens = new ProvisioningTokens(Buffer.alloc(32, 7));
const ports = { provisioningHttps: 8884, provisioningHttp: 8880 };

function urls(mode: ProvisioningMode, fqdn = "phones.example.com"): string[] {
  return provisioningUrls({ mode, fqdn, ports, tokens }, "MyCompany", "08C25A4F0321");
}

test("each mode has its URLs, HTTPS first", () => {
  const token = tokens.make({ instance: "mycompany", mac: "08C25A4F0321" });
  expect(urls("https-encrypted")).toEqual([`https://phones.example.com:8884/p/${token}`]);
  const https = "https://phones.example.com:8884/p/MyCompany/08C25A4F0321";
  expect(urls("https")).toEqual([https]);
  const http = "http://phones.example.com:8880/p/MyCompany/08C25A4F0321";
  expect(urls("http-and-https")).toEqual([https, http]);
  expect(urls("off")).toEqual([]);
});

test("an IPv6 address stands in brackets", () => {
  expect(urls("https", "2001:db8::1")).toEqual([
    "https://[2001:db8::1]:8884/p/MyCompany/08C25A4F0321",
  ]);
});
