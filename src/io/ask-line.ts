/** The client of unix-lines.ts: one line to a unix socket, one line back. */
import { connect } from "node:net";

const LONGEST_ANSWER_BYTES = 65_536;

/** Rejects when nobody listens there, the answer does not come in time, or is too long. */
export function askLine(path: string, line: string, timeoutMs: number): Promise<string> {
  return new Promise((settle, fail) => {
    const socket = connect(path);
    let answer = "";
    const deadline = setTimeout(() => end(new Error(`${path}: no answer in time`)), timeoutMs);
    const end = (result: Error | string): void => {
      clearTimeout(deadline);
      socket.destroy();
      if (typeof result === "string") settle(result);
      else fail(result);
    };
    socket.setEncoding("utf8");
    socket.once("connect", () => void socket.write(`${line}\n`));
    socket.on("data", (text) => {
      answer += text;
      const length = answer.indexOf("\n");
      if (length >= 0) end(answer.slice(0, length));
      else if (answer.length > LONGEST_ANSWER_BYTES) end(new Error(`${path}: answer too long`));
    });
    socket.once("error", (error) => end(new Error(`${path}: ${error.message}`)));
    socket.once("close", () => end(new Error(`${path}: closed without an answer`)));
  });
}
