"""Accesses to watched memory: noted in the middle of an instruction, told behind it.

A write that leaves what is watched as it was is none for gdb, which compares values itself and goes
on without a word; so it is not told. What reads, or watches more than a page, is always told.

The guest's own accesses come from hooks of the core. What the hosted kernel and devices write comes
from `MemoryMap.write`, by physical address, and belongs to the processor whose call the kernel
serves, in whose address space the watched addresses are looked up. What they read is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdbstub import BreakpointKind, Stop, StopKind, ThreadId
from pykern.debug.memory import pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gdbstub import Breakpoint
    from pykern_c import Machine, Vcpu

_STOP_KINDS = {
    BreakpointKind.WRITE: StopKind.WATCH,
    BreakpointKind.READ: StopKind.RWATCH,
    BreakpointKind.ACCESS: StopKind.AWATCH,
}
_MOST_COMPARED = 4096
_MOST_LOOKED_UP = 1 << 18
"""Bytes of a watchpoint whose pages are looked up at each write of the kernel."""


@dataclass(frozen=True)
class _Access:
    """One of a watchpoint's.

    Attributes
    ----------
    first, last : addresses of what was accessed and is watched
    before : what was there; None: it is not compared
    write : an instruction has written; None: no instruction has done it
    """

    vcpu: Vcpu
    watched: Breakpoint
    first: int
    last: int
    before: bytes | None
    write: bool | None = None


class Accesses:
    """What has been done to watched memory since the last stop.

    Parameters
    ----------
    stop : ends the run behind the present instruction

    Attributes
    ----------
    server : the processor whose call the hosted kernel serves
    last : (address, whether a write) of the access of the last stop; None: no instruction's
    """

    def __init__(self, machine: Machine, stop: Callable[[], None]) -> None:
        self._machine, self._stop = machine, stop
        self.server: Vcpu = machine.vcpus[0]
        self.last: tuple[int, bool] | None = None
        self._noted: list[_Access] = []
        self._values: dict[Breakpoint, bytes | None] = {}

    def watch(self, breakpoints: Iterable[Breakpoint]) -> None:
        """See to writes of the hosted kernel and of devices to what these watch."""
        kinds = {BreakpointKind.WRITE, BreakpointKind.ACCESS}
        watched = [b for b in breakpoints if b.kind in kinds and b.size <= _MOST_LOOKED_UP]
        self._values = {one: _value(self.server, one) for one in watched}
        self._machine.write_seen = self._written if watched else None

    def _written(self, paddr: int, size: int) -> None:
        """Take a write that no instruction has done."""
        for watched in self._values:
            laddr = self._touched(watched, paddr, size)
            if laddr is not None:
                self._note(self.server, watched, (laddr, size), self._values[watched])
                self._stop()

    def _touched(self, watched: Breakpoint, paddr: int, size: int) -> int | None:
        """Return the first watched address among physical ones."""
        for laddr, length in pages(watched.address, watched.size):
            start = self.server.translate(laddr).paddr
            if start is not None and start < paddr + size and paddr < start + length:
                return laddr + max(paddr - start, 0)
        return None

    def note(self, vcpu: Vcpu, watched: Breakpoint, where: tuple[int, int], write: bool) -> None:
        """Take an access of an instruction, (address, size), before it is done."""
        self._note(vcpu, watched, where, _value(vcpu, watched), write)
        self._stop()

    def _note(
        self,
        vcpu: Vcpu,
        watched: Breakpoint,
        where: tuple[int, int],
        before: bytes | None,
        write: bool | None = None,
    ) -> None:
        if any(noted.watched == watched for noted in self._noted):
            return
        laddr, size = where
        first = max(laddr, watched.address)
        last = min(laddr + size, watched.address + watched.size) - 1
        self._noted.append(_Access(vcpu, watched, first, last, before, write))

    def stop(self) -> Stop | None:
        """Return the stop that they are; None: nothing has changed."""
        if not self._noted:
            return None
        told = [noted for noted in self._noted if self._counts(noted)]
        self._noted.clear()
        if not told:
            return None
        first = told[0]
        self.last = None if first.write is None else (first.first, first.write)
        seen = _addresses(told)
        thread = ThreadId(1, told[0].vcpu.index + 1)
        return Stop(thread, kind=seen[0][0], address=seen[0][1], others=tuple(seen[1:]))

    def _counts(self, noted: _Access) -> bool:
        now = _value(noted.vcpu, noted.watched)
        if noted.watched in self._values:
            self._values[noted.watched] = now
        return noted.before is None or now != noted.before


def _addresses(told: Sequence[_Access]) -> list[tuple[StopKind, int]]:
    """Return few addresses that are within all that is told, for gdb takes one at a time."""
    groups: list[tuple[StopKind, int, int]] = []
    for one in told:
        for i, (kind, first, last) in enumerate(groups):
            if max(first, one.first) <= min(last, one.last):
                groups[i] = kind, max(first, one.first), min(last, one.last)
                break
        else:
            groups.append((_STOP_KINDS[one.watched.kind], one.first, one.last))
    return [(kind, first) for kind, first, _ in groups]


def _value(vcpu: Vcpu, watched: Breakpoint) -> bytes | None:
    """Return what is compared; None: nothing is."""
    if watched.kind != BreakpointKind.WRITE or watched.size > _MOST_COMPARED:
        return None
    try:
        return vcpu.read_linear(watched.address, watched.size)
    except (ValueError, OverflowError):
        return None
