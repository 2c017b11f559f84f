import { describe, expect, test } from "bun:test";
import { realWorld } from "../../src/io/world.ts";
import { SimulatedNetwork } from "../flows/simulated-network.ts";
import { MediaPort } from "./media-port.ts";
import { type Outside, onRealSockets, simulated } from "./outside.ts";
import { Phone } from "./phone.ts";
import { TelephoneSystem } from "./telephone-system.ts";
import { calledDialog } from "./user-agent.ts";

/** The same conversation without a proxy between, in both worlds: the peers themselves work. */
function places(): [string, () => { phone: Outside; pbx: Outside; addresses: [string, string] }][] {
  return [
    [
      "in the simulated network",
      () => {
        const network = new SimulatedNetwork();
        return {
          phone: simulated(network, { addresses: ["192.0.2.10"] }),
          pbx: simulated(network, { addresses: ["10.0.3.150"] }),
          addresses: ["192.0.2.10", "10.0.3.150"],
        };
      },
    ],
    [
      "on real sockets",
      () => {
        const outside = onRealSockets(realWorld);
        return { phone: outside, pbx: outside, addresses: ["127.0.0.1", "127.0.0.2"] };
      },
    ],
  ];
}

for (const [place, make] of places()) {
  for (const transport of ["udp", "tcp"] as const) {
    describe(`a phone and a telephone system ${place} over ${transport}`, () => {
      test("register, call with SRTP both ways, and hang up", async () => {
        const { phone: home, pbx: office, addresses } = make();
        const [phoneAddress, pbxAddress] = addresses;
        const pbx = new TelephoneSystem(office, {
          name: "mycompany",
          address: pbxAddress,
          port: 0,
          transport,
        });
        pbx.registersPhones();
        const proxy = await pbx.opens();
        const phone = new Phone(home, {
          user: "100",
          domain: "mycompany",
          address: phoneAddress,
          transport,
          proxy,
        });
        await phone.connects();
        expect((await phone.registers()).status).toBe(200);
        expect(pbx.registrationOf("100").contact).toBe(phone.contact);

        const suite = "AES_CM_128_HMAC_SHA1_80";
        const near = await MediaPort.open(home, { address: phoneAddress, suite });
        const far = await MediaPort.open(office, { address: pbxAddress, suite });
        phone.sendsInvite("600", near.sdp());
        const invite = await pbx.receivesOn("INVITE");
        far.uses(invite.message.body);
        pbx.replies(invite, 180, "pbx1");
        pbx.replies(invite, 200, "pbx1", far.sdp());
        await phone.receives("180 INVITE");
        const { answer, dialog } = await phone.isAnswered();
        near.uses(answer.body);
        await pbx.receives("ACK");
        near.says("one", "two");
        expect(await far.hearsAtLeast(2)).toEqual(["one", "two"]);
        far.says("three");
        far.sendsRtcp(7);
        expect(await near.hearsAtLeast(1)).toEqual(["three"]);
        expect(near.refused).toBe(0);

        const pbxSide = calledDialog(invite.message, "pbx1");
        expect(pbxSide.target).toBe(phone.contact);
        phone.inDialog(dialog, "BYE");
        await pbx.isHungUpOn();
        await phone.receives("200 BYE");
        await phone.receivesNothingMore();
        for (const end of [phone, pbx, near, far]) end.close();
      });
    });
  }
}

test("a telephone system without Path support ignores it, one that hates it answers 420", async () => {
  for (const [path, status] of [
    ["ignored", 200],
    ["refused", 420],
  ] as const) {
    const network = new SimulatedNetwork();
    const office = simulated(network, { addresses: ["10.0.3.150"] });
    const pbx = new TelephoneSystem(office, { name: "mycompany", address: "10.0.3.150", path });
    pbx.registersPhones();
    const phone = new Phone(simulated(network, { addresses: ["192.0.2.10"] }), {
      user: "100",
      domain: "mycompany",
      address: "192.0.2.10",
      transport: "udp",
      proxy: await pbx.opens(),
    });
    await phone.connects();
    const answer = await phone.registers({ headers: [["Path", "<sip:token@203.0.113.5;lr>"]] });
    expect(answer.status).toBe(status);
    expect(answer.has("Path")).toBe(false);
  }
});

test("a script that waits for what never comes fails and says what there was", async () => {
  const network = new SimulatedNetwork();
  const outside = simulated(network, { addresses: ["192.0.2.10", "192.0.2.11"] });
  const options = { user: "100", domain: "mycompany", transport: "udp" } as const;
  const proxy = { address: "192.0.2.11", port: 5060 };
  const a = new Phone(outside, { ...options, address: "192.0.2.10", port: 5060, proxy });
  const b = new Phone(outside, { ...options, address: "192.0.2.11", port: 5060, proxy });
  await a.connects();
  await b.connects();
  a.sendsRegister();
  await expect(b.receives("INVITE")).rejects.toThrow("REGISTER sip:mycompany SIP/2.0 [REGISTER]");
  await expect(b.receivesNothingMore()).rejects.toThrow("also received");
});
