"""Build guest programs on this host: C and assembly to one flat image, and that image into a ROM.

The ROM is what every machine boots: it takes the place of the BIOS, copies the image to 1 MiB and
enters it as a Multiboot 1 loader would, so no time goes into firmware and no disk is needed.
"""

from __future__ import annotations

import dataclasses
import shutil
import struct
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from pykern.bench import functions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GUESTS = Path(__file__).parent / "guests"
LOAD_ADDRESS = 0x100000
PARAMETERS_MAGIC = b"PYKERN\0\1"
MOST_ARGUMENTS = 4

_SEGMENT = 0x10000
_ROM_FIELDS = 0xFFE0
_MULTIBOOT_HEADER = struct.Struct("<8I")
_C_FLAGS = (
    *("-std=gnu11", "-O2", "-march=x86-64", "-mtune=generic", "-Wall", "-Werror"),
    *("-ffreestanding", "-fno-builtin", "-fno-pic", "-fno-pie", "-mno-red-zone", "-mcmodel=small"),
    *("-fcf-protection=none", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"),
    # The programs are scalar where they say so, and their byte loops stay loops.
    *("-fno-tree-vectorize", "-fno-tree-loop-distribute-patterns"),
)
_LINK_FLAGS = (
    *("-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none,-z,noexecstack"),
    *("-Wl,--no-warn-rwx-segments", f"-Wl,-T,{GUESTS / 'guest.ld'}"),
)


class BuildError(Exception):
    """The host's compiler is missing or refused a guest program."""


@dataclasses.dataclass(frozen=True)
class Image:
    """A flat guest image, linked at 1 MiB, whose parameters can be patched.

    Attributes
    ----------
    name : str
        Name of the program.
    data : bytes
        The image, from the Multiboot header to the end of initialised data.
    firmware : bytes
        The last 64 KiB of the ROM, with the reset vector.
    """

    name: str
    data: bytes
    firmware: bytes

    def patched(self, iterations: int, arguments: Sequence[int] = ()) -> bytes:
        """Return the image with its iteration count and up to four arguments filled in."""
        at = self.data.find(PARAMETERS_MAGIC)
        if at < 0:
            raise BuildError(f"{self.name}: no parameter block in the image")
        if len(arguments) > MOST_ARGUMENTS:
            raise ValueError(
                f"{self.name}: {len(arguments)} arguments, at most {MOST_ARGUMENTS} fit"
            )
        values = struct.pack(f"<{1 + len(arguments)}Q", iterations, *arguments)
        at += len(PARAMETERS_MAGIC)
        return self.data[:at] + values + self.data[at + len(values) :]

    def rom(self, iterations: int, arguments: Sequence[int] = ()) -> bytes:
        """Return a ROM that ends at 4 GiB: from the reset vector it runs the patched image."""
        data = self.patched(iterations, arguments)
        data += bytes(-len(data) % _SEGMENT)
        address = (1 << 32) - _SEGMENT - len(data)
        entry = _MULTIBOOT_HEADER.unpack_from(data)[7]
        firmware = bytearray(self.firmware)
        struct.pack_into("<III", firmware, _ROM_FIELDS, address, len(data) // 4, entry)
        return data + bytes(firmware)


def build(name: str, source: str, directory: Path, flags: Iterable[str] = ()) -> Image:
    """Compile and link one guest program.

    Parameters
    ----------
    name : str
        Name of the program, used for its files.
    source : str
        File name in ``guests/``.
    directory : Path
        Where intermediate files go.
    flags : iterable of str
        Further compiler flags.

    Raises
    ------
    BuildError
        No compiler, or it failed; the message holds its diagnostics.
    """
    sources = [GUESTS / "start.S", GUESTS / source]
    if source == "functions.S":
        generated = directory / "functions.gen.S"
        generated.write_text(functions.assembly())
        sources.append(generated)
        flags = (*flags, f"-DFUNCTIONS={functions.COUNT}")
    elf = directory / f"{name}.elf"
    _run(_compiler(), *_C_FLAGS, *flags, *_LINK_FLAGS, "-o", str(elf), *map(str, sources))
    return Image(name, _flat(elf, ""), _firmware(directory))


def _firmware(directory: Path) -> bytes:
    target = directory / "rom.o"
    if not target.exists():
        _run(_compiler(), "-c", "-o", str(target), str(GUESTS / "rom.S"))
    return _flat(target, ".rom")


def _flat(elf: Path, section: str) -> bytes:
    flat = elf.with_suffix(".bin")
    only = ("-j", section) if section else ()
    _run("objcopy", "-O", "binary", *only, str(elf), str(flat))
    return flat.read_bytes()


def _compiler() -> str:
    for name in ("x86_64-linux-gnu-gcc", "gcc", "cc"):
        if shutil.which(name):
            return name
    raise BuildError(
        "no C compiler found: x86_64-linux-gnu-gcc, gcc or cc is needed to build the guest programs"
    )


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise BuildError(f"{command[0]} ended with status {result.returncode}:\n{result.stderr}")
