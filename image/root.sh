#!/bin/bash
# root.sh BINARY: the guest's root as one ext4 file, $PEQUOD_IMAGE/root.ext4: the base, rootfs/ laid over it
# and the binary, without what only the build needed.
set -euo pipefail
binary=$1
cd "$(dirname "$(readlink -f "$0")")"
base=$PEQUOD_IMAGE/base
tree=$PEQUOD_IMAGE/tree

rm -rf --one-file-system "$tree"
cp -a --reflink=auto "$base" "$tree"
# The checkout's owners and umask must not show.
tar -C ../rootfs --owner=0 --group=0 --mode=u=rwX,go=rX -c . | tar -C "$tree" -x --keep-directory-symlink
install -m 0755 "$binary" "$tree/usr/bin/pequod"
mkdir -p "$tree/usr/share/pequod" "$tree/efi"
chmod 0600 "$tree"/usr/lib/netplan/*.yaml # netplan's own rule
sed -n 's/.*"version": "\(.*\)".*/\1/p' ../package.json >"$tree/usr/share/pequod/version"
cp "$PEQUOD_IMAGE/base.packages" "$tree/usr/share/pequod/packages.txt"

lines() { sed 's/ *#.*//; /^$/d' "$1"; }
# /etc is read-only in the guest, so users and what is switched on are settled here.
{ chroot "$tree" systemd-sysusers && chroot "$tree" systemctl preset-all; } >"$PEQUOD_IMAGE/preset.log" 2>&1 ||
  { cat "$PEQUOD_IMAGE/preset.log" >&2; exit 1; }
ln -sf /usr/lib/systemd/system/multi-user.target "$tree/etc/systemd/system/default.target"
mkdir -p "$tree/etc/systemd/system" "$tree/etc/systemd/system-generators"
lines masked-units | while read -r unit; do
  case $unit in
    *-generator) ln -sf /dev/null "$tree/etc/systemd/system-generators/$unit" ;;
    *) ln -sf /dev/null "$tree/etc/systemd/system/$unit" ;;
  esac
done

cut_package() { # all its files, and its folders as far as they are empty (rm says so of the others)
  local list
  list=$(find "$base/var/lib/dpkg/info" -name "$1.list" -o -name "$1:*.list")
  [ -n "$list" ] || { echo "image: cut-packages names $1, which is not installed" >&2; return 1; }
  sort -r "$list" | grep -v '^/\.$' | sed "s|^|$tree|" | xargs -d '\n' rm -fd 2>/dev/null || true
}
while read -r package; do cut_package "$package"; done < <(lines cut-packages)
while read -r path; do
  # shellcheck disable=SC2086  # patterns, each under the tree
  rm -rf --one-file-system "$tree"$path
done < <(lines cut-paths)

# Until the state partition is there, services with a private /var/tmp need a place to put it.
mkdir -m 1777 "$tree/var/tmp"
# An empty machine-id (not a missing one) takes the VM's UUID; resolved answers the names.
: >"$tree/etc/machine-id"
echo pequod >"$tree/etc/hostname"
ln -s ../run/systemd/resolve/stub-resolv.conf "$tree/etc/resolv.conf"
chroot "$tree" depmod "$(basename "$tree"/usr/lib/modules/*)"

find "$tree" -print0 | xargs -0 touch -h -d "@$SOURCE_DATE_EPOCH"
rm -f "$PEQUOD_IMAGE/root.ext4"
truncate -s 512M "$PEQUOD_IMAGE/root.ext4"
# The guest's own mke2fs: older ones do not honour SOURCE_DATE_EPOCH. Read-only: no journal.
"$base/usr/lib64/ld-linux-x86-64.so.2" --library-path "$base/usr/lib/x86_64-linux-gnu" \
  "$base/usr/sbin/mke2fs" -q -t ext4 -b 4096 -m 0 -N 16384 -L root -O ^has_journal,^metadata_csum_seed \
  -E hash_seed=50455155-4f44-4000-8000-0000000000e4,lazy_itable_init=0,root_owner=0:0 \
  -U 50455155-4f44-4000-8000-0000000000e4 -d "$tree" "$PEQUOD_IMAGE/root.ext4"
