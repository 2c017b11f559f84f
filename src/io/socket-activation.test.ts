/** The rules of sd_listen_fds(3). */
import { expect, test } from "bun:test";
import { listenFd } from "./socket-activation.ts";

test("a socket counts only when it was passed to this very process", () => {
  expect(listenFd({ LISTEN_PID: "7", LISTEN_FDS: "1" }, 7)).toBe(3);
  expect(listenFd({ LISTEN_PID: "7", LISTEN_FDS: "1" }, 8)).toBeNull();
  expect(listenFd({ LISTEN_FDS: "1" }, 8)).toBeNull();
  expect(listenFd({ LISTEN_PID: "7", LISTEN_FDS: "0" }, 7)).toBeNull();
  expect(() => listenFd({ LISTEN_PID: "7", LISTEN_FDS: "2" }, 7)).toThrow("2 sockets");
});
