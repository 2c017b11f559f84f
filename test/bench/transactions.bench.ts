/**
 * Goal: below 200 µs in one thread for all SIP of one call (INVITE, 100, 180, 200, ACK, BYE, 200) at the
 * level of the transaction table, so that 1000 calls/s take a fifth of a core. Sketch: 6 messages parsed
 * at 12 µs, 8 written at 4 µs, 4 transactions with their timers and 2 response contexts at 5 µs.
 * Measures parse, table, response context and format with flows that swallow the bytes; no socket, no SDP
 * rewriting. Prints one JSON line for each transport.
 */

import type { Clock } from "../../src/io/types.ts";
import type { Flow } from "../../src/sip/flow.ts";
import { parseMessage } from "../../src/sip/parse-message.ts";
import { ResponseContext } from "../../src/sip/response-context.ts";
import { TransactionTable } from "../../src/sip/transaction-table.ts";

const CALLS = 2000;
const ROUNDS = 9;
const SDP_LINES = ["v=0", "o=- 1 1 IN IP4 192.168.1.10", "s=-", "c=IN IP4 192.168.1.10", "t=0 0"];
const SDP_MEDIA = [
  "m=audio 40000 RTP/SAVP 8 0 101",
  "a=rtpmap:101 telephone-event/8000",
  "a=sendrecv",
];
const sdp = `${[...SDP_LINES, ...SDP_MEDIA].join("\r\n")}\r\n`;

/** Timers pile up until flush() runs them all, as if 64*T1 had passed after a batch of calls. */
class PilingClock implements Clock {
  #pile: { fire: (() => void) | null }[] = [];

  now(): number {
    return 0;
  }

  after(_delayMs: number, fire: () => void): { cancel(): void } {
    const entry: { fire: (() => void) | null } = { fire };
    this.#pile.push(entry);
    return {
      cancel: () => {
        entry.fire = null;
      },
    };
  }

  flush(): void {
    while (this.#pile.length > 0) {
      const pile = this.#pile;
      this.#pile = [];
      for (const entry of pile) entry.fire?.();
    }
  }
}

type Sink = Flow & { last: Uint8Array };

function sink(side: Flow["side"], transport: Flow["transport"], address: string): Sink {
  const local = { address: side === "outer" ? "192.0.2.1" : "10.0.3.1", port: 5060 };
  const flow: Sink = {
    id: side,
    side,
    transport,
    local,
    remote: { address, port: 5060 },
    sentBy: `${local.address}:5060`,
    isOpen: true,
    last: new Uint8Array(0),
    send(bytes) {
      flow.last = bytes;
      return true;
    },
  };
  return flow;
}

function request(method: string, call: number, cseq: number, body: string): Uint8Array {
  return Buffer.from(
    `${[
      `${method} sip:600@mycompany SIP/2.0`,
      `Via: SIP/2.0/TLS 192.168.1.10:5061;branch=z9hG4bK${method}${call};rport`,
      "Max-Forwards: 70",
      `From: "Alice" <sip:100@mycompany>;tag=alice${call}`,
      `To: <sip:600@mycompany>${method === "INVITE" ? "" : ";tag=bob"}`,
      `Call-ID: ${call}@192.168.1.10`,
      `CSeq: ${cseq} ${method}`,
      "Contact: <sip:100@192.168.1.10:5061;transport=tls>",
      "User-Agent: bench 1.0",
      "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, REFER, INFO, UPDATE",
      "Supported: replaces, timer, outbound, path",
      ...(body === "" ? [] : ["Content-Type: application/sdp"]),
      `Content-Length: ${body.length}`,
    ].join("\r\n")}\r\n\r\n${body}`,
    "latin1",
  );
}

/** What a telephone system answers to the bytes it was sent. */
function answer(sent: Uint8Array, status: number, body: string): Uint8Array {
  const lines = Buffer.from(sent).toString("latin1").split("\r\n");
  const kept = lines.filter((line) => /^(Via|From|To|Call-ID|CSeq): /.test(line));
  const tagged = kept.map((line) => {
    return line.startsWith("To: ") && !line.includes(";tag=") ? `${line};tag=bob` : line;
  });
  const head = [`SIP/2.0 ${status} OK`, ...tagged, "Contact: <sip:600@10.0.3.150:5060>"];
  const more = ["Server: bench", "Content-Type: application/sdp", `Content-Length: ${body.length}`];
  return Buffer.from(`${[...head, ...more].join("\r\n")}\r\n\r\n${body}`, "latin1");
}

/** The table with an owner that forwards everything from the phone to the telephone system. */
function proxyOf(transport: Flow["transport"]) {
  const clock = new PilingClock();
  const phone = sink("outer", transport, "198.51.100.7");
  const pbx = sink("inner", transport, "10.0.3.150");
  let ids = 0;
  const table: TransactionTable = new TransactionTable({
    clock,
    maxTransactions: 1_000_000,
    randomId: () => `bench${++ids}`,
    request: (server) => {
      const context = new ResponseContext({
        table,
        clock,
        server,
        timerC: { ms: 180_000, capMs: 900_000 },
        response: (response) => response,
        ended() {},
      });
      context.forward(server.request, pbx);
    },
    ack: (ack) => {
      table.sendStateless(ack, pbx);
    },
    strayResponse() {},
    count() {},
  });
  return { clock, table, phone, pbx };
}

type Cost = { readonly parseUs: number; readonly totalUs: number };

/** Microseconds per call of one batch. The peers' own work is left out of the sums. */
function batch(transport: Flow["transport"]): Cost {
  const { clock, table, phone, pbx } = proxyOf(transport);
  let parseMs = 0;
  let restMs = 0;
  const measured = (flow: Flow, bytes: Uint8Array) => {
    const startMs = performance.now();
    const message = parseMessage(bytes);
    const parsedMs = performance.now();
    table.receive(message, flow);
    restMs += performance.now() - parsedMs;
    parseMs += parsedMs - startMs;
  };
  for (let call = 0; call < CALLS; call++) {
    measured(phone, request("INVITE", call, 1, sdp));
    const invite = pbx.last;
    measured(pbx, answer(invite, 180, ""));
    measured(pbx, answer(invite, 200, sdp));
    measured(phone, request("ACK", call, 1, ""));
    measured(phone, request("BYE", call, 2, ""));
    measured(pbx, answer(pbx.last, 200, ""));
  }
  const startMs = performance.now();
  clock.flush();
  restMs += performance.now() - startMs;
  if (table.size !== 0) throw new Error(`${table.size} transactions are left`);
  return { parseUs: (parseMs * 1000) / CALLS, totalUs: ((parseMs + restMs) * 1000) / CALLS };
}

for (const transport of ["udp", "tls"] as const) {
  const rounds = Array.from({ length: ROUNDS }, () => batch(transport)).slice(2);
  const { parseUs, totalUs } = rounds.sort((a, b) => a.totalUs - b.totalUs)[rounds.length >> 1]!;
  console.log(
    JSON.stringify({
      bench: "transactions",
      transport,
      calls: CALLS * ROUNDS,
      usPerCall: Math.round(totalUs * 10) / 10,
      usParsing: Math.round(parseUs * 10) / 10,
      callsPerCoreSecond: Math.round(1_000_000 / totalUs),
    }),
  );
}
