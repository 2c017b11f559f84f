/** What the kernel marks packets with (IP_TOS, IPV6_TCLASS): of the sockets of this process, by their port. */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { readdirSync } from "node:fs";

const AF_INET = 2;
const AF_INET6 = 10;
const { i32, ptr: pointer } = FFIType;
const libc = dlopen("libc.so.6", {
  getsockname: { args: [i32, pointer, pointer], returns: i32 },
  getsockopt: { args: [i32, i32, i32, pointer, pointer], returns: i32 },
}).symbols;

/** Of every socket with this local port, lowest descriptor first. */
export function trafficClassesAt(port: number): number[] {
  const classes: number[] = [];
  for (const fd of readdirSync("/proc/self/fd").map(Number)) {
    const name = new DataView(new ArrayBuffer(28));
    const length = new Uint32Array([28]);
    if (libc.getsockname(fd, ptr(name), ptr(length)) !== 0) continue;
    const family = name.getUint16(0, true);
    if (![AF_INET, AF_INET6].includes(family) || name.getUint16(2) !== port) continue;
    const value = new Int32Array(1);
    const [level, option] = family === AF_INET ? [0, 1] : [41, 67];
    libc.getsockopt(fd, level, option, ptr(value), ptr(new Uint32Array([4])));
    classes.push(value[0] ?? -1);
  }
  return classes;
}
