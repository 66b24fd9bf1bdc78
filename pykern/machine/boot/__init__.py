"""Boot protocols: how a kernel image gets into guest memory and which state it is entered in.

`PROTOCOLS` lists them in the order in which they are asked, the most specific mark first.
"""

from __future__ import annotations

from pykern.machine.boot.bios import BiosProtocol
from pykern.machine.boot.bootsector import BootSector
from pykern.machine.boot.elf import ElfProtocol
from pykern.machine.boot.firmware_rom import FirmwareRom
from pykern.machine.boot.iso import IsoProtocol
from pykern.machine.boot.limine import LimineProtocol
from pykern.machine.boot.linux import LinuxProtocol
from pykern.machine.boot.multiboot import Multiboot
from pykern.machine.boot.protocol import (
    BootError,
    BootMachine,
    BootModule,
    BootOptions,
    BootProtocol,
    LinearFramebuffer,
    MediaType,
)

__all__ = [
    "PROTOCOLS",
    "BootError",
    "BootMachine",
    "BootModule",
    "BootOptions",
    "BootProtocol",
    "LinearFramebuffer",
    "MediaType",
    "find",
    "register",
]

PROTOCOLS: dict[str, BootProtocol] = {}


def register(protocol: BootProtocol) -> None:
    """Add a protocol behind those registered already; a second one of a name is an error."""
    if protocol.name in PROTOCOLS:
        raise ValueError(f"boot protocol {protocol.name!r} is registered already")
    PROTOCOLS[protocol.name] = protocol


for _protocol in (
    IsoProtocol(),
    LinuxProtocol(),
    LimineProtocol(),
    Multiboot(),
    ElfProtocol(),
    BootSector(),
    FirmwareRom(),
    BiosProtocol(),
):
    register(_protocol)


def find(image: bytes, name: str) -> BootProtocol:
    """Return the first protocol that recognises the image.

    Raises
    ------
    BootError : none does; the message says what each of them looked for
    """
    for protocol in PROTOCOLS.values():
        if protocol.probe(image):
            return protocol
    start = image[:16].hex(" ") or "nothing"
    looked_for = "\n".join(f"  {p.name}: {p.looks_for}" for p in PROTOCOLS.values())
    raise BootError(
        f"{name}: {len(image)} bytes starting with {start} are no image any boot protocol knows; "
        f"looked for\n{looked_for}"
    )
