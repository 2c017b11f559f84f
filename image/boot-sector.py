"""boot-sector.py DISK BOOT.IMG CORE.IMG: what grub-install would do, without a loop device: GRUB's first
sector into the disk's first 440 bytes, and core.img into the BIOS boot partition at 1 MiB."""
import struct
import sys

FIRST_SECTOR = 2048
disk_path, boot_path, core_path = sys.argv[1:]
with open(boot_path, "rb") as file:
    boot = bytearray(file.read()[:440])
with open(core_path, "rb") as file:
    core = bytearray(file.read())
if len(core) > 1 << 20:
    sys.exit("core.img does not fit into the BIOS boot partition")
struct.pack_into("<Q", boot, 0x5C, FIRST_SECTOR)  # where core.img begins
boot[0x66:0x68] = b"\x90\x90"  # keep the drive number that the BIOS gives
# core.img's own block list: one run of sectors after its first
struct.pack_into("<Q", core, 0x1F4, FIRST_SECTOR + 1)
struct.pack_into("<H", core, 0x1FC, (len(core) + 511) // 512 - 1)
with open(disk_path, "r+b") as disk:
    disk.write(boot)
    disk.seek(FIRST_SECTOR * 512)
    disk.write(core)
