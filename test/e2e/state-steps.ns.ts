/**
 * Root's steps between the state folder of a proxy's unit and the admin's copy of it (rootfs/usr/lib/pequod),
 * run as they are with users and folders of a mount namespace. Needs root.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";

const STEPS = join(import.meta.dir, "../../rootfs/usr/lib/pequod");

/** The admin is user 900, the proxy 901; `script` finds the unit's folder in $STATE_DIRECTORY. */
function inNamespace(script: string): string {
  const prelude = `
    set -eu
    mount -t tmpfs -o mode=755 none /mnt
    cp /etc/passwd /etc/group /mnt
    echo 'pequod-admin:x:900:900::/:/bin/false' >>/mnt/passwd
    echo 'pequod-admin:x:900:' >>/mnt/group
    mount --bind /mnt/passwd /etc/passwd
    mount --bind /mnt/group /etc/group
    mount -t tmpfs -o mode=755 none /var/lib
    install -d -m 711 -o 900 -g 900 /var/lib/pequod
    for one in proxies proxies/dmz proxies/dmz/state; do
      install -d -m 700 -o 900 -g 900 /var/lib/pequod/$one
    done
    export STATE_DIRECTORY=/var/lib/unit
    install -d -m 700 -o 901 -g 901 $STATE_DIRECTORY
    copy=/var/lib/pequod/proxies/dmz/state/flow-keys.json
    own=$STATE_DIRECTORY/flow-keys.json
    cd ${STEPS}
  `;
  const { exitCode, stdout, stderr } = Bun.spawnSync([
    ...["unshare", "--mount", "--propagation", "private"],
    ...["sh", "-c", `${prelude}${script}`],
  ]);
  if (exitCode !== 0) throw new Error(stderr.toString());
  return stdout.toString();
}

test("the key of a proxy that has started goes to the admin, a restored one comes back before a start", () => {
  const told = inNamespace(`
    ./bring-state dmz; ls -A $STATE_DIRECTORY
    setpriv --reuid=901 --regid=901 --clear-groups sh -c 'umask 077; echo first >$STATE_DIRECTORY/flow-keys.json'
    ./give-state dmz; cat $copy; stat -c '%u %a' $copy
    setpriv --reuid=900 --regid=900 --clear-groups sh -c "echo restored >$copy"
    ./bring-state dmz; cat $own; stat -c '%u %a' $own; ls -A $STATE_DIRECTORY
  `);
  expect(told.split("\n")).toEqual([
    ...["first", "900 600", "restored", "901 600", "flow-keys.json", ""],
  ]);
});

test("a link in place of the admin's copy leads to nothing that the admin could not read", () => {
  const told = inNamespace(`
    echo secret >/var/lib/secret; chmod 600 /var/lib/secret
    ln -s /var/lib/secret $copy
    ./bring-state dmz 2>/dev/null; ls -A $STATE_DIRECTORY
  `);
  expect(told).toBe("");
});
