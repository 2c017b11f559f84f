/**
 * A request of a phone with a response context over it and two telephone systems to forward to: the
 * fixture of the response context's conversations. Everything it says is on the ladder.
 */

import type { Flow } from "../../src/sip/flow.ts";
import type { SipResponse } from "../../src/sip/message.ts";
import { ResponseContext, type ResponseContextOptions } from "../../src/sip/response-context.ts";
import { answer, type LadderFlow, phoneRequest, TransactionLadder } from "./transaction-ladder.ts";

type Edit = ResponseContextOptions["response"];

/** Every promise that can go on has gone on. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** A phone whose request waits to be forwarded; each step of the context is on the ladder. */
export function forwarding(
  o: {
    readonly method?: string;
    readonly transport?: Flow["transport"];
    readonly response?: Edit;
    readonly ended?: () => void;
    readonly isProgressing?: () => boolean;
  } = {},
) {
  const { method = "INVITE", transport = "tls", response = (given: SipResponse) => given } = o;
  const ladder = new TransactionLadder({ transport });
  ladder.says(ladder.phone, phoneRequest({ method }));
  const { server } = ladder;
  const context = new ResponseContext({
    table: ladder.table,
    clock: ladder.clock,
    server,
    timerC: { ms: 180_000, capMs: 900_000 },
    response: (given, branch, origin) => {
      ladder.note(`branch ${branch}: ${given.status}${origin === "received" ? "" : ` ${origin}`}`);
      return response(given, branch, origin);
    },
    ended: ({ status }) => {
      ladder.note(`ended ${status}`);
      o.ended?.();
    },
    rejected: (error) => ladder.note(`rejected ${error}`),
    ...(o.isProgressing === undefined ? {} : { isProgressing: o.isProgressing }),
  });
  const first = ladder.pbx;
  const second = ladder.flow("second", "inner", transport, "10.0.3.151");
  const forward = (flow: Flow = first) => context.forward(server.request, flow);
  const says = (flow: LadderFlow, status: number, o: { toTag?: string; more?: string[] } = {}) =>
    ladder.says(flow, answer(flow.last(method), status, o));
  ladder.steps();
  return { ladder, server, context, first, second, forward, says };
}
