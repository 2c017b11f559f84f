#!/bin/bash
# build.sh OUT.qcow2 BINARY: the VM image. Steps: host.sh (what the build needs), base.sh (Debian and its
# initrd, kept for a day), root.sh (our files over it, as ext4), disk.sh (partitions and boot loader).
# No loop device, no mount: works in a container too. Equal sources and mirrors give equal bytes.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
out=$(readlink -f "$1")
binary=$(readlink -f "$2")
export PEQUOD_IMAGE=${PEQUOD_IMAGE:-/var/tmp/pequod-image}
export LC_ALL=C.UTF-8 TZ=UTC
umask 022
cd "$here"

[ "$(id -u)" = 0 ] || { echo "image: needs root, to own the files of the guest: sudo make image" >&2; exit 1; }
mkdir -p "$PEQUOD_IMAGE"
exec 9>"$PEQUOD_IMAGE/lock"
flock -n 9 || { echo "image: waits for another build"; flock 9; }

# Files are as old as the commit, not as the build.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y "$binary")}
export SOURCE_DATE_EPOCH

step() {
  local started=$SECONDS
  "$here/$1.sh" "${@:2}"
  echo "image: $1 $((SECONDS - started)) s"
}
step host
step base
step root "$binary"
step disk
qemu-img convert -c -O qcow2 "$PEQUOD_IMAGE/disk.raw" "$PEQUOD_IMAGE/image.qcow2"
mv "$PEQUOD_IMAGE/image.qcow2" "$out"
cp "$PEQUOD_IMAGE/base.packages" "${out%.qcow2}.packages.txt"
echo "image: $out $(stat -c %s "$out" | awk '{printf "%.1f MB", $1 / 1e6}')"
