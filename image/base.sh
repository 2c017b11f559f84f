#!/bin/bash
# base.sh: Debian with our packages and the initrd in $PEQUOD_IMAGE/base, from the mirrors that this machine
# itself uses (or PEQUOD_MIRROR and PEQUOD_SECURITY_MIRROR). Kept until a file it is made of changes, at
# most a day, so that security updates come in.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
suite=trixie
base=$PEQUOD_IMAGE/base
# Files of the base get any fixed time; what ends up in the image gets the commit's (root.sh).
export SOURCE_DATE_EPOCH=1754697600

sources() {
  awk '/^URIs:/ { for (i = 2; i <= NF; i++) print $i }' /etc/apt/sources.list.d/*.sources 2>/dev/null || true
  awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^[a-z+]*:\/\//) print $i }' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true
}
mirror=${PEQUOD_MIRROR:-$(sources | grep -m 1 '/debian/*$' || true)}
security=${PEQUOD_SECURITY_MIRROR:-$(sources | grep -m 1 '/debian-security/*$' || true)}
[ -n "$mirror" ] && [ -n "$security" ] || {
  echo "image: apt on this machine names no Debian mirror and security mirror;" \
    "set PEQUOD_MIRROR and PEQUOD_SECURITY_MIRROR" >&2
  exit 1
}
keyring=$(find /usr/share/keyrings -name 'debian-archive-keyring.*' | sort | head -n 1)

stamp=$(cat base.sh guest-packages dpkg-exclude initramfs/* | sha256sum; echo "$mirror $security")
fresh=$(find "$base.stamp" -mmin -1440 2>/dev/null || true)
if [ -n "$fresh" ] && [ "$(cat "$base.stamp")" = "$stamp" ]; then exit 0; fi
rm -rf --one-file-system "$base" "$base.stamp"

options=()
while read -r path; do
  case $path in
    !*) options+=("--dpkgopt=path-include=${path#!}") ;;
    *) options+=("--dpkgopt=path-exclude=$path") ;;
  esac
done < <(grep -v '^#' dpkg-exclude)

# The boot loader that Secure Boot accepts is only unpacked, for disk.sh: installed it would bring packages.
# Check-Valid-Until: a mirror that is a snapshot has an old Release file.
from="[signed-by=$keyring]"
mmdebstrap --variant=essential --mode=root --format=directory "${options[@]}" \
  --include="$(sed 's/ *#.*//; /^$/d' guest-packages | paste -sd,)" \
  --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Check-Valid-Until "false"' \
  --customize-hook='cd "$1/boot" && APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get download -q shim-signed grub-efi-amd64-signed' \
  "$suite" "$base" \
  "deb $from $mirror $suite main" "deb $from $mirror $suite-updates main" \
  "deb $from $security $suite-security main" >"$PEQUOD_IMAGE/mmdebstrap.log" 2>&1 ||
  { tail -20 "$PEQUOD_IMAGE/mmdebstrap.log" >&2; echo "image: mmdebstrap failed" >&2; exit 1; }

rm -rf "$PEQUOD_IMAGE/signed"
for package in "$base"/boot/*.deb; do dpkg-deb -x "$package" "$PEQUOD_IMAGE/signed"; done
rm "$base"/boot/*.deb
chroot "$base" dpkg-query -W >"$PEQUOD_IMAGE/base.packages"

cp initramfs/pequod.conf "$base/etc/initramfs-tools/conf.d/"
cp initramfs/modules "$base/etc/initramfs-tools/modules"
kernel=$(basename "$base"/usr/lib/modules/*)
rm -f "$base"/boot/initrd*
chroot "$base" update-initramfs -c -k "$kernel" >"$PEQUOD_IMAGE/initramfs.log" 2>&1 ||
  { tail -20 "$PEQUOD_IMAGE/initramfs.log" >&2; echo "image: update-initramfs failed" >&2; exit 1; }
mv "$base/boot/vmlinuz-$kernel" "$base/boot/vmlinuz"
mv "$base/boot/initrd.img-$kernel" "$base/boot/initrd"
echo "$stamp" >"$base.stamp"
