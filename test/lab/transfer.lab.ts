/**
 * Transfers: the REFER of a phone behind a NAT reaches Asterisk, its NOTIFYs come back, and the two who are
 * left hear each other while the third is gone.
 */
import { afterAll, afterEach, beforeAll, test } from "bun:test";
import { type Lab, openLab } from "./lab.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await openLab();
});
afterEach(() => lab.clear());
afterAll(() => lab.close());

test("blind transfer: the transferred one and the third party hear each other", async () => {
  const seller = await lab.phone("home-a", "101");
  const customer = await lab.phone("home-b", "102");
  const third = await lab.phone("home-a", "103");
  customer.dial("101");
  await seller.accept();
  await seller.hears(customer.hz, 1);
  seller.transfer("sip:103@mycompany");
  await third.accept();
  await seller.expects("CALL_CLOSED");
  await Promise.all([customer.hears(third.hz, 2), third.hears(customer.hz, 2)]);
  await third.hangsUp();
  await customer.expects("CALL_CLOSED");
  await lab.portsAreFree();
});

// The second call is referred to the first one's far end: baresip refers in the call it spoke in last.
test("attended transfer: Replaces names the first call, and the two far ends are put together", async () => {
  const seller = await lab.phone("home-a", "101");
  const customer = await lab.phone("home-b", "102");
  const third = await lab.phone("open", "103");
  seller.dial("102");
  await customer.accept();
  await seller.expects("CALL_ESTABLISHED");
  await customer.hears(seller.hz, 1);
  seller.hold();
  seller.dial("103");
  await third.accept();
  await seller.expects("CALL_ESTABLISHED");
  await Promise.all([seller.hears(third.hz, 1), third.hears(seller.hz, 1)]);
  seller.transfer(`<sip:102@mycompany?Replaces=${encodeURIComponent(seller.replaces("102"))}>`);
  await Promise.all([customer.hears(third.hz, 2), third.hears(customer.hz, 2)]);
  await seller.expects("CALL_CLOSED");
  await seller.expects("CALL_CLOSED");
  await third.hangsUp();
  await customer.expects("CALL_CLOSED");
  await lab.portsAreFree();
});
