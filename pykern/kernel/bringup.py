"""Bring the kernel up: memory, processors, interrupts, the first threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.drivers import acpi
from pykern.kernel.mm.frames import FrameAllocator
from pykern.kernel.sched import POLICIES, Scheduler, State
from pykern.kernel.task.kstack import KernelStacks
from pykern.kernel.task.runner import Runner
from pykern.kernel.task.thread import Thread
from pykern.kernel.x86 import (
    boot_parameters,
    descriptors,
    lapic,
    layout,
    paging,
    smp,
    vectors,
)
from pykern.kernel.x86.ioapic import Ioapic
from pykern.kernel.x86.processor import Processor
from pykern.kernel.core.wait import WaitQueue, sleep_until
from pykern.kernel.x86.hostcall import hostcall

if TYPE_CHECKING:
    from pykern.kernel.kernel import Kernel
    from pykern.kernel.sched import Schedulable

_LOW_MEMORY = 1 << 20
_IST_SIZE = PAGE_SIZE
_STARTED_WITHIN_NS = 100_000_000


class BringUp:
    """The steps from the first instruction to the first program.

    Parameters
    ----------
    kernel : whose parts it makes
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._idt = 0
        self._online = WaitQueue()
        self._early: dict[int, Processor] = {}

    def early(self, index: int) -> Processor:
        """Return a processor that is not the kernel's yet: on its way from trampoline to kernel."""
        if index not in self._early:
            kernel = self._kernel
            page = kernel.frames.alloc()
            vcpu = kernel.machine.vcpus[index]
            self._early[index] = cpu = Processor(index, index, vcpu, kernel.machine, page)
            cpu.idle = cpu.current = self._idle_thread(index)
        return self._early[index]

    def _idle_thread(self, number: int) -> Thread:
        thread = Thread(0, f"idle/{number}", self._kernel.machine, None, self._kernel.tables)
        thread.state = State.RUNNING
        thread.cpu = number
        return thread
