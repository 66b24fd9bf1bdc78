"""Motorola MC146818A real-time clock with the CMOS memory of the PC/AT.

Offsets (PC/AT address in brackets)::

    0  write: 7 NMI disabled, 6-0 index; read: nothing there    (0x70)
    1  the indexed byte                                         (0x71)

Index::

    0 seconds   2 minutes   4 hours   6 day of week, Sunday = 1   7 day   8 month   9 year
    1 seconds alarm   3 minutes alarm   5 hours alarm; 0xC0-0xFF in an alarm matches always
    A  7 UIP   6-4 divider, 010 runs   3-0 rate select
    B  7 SET   6 PIE   5 AIE   4 UIE   3 SQWE   2 DM binary   1 24 hours   0 DSE (not modelled)
    C  7 IRQF   6 PF   5 AF   4 UF; reading clears
    D  7 VRT
    E-7F  memory; by IBM's convention 0x32 is the century, 0x10-0x2D have a checksum in 0x2E-0x2F

The time is `start` plus virtual time. UIP is high in the 244 us before and the 1984 us of an update
cycle, which ends, with UF, at the full second.

References
----------
Motorola MC146818A datasheet: Address Map, Registers, Interrupts, Update Cycle; IBM PC/AT Technical
Reference: CMOS RAM Addresses.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from pykern.machine.devices.registers import ByteRegisters
from pykern.machine.devices.timing import NS_PER_S, Oscillator, Timer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pykern.machine.device import Events, State
    from pykern.machine.irq import Line

__all__ = ["Rtc146818"]

SECONDS, SECONDS_ALARM, MINUTES, MINUTES_ALARM, HOURS, HOURS_ALARM = range(6)
WEEKDAY, DAY, MONTH, YEAR, A, B, C, D = range(6, 14)
CENTURY = 0x32
TIME = (SECONDS, MINUTES, HOURS, WEEKDAY, DAY, MONTH, YEAR, CENTURY)

A_UIP, A_DIVIDER, A_RUNS = 0x80, 0x70, 0x20
B_SET, B_PIE, B_AIE, B_UIE, B_SQWE, B_BINARY, B_24H = 0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02
C_IRQF, C_PF, C_AF, C_UF = 0x80, 0x40, 0x20, 0x10
D_VRT = 0x80

UPDATE_NS = (244 + 1984) * 1000
DAY_S = 86_400
EPOCH = dt.date(1970, 1, 1).toordinal()


def _to_seconds(fields: Sequence[int]) -> int:
    """Return seconds since 1970 of time fields in the order of TIME.

    A guest may write any nonsense; out-of-range fields carry over, the year is kept to 1-9997.
    """
    second, minute, hour, _, day, month, year, century = fields
    years, month0 = divmod(month - 1, 12)
    full_year = min(max(century * 100 + year + years, 1), 9997)
    days = dt.date(full_year, month0 + 1, 1).toordinal() - EPOCH + day - 1
    return days * DAY_S + hour * 3600 + minute * 60 + second


def _advance(fields: list[int], seconds: int) -> list[int]:
    """Return the time fields some seconds later; nonsense stays until the first second."""
    if not seconds:
        return list(fields)
    before = _to_seconds(fields)
    days, second = divmod(before + seconds, DAY_S)
    date = dt.date.fromordinal(min(days + EPOCH, dt.date.max.toordinal()))
    weekday = (fields[3] - 1 + days - before // DAY_S) % 7 + 1
    century, year = divmod(date.year, 100)
    hour, minute = divmod(second // 60, 60)
    return [second % 60, minute, hour, weekday, date.day, date.month, year, century]


class Rtc146818(ByteRegisters):
    """The clock.

    Parameters
    ----------
    events : virtual time
    irq : wire of IRQ
    start : date and time at virtual time 0, as the clock shows it (UTC, by custom)
    """

    SAVED = (
        *("_index", "_nmi_disabled", "_memory", "_base", "_base_ns", "_halted"),
        *("_flags", "_seen_ns", "_timer"),
    )

    def __init__(self, events: Events, irq: Line, start: dt.datetime) -> None:
        self._events = events
        self._irq = irq
        self._timer = Timer(events, self._update)
        self._crystal = Oscillator(events, 32_768)
        self._memory = bytearray(128)
        self._memory[A] = A_RUNS | 6
        self._memory[B] = B_24H
        self._memory[D] = D_VRT
        self._index = 0
        self._nmi_disabled = False
        self._flags = 0
        self._seen_ns = events.now
        century, year = divmod(start.year, 100)
        self._base = [
            *(start.second, start.minute, start.hour),
            *(start.isoweekday() % 7 + 1, start.day, start.month, year, century),
        ]
        self._base_ns = events.now
        self._halted = False

    # The board's side

    @property
    def nmi_disabled(self) -> bool:
        """Bit 7 of port 0x70."""
        return self._nmi_disabled

    def store(self, index: int, data: bytes) -> None:
        """Put configuration into the CMOS memory (index 0x0E and up) and renew its checksum."""
        self._memory[index : index + len(data)] = data
        checksum = sum(self._memory[0x10:0x2E]) & 0xFFFF
        self._memory[0x2E:0x30] = checksum.to_bytes(2, "big")

    # Time: `_base` is what the registers held at the second that began at `_base_ns`

    def _elapsed(self, ns: int) -> int:
        return 0 if self._halted else (ns - self._base_ns) // NS_PER_S

    def _fields(self) -> list[int]:
        return _advance(self._base, self._elapsed(self._events.now))

    def _rebase(self, fields: list[int]) -> None:
        """Set the time registers; the phase within the second stays."""
        now = self._events.now
        self._base = fields
        self._base_ns = now - (now - self._base_ns) % NS_PER_S

    def _start_or_stop(self, *, divider_was_reset: bool) -> None:
        """Follow SET and the divider."""
        runs = not self._memory[B] & B_SET and self._memory[A] & A_DIVIDER == A_RUNS
        if runs == (not self._halted):
            return
        self._rebase(self._fields())
        self._halted = not runs
        if runs and divider_was_reset:
            self._base_ns = self._events.now - NS_PER_S // 2  # datasheet: first update after 500 ms

    def _update_in_progress(self) -> bool:
        if self._halted:
            return False
        return (self._events.now - self._base_ns) % NS_PER_S >= NS_PER_S - UPDATE_NS

    def _encode(self, value: int) -> int:
        if self._memory[B] & B_BINARY:
            return value & 0xFF
        return value // 10 % 10 << 4 | value % 10

    def _decode(self, value: int) -> int:
        if self._memory[B] & B_BINARY:
            return value
        return (value >> 4) * 10 + (value & 15)

    def _encode_hour(self, hour: int) -> int:
        if self._memory[B] & B_24H:
            return self._encode(hour)
        return self._encode((hour + 11) % 12 + 1) | (0x80 if hour >= 12 else 0)

    def _decode_hour(self, value: int) -> int:
        if self._memory[B] & B_24H:
            return self._decode(value)
        return self._decode(value & 0x7F) % 12 + (12 if value & 0x80 else 0)

    # Interrupt causes: PF, AF and UF are found out when somebody looks or an enabled one is due

    def _period_ticks(self) -> int:
        """Return the period of PF in ticks of 32768 Hz, 0 if none."""
        rate = self._memory[A] & 15
        if not rate or self._memory[A] & A_DIVIDER != A_RUNS:
            return 0
        return 1 << (rate - 1 if rate > 2 else rate + 6)

    def _ticks(self, ns: int) -> int:
        return ns * self._crystal.hz // NS_PER_S

    def _catch_up(self) -> None:
        """Set the flags of everything that happened since the last look."""
        now, seen = self._events.now, self._seen_ns
        self._seen_ns = now
        period = self._period_ticks()
        if period and self._ticks(now) // period != self._ticks(seen) // period:
            self._flags |= C_PF
        elapsed = self._elapsed(now) - self._elapsed(seen)
        if elapsed > 0:
            self._flags |= C_UF
            wait = self._seconds_to_alarm(self._elapsed(seen))
            if wait is not None and wait <= elapsed:
                self._flags |= C_AF

    def _seconds_to_alarm(self, elapsed: int) -> int | None:
        """Return seconds from `elapsed` seconds after the base to the next match, None if never."""
        second, minute, hour = (
            self._memory[i] for i in (SECONDS_ALARM, MINUTES_ALARM, HOURS_ALARM)
        )
        now = (_to_seconds(self._base) + elapsed) % DAY_S
        start = now - now % 60
        wanted = None if second >= 0xC0 else self._decode(second)
        for at in range(start, start + DAY_S + 60, 60):
            if hour < 0xC0 and self._decode_hour(hour) != at // 3600 % 24:
                continue
            if minute < 0xC0 and self._decode(minute) != at // 60 % 60:
                continue
            match = max(at, now + 1) if wanted is None else at + wanted
            if now < match < at + 60:
                return match - now
        return None

    def _update(self) -> None:
        """Raise or lower IRQ and plan the next look."""
        self._catch_up()
        active = self._flags & self._memory[B] & (C_PF | C_AF | C_UF)
        self._irq.set(bool(active))
        self._timer.set(None if active else self._next_cause_ns())

    def _next_cause_ns(self) -> int | None:
        enabled = self._memory[B] & ~self._flags
        now = self._events.now
        causes = []
        period = self._period_ticks()
        if enabled & B_PIE and period:
            next_tick = (self._ticks(now) // period + 1) * period
            causes.append(self._crystal.deadline(next_tick))
        if not self._halted:
            next_second = now + NS_PER_S - (now - self._base_ns) % NS_PER_S
            if enabled & B_UIE:
                causes.append(next_second)
            if enabled & B_AIE:
                wait = self._seconds_to_alarm(self._elapsed(now))
                if wait is not None:
                    causes.append(next_second + (wait - 1) * NS_PER_S)
        return min(causes, default=None)

    # Registers

    def reset(self) -> None:
        """Disable interrupts and clear flags; the time and the memory have a battery."""
        self._memory[B] &= ~(B_PIE | B_AIE | B_UIE | B_SQWE)
        self._index = 0
        self._nmi_disabled = False
        self._catch_up()
        self._flags = 0
        self._update()

    def save(self) -> State:
        """Return the fields with all flags that are due."""
        self._catch_up()
        return super().save()

    def resume(self) -> None:
        """Drive IRQ as loaded."""
        self._update()

    def read_byte(self, offset: int) -> int:
        """Read the indexed byte."""
        if offset != 1:
            return 0xFF
        index = self._index
        if index in TIME:
            return self._read_time(index)
        if index == A:
            return self._memory[A] | (A_UIP if self._update_in_progress() else 0)
        if index == C:
            return self._read_c()
        return self._memory[index]

    def _read_time(self, index: int) -> int:
        value = self._fields()[TIME.index(index)]
        return self._encode_hour(value) if index == HOURS else self._encode(value)

    def _read_c(self) -> int:
        self._catch_up()
        flags = self._flags
        irqf = C_IRQF if flags & self._memory[B] & (C_PF | C_AF | C_UF) else 0
        self._flags = 0
        self._update()
        return flags | irqf

    def write_byte(self, offset: int, value: int) -> None:
        """Write the index or the indexed byte."""
        if offset == 0:
            self._index = value & 0x7F
            self._nmi_disabled = bool(value & 0x80)
        elif offset == 1:
            self._write_indexed(self._index, value)

    def _write_indexed(self, index: int, value: int) -> None:
        self._catch_up()
        if index in TIME:
            fields = self._fields()
            decode = self._decode_hour if index == HOURS else self._decode
            fields[TIME.index(index)] = decode(value)
            self._rebase(fields)
        elif index in {A, B}:
            self._write_control(index, value)
        elif index not in {C, D}:
            self._memory[index] = value
        self._update()

    def _write_control(self, index: int, value: int) -> None:
        divider_was_reset = self._memory[A] & A_DIVIDER != A_RUNS
        if index == A:
            value &= ~A_UIP
        elif value & B_SET:
            value &= ~B_UIE  # datasheet: SET going high clears UIE
        self._memory[index] = value
        self._start_or_stop(divider_was_reset=divider_was_reset)
