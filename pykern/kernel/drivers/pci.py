"""PCI: what is on the buses, found through configuration mechanism #1 (MIC-17, MYR-24).

References
----------
PCI Local Bus Specification 3.0: Configuration Mechanism #1, Configuration Space Header, Base
Addresses; PCI-to-PCI Bridge Architecture Specification: Configuration Space.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pykern_c import Vcpu

__all__ = ["Bar", "Function", "class_name", "enumerate_functions", "format_devices"]

_ADDRESS, _DATA = 0xCF8, 0xCFC
_ENABLE = 1 << 31
_ID, _COMMAND, _CLASS, _HEADER, _FIRST_BAR, _BUSES, _INTERRUPT = 0, 4, 8, 12, 16, 24, 60
_DECODE = 3
_NOBODY = 0xFFFF
_MULTIFUNCTION, _BRIDGE = 0x80, 1
_BARS = {0: 6, 1: 2}
"""Base address registers by type of header."""
_IO, _WIDE = 1, 4
_ALL_ONES = 0xFFFF_FFFF
_CLASSES = {
    0x01: "mass storage controller",
    0x02: "network controller",
    0x03: "display controller",
    0x04: "multimedia device",
    0x05: "memory controller",
    0x06: "bridge",
    0x07: "communication controller",
    0x08: "system peripheral",
    0x09: "input device",
    0x0C: "serial bus controller",
}
_BRIDGES = {0x00: "host bridge", 0x01: "ISA bridge", 0x04: "PCI bridge"}


@dataclass(frozen=True)
class Bar:
    """A range that a function answers to; `value` is the register, with its flag bits."""

    value: int
    size: int


@dataclass(frozen=True)
class Function:
    """One function of a device.

    Attributes
    ----------
    bus, slot, number : where it is
    class_code : 24 bits, base class highest
    bars : by register; None where there is none, or the upper half of the one before
    irq : what firmware has written into Interrupt Line
    """

    bus: int
    slot: int
    number: int
    vendor: int
    device: int
    class_code: int
    revision: int
    header: int
    bars: tuple[Bar | None, ...]
    irq: int

    def __str__(self) -> str:
        """Return place, class and IDs as lspci -nn has them."""
        return (
            f"{self.bus:02x}:{self.slot:02x}.{self.number} {class_name(self.class_code)} "
            f"[{self.class_code >> 8:04x}]: [{self.vendor:04x}:{self.device:04x}] "
            f"(rev {self.revision:02x})"
        )


def class_name(class_code: int) -> str:
    """Return what kind of device a class code stands for."""
    base, sub = class_code >> 16, class_code >> 8 & 0xFF
    name = _CLASSES.get(base, "device")
    return _BRIDGES.get(sub, name) if name == "bridge" else name


def enumerate_functions(vcpu: Vcpu) -> list[Function]:
    """Return the functions on all buses that can be reached from bus 0."""
    return list(_on_bus(_Configuration(vcpu), 0))


def _on_bus(config: _Configuration, bus: int) -> Iterator[Function]:
    for slot in range(32):
        for function in _on_slot(config, bus, slot):
            yield function
            if function.header == _BRIDGE:
                below = config.read((bus, slot, function.number), _BUSES) >> 8 & 0xFF
                if below > bus:
                    yield from _on_bus(config, below)


def _on_slot(config: _Configuration, bus: int, slot: int) -> Iterator[Function]:
    if config.read((bus, slot, 0), _ID) & _NOBODY == _NOBODY:
        return
    header = config.read((bus, slot, 0), _HEADER) >> 16 & 0xFF
    for number in range(8 if header & _MULTIFUNCTION else 1):
        place = bus, slot, number
        if config.read(place, _ID) & _NOBODY != _NOBODY:
            yield _function(config, place)


def _function(config: _Configuration, place: tuple[int, int, int]) -> Function:
    ids, classes = config.read(place, _ID), config.read(place, _CLASS)
    header = config.read(place, _HEADER) >> 16 & 0x7F
    return Function(
        *place,
        vendor=ids & 0xFFFF,
        device=ids >> 16,
        class_code=classes >> 8,
        revision=classes & 0xFF,
        header=header,
        bars=tuple(_bars(config, place, _BARS.get(header, 0))),
        irq=config.read(place, _INTERRUPT) & 0xFF,
    )


def _bars(config: _Configuration, place: tuple[int, int, int], count: int) -> Iterator[Bar | None]:
    """Find out the sizes, while the function answers to no address."""
    command = config.read(place, _COMMAND)
    config.write(place, _COMMAND, command & 0xFFFF & ~_DECODE)
    upper = False
    for index in range(count):
        if upper:
            upper = False
            yield None
            continue
        register = _FIRST_BAR + 4 * index
        value, mask = config.size(place, register)
        if not mask:
            yield None
            continue
        flags = 3 if value & _IO else 15
        upper = not value & _IO and value & 6 == _WIDE
        low = mask & ~flags
        if upper:
            above, high = config.size(place, register + 4)
            value |= above << 32
            yield Bar(value, -(high << 32 | low) & (1 << 64) - 1)
        else:
            yield Bar(value, -low & (0xFFFF if value & _IO else _ALL_ONES))
    config.write(place, _COMMAND, command & 0xFFFF)


class _Configuration:
    """Configuration space by (bus, slot, function) and register."""

    def __init__(self, vcpu: Vcpu) -> None:
        self._vcpu = vcpu

    def read(self, place: tuple[int, int, int], register: int) -> int:
        self._select(place, register)
        return int(self._vcpu.port_read(_DATA, 4))

    def write(self, place: tuple[int, int, int], register: int, value: int) -> None:
        self._select(place, register)
        self._vcpu.port_write(_DATA, 4, value)

    def size(self, place: tuple[int, int, int], register: int) -> tuple[int, int]:
        """Return a base address register, and which of its bits can be written."""
        value = self.read(place, register)
        self.write(place, register, _ALL_ONES)
        mask = self.read(place, register)
        self.write(place, register, value)
        return value, mask

    def _select(self, place: tuple[int, int, int], register: int) -> None:
        bus, slot, number = place
        address = _ENABLE | bus << 16 | slot << 11 | number << 8 | register
        self._vcpu.port_write(_ADDRESS, 4, address)


def format_devices(functions: Iterable[Function]) -> str:
    """Return /proc/bus/pci/devices, which lspci reads: a line for each function."""
    return "".join(_line(function) for function in functions)


def _line(function: Function) -> str:
    bars = [*function.bars, *[None] * 7][:7]
    words = [
        f"{function.bus:02x}{function.slot << 3 | function.number:02x}",
        f"{function.vendor:04x}{function.device:04x}",
        f"{function.irq:x}",
        *(f"{bar.value if bar else 0:16x}" for bar in bars),
        *(f"{bar.size if bar else 0:16x}" for bar in bars),
    ]
    return "\t".join(words) + "\t\n"
