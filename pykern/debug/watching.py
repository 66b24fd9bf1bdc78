"""Accesses to watched memory: noted in the middle of an instruction, told behind it.

A write that leaves what is watched as it was is none for gdb, which compares values itself and goes
on without a word; so it is not told. What reads, or watches more than a page, is always told.

The guest's own accesses come from hooks of the core. What the hosted kernel and devices write comes
from `MemoryMap.write`, by physical address, and belongs to the processor whose call the kernel
serves. The watched addresses are looked up in the address space that they were meant in, or where
nobody knows processes in that processor's. What they read is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gdbstub import BreakpointKind, Stop, StopKind
from pykern.debug.memory import pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from gdbstub import ThreadId
    from pykern.debug.points import Point
    from pykern.debug.spaces import Spaces
    from pykern_c import Machine, Vcpu

_STOP_KINDS = {
    BreakpointKind.WRITE: StopKind.WATCH,
    BreakpointKind.READ: StopKind.RWATCH,
    BreakpointKind.ACCESS: StopKind.AWATCH,
}
_WRITES = (BreakpointKind.WRITE, BreakpointKind.ACCESS)
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
    watched: Point
    first: int
    last: int
    before: bytes | None
    write: bool | None = None


class Accesses:
    """What has been done to watched memory since the last stop.

    Parameters
    ----------
    spaces : the memory that is watched
    thread : returns who has touched what an owner watches, by a processor; None: nobody it means
    stop : ends the run behind the present instruction

    Attributes
    ----------
    server : the processor whose call the hosted kernel serves
    last : (address, whether a write) of the access of the last stop; None: no instruction's
    by : index of the processor that it is about
    """

    def __init__(
        self,
        machine: Machine,
        spaces: Spaces,
        thread: Callable[[Vcpu, int], ThreadId | None],
        stop: Callable[[], None],
    ) -> None:
        self._machine, self._spaces = machine, spaces
        self._thread, self._stop = thread, stop
        self.server: Vcpu = machine.vcpus[0]
        self.last: tuple[int, bool] | None = None
        self.by = 0
        self._noted: list[_Access] = []
        self._values: dict[Point, bytes | None] = {}

    def watch(self, points: Iterable[Point]) -> None:
        """See to writes of the hosted kernel and of devices to what these watch."""
        watched = [point for point in points if _is_looked_up(point)]
        self._values = {one: self._value(self.server, one) for one in watched}
        self._machine.write_seen = self._written if watched else None

    def _written(self, paddr: int, size: int) -> None:
        """Take a write that no instruction has done."""
        for watched in self._values:
            laddr = self._touched(watched, paddr, size)
            if laddr is not None:
                self._note(self.server, watched, (laddr, size), self._values[watched])
                self._stop()

    def forget(self, owner: int) -> None:
        """Watch nothing of an owner that is no more, or has other memory."""
        self._noted = [noted for noted in self._noted if noted.watched.owner != owner]
        self._values = {p: value for p, value in self._values.items() if p.owner != owner}

    def _touched(self, watched: Point, paddr: int, size: int) -> int | None:
        """Return the first watched address among physical ones."""
        owner, wanted = watched
        for laddr, length in pages(wanted.address, wanted.size):
            start = self._spaces.translate(self.server, owner, laddr)
            if start is not None and start < paddr + size and paddr < start + length:
                return laddr + max(paddr - start, 0)
        return None

    def note(self, vcpu: Vcpu, watched: Point, where: tuple[int, int], write: bool) -> None:
        """Take an access of an instruction, (address, size), before it is done."""
        self._note(vcpu, watched, where, self._value(vcpu, watched), write)
        self._stop()

    def _note(
        self,
        vcpu: Vcpu,
        watched: Point,
        where: tuple[int, int],
        before: bytes | None,
        write: bool | None = None,
    ) -> None:
        if any(noted.watched == watched for noted in self._noted):
            return
        (laddr, size), wanted = where, watched.breakpoint
        first = max(laddr, wanted.address)
        last = min(laddr + size, wanted.address + wanted.size) - 1
        self._noted.append(_Access(vcpu, watched, first, last, before, write))

    def stop(self) -> Stop | None:
        """Return the stop that they are; None: nothing has changed."""
        if not self._noted:
            return None
        told = [noted for noted in self._noted if self._counts(noted)]
        self._noted.clear()
        threads = [self._thread(noted.vcpu, noted.watched.owner) for noted in told]
        thread = next((thread for thread in threads if thread is not None), None)
        if thread is None:
            return None
        told = [noted for noted, who in zip(told, threads, strict=True) if who == thread]
        first = told[0]
        self.last = None if first.write is None else (first.first, first.write)
        self.by = first.vcpu.index
        seen = _addresses(told)
        return Stop(thread, kind=seen[0][0], address=seen[0][1], others=tuple(seen[1:]))

    def _counts(self, noted: _Access) -> bool:
        now = self._value(noted.vcpu, noted.watched)
        if noted.watched in self._values:
            self._values[noted.watched] = now
        return noted.before is None or now != noted.before

    def _value(self, vcpu: Vcpu, watched: Point) -> bytes | None:
        """Return what is compared; None: nothing is."""
        owner, wanted = watched
        if wanted.kind != BreakpointKind.WRITE or wanted.size > _MOST_COMPARED:
            return None
        return self._spaces.read(vcpu, owner, wanted.address, wanted.size)


def _addresses(told: Sequence[_Access]) -> list[tuple[StopKind, int]]:
    """Return few addresses that are within all that is told, for gdb takes one at a time."""
    groups: list[tuple[StopKind, int, int]] = []
    for one in told:
        for i, (kind, first, last) in enumerate(groups):
            if max(first, one.first) <= min(last, one.last):
                groups[i] = kind, max(first, one.first), min(last, one.last)
                break
        else:
            groups.append((_STOP_KINDS[one.watched.breakpoint.kind], one.first, one.last))
    return [(kind, first) for kind, first, _ in groups]


def _is_looked_up(point: Point) -> bool:
    wanted = point.breakpoint
    return wanted.kind in _WRITES and wanted.size <= _MOST_LOOKED_UP
