import { describe, expect, test } from "bun:test";
import { delayImpairment, effectiveImpairment, estimateMos, mosOf } from "./e-model.ts";

const G711 = { impairment: 0, robustness: 25.1 };
const G729 = { impairment: 11, robustness: 19 };
const GOOD = { codec: "PCMA", lossPart: 0, jitterMs: 0, roundTripMs: 0 };

describe("published values", () => {
  test.each([
    [90, 4.34],
    [80, 4.03],
    [70, 3.6],
    [60, 3.1],
    [50, 2.58],
    [0, 1],
    [-20, 1],
    [100, 4.5],
  ])("R %d is MOS %d (G.107 Annex B)", (r, mos) => {
    expect(Math.abs(mosOf(r) - mos)).toBeLessThan(0.01);
  });

  test.each([
    [0, 0],
    [2, 7],
    [3, 10],
    [5, 15],
    [7, 20],
    [10, 25],
  ])("%d %% loss costs G.711 with concealment %d (G.113 Appendix I)", (percent, impairment) => {
    expect(Math.abs(effectiveImpairment(G711, percent / 100) - impairment)).toBeLessThan(2.2);
  });

  test.each([
    [0, 11],
    [1, 15],
    [2, 19],
    [3, 23],
    [4, 26],
    [8, 36],
  ])("%d %% loss costs G.729A %d (G.113 Appendix I)", (percent, impairment) => {
    expect(Math.abs(effectiveImpairment(G729, percent / 100) - impairment)).toBeLessThan(0.6);
  });
});

test("a way of up to 100 ms costs nothing, a longer one more and more", () => {
  expect([0, 50, 100].map(delayImpairment)).toEqual([0, 0, 0]);
  const costs = [150, 200, 300, 400, 600].map(delayImpairment);
  // By the formula of G.107 §7.2, worked out by hand: 200 ms is X = 1, 400 ms X = 2.
  expect(costs[1]).toBeCloseTo(25 * (2 ** (1 / 6) - 3 * (1 + 1 / 729) ** (1 / 6) + 2), 6);
  expect(costs[3]).toBeCloseTo(25 * (65 ** (1 / 6) - 3 * (1 + 64 / 729) ** (1 / 6) + 2), 6);
  expect(costs.toSorted((a, b) => a - b)).toEqual(costs);
});

test("a clean call sounds as its codec does", () => {
  expect(estimateMos(GOOD)).toBeCloseTo(4.41, 2);
  expect(estimateMos({ ...GOOD, codec: "g722" })).toBeCloseTo(4.41, 2);
  expect(estimateMos({ ...GOOD, codec: "G729" })).toBeCloseTo(4.1, 1);
});

test("loss, jitter and a long way each make it worse", () => {
  const worse = (o: Partial<typeof GOOD>): number => estimateMos({ ...GOOD, ...o }) ?? 0;
  expect(worse({ lossPart: 0.05 })).toBeCloseTo(3.92, 1);
  expect(worse({ jitterMs: 100 })).toBeLessThan(4.3);
  expect(worse({ roundTripMs: 600 })).toBeLessThan(4);
  expect(worse({ lossPart: 1 })).toBeLessThan(1.6);
  expect(estimateMos({ ...GOOD, roundTripMs: null })).toBe(worse({}));
});

test("of a codec without published values nothing is said", () => {
  expect(estimateMos({ ...GOOD, codec: "CLEARMODE" })).toBeNull();
  expect(estimateMos({ ...GOOD, codec: "constructor" })).toBeNull();
});
