/**
 * A home's router restarts: every mapping of its NAT is gone, for the media and for the TLS connection.
 */
import { afterAll, afterEach, beforeAll, test } from "bun:test";
import { type Lab, openLab } from "./lab.ts";
import { ANCHOR, runCommand } from "./peers.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterEach(() => lab.clear());
afterAll(() => lab.close());

/** Masquerading forgets its mappings when the interface goes down; new ones get new random ports. */
async function restartRouter(letter: "a" | "b"): Promise<void> {
  const link = ["ip", "-n", `pqlab-router-${letter}`, "link", "set", "eth0"];
  await runCommand([...link, "down"]);
  await runCommand([...link, "up"]);
}

// rtpengine as kamailio.cfg uses it goes on sending to the old port: the phone hears nothing any more.
test.skipIf(ANCHOR)(
  "the media of a call comes from another port of the router: the audio goes on",
  async () => {
    const phone = await lab.phone("home-a", "101");
    const other = await lab.phone("lan", "102");
    other.dial("101");
    await phone.accept();
    await phone.hears(other.hz, 2);
    await other.hears(phone.hz, 2);
    await restartRouter("a");
    await other.hears(phone.hz, 3);
    await phone.hears(other.hz, 3);
    await other.hangsUp();
    await lab.portsAreFree();
  },
);
