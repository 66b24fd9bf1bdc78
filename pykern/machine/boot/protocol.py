"""What a boot protocol is, what it is given, and what it says when an image is unusable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class BootError(Exception):
    """An image cannot be booted; the message says what was found, where, what was expected."""


class VcpuRegisters(Protocol):
    """The registers of a virtual CPU, by the names of the SDM."""

    def write_register(self, name: str, value: int) -> None:
        """Set a register."""


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


@dataclass(frozen=True)
class BootModule:
    """A file handed to the kernel beside its image: an initrd, a Multiboot module."""

    name: str
    data: bytes


@dataclass(frozen=True)
class BootOptions:
    """What the user and the board add to the image.

    Parameters
    ----------
    name : of the image, as messages and the kernel's command line give it
    command_line : for the kernel, without the name
    modules : in the order given
    rsdp : physical address of the ACPI Root System Description Pointer; 0 if there is none
    """

    name: str = "image"
    command_line: str = ""
    modules: tuple[BootModule, ...] = ()
    rsdp: int = 0


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
