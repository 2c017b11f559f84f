/**
 * The C library by bun:ffi (Linux): the few calls that Bun has none for. Memory is passed by its address as a
 * number; who passes it sees to it that it stays where it is: over an ArrayBuffer that is held, never read
 * through `.buffer` of a small array.
 */
import { dlopen, FFIType, ptr, read, toArrayBuffer } from "bun:ffi";

export type Libc = {
  socket(family: number, type: number, protocol: number): number;
  socketpair(family: number, type: number, protocol: number, pair: number): number;
  bind(fd: number, address: number, lengthBytes: number): number;
  recvfrom(fd: number, b: number, n: number, flags: number, from: number, length: number): number;
  sendto(fd: number, b: number, n: number, flags: number, to: number, length: number): number;
  getsockopt(fd: number, level: number, name: number, into: number, length: number): number;
  setsockopt(fd: number, level: number, name: number, value: number, length: number): number;
  read(fd: number, into: number, lengthBytes: number): number;
  write(fd: number, bytes: number, lengthBytes: number): number;
  close(fd: number): number;
  flock(fd: number, operation: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: number): number;
  epoll_wait(epoll: number, events: number, most: number, timeoutMs: number): number;
  eventfd(count: number, flags: number): number;
  mmap(at: number, n: number, protect: number, flags: number, fd: number, offset: number): number;
  syscall(call: number, a: number, b: number, c: number, d: number, e: number, f: number): number;
  __errno_location(): number;
};

const { i32, i64_fast, ptr: pointer, u32, u64_fast } = FFIType;
let loaded: Libc | null | undefined;

/** Throws where there is none; optionalLibc() gives null then. */
export function libc(): Libc {
  const known = optionalLibc();
  if (known === null) throw new Error("no libc.so.6");
  return known;
}

export function optionalLibc(): Libc | null {
  if (loaded !== undefined) return loaded;
  try {
    loaded = load();
  } catch {
    loaded = null;
  }
  return loaded;
}

function load(): Libc {
  const { symbols } = dlopen("libc.so.6", {
    socket: { args: [i32, i32, i32], returns: i32 },
    socketpair: { args: [i32, i32, i32, pointer], returns: i32 },
    bind: { args: [i32, pointer, u32], returns: i32 },
    recvfrom: { args: [i32, pointer, u64_fast, i32, pointer, pointer], returns: i64_fast },
    sendto: { args: [i32, pointer, u64_fast, i32, pointer, u32], returns: i64_fast },
    getsockopt: { args: [i32, i32, i32, pointer, pointer], returns: i32 },
    setsockopt: { args: [i32, i32, i32, pointer, u32], returns: i32 },
    read: { args: [i32, pointer, u64_fast], returns: i64_fast },
    write: { args: [i32, pointer, u64_fast], returns: i64_fast },
    close: { args: [i32], returns: i32 },
    flock: { args: [i32, i32], returns: i32 },
    epoll_create1: { args: [i32], returns: i32 },
    epoll_ctl: { args: [i32, i32, i32, pointer], returns: i32 },
    epoll_wait: { args: [i32, pointer, i32, i32], returns: i32 },
    eventfd: { args: [u32, i32], returns: i32 },
    mmap: { args: [pointer, u64_fast, i32, i32, i32, u64_fast], returns: pointer },
    syscall: {
      args: [i32, u64_fast, u64_fast, u64_fast, u64_fast, u64_fast, u64_fast],
      returns: i64_fast,
    },
    __errno_location: { args: [], returns: pointer },
  });
  // Addresses are numbers here (base plus offset); Bun takes them for pointers, its types do not.
  return symbols as object as Libc;
}

/** Of this thread's last call that failed. */
export function lastErrno(): number {
  return read.i32(libc().__errno_location() as ReturnType<typeof ptr>, 0);
}

/** Where this memory is. */
export function addressOf(memory: NodeJS.TypedArray): number {
  return Number(ptr(memory));
}

/** Memory that is the kernel's or the library's; it has to outlive what is given here. */
export function memoryAt(address: number, lengthBytes: number): ArrayBuffer {
  return toArrayBuffer(address as ReturnType<typeof ptr>, 0, lengthBytes);
}
