/**
 * Random conversations, told apart by their seed: whatever peers do and in whatever order, nothing is
 * thrown, nothing is left behind, the phone gets one refusal at most and every context ends once.
 */

import { expect, test } from "bun:test";
import { makeResponse } from "../../src/sip/make-message.ts";
import { ResponseContext } from "../../src/sip/response-context.ts";
import { answer, type LadderFlow, phoneRequest, TransactionLadder } from "./transaction-ladder.ts";

/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

const STATUSES = [100, 180, 183, 200, 200, 302, 401, 408, 420, 486, 487, 503, 603];

type Walk = { readonly endings: (number | null)[]; readonly ladder: TransactionLadder };

/** One request, up to three targets, and 40 random events. */
function walk(seed: number): Walk {
  const random = randomFrom(seed);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const method = pick(["INVITE", "INVITE", "SUBSCRIBE"]);
  const transport = pick(["udp", "tls"] as const);
  const endings: (number | null)[] = [];
  const targets: LadderFlow[] = [];
  let context: ResponseContext | undefined;
  const ladder: TransactionLadder = new TransactionLadder({
    transport,
    request: (server) => {
      if (server.request.method === "CANCEL") {
        server.respond(makeResponse(server.request, server.matching === null ? 481 : 200));
        if (server.matching !== null) context?.cancel();
        return;
      }
      context = new ResponseContext({
        table: ladder.table,
        clock: ladder.clock,
        server,
        timerC: { ms: 180_000, capMs: 900_000 },
        response: (response) => {
          if (response.status !== 420) return random() < 0.05 ? null : response;
          context?.forward(server.request, pick(targets));
          return null;
        },
        ended: ({ status }) => endings.push(status),
      });
      for (const target of targets) context.forward(server.request, target);
    },
  });
  for (let at = 0; at <= random() * 3; at++) {
    targets.push(ladder.flow(`target${at}`, "inner", transport, `10.0.3.${at + 1}`));
  }
  const answerSome = () => {
    const target = pick(targets);
    const request = target.sent.filter((text) => !text.startsWith("ACK")).at(-1);
    if (request === undefined) return;
    ladder.says(
      target,
      answer(pick([request, target.sent[0]!]), pick(STATUSES), { toTag: pick(["a", "b"]) }),
    );
  };
  const events = [
    answerSome,
    answerSome,
    answerSome,
    () => ladder.clock.advance(pick([0, 10, 500, 5000, 32_000, 200_000])),
    () => ladder.says(ladder.phone, phoneRequest({ method })),
    () => ladder.says(ladder.phone, phoneRequest({ method: "ACK", toTag: "a" })),
    () => random() < 0.3 && ladder.says(ladder.phone, phoneRequest({ method: "CANCEL" })),
    () => {
      pick([...targets, ladder.phone]).canSend = random() < 0.8;
    },
    () => random() < 0.1 && ladder.table.flowClosed(pick(targets)),
  ];
  ladder.says(ladder.phone, phoneRequest({ method }));
  for (let count = 0; count < 40; count++) pick(events)();
  return { endings, ladder };
}

test("500 random conversations leave no transaction and no timer behind", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const { ladder } = walk(seed);
    expect([seed, ...ladder.leftOver()]).toEqual([seed, 0, 0]);
  }
});

test("in 500 random conversations every context ends once, and no two refusals are sent", () => {
  let answered = 0;
  for (let seed = 1; seed <= 500; seed++) {
    const { ladder, endings } = walk(seed);
    ladder.leftOver();
    const contexts = ladder.servers.filter((server) => server.request.method !== "CANCEL");
    expect([seed, endings.length]).toEqual([seed, contexts.length]);
    if (contexts.length > 1) continue;
    const refusals = ladder.phone.sent.filter((text) => /^SIP\/2.0 [3-6].* /.test(text));
    const own = refusals.filter((text) => !text.includes("CSeq: 1 CANCEL"));
    expect([seed, new Set(own).size <= 1]).toEqual([seed, true]);
    if (endings[0] === 200) answered += 1;
  }
  expect(answered).toBeGreaterThan(50);
});
