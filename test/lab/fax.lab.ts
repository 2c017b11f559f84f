/**
 * T.38 through the product between two real fax machines, Asterisk with spandsp: the call begins with audio, the
 * receiver asks for T.38, and the page that arrives has come as UDPTL.
 */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Instance, startInstance } from "./asterisk.ts";
import { type Lab, openLab } from "./lab.ts";
import { eventually, TREE } from "./peers.ts";
import { blankPage } from "./tiff.ts";

let lab: Lab;
let machine: Instance;
beforeAll(async () => {
  [lab, machine] = await Promise.all([
    openLab(),
    startInstance({
      name: "fax",
      place: "lan",
      address: "192.168.10.50",
      toneHz: 1400,
      media: "rtp",
      more: "fax-machine.conf",
    }),
  ]);
});
afterEach(() => lab.clear());
afterAll(async () => {
  await machine.stop();
  await lab.close();
});

test("a page is sent by T.38 from a fax machine on the lan to the instance", async () => {
  const page = "/lab/instances/fax/spool/page.tif";
  writeFileSync(join(TREE, page), blankPage(100));
  await machine.console(`channel originate PJSIP/607@mycompany application SendFAX ${page}`);
  const said = () => lab.mycompany.console("dialplan show globals");
  const told = await eventually(
    40_000,
    async () => /LASTFAX=(.*)/.exec(await said())?.[1] ?? null,
    async () => `no fax ended: ${await said()} ${await machine.console("core show channels")}`,
  );
  expect(told).toMatch(/^SUCCESS T38 1 /);
  await lab.portsAreFree();
}, 60_000);
