"""Exceptions and interrupts: what the image's trap entry calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno
from pykern.kernel.sched import State
from pykern.kernel.x86 import lapic, vectors
from pykern.kernel.x86.hostcall import hostcall

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.kernel import Kernel
    from pykern.kernel.x86.processor import Processor


class Traps:  # noqa: PLR0904 - one handler for each exception
    """Handlers of every vector.

    Parameters
    ----------
    kernel : whose

    Attributes
    ----------
    handlers : vector → what to do at that interrupt, before its end is told to the APIC
    counts : (vector, processor) → how often
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.handlers: dict[int, Callable[[Processor], None]] = {
            vectors.TIMER: self._timer,
            vectors.RESCHEDULE: lambda _cpu: None,
        }
        self.counts: dict[tuple[int, int], int] = {}

    # -- interrupts

    @hostcall
    def do_irq(self, cpu: Processor, frame: int) -> None:
        """Handle an external interrupt."""
        vector = self._kernel.frame_at(cpu, frame)["vector"]
        key = (vector, cpu.number)
        self.counts[key] = self.counts.get(key, 0) + 1
        if vector == vectors.SPURIOUS:
            return
        handler = self.handlers.get(vector)
        if handler is None:
            self._kernel.log.subsystem("IRQ").warn(f"vector {vector:#x} has no handler")
        else:
            handler(cpu)
        lapic.end_of_interrupt(cpu.vcpu)
        if self._kernel.scheduler.need_resched(cpu.number):
            self._kernel.runner.reschedule(cpu)

    def _timer(self, cpu: Processor) -> None:
        busy = cpu.current is not cpu.idle
        if self._kernel.clock.expire(cpu, busy=busy):
            self._kernel.scheduler.tick(cpu.number)

    # -- on the way out

    @hostcall
    def exit_to_user(self, cpu: Processor, frame: int) -> None:
        """Do what has to be done before user code goes on: signals, room for another thread."""
        del frame
        thread = cpu.current
        thread.need_work = False
        cpu.set_work(False)
        self._kernel.signals.deliver(cpu, thread)
        if thread.state is State.RUNNING and self._kernel.scheduler.need_resched(cpu.number):
            self._kernel.runner.reschedule(cpu)

    @hostcall
    def sys_ni_syscall(self, _cpu: Processor) -> int:
        """Answer a system call that there is not."""
        return -Errno.ENOSYS

    # -- exceptions

    @hostcall
    def do_page_fault(self, cpu: Processor, frame: int) -> None:
        """#PF: give the page, or end the process that has no right to it."""
        laddr = cpu.vcpu.read_register("cr2")
        trap = self._kernel.frame_at(cpu, frame)
        if trap.from_user:
            self._kernel.faults.page_fault(cpu, trap, laddr)
            return
        self._kernel.panic(cpu, "page fault in the kernel", trap, laddr)

    @hostcall
    def do_double_fault(self, cpu: Processor, frame: int) -> None:
        """#DF: the kernel's stack is gone, nothing can go on."""
        trap = self._kernel.frame_at(cpu, frame)
        laddr = cpu.vcpu.read_register("cr2")
        guard = self._kernel.stacks.guards(laddr)
        what = "kernel stack overflow" if guard else "double fault"
        self._kernel.panic(cpu, what, trap, laddr)

    @hostcall
    def do_nmi(self, cpu: Processor, frame: int) -> None:
        """NMI: nobody sends any."""
        rip = self._kernel.frame_at(cpu, frame)["rip"]
        self._kernel.log.subsystem("IRQ").warn(f"NMI on CPU {cpu.number} at {rip:#x}")

    @hostcall
    def do_machine_check(self, cpu: Processor, frame: int) -> None:
        """#MC: the machine says it is broken."""
        self._kernel.panic(cpu, "machine check", self._kernel.frame_at(cpu, frame))

    @hostcall
    def do_divide_error(self, cpu: Processor, frame: int) -> None:
        """#DE."""
        self._exception(cpu, frame)

    @hostcall
    def do_debug(self, cpu: Processor, frame: int) -> None:
        """#DB."""
        self._exception(cpu, frame)

    @hostcall
    def do_int3(self, cpu: Processor, frame: int) -> None:
        """#BP."""
        self._exception(cpu, frame)

    @hostcall
    def do_overflow(self, cpu: Processor, frame: int) -> None:
        """#OF."""
        self._exception(cpu, frame)

    @hostcall
    def do_bounds(self, cpu: Processor, frame: int) -> None:
        """#BR."""
        self._exception(cpu, frame)

    @hostcall
    def do_invalid_op(self, cpu: Processor, frame: int) -> None:
        """#UD."""
        self._exception(cpu, frame)

    @hostcall
    def do_device_not_available(self, cpu: Processor, frame: int) -> None:
        """#NM."""
        self._exception(cpu, frame)

    @hostcall
    def do_invalid_tss(self, cpu: Processor, frame: int) -> None:
        """#TS."""
        self._exception(cpu, frame)

    @hostcall
    def do_segment_not_present(self, cpu: Processor, frame: int) -> None:
        """#NP."""
        self._exception(cpu, frame)

    @hostcall
    def do_stack_segment(self, cpu: Processor, frame: int) -> None:
        """#SS."""
        self._exception(cpu, frame)

    @hostcall
    def do_general_protection(self, cpu: Processor, frame: int) -> None:
        """#GP."""
        self._exception(cpu, frame)

    @hostcall
    def do_coprocessor_error(self, cpu: Processor, frame: int) -> None:
        """#MF."""
        self._exception(cpu, frame)

    @hostcall
    def do_alignment_check(self, cpu: Processor, frame: int) -> None:
        """#AC."""
        self._exception(cpu, frame)

    @hostcall
    def do_simd_error(self, cpu: Processor, frame: int) -> None:
        """#XM."""
        self._exception(cpu, frame)

    @hostcall
    def do_reserved_exception(self, cpu: Processor, frame: int) -> None:
        """Handle a vector below 32 that has no meaning, raised by software."""
        self._exception(cpu, frame)

    def _exception(self, cpu: Processor, frame: int) -> None:
        """Signal the process that caused it; in the kernel it is the end."""
        trap = self._kernel.frame_at(cpu, frame)
        if not trap.from_user:
            self._kernel.panic(cpu, "exception in the kernel", trap)
        self._kernel.faults.exception(cpu, trap)
