/** A real browser signs in and works through the product, by both ways of naming an instance. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { Browser } from "./browser.ts";
import { PROXY_DMZ } from "./peers.ts";
import { FQDN, startWeb, type WebPlace } from "./web/place.ts";

let web: WebPlace;
let browser: Browser;
beforeAll(async () => {
  web = await startWeb();
}, 60_000);
afterAll(() => web.stop());
beforeEach(async () => {
  browser = await Browser.start("open", { address: PROXY_DMZ, trustedKey: web.trustedKey });
});
afterEach(() => browser.stop());

/** Types into the fields that these selectors find, and sends the form. */
async function signsIn(...fields: [selector: string, text: string][]): Promise<void> {
  for (const [selector, text] of fields) {
    const found = `document.querySelector(${JSON.stringify(selector)})`;
    await browser.sees(`${found} !== null`);
    await browser.run(`${found}.focus()`);
    await browser.types(text);
  }
  await browser.presses("Enter");
}

for (const [name, origin] of [
  ["with the instance's name in the path", `https://${FQDN}/app/`],
  ["at the instance's own origin", `https://app.${FQDN}/`],
] as const) {
  test(`the small application, ${name}: sign-in, cookie, XHR, WebSocket, events`, async () => {
    await browser.open(origin);
    expect(await browser.run("location.href")).toBe(`${origin}login`);
    await signsIn(["input[name=user]", "anna"], ["input[name=password]", "secret"]);
    await browser.sees("document.title.includes('event:two')");
    expect(await browser.run("location.href")).toBe(`${origin}home`);
    const title = await browser.run<string>("document.title");
    for (const heard of ["xhr:anna", "ws:hello", "event:one"]) expect(title).toContain(heard);
    expect(await browser.run("document.cookie")).toBe("");
  });
}

for (const [name, place] of [
  ["with its name in the path", (instance: string) => `https://${FQDN}/${instance}/`],
  ["at its own origin", (instance: string) => `https://${instance}.${FQDN}/`],
] as const) {
  test(`ttyd, ${name}: a shell over a WebSocket`, async () => {
    await browser.open(place("terminal"));
    const screen =
      "[...Array(9).keys()].map((y) => term.buffer.active.getLine(y).translateToString()).join()";
    await browser.sees(`typeof term === 'object' && /[$#]/.test(${screen})`);
    await browser.run("term.focus()");
    await browser.types("echo $((6 * 7))-whales");
    await browser.presses("Enter");
    await browser.sees(`${screen}.includes('42-whales')`);
  });

  test(`Syncthing, ${name}: sign-in, then its page by XHR`, async () => {
    await browser.open(place("files"));
    await signsIn(["#user", "anna"], ["#password", "secret-anna"]);
    await browser.sees("document.body.innerText.includes('This Device')");
    await browser.sees(
      "performance.getEntriesByType('resource').some(({ name }) => name.includes('/rest/system/'))",
    );
    expect(
      await browser.run(
        "performance.getEntriesByType('resource').every(({ name }) => name.startsWith(location.origin))",
      ),
    ).toBe(true);
  });
}
