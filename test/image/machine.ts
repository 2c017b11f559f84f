/**
 * The appliance in QEMU: its serial line, and a root shell that the test brings in from outside (a unit by
 * SMBIOS, as whoever owns a hypervisor can), so that the image under test is the one that is shipped. Owns
 * the QEMU process and its disk.
 */
import { rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";

/** Reads commands in base64, a line each, and answers with output and exit code the same way. */
const AGENT = `exec 3<>/dev/ttyS1
stty -F /dev/ttyS1 raw -echo
echo ready >&3
while read -r line <&3; do
  said=$(echo "$line" | base64 -d | sh 2>&1; echo "exit $?")
  echo "$said" | base64 -w0 >&3
  echo >&3
done`;

const base64 = (text: string): string => Buffer.from(text).toString("base64");

function credential(name: string, text: string): string[] {
  const value = `io.systemd.credential.binary:${name}=${base64(text)}`;
  return ["-smbios", `type=11,value=${value}`];
}

const AGENT_UNIT = `[Unit]
After=multi-user.target
[Service]
ExecStart=/bin/sh -c 'eval "$$(echo ${base64(AGENT)} | base64 -d)"'
`;

function qemuCommand(folder: string): string[] {
  const serial = (id: string) => [
    ...["-chardev", `socket,id=${id},path=${join(folder, id)}`],
    ...["-serial", `chardev:${id}`],
  ];
  const network = (number: number) => [
    ...["-netdev", `tap,id=n${number},ifname=tap${number},script=no,downscript=no`],
    "-device",
    `virtio-net-pci,netdev=n${number},mac=52:54:00:77:00:0${number},romfile=`,
  ];
  return [
    "qemu-system-x86_64",
    ...["-machine", "pc", "-accel", "tcg,thread=single", "-smp", "1", "-cpu", "max"],
    ...["-m", "1024", "-display", "none", "-monitor", "none"],
    ...["-uuid", "50455155-4f44-4000-8000-000000000077"],
    ...["-drive", `file=${join(folder, "disk.qcow2")},if=virtio,cache=unsafe`],
    ...serial("console"),
    ...serial("agent"),
    ...network(0),
    ...network(1),
    ...credential("systemd.extra-unit.pqtest.service", AGENT_UNIT),
    ...credential("systemd.unit-dropin.multi-user.target", "[Unit]\nWants=pqtest.service\n"),
  ];
}

/** What one serial line has said, and who waits for more. */
class Line {
  text = "";
  #socket: Socket | null = null;
  readonly #server: Server;
  readonly #waiting = new Set<() => void>();

  constructor(path: string) {
    rmSync(path, { force: true });
    this.#server = createServer((socket) => {
      this.#socket = socket;
      socket.on("error", () => socket.destroy());
      socket.on("data", (bytes) => {
        this.text += bytes.toString("latin1");
        for (const look of [...this.#waiting]) look();
      });
    });
    this.#server.listen(path);
  }

  write(text: string): void {
    this.#socket?.write(text);
  }

  /** The first match at or behind a place of the text, once it is there. */
  until(pattern: RegExp, from: number, timeoutMs: number): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = pattern.exec(this.text.slice(from));
        if (found !== null) settle(() => resolve(found));
      };
      const settle = (end: () => void): void => {
        clearTimeout(deadline);
        this.#waiting.delete(look);
        end();
      };
      const deadline = setTimeout(
        () => settle(() => reject(new Error(`no ${pattern} in ${this.text.slice(from)}`))),
        timeoutMs,
      );
      this.#waiting.add(look);
      look();
    });
  }

  close(): void {
    this.#socket?.destroy();
    this.#server.close();
  }
}

/** Half a minute on an idle machine; ten times that where others compile. */
const BOOT_MS = 400_000;
const COMMAND_MS = 120_000;

export class Machine {
  readonly #folder: string;
  readonly #console: Line;
  readonly #agent: Line;
  #qemu: Bun.Subprocess | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #consoleFrom = 0;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#console = new Line(join(folder, "console"));
    this.#agent = new Line(join(folder, "agent"));
  }

  /** A new disk on top of the image, which stays as it is. */
  static async create(folder: string, image: string): Promise<Machine> {
    const disk = join(folder, "disk.qcow2");
    const made = Bun.spawnSync(
      ["qemu-img", "create", "-q", "-f", "qcow2", "-b", image, "-F", "qcow2", disk],
      { stderr: "inherit" },
    );
    if (!made.success) throw new Error("qemu-img failed");
    return new Machine(folder);
  }

  /** Since the last start or reboot, as a terminal shows it. */
  get consoleText(): string {
    return this.#console.text.slice(this.#consoleFrom).replace(/\r|\x1b\[[0-9;?!]*[A-Za-z]/g, "");
  }

  /** Switched on; resolves when its services are up. */
  async boots(): Promise<void> {
    const log = Bun.file(join(this.#folder, "qemu.log"));
    this.#consoleFrom = this.#console.text.length;
    const from = this.#agent.text.length;
    this.#qemu = Bun.spawn(qemuCommand(this.#folder), { stdout: log, stderr: log });
    const died = this.#qemu.exited.then(async () => {
      throw new Error(`QEMU ended: ${await log.text()}\n${this.consoleText}`);
    });
    died.catch(() => undefined);
    await Promise.race([this.#agent.until(/ready\n/, from, BOOT_MS), died]);
  }

  /** From inside; resolves when its services are up again. */
  async reboots(): Promise<void> {
    const from = this.#agent.text.length;
    this.#consoleFrom = this.#console.text.length;
    this.#agent.write(`${base64("systemctl reboot")}\n`);
    await this.#agent.until(/ready\n/, from, BOOT_MS);
  }

  /** As if the plug were pulled: nothing that was not on the disk is. */
  async losesPower(): Promise<void> {
    this.#qemu?.kill("SIGKILL");
    await this.#qemu?.exited;
    this.#qemu = null;
  }

  /** What the screen shows, once it does. */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#console.until(pattern, this.#consoleFrom, BOOT_MS);
  }

  /** Output of a shell command as root; throws when it fails. */
  run(command: string): Promise<string> {
    const answer = this.#turn.then(async () => {
      const from = this.#agent.text.length;
      this.#agent.write(`${base64(command)}\n`);
      const [line] = await this.#agent.until(/.*\n/, from, COMMAND_MS);
      const [, said = "", code] =
        /^([\s\S]*?)exit (\d+)\n$/.exec(Buffer.from(line, "base64").toString()) ?? [];
      if (code !== "0") throw new Error(`${command} ended with ${code}: ${said}`);
      return said;
    });
    this.#turn = answer.catch(() => undefined);
    return answer;
  }

  async close(): Promise<void> {
    await this.losesPower();
    this.#console.close();
    this.#agent.close();
  }
}
