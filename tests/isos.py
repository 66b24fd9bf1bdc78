"""ISO images made by the standard tools, and damaged on purpose."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import random
    from pathlib import Path

LONG_NAME = "A kernel with a long name, and ümlauts.elf"
FILES = {
    "boot/limine/limine.conf": b"timeout: 0\n/Linux\n  protocol: linux\n  path: boot():/k\n",
    f"boot/{LONG_NAME}": bytes(range(256)) * 33,
    "boot/boot.bin": b"\xeb\x3e" + bytes(4094),
    "boot/efi.img": b"EFI" * 3000,
    "empty": b"",
    "a/b/c/d/e/f/g/h/i/deep.txt": b"deeper than ISO 9660 goes\n",
}
LINKS = {"kernel": f"boot/{LONG_NAME}", "b": "boot", "boot/self": "self"}
BIOS = ("-b", "boot/boot.bin", "-no-emul-boot", "-boot-load-size", "4")
UEFI = ("-eltorito-alt-boot", "-e", "boot/efi.img", "-no-emul-boot")


def make_tree(folder: Path) -> Path:
    """Write FILES and LINKS below a folder."""
    for name, data in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for name, target in LINKS.items():
        (folder / name).symlink_to(target)
    return folder


def make_iso(tool: str, tree: Path, *options: str) -> Path:
    """Have `xorriso` or `genisoimage` write an image of a tree beside it."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    command = [tool, "-as", "mkisofs"] if tool == "xorriso" else [tool]
    target = tree.with_suffix(f".{tool}.iso")
    target.unlink(missing_ok=True)
    subprocess.run(
        [*command, "-quiet", *options, "-o", target, tree],
        check=True,
        capture_output=True,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )
    return target


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Change or cut off something, more often among the descriptors and directories."""
    image = bytearray(data)
    if rng.random() < 0.15:
        return bytes(image[: rng.randrange(len(image))])
    for _ in range(rng.choice((1, 1, 2, 4, 16, 64))):
        end = len(image) if rng.random() < 0.2 else min(len(image), 48 * 2048)
        at = rng.randrange(16 * 2048, end)
        kind = rng.randrange(4)
        if kind == 0:
            image[at] = rng.randrange(256)
        elif kind == 1:
            image[at : at + 4] = rng.randbytes(4)
        elif kind == 2:
            image[at] = rng.choice((0, 1, 2, 33, 34, 127, 128, 255))
        else:
            source = rng.randrange(16 * 2048, len(image))
            image[at : at + 32] = image[source : source + 32]
    return bytes(image)
