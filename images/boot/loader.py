"""Build the BIOS boot loader with the host's C compiler; the same source gives the same bytes.

Run as a part of building the package, or as `python -m images.boot.loader OUT`; without what that
has left, the loader is built when an image asks for it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).parent
PREBUILT = SOURCE.parent / "prebuilt" / "loader.bin"

_SOURCES = (
    *("boot.S", "text.c", "disk.c", "config.c", "memory.c", "firmware.c", "video.c"),
    *("kernel.c", "paging.c", "limine.c", "native.c", "main.c"),
)
_FLAGS = (
    *("-std=gnu11", "-m32", "-march=i686", "-Os", "-Wall", "-Wextra", "-Werror"),
    *("-ffreestanding", "-fno-builtin", "-fno-pic", "-fno-pie", "-fno-stack-protector"),
    *("-fcf-protection=none", "-fno-asynchronous-unwind-tables", "-mgeneral-regs-only"),
    *("-fno-strict-aliasing", "-mpreferred-stack-boundary=2"),
)
_LINK_FLAGS = ("-m", "elf_i386", "--build-id=none", "-z", "noexecstack", "--no-warn-rwx-segments")


class LoaderBuildError(Exception):
    """There is no compiler, or it refused the loader; the message holds what it said."""


def load() -> bytes:
    """Return the loader: the one built with the package, or a fresh one.

    Raises
    ------
    LoaderBuildError : there is neither a built one nor a compiler
    """
    if PREBUILT.exists():
        return PREBUILT.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        return build(Path(folder)).read_bytes()


def build(folder: Path) -> Path:
    """Build the loader in a folder; return its flat image. `loader.elf` beside it has symbols.

    Raises
    ------
    LoaderBuildError : the compiler or the linker is missing or refused
    """
    objects = [folder / f"{name}.o" for name in _SOURCES]
    for name, target in zip(_SOURCES, objects, strict=True):
        prefix = f"-ffile-prefix-map={SOURCE}/="
        _run(_compiler(), *_FLAGS, prefix, "-c", str(SOURCE / name), "-o", str(target))
    elf, flat = folder / "loader.elf", folder / "loader.bin"
    _run("ld", *_LINK_FLAGS, "-T", str(SOURCE / "loader.ld"), "-o", str(elf), *map(str, objects))
    _run("objcopy", "-O", "binary", "-R", ".bss", str(elf), str(flat))
    return flat


def _compiler() -> str:
    for name in ("x86_64-linux-gnu-gcc", "gcc", "cc"):
        if shutil.which(name):
            return name
    raise LoaderBuildError("no C compiler: the BIOS boot loader needs gcc or a compatible cc")


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise LoaderBuildError(f"{command[0]} is not installed; expected GNU binutils") from None
    if done.returncode:
        raise LoaderBuildError(f"{command[0]} failed:\n{done.stderr.strip()}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        shutil.copyfile(build(Path(name)), sys.argv[1])
