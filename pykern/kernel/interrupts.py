"""Interrupt lines: where each is sent, who handles it, and handlers that run as threads (SCA-26).

A handler may not sleep. What takes long, or has to wait, goes into a thread of its own, which the
handler's True wakes; with a priority it competes with all other threads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import WaitQueue
from pykern.kernel.x86 import vectors
from pykern.kernel.x86.ioapic import ACTIVE_LOW, LEVEL, MASKED, Ioapic

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pykern.kernel.kernel import Kernel
    from pykern.kernel.task.thread import Thread
    from pykern.kernel.x86.processor import Processor

__all__ = ["Interrupts", "Line"]

LINES = 24
"""Global system interrupts that have a vector: `vectors.FIRST_ISA` and those behind."""


@dataclass(eq=False)
class Line:
    """An interrupt line that somebody handles.

    Attributes
    ----------
    gsi : global system interrupt
    handler : called at each interrupt; True wakes the thread
    work : what the thread does each time; None: there is no thread
    cpu : number of the processor that it interrupts
    count, runs : interrupts, and times that the thread has worked
    """

    gsi: int
    name: str
    handler: Callable[[Processor], bool]
    work: Callable[[], Awaitable[None]] | None
    cpu: int
    flags: int
    thread: Thread | None = None
    pending: WaitQueue = field(default_factory=WaitQueue)
    waiting: int = 0
    freed: bool = False
    count: int = 0
    runs: int = 0


class Interrupts:
    """The lines of a machine.

    Parameters
    ----------
    kernel : whose

    Attributes
    ----------
    lines : those that are handled, by global system interrupt
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.lines: dict[int, Line] = {}

    def request(
        self,
        gsi: int,
        name: str,
        handler: Callable[[Processor], bool] = lambda _cpu: True,
        work: Callable[[], Awaitable[None]] | None = None,
        *,
        cpu: int = 0,
        flags: int = 0,
        priority: int = 0,
    ) -> Line:
        """Have a line handled from now on.

        Parameters
        ----------
        handler : at each interrupt; without one the thread is woken each time
        work : what a thread `irq/GSI-NAME` does whenever it was woken
        cpu : number of the processor to interrupt
        flags : ACTIVE_LOW and LEVEL as the line asks for

        Raises
        ------
        SysError(EBUSY) : somebody handles it
        SysError(EINVAL) : there is no such line, or no such processor
        """
        if gsi in self.lines or vectors.FIRST_ISA + gsi in self._kernel.traps.handlers:
            raise SysError(Errno.EBUSY, f"interrupt {gsi} is handled already")
        line = Line(gsi, name, handler, work, cpu, flags)
        self._route(line)
        self.lines[gsi] = line
        self._kernel.traps.handlers[vectors.FIRST_ISA + gsi] = lambda c: self._interrupt(line, c)
        if work is not None:
            line.thread = self._kernel.threads.spawn_kernel_thread(
                f"irq/{gsi}-{name}"[:15], self._run(line), priority=priority
            )
        return line

    def free(self, gsi: int) -> None:
        """Mask a line and let its thread end.

        Raises
        ------
        SysError(EINVAL) : nobody handles it
        """
        line = self._line(gsi)
        self._route(line, MASKED)
        del self.lines[gsi], self._kernel.traps.handlers[vectors.FIRST_ISA + gsi]
        line.freed = True
        line.pending.wake_all()

    def set_affinity(self, gsi: int, cpu: int) -> None:
        """Have a line interrupt another processor.

        Raises
        ------
        SysError(EINVAL) : nobody handles it, or there is no such processor
        """
        line = self._line(gsi)
        before, line.cpu = line.cpu, cpu
        try:
            self._route(line)
        except SysError:
            line.cpu = before
            raise

    def _line(self, gsi: int) -> Line:
        if gsi not in self.lines:
            raise SysError(Errno.EINVAL, f"nobody handles interrupt {gsi}")
        return self.lines[gsi]

    def _interrupt(self, line: Line, cpu: Processor) -> None:
        line.count += 1
        if line.handler(cpu) and line.work is not None:
            line.waiting += 1
            line.pending.wake()

    async def _run(self, line: Line) -> None:
        """Be the thread of a line: work as often as it was woken."""
        assert line.work is not None
        while True:
            while not line.waiting and not line.freed:
                await line.pending.wait()
            if line.freed:
                return
            line.waiting -= 1
            line.runs += 1
            await line.work()

    # -- routing

    def _route(self, line: Line, flags: int = 0) -> None:
        cpus = self._kernel.cpus
        if not 0 <= line.cpu < len(cpus):
            raise SysError(Errno.EINVAL, f"processor {line.cpu} of {len(cpus)}")
        ioapic = self._ioapic_of(line.gsi)
        if ioapic is None or not 0 <= line.gsi < LINES:
            raise SysError(Errno.EINVAL, f"no interrupt {line.gsi}, expected 0 to {LINES - 1}")
        ioapic.route(
            self._kernel.acting,
            line.gsi,
            vector=vectors.FIRST_ISA + line.gsi,
            apic_id=cpus[line.cpu].apic_id,
            flags=line.flags | flags,
        )

    def route_isa(self, irq: int) -> None:
        """Send an ISA interrupt to the boot processor, at the vector that is its own."""
        kernel = self._kernel
        gsi, polarity = kernel.acpi.overrides.get(irq, (irq, 0))
        low, level = polarity & 3 == 3, polarity >> 2 & 3 == 3
        ioapic = self._ioapic_of(gsi)
        if ioapic is not None:
            ioapic.route(
                kernel.acting,
                gsi,
                vector=vectors.FIRST_ISA + irq,
                apic_id=kernel.cpus[0].apic_id,
                flags=(ACTIVE_LOW if low else 0) | (LEVEL if level else 0),
            )

    def _ioapic_of(self, gsi: int) -> Ioapic | None:
        for base, first in self._kernel.acpi.ioapics:
            ioapic = Ioapic(base, first)
            if first <= gsi < first + ioapic.inputs(self._kernel.acting):
                return ioapic
        return None
