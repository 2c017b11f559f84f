#!/bin/bash
# disk.sh: $PEQUOD_IMAGE/disk.raw, 2 GiB: GRUB for BIOS in the first sectors, for UEFI with Secure Boot on
# the ESP (Debian's signed shim and GRUB), both with the same menu; root-a filled, root-b empty.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
work=$PEQUOD_IMAGE
signed=$work/signed/usr/lib

modules="biosdisk part_gpt fat ext2 normal configfile linux search search_label loadenv test regexp echo
  sleep reboot serial terminal minicmd"
# shellcheck disable=SC2086  # a list
grub-mkimage -O i386-pc -c grub/early.cfg -p '' -o "$work/core.img" $modules

# Exactly 1024 bytes, written in place by GRUB and by the guest.
{ printf '# GRUB Environment Block\ngood=A\ntry=\n'; head -c 1024 /dev/zero | tr '\0' '#'; } |
  head -c 1024 >"$work/grubenv"

esp=$work/esp.fat
rm -f "$esp"
truncate -s 64M "$esp"
mkfs.vfat -F 32 -n PEQUOD -i 50455155 --invariant "$esp" >/dev/null
put() { # FILE PATH: with the commit's time
  cp "$1" "$work/put"
  touch -d "@$SOURCE_DATE_EPOCH" "$work/put"
  mcopy -m -i "$esp" "$work/put" "::$2"
}
mmd -i "$esp" ::EFI ::EFI/BOOT ::EFI/debian ::grub
put "$signed/shim/shimx64.efi.signed" EFI/BOOT/BOOTX64.EFI
put "$signed/grub/x86_64-efi-signed/grubx64.efi.signed" EFI/BOOT/grubx64.efi
put grub/early.cfg EFI/debian/grub.cfg # where Debian's GRUB looks first
put grub/grub.cfg grub/grub.cfg
put "$work/grubenv" grub/grubenv

disk=$work/disk.raw
rm -f "$disk"
truncate -s 2G "$disk"
grep -v '^#' partitions | sfdisk -q "$disk"
dd if="$esp" of="$disk" bs=1M seek=2 conv=notrunc,sparse status=none
dd if="$work/root.ext4" of="$disk" bs=1M seek=66 conv=notrunc,sparse status=none
python3 boot-sector.py "$disk" /usr/lib/grub/i386-pc/boot.img "$work/core.img"
