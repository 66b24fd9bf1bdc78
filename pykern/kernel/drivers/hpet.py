"""Driver of the HPET: a counter that all processors share, and comparators that interrupt.

References
----------
IA-PC HPET Specification 1.0a: Register Model and Programming, ACPI 2.0 Description Table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.firmware import acpi_tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.drivers.acpi import Acpi
    from pykern_c import Vcpu

_CAPABILITIES, _CONFIGURATION, _STATUS, _COUNTER = 0x000, 0x010, 0x020, 0x0F0
_TIMERS, _STRIDE, _COMPARATOR = 0x100, 0x20, 0x08
_ENABLE = 1 << 0
_INTERRUPT, _ROUTE_SHIFT = 1 << 2, 9
_FS_PER_NS = 1_000_000
_MASK64 = (1 << 64) - 1


class Hpet:
    """The event timer.

    Parameters
    ----------
    base : physical address of its registers
    vcpu : returns the processor that executes

    Attributes
    ----------
    period_fs : femtoseconds between two counts
    comparators : how many there are
    """

    def __init__(self, base: int, vcpu: Callable[[], Vcpu]) -> None:
        self._base, self._vcpu = base, vcpu
        capabilities = self._read(_CAPABILITIES)
        self.period_fs = capabilities >> 32
        self.comparators = (capabilities >> 8 & 0x1F) + 1

    @property
    def counter(self) -> int:
        """Counts since `start`."""
        return self._read(_COUNTER)

    def start(self) -> None:
        """Let the counter run, from 0; no comparator interrupts."""
        self._write(_CONFIGURATION, 0)
        self._write(_COUNTER, 0)
        for number in range(self.comparators):
            self.disarm(number)
        self._write(_CONFIGURATION, _ENABLE)

    def routes(self, number: int) -> tuple[int, ...]:
        """Return the global system interrupts that a comparator may raise."""
        allowed = self._read(_TIMERS + number * _STRIDE) >> 32
        return tuple(gsi for gsi in range(32) if allowed >> gsi & 1)

    def counts(self, ns: int) -> int:
        """Return how many counts a time takes, rounded up."""
        return -(-ns * _FS_PER_NS // self.period_fs)

    def arm(self, number: int, gsi: int, count: int) -> bool:
        """Have a comparator interrupt once at a count; False: that has passed.

        A comparator that is behind the counter would wait until it has wrapped.
        """
        timer = _TIMERS + number * _STRIDE
        self._write(timer, gsi << _ROUTE_SHIFT | _INTERRUPT)
        self._write(timer + _COMPARATOR, count & _MASK64)
        if self.counter < count:
            return True
        self.disarm(number)
        return False

    def disarm(self, number: int) -> None:
        """Let a comparator interrupt no more."""
        timer = _TIMERS + number * _STRIDE
        self._write(timer, 0)
        self._write(timer + _COMPARATOR, _MASK64)

    def _read(self, offset: int) -> int:
        return self._vcpu().physical_read(self._base + offset, 8)

    def _write(self, offset: int, value: int) -> None:
        self._vcpu().physical_write(self._base + offset, 8, value)


def find(tables: Acpi, vcpu: Callable[[], Vcpu]) -> Hpet | None:
    """Return the machine's HPET; None: ACPI knows none."""
    raw = tables.tables.get("HPET")
    if raw is None:
        return None
    return Hpet(acpi_tables.HPET.parse(raw).BASE_ADDRESS.Address, vcpu)
