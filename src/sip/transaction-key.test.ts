import { expect, test } from "bun:test";
import { phoneRequest, TransactionLadder } from "../../test/flows/transaction-ladder.ts";

/** How many transactions these make. */
function transactionsOf(requests: readonly string[]): number {
  const ladder = new TransactionLadder({ request() {} });
  for (const request of requests) ladder.says(ladder.phone, request);
  return ladder.servers.length;
}

test("the branch alone tells requests apart when it is one of RFC 3261", () => {
  const options = (cseq: number) => phoneRequest({ method: "OPTIONS", branch: "z9hG4bK1", cseq });
  expect(transactionsOf([options(1), options(2)])).toBe(1);
});

test("without a branch, or with the bare cookie for one, more of the request does", () => {
  for (const branch of ["z9hG4bK", "1", ""]) {
    const options = (cseq: number) => phoneRequest({ method: "OPTIONS", branch, cseq });
    expect(transactionsOf([options(1), options(1), options(2)]), branch).toBe(2);
  }
});
