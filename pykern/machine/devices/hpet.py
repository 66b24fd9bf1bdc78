"""High precision event timer: one 64-bit up-counter at 100 MHz and its comparators.

Offsets (4- or 8-byte accesses inside one register)::

    000  capabilities   63-32 period in fs   31-16 vendor   15 legacy capable   13 64-bit
                        12-8 timers-1   7-0 revision
    010  configuration  1 legacy replacement   0 enable
    020  interrupt status: bit n, level-triggered timer n; write 1 to clear
    0F0  main counter
    100+20n  timer configuration  63-32 routes allowed  13-9 route  8 32-bit mode  6 set accumulator
             5 64-bit capable  4 periodic capable  3 periodic  2 interrupt enable  1 level triggered
    108+20n  comparator
    110+20n  FSB route: not supported, reads 0

Legacy replacement sends timer 0 where the 8254 went and timer 1 where the RTC went, and holds those
two off. The main counter may be written while halted only; as the specification has it, a one-shot
whose comparator is already behind the counter waits until the counter has wrapped. Periods under a
microsecond are merged: no guest could take their interrupts, and each would cost the host an event.

References
----------
IA-PC HPET Specification 1.0a: Register Model and Programming, Theory of Operation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.devices.registers import SavedFields, all_ones
from pykern.machine.devices.timing import Timer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pykern.machine.device import Events
    from pykern.machine.irq import IrqLine, Line

__all__ = ["Hpet"]

TICK_NS = 10
PERIOD_FS = TICK_NS * 1_000_000
REVISION, VENDOR = 0x01, 0x8086
MERGED_TICKS = 100
MASK64 = (1 << 64) - 1

CAPABILITIES, CONFIGURATION, STATUS, COUNTER, TIMERS, TIMER_STRIDE = (
    0,
    0x10,
    0x20,
    0xF0,
    0x100,
    0x20,
)
CONFIG_ENABLE, CONFIG_LEGACY = 0x01, 0x02
TN_LEVEL, TN_ENABLE, TN_PERIODIC, TN_PERIODIC_CAP = 0x02, 0x04, 0x08, 0x10
TN_64BIT_CAP, TN_SET, TN_32BIT = 0x20, 0x40, 0x100
TN_WRITABLE = TN_LEVEL | TN_ENABLE | TN_PERIODIC | TN_SET | TN_32BIT | 0x3E00


class _Comparator(SavedFields):
    """One timer."""

    SAVED = ("_config", "_comparator", "_period", "_timer")

    def __init__(self, hpet: Hpet, index: int, events: Events, allowed_routes: int) -> None:
        self._hpet = hpet
        self._bit = 1 << index
        self._allowed_routes = allowed_routes
        self._timer = Timer(events, self._match)
        self.reset()

    def reset(self) -> None:
        self._config = 0
        self._comparator = MASK64
        self._period = 0
        self._timer.set(None)

    @property
    def wants_interrupt(self) -> bool:
        return bool(self._config & TN_ENABLE)

    @property
    def is_level(self) -> bool:
        return bool(self._config & TN_LEVEL)

    @property
    def route(self) -> int:
        return self._config >> 9 & 31

    @property
    def _width_mask(self) -> int:
        return 0xFFFF_FFFF if self._config & TN_32BIT else MASK64

    # Registers

    def read(self, offset: int) -> int:
        if offset == 0:
            fixed = self._allowed_routes << 32 | TN_64BIT_CAP | TN_PERIODIC_CAP
            return fixed | self._config & ~TN_SET
        return self._comparator if offset == 8 else 0

    def write(self, offset: int, value: int, mask: int) -> None:
        """Write the bits in `mask` of the register at `offset`."""
        if offset == 0:
            self._write_config(self._config & ~mask | value & mask)
        elif offset == 8:
            self._write_comparator(value, mask)
        self.plan()

    def _write_config(self, value: int) -> None:
        route = value >> 9 & 31
        if not self._allowed_routes >> route & 1:
            value = value & ~0x3E00 | self._config & 0x3E00
        self._config = value & TN_WRITABLE
        self._comparator &= self._width_mask

    def _write_comparator(self, value: int, mask: int) -> None:
        """Set comparator and period; in periodic mode the comparator only if TN_SET asks for it."""
        mask &= self._width_mask
        if not self._config & TN_PERIODIC or self._config & TN_SET:
            self._comparator = self._comparator & ~mask & self._width_mask | value & mask
        self._period = self._period & ~mask & self._width_mask | value & mask
        self._config &= ~TN_SET

    # Matching

    def plan(self) -> None:
        """Find the next match; a period that has fallen behind is caught up with."""
        if not self._hpet.running:
            self._timer.set(None)
            return
        wait = (self._comparator - self._hpet.counter - 1 & self._width_mask) + 1
        self._timer.set(self._hpet.ns_after(wait))

    def _match(self) -> None:
        if self._config & TN_PERIODIC and self._period:
            periods = -(-MERGED_TICKS // self._period)
            self._comparator = self._comparator + periods * self._period & self._width_mask
        self.plan()
        self._hpet.fire(self._bit)


class Hpet(SavedFields):
    """The timer block.

    Parameters
    ----------
    events : virtual time
    irq0, irq8 : where timers 0 and 1 go in legacy replacement
    routes : wire of each global interrupt the timers may be routed to (0-31)
    legacy : high while legacy replacement is on, to hold off 8254 and RTC
    comparators : number of timers, 3 to 32
    """

    SAVED = ("_config", "_status", "_count", "_count_ns", "_timers")

    def __init__(
        self,
        events: Events,
        *,
        irq0: Line,
        irq8: Line,
        routes: Mapping[int, IrqLine],
        legacy: Line,
        comparators: int = 3,
    ) -> None:
        self._events = events
        self._irq0 = irq0
        self._irq8 = irq8
        self._legacy = legacy
        self._wires = {
            gsi: [line.driver() for _ in range(comparators)] for gsi, line in routes.items()
        }
        self._config = 0
        allowed = sum(1 << gsi for gsi in routes)
        self._timers = tuple(_Comparator(self, i, events, allowed) for i in range(comparators))
        self.reset()

    def reset(self) -> None:
        """Halt at zero."""
        self._config = 0
        self._status = 0
        self._count = 0
        self._count_ns = self._events.now
        for timer in self._timers:
            timer.reset()
        self._update()

    # The main counter

    @property
    def running(self) -> bool:
        """Whether the main counter counts."""
        return bool(self._config & CONFIG_ENABLE)

    @property
    def counter(self) -> int:
        """The main counter."""
        if not self.running:
            return self._count
        return self._count + (self._events.now - self._count_ns) // TICK_NS & MASK64

    def ns_after(self, ticks: int) -> int:
        """Return the time when the counter will have made so many further ticks."""
        done = (self._events.now - self._count_ns) // TICK_NS
        return self._count_ns + (done + ticks) * TICK_NS

    def _write_config(self, value: int) -> None:
        self._count = self.counter
        self._count_ns = self._events.now
        self._config = value & (CONFIG_ENABLE | CONFIG_LEGACY)
        for timer in self._timers:
            timer.plan()

    # Interrupts

    def fire(self, bit: int) -> None:
        """Take a comparator's match: an edge, or a status bit and a level."""
        index = bit.bit_length() - 1
        timer = self._timers[index]
        if timer.is_level:
            self._status |= bit
            self._update()
        elif timer.wants_interrupt:
            line = self._line(index)
            if (
                line is not None
            ):  # a pulse, so that timers on one route do not hide each other's edges
                line.set(True)
                line.set(False)

    def _line(self, index: int) -> Line | None:
        if self._config & CONFIG_LEGACY and index < 2:
            return self._irq8 if index else self._irq0
        wires = self._wires.get(self._timers[index].route)
        return wires[index] if wires else None

    def _update(self) -> None:
        """Drive the level-triggered outputs and let go of all others that are not selected."""
        self._legacy.set(bool(self._config & CONFIG_LEGACY))
        if not self._config & CONFIG_LEGACY:
            self._irq0.set(False)
            self._irq8.set(False)
        for index, timer in enumerate(self._timers):
            selected = self._line(index)
            for wires in self._wires.values():
                if wires[index] is not selected:
                    wires[index].set(False)
            if selected is not None and (timer.is_level or not timer.wants_interrupt):
                selected.set(timer.wants_interrupt and bool(self._status >> index & 1))

    def resume(self) -> None:
        """Drive the lines as loaded."""
        self._update()

    # Registers

    def _register(self, offset: int) -> int:
        if offset == CAPABILITIES:
            timers = len(self._timers) - 1
            return PERIOD_FS << 32 | VENDOR << 16 | 1 << 15 | 1 << 13 | timers << 8 | REVISION
        if offset == CONFIGURATION:
            return self._config
        if offset == STATUS:
            return self._status
        if offset == COUNTER:
            return self.counter
        index, register = divmod(offset - TIMERS, TIMER_STRIDE)
        if 0 <= index < len(self._timers):
            return self._timers[index].read(register)
        return 0

    def read(self, offset: int, size: int) -> int:
        """Read within one 8-byte register."""
        within = offset & 7
        if not 0 <= offset < 0x400 or within + size > 8:
            return all_ones(size)
        return self._register(offset & ~7) >> 8 * within & all_ones(size)

    def write(self, offset: int, size: int, value: int) -> None:
        """Write within one 8-byte register; the specification allows 4 and 8 bytes, aligned."""
        if size < 4 or offset % size or not 0 <= offset < 0x400:
            return
        shift = 8 * (offset & 7)
        self._write_register(offset & ~7, value << shift & MASK64, all_ones(size) << shift)
        self._update()

    def _write_register(self, offset: int, value: int, mask: int) -> None:
        if offset == CONFIGURATION:
            self._write_config(self._config & ~mask | value & mask)
        elif offset == STATUS:
            self._status &= ~(value & mask)
        elif offset == COUNTER and not self.running:
            self._count = self._count & ~mask | value & mask
        elif offset >= TIMERS:
            index, register = divmod(offset - TIMERS, TIMER_STRIDE)
            if index < len(self._timers):
                self._timers[index].write(register, value, mask)
