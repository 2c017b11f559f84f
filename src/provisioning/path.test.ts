import { expect, test } from "bun:test";
import { askedFor, instancePath } from "./path.ts";

const PHONE = { instance: "mycompany", mac: "08C25A4F0321" };
const asked = (path: string) => askedFor(path.split("/").slice(1));

test("the plain form names instance and MAC, in any spelling", () => {
  for (const mac of [
    "08C25A4F0321",
    "08:c2:5a:4f:03:21",
    "08%3Ac2%3a5a:4f:03:21",
    "08-c2-5a-4f-03-21",
  ]) {
    expect(asked(`/p/MyCompany/${mac}`)?.plain).toEqual({ ...PHONE, rest: [] });
  }
});

test("what stands behind goes to the instance behind the MAC, a last slash too", () => {
  const rest = (path: string) => asked(path)?.plain?.rest;
  expect(rest("/p/mycompany/08C25A4F0321/fw/a.bin")).toEqual(["fw", "a.bin"]);
  expect(rest("/p/mycompany/08C25A4F0321/")).toEqual([""]);
  expect(asked("/p/TOKEN/fw/a.bin")?.behindToken).toEqual(["fw", "a.bin"]);
});

test("a file name with the MAC in it, put behind /p/INSTANCE/, is that phone's file", () => {
  for (const file of ["08c25a4f0321.cfg", "snomD375-08C25A4F0321.htm", "08C25A4F0321.xml"]) {
    expect(asked(`/p/mycompany/${file}`)?.plain).toEqual({ ...PHONE, rest: [file] });
  }
  const plain = asked("/p/mycompany/08c25a4f0321.cfg/more")?.plain;
  expect(plain?.rest).toEqual(["08c25a4f0321.cfg", "more"]);
});

test("the instance is asked for its own name, the MAC and the rest", () => {
  const phone = { instance: "MyCompany", mac: "08C25A4F0321" };
  expect(instancePath({ ...phone, rest: [] })).toBe("/p/MyCompany/08C25A4F0321");
  expect(instancePath({ ...phone, rest: ["a", ""] })).toBe("/p/MyCompany/08C25A4F0321/a/");
});

test("anything else is nothing of ours", () => {
  for (const path of ["/", "/p", "/p/", "/P/mycompany/08C25A4F0321", "/q/mycompany/08C25A4F0321"]) {
    expect([path, asked(path)]).toEqual([path, null]);
  }
  for (const path of [
    "/p/mycompany",
    "/p/mycompany/",
    "/p/mycompany/fw.bin",
    "/p/mycompany/y000000000066.cfg",
  ]) {
    expect([path, asked(path)?.plain]).toEqual([path, null]);
  }
});
