"""Debian's kernel, unmodified, boots to user programs, works, and powers off."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pykern.cli import main
from pykern.exit_status import ExitStatus
from tests.initramfs import Entry, archive

if TYPE_CHECKING:
    from tests.debian import Kernel

BUSYBOX = Path("/bin/busybox")
INIT = b"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mkdir /proc && mount -t proc proc /proc && mount -t devtmpfs dev /dev
echo "release $(uname -r) cpus $(grep -c ^processor /proc/cpuinfo)"
seq 1 1000 | sed 's/$/ pipe/' | awk '{ sum += $1 } END { print "sum", sum }'
for n in 1 2 3 4 5 6 7 8; do (dd if=/dev/zero bs=64k count=16 2>/dev/null | sha256sum) & done
wait
echo "MARKER $(ls /bin | wc -l) programs"
poweroff -f
"""
MODULES = (
    *("drivers/scsi/scsi_common.ko", "drivers/scsi/scsi_mod.ko", "drivers/ata/libata.ko"),
    *("drivers/ata/ata_piix.ko", "drivers/scsi/sd_mod.ko"),
    *("fs/nls/nls_cp437.ko", "fs/nls/nls_ascii.ko", "fs/fat/fat.ko", "fs/fat/vfat.ko"),
)
DISK_INIT = b"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mkdir /proc /mnt && mount -t proc proc /proc && mount -t devtmpfs dev /dev
while read module; do insmod "/modules/$module"; done < /modules/order
until [ -b /dev/sda ] && [ -b /dev/sdb ]; do sleep 0.1; done
mount -t vfat /dev/sda /mnt && cat /mnt/note
seq 1 100000 > /mnt/numbers
mv /mnt/note "/mnt/a long name"
umount /mnt
dd if=/dev/sda bs=64k count=16 2>/dev/null | dd of=/dev/sdb bs=64k conv=fsync 2>/dev/null
echo "MARKER"
poweroff -f
"""
# sha256 of 1 MiB of zeros, by the host's hashlib.
ZEROS = "30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BUSYBOX.exists(), reason="busybox-static is not installed"),
]


@pytest.fixture(scope="module")
def initrd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an initramfs with busybox and the script above."""
    path = tmp_path_factory.mktemp("initrd") / "initrd"
    folders = [Entry(name, 0o040755) for name in ("bin", "dev")]
    console = Entry("dev/console", 0o020600, device=(5, 1))
    programs = [
        Entry("bin/busybox", 0o100755, BUSYBOX.read_bytes()),
        Entry("init", 0o100755, INIT),
    ]
    path.write_bytes(archive([*folders, console, *programs]))
    return path


def boot(kernel: Kernel, initrd: Path, cpus: int, serial: Path, options: str = "") -> str:
    """Boot to the power-off; return what came out of the serial port."""
    status = main(
        f"boot {kernel.image} --initrd {initrd} --append console=ttyS0 -m 256M --smp {cpus} "
        f"--seed 1 --serial file:{serial} --timeout 120 {options}".split()
    )
    assert status == ExitStatus.POWER_OFF, serial.read_text()[-2000:]
    return serial.read_text()


@pytest.mark.parametrize("cpus", [1, 4])
def test_debian_kernel(debian_kernel: Kernel, initrd: Path, tmp_path: Path, cpus: int) -> None:
    """Processes, pipes, file systems and timers work, and the same seed gives the same log."""
    first = boot(debian_kernel, initrd, cpus, tmp_path / "first")
    assert f"release {debian_kernel.release} cpus {cpus}\n" in first
    assert "sum 500500\n" in first
    assert first.count(ZEROS) == 8
    assert re.search(r"MARKER \d{3} programs\n", first)
    for trouble in ("BUG:", "Oops", "Call Trace", "stall", "Kernel panic", "unchecked MSR"):
        assert trouble not in first
    assert boot(debian_kernel, initrd, cpus, tmp_path / "second") == first


@pytest.mark.skipif(shutil.which("mcopy") is None, reason="mtools is not installed")
def test_linux_uses_the_disks(debian_kernel: Kernel, tmp_path: Path) -> None:
    """MEL-53, sector IO: ata_piix finds the drives, and what it writes is read outside."""
    folder = debian_kernel.modules
    missing = [name for name in MODULES if not (folder / name).exists()]
    if missing:
        pytest.skip(f"{debian_kernel.release} has no module {missing[0]}")
    names = [Path(name).name for name in MODULES]
    folders = [Entry(name, 0o040755) for name in ("bin", "dev", "modules")]
    files = {"modules/order": "".join(f"{name}\n" for name in names).encode(), "init": DISK_INIT}
    files |= {f"modules/{Path(name).name}": (folder / name).read_bytes() for name in MODULES}
    files["bin/busybox"] = BUSYBOX.read_bytes()
    initrd, first, second = (tmp_path / name for name in ("initrd", "first", "second"))
    entries = [Entry(name, 0o100755, data) for name, data in files.items()]
    console = Entry("dev/console", 0o020600, device=(5, 1))
    initrd.write_bytes(archive([*folders, console, *entries]))
    (tmp_path / "note").write_text("written by mtools\n")
    mtools(first, "mformat", "-C", "-F", "-T", "70000", "::")
    mtools(first, "mcopy", str(tmp_path / "note"), "::/note")
    second.write_bytes(bytes(2 << 20))
    text = boot(
        debian_kernel, initrd, 1, tmp_path / "log", f"--disk {first} --disk {second} --write-back"
    )
    assert "ATA-6: PYKERN HARDDISK, 1.0, max PIO4" in text
    assert "written by mtools\n" in text
    for trouble in ("exception Emask", "I/O error", "failed command", "lost interrupt"):
        assert trouble not in text
    assert mtools(first, "mtype", "::/numbers") == "".join(f"{n}\n" for n in range(1, 100001))
    assert mtools(first, "mtype", "::/a long name") == "written by mtools\n"
    assert second.read_bytes() == first.read_bytes()[: 1 << 20] + bytes(1 << 20)


def mtools(image: Path, name: str, *arguments: str) -> str:
    return subprocess.run(
        [name, "-i", image, *arguments], check=True, capture_output=True, text=True
    ).stdout


def test_linux_believes_the_firmware(debian_kernel: Kernel, initrd: Path, tmp_path: Path) -> None:
    """SRAT, SLIT and SMBIOS mean to Linux what they say."""
    log = tmp_path / "log"
    main(
        f"boot {debian_kernel.image} --initrd {initrd} --append console=ttyS0 -m 256M --smp 4 "
        f"--numa 2 --serial file:{log} --timeout 1".split()
    )
    text = log.read_text()
    for line in (
        "DMI: pykern pykern PC, BIOS 1 01/01/2026",
        "SRAT: PXM 0 -> APIC 0x01 -> Node 0",
        "SRAT: PXM 1 -> APIC 0x02 -> Node 1",
        "ACPI: SRAT: Node 1 PXM 1 [mem 0x08000000-0x0fffffff]",
        "smp: Brought up 2 nodes, 4 CPUs",
    ):
        assert line in text
    for trouble in ("ACPI Error", "ACPI BIOS Error", "Bad ACPI", "SLIT table looks invalid"):
        assert trouble not in text
