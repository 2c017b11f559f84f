/** A tiny DNS server (RFC 1035, RFC 2782) over UDP: A, AAAA and SRV from a table that may change. */
import { createSocket } from "node:dgram";
import { isIPv4 } from "node:net";
import type { ServiceRecord } from "../../src/io/types.ts";

const TYPE_A = 1;
const TYPE_AAAA = 28;
const TYPE_SRV = 33;
const NAME_ERROR = 3;
const SERVER_FAILURE = 2;
/** A pointer to the name in the question, which always stands at byte 12. */
const SAME_NAME = Buffer.from([0xc0, 12]);

export class DnsServer {
  readonly addresses = new Map<string, readonly string[]>();
  readonly services = new Map<string, readonly ServiceRecord[]>();
  readonly asked: string[] = [];
  ttlSeconds = 60;
  isFailing = false;
  readonly #socket = createSocket("udp4");

  async opens(address: string, port = 53): Promise<void> {
    this.#socket.on("message", (question, from) => {
      this.#socket.send(this.#answer(question), from.port, from.address);
    });
    await new Promise<void>((ready) => this.#socket.bind(port, address, ready));
  }

  close(): void {
    this.#socket.close();
  }

  #answer(question: Buffer): Buffer {
    const { name, end } = nameAt(question, 12);
    const type = question.readUInt16BE(end);
    this.asked.push(`${type} ${name}`);
    const records = this.isFailing ? [] : this.#records(name, type);
    const isKnown = this.addresses.has(name) || this.services.has(name);
    const header = Buffer.alloc(12);
    question.copy(header, 0, 0, 2);
    const code = this.isFailing ? SERVER_FAILURE : isKnown ? 0 : NAME_ERROR;
    header.writeUInt16BE(0x8580 | code, 2); // a response, authoritative, recursion desired and there
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(records.length, 6);
    return Buffer.concat([header, question.subarray(12, end + 4), ...records]);
  }

  #records(name: string, type: number): Buffer[] {
    const addresses = this.addresses.get(name) ?? [];
    const own =
      type === TYPE_A ? addresses.filter(isIPv4) : addresses.filter((one) => !isIPv4(one));
    if (type === TYPE_A || type === TYPE_AAAA) {
      return own.map((address) => this.#record(type, addressBytes(address)));
    }
    if (type !== TYPE_SRV) return [];
    return (this.services.get(name) ?? []).map((one) => this.#record(type, serviceBytes(one)));
  }

  #record(type: number, data: Buffer): Buffer {
    const fixed = Buffer.alloc(10);
    fixed.writeUInt16BE(type, 0);
    fixed.writeUInt16BE(1, 2);
    fixed.writeUInt32BE(this.ttlSeconds, 4);
    fixed.writeUInt16BE(data.length, 8);
    return Buffer.concat([SAME_NAME, fixed, data]);
  }
}

function nameAt(bytes: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = bytes[at]!; length > 0; length = bytes[at]!) {
    labels.push(bytes.toString("latin1", at + 1, at + 1 + length).toLowerCase());
    at += length + 1;
  }
  return { name: labels.join("."), end: at + 1 };
}

function nameBytes(name: string): Buffer {
  const labels = name.split(".").map((label) => {
    return Buffer.concat([Buffer.from([label.length]), Buffer.from(label, "latin1")]);
  });
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail = ""] = address.split("::");
  const groups = (text: string): string[] => (text === "" ? [] : text.split(":"));
  const missing = 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array<string>(missing).fill("0"), ...groups(tail)];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}

function serviceBytes({ host, port, priority, weight }: ServiceRecord): Buffer {
  const fixed = Buffer.alloc(6);
  fixed.writeUInt16BE(priority, 0);
  fixed.writeUInt16BE(weight, 2);
  fixed.writeUInt16BE(port, 4);
  return Buffer.concat([fixed, nameBytes(host)]);
}
