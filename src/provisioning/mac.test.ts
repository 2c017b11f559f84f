import { expect, test } from "bun:test";
import { canonicalMac, macWithin } from "./mac.ts";

test("every way to write a MAC gives 12 upper-case hex digits", () => {
  for (const text of [
    "08C25A4F0321",
    "08c25a4f0321",
    "08:c2:5a:4f:03:21",
    "08-C2-5A-4F-03-21",
    "08c2.5a4f.0321",
    "08c25a-4f0321",
  ]) {
    expect([text, canonicalMac(text)]).toEqual([text, "08C25A4F0321"]);
  }
});

test("what is no MAC is none", () => {
  for (const text of [
    "",
    "08C25A4F032",
    "08C25A4F03210",
    "08C25A4F032G",
    "08:C2:5A:4F:03:21:",
    ":08C25A4F0321",
    "08::C2:5A:4F:03:21",
    "0:8C25A4F0321",
    "08C25A4F0321 ",
    "08C25A4F0321\n",
    "٠٨C25A4F0321",
  ]) {
    expect([text, canonicalMac(text)]).toEqual([text, null]);
  }
});

test("a MAC is found in the file names of phones", () => {
  for (const name of [
    "08c25a4f0321.cfg",
    "08C25A4F0321.xml",
    "snomD375-08C25A4F0321.htm",
    "cfg08c25a4f0321.xml",
    "SEP08C25A4F0321.cnf.xml",
    "spa08c25a4f0321.cfg",
    "08c25a4f0321-directory.xml",
    "aastra_08-C2-5A-4F-03-21.cfg",
  ]) {
    expect([name, macWithin(name)]).toEqual([name, "08C25A4F0321"]);
  }
});

test("the number of a model, or part of a longer one, is no MAC", () => {
  for (const name of ["y000000000066.cfg", "08c25a4f03210.cfg", "firmware.bin", "d08c25a4f0321x"]) {
    expect([name, macWithin(name)]).toEqual([name, null]);
  }
});
