"""Intel 8254 programmable interval timer, and port 0x61 that gates its speaker channel.

Offsets of `Pit8254` (PC/AT address in brackets)::

    0-2  write: the count; read: the count, a latched count or the latched status    (0x40-0x42)
    3    write: control word, counter latch, read-back command; read: nothing there  (0x43)

    control word   7-6 SC   5-4 RW   3-1 mode   0 BCD
    read-back      7-6 11   5 COUNT#   4 STATUS#   3-1 counters   0 0
    status         7 OUT   6 NULL COUNT   5-4 RW   3-1 mode   0 BCD

Offset of `Port61`::

    0  0 gate of channel 2 (rw)   1 speaker data enable (rw)   2 parity check disable (rw)
       3 channel check disable (rw)   4 refresh toggle   5 OUT 2   6-7 NMI causes, 0    (0x61)

Counting is not simulated: a counter remembers at which tick its counting element was loaded and
with what, and everything else (count, OUT, the next edge) is arithmetic on the ticks since. The
clock is 1.193182 MHz of virtual time. A count takes effect on the first clock after it was written,
so mode 0 raises OUT N + 1 clocks after the write.

References
----------
Intel 8254 datasheet (231164): Programming the 8254, Read Operations, Mode Definitions; IBM PC/AT
Technical Reference: Port B.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, NamedTuple

from pykern.machine.devices.registers import ByteRegisters, SavedFields
from pykern.machine.devices.timing import Oscillator, Timer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.machine.device import Events
    from pykern.machine.irq import Line

__all__ = ["PIT_HZ", "Pit8254", "Port61"]

PIT_HZ = 1_193_182
REFRESH_TICKS = 18  # IBM's channel 1: a refresh, and a toggle of port 0x61 bit 4, every 15 us
RW_LATCH, RW_LOW, RW_HIGH, RW_WORD = range(4)


class _Mode(NamedTuple):
    """What a counter does `e` clocks after its counting element was loaded with `n`.

    Attributes
    ----------
    out : the level of OUT
    value : the counting element, still to be wrapped to 16 bits or 4 digits
    edge : the first moment after `e` at which OUT changes, None if never
    idle : OUT after the control word, until the first load
    periodic : reloads itself; a new count waits for the end of the (half) period
    triggered : a rising gate loads the count, writing it does not
    """

    out: Callable[[int, int], bool]
    value: Callable[[int, int], int]
    edge: Callable[[int, int], int | None]
    idle: bool
    periodic: bool = False
    triggered: bool = False


def _count_down(e: int, n: int) -> int:
    return n - e


def _next_of(e: int, *moments: int) -> int | None:
    return min((moment for moment in moments if moment > e), default=None)


def _rate_edge(e: int, n: int) -> int | None:
    if n == 1:
        return None  # illegal in mode 2: OUT would have to be low always
    period = e - e % n
    return _next_of(e, period + n - 1, period + n)


def _square_edge(e: int, n: int) -> int | None:
    if n == 1:
        return None  # illegal in mode 3: the low half would have no clock
    period = e - e % n
    return _next_of(e, period + (n + 1) // 2, period + n)


def _square_count(e: int, n: int) -> int:
    """Count down by two in each half; an odd count loses one first."""
    phase = e % n
    high = (n + 1) // 2
    return (n & ~1) - 2 * (phase if phase < high else phase - high)


_INTERRUPT_ON_TERMINAL_COUNT = _Mode(
    out=operator.ge, value=_count_down, edge=lambda e, n: _next_of(e, n), idle=False
)
_ONE_SHOT = _Mode(
    out=operator.ge,
    value=_count_down,
    edge=lambda e, n: _next_of(e, 0, n),
    idle=True,
    triggered=True,
)
_RATE_GENERATOR = _Mode(
    out=lambda e, n: e % n != n - 1 or n == 1,
    value=lambda e, n: n - e % n,
    edge=_rate_edge,
    idle=True,
    periodic=True,
)
_SQUARE_WAVE = _Mode(
    out=lambda e, n: e % n < (n + 1) // 2,
    value=_square_count,
    edge=_square_edge,
    idle=True,
    periodic=True,
)
_SOFTWARE_STROBE = _Mode(
    out=operator.ne,
    value=_count_down,
    edge=lambda e, n: _next_of(e, n, n + 1),
    idle=True,
)
_HARDWARE_STROBE = _SOFTWARE_STROBE._replace(triggered=True)
_MODES = (
    _INTERRUPT_ON_TERMINAL_COUNT,
    _ONE_SHOT,
    _RATE_GENERATOR,
    _SQUARE_WAVE,
    _SOFTWARE_STROBE,
    _HARDWARE_STROBE,
    _RATE_GENERATOR,  # 110 and 111: bit 2 is "don't care" in modes 2 and 3
    _SQUARE_WAVE,
)


def _to_bcd(value: int) -> int:
    return int(f"{value}", 16)


def _from_bcd(value: int) -> int:
    """Read four digits; a nibble above 9 counts as what it weighs."""
    return sum((value >> 4 * i & 15) * 10**i for i in range(4))


class Counter(SavedFields):
    """One of the three counters.

    Attributes
    ----------
    gate : level of the GATE pin
    count_register : the count written last, 0 before the first; `null_count` until it is loaded
    count : what the counting element was loaded with
    start : tick of that load, one after the write or trigger; None before the first
    frozen : clocks counted when the gate stopped the counter; None while it runs
    reload_at : tick at which a periodic mode takes a new count; None if none was written
    count_before, out_before : what is seen until `start`
    """

    SAVED = (
        *("gate", "mode", "rw", "bcd", "count_register", "count", "start", "frozen", "reload_at"),
        *("count_before", "out_before", "unloaded"),
        *("low_byte", "write_high", "read_high", "latched_count", "latched_status"),
        "_timer",
    )

    def __init__(self, clock: Oscillator, events: Events, out: Line | None, *, gate: bool) -> None:
        self._clock = clock
        self._line = out
        self._timer = Timer(events, self._update)
        self._gate_at_reset = gate
        self.reset()

    def reset(self) -> None:
        """Stop, in mode 0."""
        self.gate = self._gate_at_reset
        self.count_before = 0
        self._program(RW_WORD, 0, bcd=False)

    def _program(self, rw: int, mode: int, *, bcd: bool) -> None:
        self.rw = rw
        self.mode = mode
        self.bcd = bcd
        self.count_register = 0
        self.unloaded = True
        self.count = 0
        self.start: int | None = None
        self.frozen: int | None = None
        self.reload_at: int | None = None
        self.out_before = self._behaviour.idle
        self.low_byte = 0
        self.write_high = False
        self.read_high = rw == RW_HIGH
        self.latched_count: int | None = None
        self.latched_status: int | None = None
        self._update()

    @property
    def _behaviour(self) -> _Mode:
        return _MODES[self.mode]

    @property
    def _modulus(self) -> int:
        return 10_000 if self.bcd else 0x10000

    def _elapsed(self) -> int:
        """Return the clocks since the load; negative: there was none yet."""
        if self.start is None:
            return -1
        if self.frozen is not None:
            return min(self.frozen, self._clock.ticks - self.start)
        if self.reload_at is not None and self._clock.ticks >= self.reload_at:
            self._reload(self.start, self.reload_at)
        return self._clock.ticks - self.start

    def _reload(self, start: int, reload_at: int) -> None:
        """Take the count register at the end of a period or, in mode 3, of its high half."""
        high = (self.count + 1) // 2
        in_low_half = self.mode == 3 and (reload_at - start) % self.count == high
        self.count = self.count_register
        self.start = reload_at - ((self.count + 1) // 2 if in_low_half else 0)
        self.reload_at = None
        self.unloaded = False

    # What can be seen

    @property
    def out(self) -> bool:
        """The level of the OUT pin."""
        elapsed = self._elapsed()
        if elapsed < 0:
            return self.out_before
        if self._behaviour.periodic and not self.gate:
            return True
        return self._behaviour.out(elapsed, self.count)

    @property
    def value(self) -> int:
        """The counting element as it reads."""
        elapsed = self._elapsed()
        if elapsed < 0:
            return self.count_before
        value = self._behaviour.value(elapsed, self.count) % self._modulus
        return _to_bcd(value) if self.bcd else value

    @property
    def null_count(self) -> bool:
        """Whether the count register holds what the counting element has not got yet."""
        return self._elapsed() < 0 or self.unloaded

    # Commands

    def control(self, value: int) -> None:
        """Take a control word: latch the count, or program mode and access."""
        rw = value >> 4 & 3
        if rw == RW_LATCH:
            self.latch_count()
            return
        mode = value >> 1 & 7
        self.count_before = self.value
        self._program(rw, mode if mode < 6 else mode & 3, bcd=bool(value & 1))

    def latch_count(self) -> None:
        """Hold the count for reading; a count already held stays."""
        if self.latched_count is None:
            self.latched_count = self.value

    def latch_status(self) -> None:
        """Hold the status for the next read; a status already held stays."""
        if self.latched_status is None:
            self.latched_status = (
                self.out << 7 | self.null_count << 6 | self.rw << 4 | self.mode << 1 | self.bcd
            )

    # Data

    def read(self) -> int:
        """Return the latched status, else the next byte of the latched or living count."""
        if self.latched_status is not None:
            status, self.latched_status = self.latched_status, None
            return status
        value = self.value if self.latched_count is None else self.latched_count
        is_last = self.read_high or self.rw == RW_LOW
        byte = value >> 8 if self.read_high else value & 0xFF
        if self.rw == RW_WORD:
            self.read_high = not self.read_high
        if is_last:
            self.latched_count = None
        return byte

    def write(self, value: int) -> None:
        """Take a byte of the count; the last one makes it count."""
        if self.rw == RW_LOW:
            self._write_count(value)
        elif self.rw == RW_HIGH:
            self._write_count(value << 8)
        elif self.write_high:
            self.write_high = False
            self._write_count(value << 8 | self.low_byte)
        else:
            self._write_low_byte(value)

    def _write_low_byte(self, value: int) -> None:
        self.low_byte = value
        self.write_high = True
        if self.mode == 0:  # the first byte stops the count and lowers OUT
            self.count_before = self.value
            self.out_before = False
            self.start = None
            self._update()

    def _write_count(self, raw: int) -> None:
        count = (_from_bcd(raw) if self.bcd else raw) % self._modulus
        self.count_register = count or self._modulus
        self.unloaded = True
        if self._behaviour.triggered:
            return
        if self._behaviour.periodic and self._elapsed() >= 0:
            self._plan_reload()
        else:
            self._load()
        self._update()

    def _load(self) -> None:
        """Load the counting element at the next clock."""
        self.count_before = self.value
        self.out_before = self.out if self._behaviour.triggered else self._behaviour.idle
        self.count = self.count_register
        self.start = self._clock.ticks + 1
        self.frozen = None if self.gate or self._behaviour.triggered else 0
        self.reload_at = None
        self.unloaded = False

    def _plan_reload(self) -> None:
        """Keep a periodic mode's new count for the end of the period, in mode 3 of the half."""
        assert self.start is not None
        elapsed = self._elapsed()
        period_end = elapsed - elapsed % self.count + self.count
        high_end = period_end - self.count // 2
        is_high = self.mode == 3 and elapsed < high_end
        self.reload_at = self.start + (high_end if is_high else period_end)

    # Gate

    def set_gate(self, level: bool) -> None:
        """Drive the GATE pin."""
        if level == self.gate:
            return
        if not level:
            self._gate_falls()
        self.gate = level
        if level:
            self._gate_rises()
        self._update()

    def _gate_falls(self) -> None:
        if self.start is not None and not self._behaviour.triggered:
            self.frozen = max(self._elapsed(), 0)

    def _gate_rises(self) -> None:
        if self._behaviour.triggered or self._behaviour.periodic:
            if self.count_register:
                self._load()
        elif self.frozen is not None and self.start is not None:
            self.start = max(self.start, self._clock.ticks - self.frozen)
            self.frozen = None

    # Edges

    def _update(self) -> None:
        """Drive OUT and plan its next edge."""
        if self._line is None:
            return
        self._line.set(self.out)
        edge = self._next_edge()
        self._timer.set(None if edge is None else self._clock.deadline(edge))

    def _next_edge(self) -> int | None:
        elapsed = self._elapsed()
        if self.start is None or self.frozen is not None:
            return None
        edge = self._behaviour.edge(max(elapsed, -1), self.count)
        if edge is None:
            return self.reload_at
        return self.start + edge

    def resume(self) -> None:
        """Drive OUT and plan its next edge as loaded."""
        self._update()


class Pit8254(ByteRegisters):
    """The chip.

    Parameters
    ----------
    events : virtual time
    irq0 : wire of OUT 0; the other two are only looked at
    """

    SAVED = ("counters",)

    def __init__(self, events: Events, irq0: Line) -> None:
        clock = Oscillator(events, PIT_HZ)
        self.clock = clock
        self.counters = (
            Counter(clock, events, irq0, gate=True),
            Counter(clock, events, None, gate=True),
            Counter(clock, events, None, gate=False),
        )

    def reset(self) -> None:
        """Forget all programming; the real chip comes up undefined, this one stopped in mode 0."""
        for counter in self.counters:
            counter.reset()

    def read_byte(self, offset: int) -> int:
        """Read a counter."""
        return self.counters[offset].read() if 0 <= offset < 3 else 0xFF

    def write_byte(self, offset: int, value: int) -> None:
        """Write a counter or a command."""
        if 0 <= offset < 3:
            self.counters[offset].write(value)
        elif offset == 3 and value >> 6 == 3:
            self._read_back(value)
        elif offset == 3:
            self.counters[value >> 6].control(value)

    def _read_back(self, value: int) -> None:
        for i, counter in enumerate(self.counters):
            if not value >> 1 + i & 1:
                continue
            if not value & 0x20:
                counter.latch_count()
            if not value & 0x10:
                counter.latch_status()


class Port61(ByteRegisters):
    """Port B of the PC/AT: gate of channel 2, speaker, refresh toggle.

    Parameters
    ----------
    pit : whose channel 2 is gated and looked at
    """

    SAVED = ("_control",)

    def __init__(self, pit: Pit8254) -> None:
        self._pit = pit
        self._control = 0

    @property
    def speaker_on(self) -> bool:
        """Whether channel 2 reaches the speaker."""
        return self._control & 3 == 3

    def reset(self) -> None:
        """Close the gate and mute the speaker."""
        self.write_byte(0, 0)

    def read_byte(self, offset: int) -> int:
        """Read the control bits, the refresh toggle and OUT 2."""
        if offset:
            return 0xFF
        toggle = self._pit.clock.ticks // REFRESH_TICKS & 1
        return self._control | toggle << 4 | self._pit.counters[2].out << 5

    def write_byte(self, offset: int, value: int) -> None:
        """Write the low four bits."""
        if offset:
            return
        self._control = value & 0x0F
        self._pit.counters[2].set_gate(bool(value & 1))
