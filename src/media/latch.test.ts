import { expect, test } from "bun:test";
import { Latch, type LatchRules } from "./latch.ts";

const SDP = { address: "198.51.100.7", port: 4000 };
const NAT = "203.0.113.9";

/** A plain RTP phone behind NAT: its SDP names one address, its SIP comes from another. */
function rules(o: Partial<LatchRules> = {}): LatchRules {
  return {
    signalled: SDP,
    sipSource: NAT,
    learnsAnySource: false,
    early: { address: NAT, port: 4000 },
    isSignalledTrusted: false,
    isHeld: false,
    ...o,
  };
}

function latch(o: Partial<LatchRules> = {}): Latch {
  const made = new Latch();
  made.configure(rules(o), 0);
  return made;
}

/** Packets accepted of `count` from one source. */
function accepted(made: Latch, address: string, port: number, count: number, nowMs = 0): number {
  let passed = 0;
  for (let i = 0; i < count; i++) if (made.accept(address, port, nowMs)) passed++;
  return passed;
}

function target(made: Latch): string {
  return `${made.targetAddress}:${made.targetPort}`;
}

test("nothing passes and nothing is sent before the first answer", () => {
  const made = new Latch();
  expect(made.accept(SDP.address, SDP.port, 0)).toBe(false);
  expect(target(made)).toBe(":0");
});

test("before the latch packets go to the SIP source at the SDP's port", () => {
  expect(target(latch())).toBe("203.0.113.9:4000");
});

test("the first packet from the SDP address and port is final", () => {
  const made = latch();
  expect(accepted(made, SDP.address, SDP.port, 1)).toBe(1);
  expect(made.isFinal).toBe(true);
  expect(target(made)).toBe("198.51.100.7:4000");
  expect(accepted(made, NAT, 61_001, 10)).toBe(0);
});

test("the SIP source is heard at once and final after 5 packets", () => {
  const made = latch();
  expect(accepted(made, NAT, 61_001, 4)).toBe(4);
  expect(made.isFinal).toBe(false);
  expect(target(made)).toBe("203.0.113.9:61001");
  expect(accepted(made, NAT, 61_001, 1)).toBe(1);
  expect(made.isFinal).toBe(true);
});

test("the SDP address takes over from the SIP source while that is not final", () => {
  const made = latch();
  accepted(made, NAT, 61_001, 4);
  expect(accepted(made, SDP.address, SDP.port, 1)).toBe(1);
  expect(made.isFinal).toBe(true);
  expect(accepted(made, NAT, 61_001, 5)).toBe(0);
});

test("a stranger never gets in, before the latch or after it", () => {
  const made = latch();
  expect(accepted(made, "192.0.2.66", 4000, 100)).toBe(0);
  expect(made.isLatched).toBe(false);
  accepted(made, NAT, 61_001, 5);
  expect(accepted(made, "192.0.2.66", 61_001, 100)).toBe(0);
  expect(accepted(made, NAT, 61_002, 100)).toBe(0);
  expect(target(made)).toBe("203.0.113.9:61001");
});

test("nobody sends from port 0: it would be learnt, and nothing could go there", () => {
  const made = latch({ learnsAnySource: true });
  expect(accepted(made, "192.0.2.66", 0, 9)).toBe(0);
  expect(accepted(made, SDP.address, 0, 9)).toBe(0);
  expect([made.isFinal, target(made)]).toEqual([false, `${NAT}:4000`]);
});

test("by option any source is learnt, still after the better ones", () => {
  const made = latch({ learnsAnySource: true });
  expect(accepted(made, "192.0.2.66", 9, 4)).toBe(4);
  expect(accepted(made, NAT, 61_001, 1)).toBe(1);
  expect(target(made)).toBe("203.0.113.9:61001");
  expect(accepted(made, "192.0.2.66", 9, 1)).toBe(0);
});

test("by option: who is named nowhere does not take over from a source that goes on", () => {
  const made = latch({ learnsAnySource: true });
  expect(accepted(made, NAT, 5000, 8)).toBe(8);
  made.configure(rules({ learnsAnySource: true }), 1000);
  accepted(made, NAT, 5000, 1, 1000);
  expect(accepted(made, "192.0.2.66", 9, 50, 1500)).toBe(0);
  expect(accepted(made, NAT, 5000, 1, 1900)).toBe(1);
  expect(target(made)).toBe(`${NAT}:5000`);
});

test("by option: a stray packet of a named source that stays silent does not lock the phone out", () => {
  const made = latch({ learnsAnySource: true });
  accepted(made, NAT, 5000, 1);
  expect(accepted(made, "192.0.2.66", 9, 100, 3000)).toBeGreaterThan(90);
});

test("one stray packet from behind the same NAT does not cost the phone its audio", () => {
  const made = latch();
  expect(accepted(made, NAT, 7, 1)).toBe(1);
  expect(accepted(made, NAT, 61_001, 4)).toBe(0);
  expect(accepted(made, NAT, 61_001, 10)).toBe(10);
  expect(made.isFinal).toBe(true);
  expect(target(made)).toBe("203.0.113.9:61001");
});

test("the first latch has no time limit: a muted phone may send after an hour", () => {
  const made = latch();
  expect(accepted(made, NAT, 61_001, 5, 3_600_000)).toBe(5);
  expect(made.isFinal).toBe(true);
});

test("new SDP opens learning again: the phone's new port is heard at once", () => {
  const made = latch({ sipSource: SDP.address, early: SDP });
  accepted(made, SDP.address, SDP.port, 1);
  const moved = { address: SDP.address, port: 5000 };
  made.configure(rules({ signalled: moved, sipSource: SDP.address, early: moved }), 1000);
  expect(target(made)).toBe("198.51.100.7:5000");
  expect(accepted(made, SDP.address, SDP.port, 3, 1000)).toBe(3);
  expect(target(made)).toBe("198.51.100.7:5000");
  expect(accepted(made, SDP.address, 5000, 1, 1100)).toBe(1);
  expect(accepted(made, SDP.address, SDP.port, 3, 1200)).toBe(0);
});

test("after new SDP the old source stays in force when it goes on and 3 s pass", () => {
  const made = latch();
  accepted(made, NAT, 61_001, 5);
  made.configure(rules(), 1000);
  accepted(made, NAT, 61_001, 100, 2000);
  expect(made.isFinal).toBe(false);
  accepted(made, NAT, 61_001, 1, 4000);
  expect(made.isFinal).toBe(true);
  expect(accepted(made, NAT, 61_009, 100, 4000)).toBe(0);
  expect(target(made)).toBe("203.0.113.9:61001");
});

test("a clock that is set back does not leave learning open", () => {
  const made = latch();
  accepted(made, NAT, 5000, 5);
  const soon = 10_000_000;
  made.configure(rules(), soon);
  accepted(made, NAT, 5000, 10, soon - 3_600_000);
  expect(made.isFinal).toBe(true);
});

test("after new SDP a silent phone may come from elsewhere later than 3 s", () => {
  const made = latch();
  accepted(made, NAT, 61_001, 5);
  made.configure(rules({ sipSource: "192.0.2.20" }), 1000);
  expect(accepted(made, "192.0.2.66", 1, 10, 60_000)).toBe(0);
  expect(accepted(made, "192.0.2.20", 7000, 1, 60_000)).toBe(1);
  expect(target(made)).toBe("192.0.2.20:7000");
});

test("a phone with two uplinks keeps its audio when only its SIP moves", () => {
  const made = latch();
  accepted(made, NAT, 61_001, 5);
  made.configure(rules({ sipSource: "192.0.2.20", early: null }), 1000);
  expect(accepted(made, NAT, 61_001, 50, 1500)).toBe(50);
  expect(target(made)).toBe("203.0.113.9:61001");
});

test("an attacker inside the 3 s needs an allowed address as before", () => {
  const made = latch();
  accepted(made, NAT, 61_001, 5);
  made.configure(rules(), 1000);
  expect(accepted(made, "192.0.2.66", 61_001, 100, 1500)).toBe(0);
  expect(accepted(made, NAT, 61_001, 1, 1500)).toBe(1);
});

test("held by 0.0.0.0: nothing is sent, nothing learnt, the source may still be heard", () => {
  const made = latch();
  accepted(made, NAT, 61_001, 5);
  made.configure(rules({ signalled: null, isHeld: true, early: null }), 1000);
  expect(target(made)).toBe(":0");
  expect(accepted(made, NAT, 61_002, 10, 1100)).toBe(0);
  expect(accepted(made, NAT, 61_001, 2, 1100)).toBe(2);
  made.move("192.0.2.1", 9);
  expect(made.sourceAddress).toBe(NAT);
  made.configure(rules(), 9000);
  expect(target(made)).toBe("203.0.113.9:61001");
});

test("inside, packets go to the address in SDP whatever port the instance sends from", () => {
  const early = { address: "10.0.1.10", port: 12_000 };
  const made = latch({
    signalled: early,
    sipSource: null,
    learnsAnySource: true,
    early,
    isSignalledTrusted: true,
  });
  expect(target(made)).toBe("10.0.1.10:12000");
  expect(accepted(made, "10.0.1.10", 12_345, 5)).toBe(5);
  expect(target(made)).toBe("10.0.1.10:12000");
});

test("inside, an SDP address that is not allowed is replaced by the source", () => {
  const made = latch({
    signalled: { address: "192.0.2.1", port: 12_000 },
    sipSource: null,
    learnsAnySource: true,
    early: null,
    isSignalledTrusted: true,
  });
  expect(target(made)).toBe(":0");
  accepted(made, "10.0.1.10", 12_000, 1);
  expect(target(made)).toBe("10.0.1.10:12000");
});

test("SRTP: an authentic packet moves the peer at any time", () => {
  const made = latch();
  made.move("192.0.2.1", 1000);
  expect(target(made)).toBe("192.0.2.1:1000");
  made.move("192.0.2.2", 2000);
  expect(target(made)).toBe("192.0.2.2:2000");
  expect(made.moves).toBe(1);
});

test("SRTP: after new SDP the source that goes on is the target again", () => {
  const made = latch({ sipSource: "192.0.2.1" });
  made.move("192.0.2.9", 1000);
  made.configure(
    rules({
      signalled: { address: "10.0.0.1", port: 7 },
      sipSource: "192.0.2.1",
      early: { address: "192.0.2.1", port: 7000 },
    }),
    1000,
  );
  expect(target(made)).toBe("192.0.2.1:7000");
  made.confirmAuthentic(2000);
  expect(target(made)).toBe("192.0.2.1:7000");
  made.confirmAuthentic(4000);
  expect(target(made)).toBe("192.0.2.9:1000");
});

test("RTCP has to come from the address of RTP, from any port, and follows it", () => {
  const rtp = latch();
  const rtcp = new Latch(rtp);
  rtcp.configure(rules({ signalled: { ...SDP, port: 4001 }, early: null }), 0);
  accepted(rtp, NAT, 61_001, 5);
  expect(accepted(rtcp, SDP.address, 4001, 1)).toBe(0);
  expect(accepted(rtcp, NAT, 50_000, 1)).toBe(1);
  expect(accepted(rtcp, NAT, 50_001, 1)).toBe(0);
  expect(target(rtcp)).toBe("203.0.113.9:50000");
  rtp.move("192.0.2.1", 1);
  expect(accepted(rtcp, "192.0.2.1", 3, 1)).toBe(1);
  expect(target(rtcp)).toBe("192.0.2.1:3");
});
