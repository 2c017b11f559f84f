/** Worker threads as values, so that what they are used for can be tested without them. */

export type Thread = {
  /** Structured clone: plain data, typed arrays, shared memory. */
  post(message: unknown): void;
  /** Whoever blocks in it has to be woken besides. Nothing is reported any more. */
  end(): void;
};

export type ThreadEvents = {
  message(message: unknown): void;
  /** It has ended by itself: an error of its script, told in one line. Once. */
  ended(reason: string): void;
};

export type StartThread = (events: ThreadEvents) => Thread;

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
  worker.addEventListener("error", ({ message }) => over(message));
  worker.addEventListener("close", () => over("it has ended"));
  return {
    post: (message) => worker.postMessage(message),
    end() {
      isOver = true;
      worker.terminate();
    },
  };
}
