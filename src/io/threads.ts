/** Worker threads as values, so that what they are used for can be tested without them. */

export type Thread = {
  /** Structured clone: plain data, typed arrays, shared memory. */
  post(message: unknown): void;
  /** Whoever blocks in it has to be woken besides. Nothing is reported any more, but `gone`: nothing of it runs. */
  end(gone: () => void): void;
};

export type ThreadEvents = {
  message(message: unknown): void;
  /** It has ended by itself and runs no more: an error of its script, told in one line. Once. */
  ended(reason: string): void;
};

export type StartThread = (events: ThreadEvents) => Thread;

const REASON_CHARS = 200;

/** Starts the script at `url`; the thread does not keep the process alive. */
export function startThread(url: string | URL, events: ThreadEvents): Thread {
  const worker = new Worker(url);
  worker.unref();
  let isOver = false;
  const over = (reason: string): void => {
    if (isOver) return;
    isOver = true;
    worker.terminate();
    events.ended(reason);
  };
  worker.addEventListener("message", ({ data }) => {
    if (!isOver) events.message(data);
  });
  worker.addEventListener("error", ({ message }) => over(oneLine(message)));
  worker.addEventListener("close", () => over("it has ended"));
  return {
    post: (message) => worker.postMessage(message),
    end(gone) {
      if (isOver) return gone();
      isOver = true;
      worker.addEventListener("close", gone);
      worker.terminate();
    },
  };
}

/** Bun's message shows the script's source around the error, which may be one minified line. */
function oneLine(message: string): string {
  const lines = message.split("\n").map((line) => line.trim());
  const error = lines.find((line) => /^\w*error: /i.test(line)) ?? lines[0] ?? "";
  return error.slice(0, REASON_CHARS);
}
