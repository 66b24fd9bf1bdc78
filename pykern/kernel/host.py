"""The host's end of the hostcalls: a kernel for the machine, anew after each reset."""

from __future__ import annotations

import contextlib
import traceback
from typing import TYPE_CHECKING

from pykern.kernel.core.bug import KernelPanic
from pykern.kernel.kernel import Kernel

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.timeline import Timeline
    from pykern_c import Machine
    from pykern_c.exits import Exit


class KernelHost:
    """Hosts whatever kernel image attaches; a machine whose kernel needs no host is left alone.

    Parameters
    ----------
    machine : the computer
    timeline : notes what happens in the kernel; None: nobody does

    Attributes
    ----------
    machine : the same
    kernel : the one that runs, or would
    failed : called with what ends a hosted function and with it the kernel, and the processor that
        it has served
    """

    def __init__(self, machine: Machine, timeline: Timeline | None = None) -> None:
        self.machine = machine
        self.failed: Callable[[Exception, int], None] = lambda _error, _index: None
        self._timeline = timeline
        self.reset()

    def reset(self) -> None:
        """Forget the kernel; the machine is about to start again."""
        self.kernel = Kernel(self.machine)
        if self._timeline is not None:
            self._timeline.watch(self.kernel)

    def task_name(self, index: int) -> str:
        """Return what a processor executes at present, for people; empty: not known."""
        cpus = self.kernel.cpus
        thread = cpus[index].current if index < len(cpus) else None
        return "" if thread is None else str(thread.name)

    def hostcall(self, exit_: Exit) -> None:
        """Do what a hostcall asks for; what a hosted function raises is the kernel's panic."""
        try:
            self.kernel.hostcall(exit_)
        except KernelPanic as panic:
            self.failed(panic, exit_.vcpu)
        except Exception as error:
            self.failed(error, exit_.vcpu)
            with contextlib.suppress(KernelPanic):
                self.kernel.oops(error, traceback.format_exc())
