"""PCI: configuration mechanism #1, bus 0, and the host bridge on it.

Offsets of `PciBus` (PC address in brackets)::

    0  CONFIG_ADDRESS (4 bytes)                           (0xCF8)
           31 enable  23-16 bus  15-11 device  10-8 function  7-2 register
    1  as a single byte: the reset control register       (0xCF9)
    4  CONFIG_DATA (1, 2 or 4 bytes)                      (0xCFC)

Offset of `PciBus.ecam`, the memory-mapped window::

    27-20 bus   19-15 device   14-12 function   11-0 register

The bus is empty but for what is added, and the host bridge, an Intel 440FX, at 00:00.0. Its PAM
registers keep their values and do nothing: the memory below 1 MiB is RAM.

References
----------
PCI Local Bus Specification 3.0: Configuration Mechanism #1, Configuration Space Header; PCI Express
Base Specification: Enhanced Configuration Access Mechanism; Intel 82441FX (PMC) datasheet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.devices.registers import SavedFields, all_ones

if TYPE_CHECKING:
    from pykern.machine.device import Device, State

__all__ = ["Ecam", "PciBus", "PciFunction", "host_bridge"]

ENABLE = 1 << 31
CONFIG_SIZE = 256
VENDOR_ID, DEVICE_ID, COMMAND, STATUS, REVISION, CLASS_CODE, HEADER_TYPE = 0, 2, 4, 6, 8, 9, 14
BARS = range(0x10, 0x28, 4)
MULTIFUNCTION = 0x80


class PciFunction(SavedFields):
    """A function's configuration space with a type 0 header.

    Parameters
    ----------
    vendor, device : IDs
    class_code : 24 bits, base class highest
    revision : of the device
    bars : BAR index → (size in bytes, a power of two; flag bits: 1 I/O, 8 prefetchable)
    """

    SAVED = ("_config",)

    def __init__(
        self,
        vendor: int,
        device: int,
        class_code: int,
        *,
        revision: int = 0,
        bars: dict[int, tuple[int, int]] | None = None,
    ) -> None:
        initial = bytearray(CONFIG_SIZE)
        initial[VENDOR_ID : VENDOR_ID + 2] = vendor.to_bytes(2, "little")
        initial[DEVICE_ID : DEVICE_ID + 2] = device.to_bytes(2, "little")
        initial[REVISION] = revision
        initial[CLASS_CODE : CLASS_CODE + 3] = class_code.to_bytes(3, "little")
        self._initial = initial
        self._writable = bytearray(CONFIG_SIZE)
        self.make_writable(COMMAND, 0x0547.to_bytes(2, "little"))
        self.make_writable(0x0C, b"\xff")  # cache line size
        self.make_writable(0x3C, b"\xff")  # interrupt line
        for index, (size, flags) in (bars or {}).items():
            self._initial[BARS[index]] = flags
            self.make_writable(BARS[index], (-size & 0xFFFF_FFFF).to_bytes(4, "little"))
        self.reset()

    def make_writable(self, offset: int, mask: bytes) -> None:
        """Let a guest write the bits of `mask` from `offset` on."""
        self._writable[offset : offset + len(mask)] = mask

    def preset(self, values: dict[int, int]) -> None:
        """Have bytes, by their registers, that reset gives other values than 0."""
        for register, value in values.items():
            self._initial[register] = value
        self.reset()

    def reset(self) -> None:
        """Forget addresses and enables."""
        self._config = bytearray(self._initial)

    def set_multifunction(self) -> None:
        """Tell that the device has further functions."""
        self._initial[HEADER_TYPE] |= MULTIFUNCTION
        self._config[HEADER_TYPE] |= MULTIFUNCTION

    def bar(self, index: int) -> int:
        """Return a BAR as the guest has set it, with its flag bits."""
        return int.from_bytes(self._config[BARS[index] : BARS[index] + 4], "little")

    def read_config(self, register: int) -> int:
        """Read a byte."""
        return self._config[register] if register < CONFIG_SIZE else 0

    def write_config(self, register: int, value: int) -> None:
        """Write a byte as far as it is writable."""
        if register < CONFIG_SIZE:
            mask = self._writable[register]
            self._config[register] = self._config[register] & ~mask | value & mask


def host_bridge() -> PciFunction:
    """Return an Intel 82441FX PCI and memory controller."""
    bridge = PciFunction(0x8086, 0x1237, 0x060000, revision=2)
    bridge.make_writable(0x59, b"\xff" * 7)  # PAM0-PAM6
    bridge.make_writable(0x72, b"\xff")  # SMRAM
    return bridge


class PciBus:
    """Bus 0 and the ports that lead to it.

    Parameters
    ----------
    reset_control : the byte-wide register between the address ports, if any

    Attributes
    ----------
    ecam : the same configuration space as a device for memory-mapped access
    """

    def __init__(self, reset_control: Device | None = None) -> None:
        self._reset_control = reset_control
        self._address = 0
        self._functions: dict[tuple[int, int], PciFunction] = {}
        self.ecam = Ecam(self)

    def add(self, function: PciFunction, slot: int, number: int = 0) -> None:
        """Plug a function into bus 0.

        Raises
        ------
        ValueError : the slot is taken or does not exist
        """
        if not (0 <= slot < 32 and 0 <= number < 8):
            raise ValueError(f"no place 00:{slot:02x}.{number}, expected slot 0-31, function 0-7")
        if (slot, number) in self._functions:
            raise ValueError(f"00:{slot:02x}.{number} is taken, expected a free place")
        self._functions[slot, number] = function
        first = self._functions.get((slot, 0))
        if first is not None and any(self._functions.get((slot, n)) for n in range(1, 8)):
            first.set_multifunction()

    def function_at(self, bus: int, slot: int, number: int) -> PciFunction | None:
        """Return what answers at an address."""
        return None if bus else self._functions.get((slot, number))

    def reset(self) -> None:
        """Reset the bus and all on it."""
        self._address = 0
        for function in self._functions.values():
            function.reset()
        if self._reset_control is not None:
            self._reset_control.reset()

    def save(self) -> State:
        """Return the address register and every configuration space."""
        functions = {
            f"{s:02x}.{n}": function.save() for (s, n), function in self._functions.items()
        }
        state: State = {"address": self._address, "functions": functions}
        if self._reset_control is not None:
            state["reset_control"] = self._reset_control.save()
        return state

    def load(self, state: State) -> None:
        """Take them back; the same functions must be plugged in."""
        self._address = state["address"]
        for (s, n), function in self._functions.items():
            function.load(state["functions"][f"{s:02x}.{n}"])
        if self._reset_control is not None:
            self._reset_control.load(state["reset_control"])

    # Configuration mechanism #1

    def _selected(self) -> PciFunction | None:
        if not self._address & ENABLE:
            return None
        return self.function_at(
            self._address >> 16 & 0xFF, self._address >> 11 & 31, self._address >> 8 & 7
        )

    def read(self, offset: int, size: int) -> int:
        """Read the address or the selected data."""
        if offset == 0 and size == 4:
            return self._address
        if offset == 1 and size == 1 and self._reset_control is not None:
            return self._reset_control.read(0, 1)
        function = self._selected()
        if not 4 <= offset < 8 or offset + size > 8 or function is None:
            return all_ones(size)
        return _read(function, (self._address & 0xFC) + offset - 4, size)

    def write(self, offset: int, size: int, value: int) -> None:
        """Write the address or the selected data."""
        if offset == 0 and size == 4:
            self._address = value & 0x80FF_FFFC
        elif offset == 1 and size == 1 and self._reset_control is not None:
            self._reset_control.write(0, 1, value)
        elif 4 <= offset < 8 and offset + size <= 8:
            function = self._selected()
            if function is not None:
                _write(function, (self._address & 0xFC) + offset - 4, size, value)


class Ecam:
    """The memory-mapped window to a bus's configuration space; it keeps no state of its own.

    Parameters
    ----------
    bus : whose functions it shows
    """

    def __init__(self, bus: PciBus) -> None:
        self._bus = bus

    def _function(self, offset: int) -> PciFunction | None:
        return self._bus.function_at(offset >> 20, offset >> 15 & 31, offset >> 12 & 7)

    def reset(self) -> None:
        """Have nothing to forget."""

    def read(self, offset: int, size: int) -> int:
        """Read configuration space."""
        function = self._function(offset)
        return all_ones(size) if function is None else _read(function, offset & 0xFFF, size)

    def write(self, offset: int, size: int, value: int) -> None:
        """Write configuration space."""
        function = self._function(offset)
        if function is not None:
            _write(function, offset & 0xFFF, size, value)

    def save(self) -> State:
        """Return nothing: the bus saves its functions."""
        return {}

    def load(self, state: State) -> None:
        """Take nothing."""


def _read(function: PciFunction, register: int, size: int) -> int:
    return sum(function.read_config(register + i) << 8 * i for i in range(size))


def _write(function: PciFunction, register: int, size: int, value: int) -> None:
    for i in range(size):
        function.write_config(register + i, value >> 8 * i & 0xFF)
