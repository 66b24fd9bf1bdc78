"""Boot an ISO 9660 image directly: its Limine configuration file says which kernel, and how.

What a boot loader on the medium would do is done here: find the configuration, read kernel and
modules, and load them by the protocol the entry names. To run the loader itself, boot the medium
with BIOS firmware.

References
----------
Limine, CONFIG.md; ECMA-119, Volume and File Structure of CDROM for Information Interchange.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pykern.machine.boot import config_files
from pykern.machine.boot.limine import LimineProtocol
from pykern.machine.boot.linux import LinuxProtocol
from pykern.machine.boot.multiboot import Multiboot
from pykern.machine.boot.protocol import (
    BootError,
    BootMachine,
    BootModule,
    BootOptions,
    BootProtocol,
    MediaType,
)
from pykern.machine.media import IsoImage, MediaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.machine.boot.config_files import BootEntry, Resolution

_IDENTIFIER_OFFSET, _IDENTIFIER = 0x8001, b"CD001"

# By the names that configuration files use.
_PROTOCOLS: dict[str, Callable[[], BootProtocol]] = {
    "limine": LimineProtocol,
    "linux": LinuxProtocol,
    "multiboot1": Multiboot,
}


@dataclass(frozen=True)
class Selected:
    """What an entry of the configuration file says is to be booted.

    Parameters
    ----------
    protocol : that loads the kernel
    kernel : contents of its file
    options : with command line, modules and paths of the entry
    resolution : of the framebuffer, if the entry names one
    """

    protocol: BootProtocol
    kernel: bytes
    options: BootOptions
    resolution: Resolution | None


class IsoProtocol:
    """ISO 9660 images with a configuration file of Limine."""

    name = "iso"
    looks_for = "43 44 30 30 31 (CD001) at offset 0x8001 (ISO 9660 image)"

    def probe(self, image: bytes) -> bool:
        """Tell whether there is a volume descriptor in sector 16."""
        start = _IDENTIFIER_OFFSET
        return image[start : start + len(_IDENTIFIER)] == _IDENTIFIER

    def load(self, image: bytes, machine: BootMachine, options: BootOptions) -> None:
        """Load the kernel of the selected entry by its own protocol."""
        selected = select(image, options)
        selected.protocol.load(selected.kernel, machine, selected.options)


def select(image: bytes, options: BootOptions) -> Selected:
    """Read the configuration of an image and the files of the entry that is to be booted.

    Parameters
    ----------
    image : the ISO 9660 image
    options : `entry` names the entry; command line and modules are added behind its own

    Raises
    ------
    BootError : the image or its configuration is damaged, or names something that is not there
    """
    try:
        return _select(IsoImage(image, options.name), options)
    except MediaError as error:
        raise BootError(str(error)) from None


def _select(medium: IsoImage, options: BootOptions) -> Selected:
    entry = config_files.read_config(medium).select(options.entry)
    protocol = _PROTOCOLS.get(entry.protocol)
    if protocol is None:
        raise BootError(
            f"{medium.name}: entry {entry.name!r} has protocol {entry.protocol!r}, expected one of "
            f"{', '.join(_PROTOCOLS)}; its own loader can be run with --firmware bios"
        )
    modules = tuple(BootModule(m.path, medium.read(m.path), m.command_line) for m in entry.modules)
    chosen = replace(
        options,
        name=f"{medium.name}: {entry.kernel_path}",
        command_line=" ".join(filter(None, (entry.command_line, options.command_line))),
        modules=modules + options.modules,
        path=entry.kernel_path,
        media=MediaType.OPTICAL,
        read_file=_reader(medium),
    )
    return Selected(protocol(), medium.read(entry.kernel_path), chosen, _resolution(entry))


def _resolution(entry: BootEntry) -> Resolution | None:
    if entry.resolution is not None and entry.resolution.bpp != 32:
        raise BootError(
            f"entry {entry.name!r}: resolution with {entry.resolution.bpp} bits per pixel, "
            "expected 32"
        )
    return entry.resolution


def _reader(medium: IsoImage) -> Callable[[str], bytes | None]:
    """Return a function that reads a file of the medium; None where there is none."""

    def read(path: str) -> bytes | None:
        try:
            return medium.read(path) if medium.find(path) is not None else None
        except MediaError as error:
            raise BootError(str(error)) from None

    return read
