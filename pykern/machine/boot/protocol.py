"""What a boot protocol is, what it is given, and what it says when an image is unusable."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class BootError(Exception):
    """An image cannot be booted; the message says what was found, where, what was expected."""


class VcpuRegisters(Protocol):
    """The registers of a virtual CPU, by the names of the SDM."""

    def write_register(self, name: str, value: int) -> None:
        """Set a register."""

    def activate(self) -> None:
        """Let the CPU run, whatever it waits for."""


class BootMachine(Protocol):
    """What a boot protocol needs of a machine."""

    @property
    def vcpus(self) -> Sequence[VcpuRegisters]:
        """Return the CPUs; the bootstrap processor is the first."""

    @property
    def ram_ranges(self) -> Sequence[tuple[int, int]]:
        """Return (base, size) of every range of RAM, in bytes."""

    def write(self, paddr: int, data: bytes) -> None:
        """Write physical memory."""

    def read(self, paddr: int, size: int) -> bytes:
        """Read RAM or ROM; ValueError outside of them."""

    def map_rom(self, paddr: int, data: bytes) -> None:
        """Place read-only memory."""


class MediaType(enum.IntEnum):
    """What a file came from; the values are those of the Limine protocol."""

    GENERIC = 0
    OPTICAL = 1


@dataclass(frozen=True)
class BootModule:
    """A file handed to the kernel beside its image: an initrd, a Multiboot module.

    Parameters
    ----------
    name : path, as the kernel is told
    data : the contents
    command_line : arguments for whoever uses the module
    """

    name: str
    data: bytes
    command_line: str = ""

    @property
    def string(self) -> str:
        """Return name and arguments in one, as Multiboot passes them."""
        return f"{self.name} {self.command_line}".rstrip()


@dataclass(frozen=True)
class LinearFramebuffer:
    """A picture in memory: 32-bit pixels, blue in bits 7-0, green 15-8, red 23-16.

    Parameters
    ----------
    paddr : of the first pixel
    width, height : pixels
    pitch : bytes from line to line
    """

    paddr: int
    width: int
    height: int
    pitch: int

    @property
    def size(self) -> int:
        """Return the bytes it occupies."""
        return self.height * self.pitch


def _no_file(_path: str) -> bytes | None:
    return None


@dataclass(frozen=True)
class BootOptions:
    """What the user and the board add to the image.

    Parameters
    ----------
    name : of the image, as messages and the kernel's command line give it
    command_line : for the kernel, without the name
    modules : in the order given
    rsdp : physical address of the ACPI Root System Description Pointer; 0 if there is none
    smbios_32, smbios_64 : physical address of the SMBIOS 2.1 and 3.0 entry points; 0: none
    framebuffer : the linear framebuffer, if the machine has one
    boot_time : what the real-time clock says, in seconds since 1970-01-01 UTC
    path : of the image within its volume; empty: the last part of its name, in the root directory
    media : what the image came from
    entry : name, path or number of an entry of the medium's boot menu; empty: its default
    read_file : gives the contents of another file of the volume by its absolute path
    start_medium : starts a medium, which has a name, by the services of the board's BIOS
    """

    name: str = "image"
    command_line: str = ""
    modules: tuple[BootModule, ...] = ()
    rsdp: int = 0
    smbios_32: int = 0
    smbios_64: int = 0
    framebuffer: LinearFramebuffer | None = None
    boot_time: int = 0
    path: str = ""
    media: MediaType = MediaType.GENERIC
    entry: str = ""
    read_file: Callable[[str], bytes | None] = field(default=_no_file, compare=False)
    start_medium: Callable[[bytes, str], None] | None = field(default=None, compare=False)


class BootProtocol(Protocol):
    """One way of starting a kernel.

    Attributes
    ----------
    name : for `--protocol` and messages
    looks_for : what `probe` looks for, for the message about an unrecognised image
    """

    name: str
    looks_for: str

    def probe(self, image: bytes) -> bool:
        """Tell whether the image claims to follow this protocol; its contents may still be bad."""

    def load(self, image: bytes, machine: BootMachine, options: BootOptions) -> None:
        """Place the image in guest memory and set the bootstrap processor to its entry.

        Raises
        ------
        BootError : the image breaks the protocol or does not fit the machine
        """
