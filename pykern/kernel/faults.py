"""What a program is told, and what the log says, when it does what it must not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import SysError
from pykern.kernel.core.wait import Interrupted
from pykern.kernel.mm.maps import describe
from pykern.kernel.mm.pager import BusError, NotResident
from pykern.kernel.task.oom import OutOfMemory
from pykern.kernel.task.sigaction import SIG_DFL, SigInfo, Signal, bit
from pykern.kernel.x86.fault_analysis import PAGE_FAULT, analyse
from pykern.kernel.x86.layout import EXCEPTIONS

if TYPE_CHECKING:
    from pykern.kernel.task.system import System
    from pykern.kernel.task.thread import UserThread
    from pykern.kernel.x86.processor import Processor
    from pykern.kernel.x86.trapframe import TrapFrame

SEGV_MAPERR, SEGV_ACCERR, SI_KERNEL = 1, 2, 0x80
_SIGNALS = {
    "divide_error": (Signal.SIGFPE, 1),
    "debug": (Signal.SIGTRAP, 2),
    "int3": (Signal.SIGTRAP, SI_KERNEL),
    "overflow": (Signal.SIGSEGV, SI_KERNEL),
    "bounds": (Signal.SIGSEGV, SI_KERNEL),
    "invalid_op": (Signal.SIGILL, 2),
    "device_not_available": (Signal.SIGSEGV, SI_KERNEL),
    "invalid_tss": (Signal.SIGSEGV, SI_KERNEL),
    "segment_not_present": (Signal.SIGBUS, SI_KERNEL),
    "stack_segment": (Signal.SIGBUS, SI_KERNEL),
    "general_protection": (Signal.SIGSEGV, SI_KERNEL),
    "coprocessor_error": (Signal.SIGFPE, 7),
    "alignment_check": (Signal.SIGBUS, 1),
    "simd_error": (Signal.SIGFPE, 7),
}
"""Exception → signal and si_code (Linux, arch/x86/kernel/traps.c; POSIX.1-2017, <signal.h>)."""
_CODE_ADDRESS = frozenset({Signal.SIGFPE, Signal.SIGILL})


class Faults:
    """Turns faults of user code into signals.

    Parameters
    ----------
    system : whose processes they are
    """

    def __init__(self, system: System) -> None:
        self._system = system
        self._memory = OutOfMemory(system)

    def page_fault(self, cpu: Processor, trap: TrapFrame, laddr: int) -> None:
        """Give the page that is missing, or signal the process that has no right to it."""
        thread, error = cpu.current, trap["error_code"]
        space = thread.process.space
        try:
            if space.fault(laddr, error):
                self._system.metrics.page_faults += 1
                return
        except NotResident:
            self._load(cpu, thread, trap, laddr)
            return
        except BusError:
            self._lost(cpu, thread, trap, laddr)
            return
        except SysError:
            if not self._memory.relieve(thread):
                self._out_of_memory(cpu, thread, trap, laddr)
            return
        code = SEGV_ACCERR if space.vmas.find(laddr) is not None else SEGV_MAPERR
        info = SigInfo(Signal.SIGSEGV, code, address=laddr)
        words = f"{_page_fault_words(error, laddr)}: {describe(space.vmas, laddr)}"
        self._signal(cpu, thread, info, trap, words)

    def _load(self, cpu: Processor, thread: UserThread, trap: TrapFrame, laddr: int) -> None:
        """Let the thread sleep until the page has come."""

        def finish(_result: object, error: BaseException | None) -> None:
            if isinstance(error, BusError):
                self._lost(self._system.cpus[thread.cpu], thread, trap, laddr)
            elif error is not None and not isinstance(error, Interrupted):
                raise error

        coming = thread.process.space.fault_in(laddr, trap["error_code"])
        self._system.runner.start(cpu, coming, finish)

    def _lost(self, cpu: Processor, thread: UserThread, trap: TrapFrame, laddr: int) -> None:
        info = SigInfo(Signal.SIGBUS, 2, address=laddr)
        self._signal(cpu, thread, info, trap, "no such page")

    def exception(self, cpu: Processor, trap: TrapFrame) -> None:
        """Signal the process whose instruction could not be executed."""
        fields = trap.read()
        name = EXCEPTIONS.get(fields["vector"], "reserved exception")
        number, code = _SIGNALS.get(name, (Signal.SIGSEGV, SI_KERNEL))
        address = fields["rip"] if number in _CODE_ADDRESS else 0
        words = name.replace("_", " ")
        if fields["error_code"]:
            words += f", error code {fields['error_code']:#x}"
        info = SigInfo(number, code, address=address)
        self._signal(cpu, cpu.current, info, trap, words)

    def _out_of_memory(
        self, cpu: Processor, thread: UserThread, trap: TrapFrame, laddr: int
    ) -> None:
        info = SigInfo(Signal.SIGKILL)
        self._signal(cpu, thread, info, trap, f"out of memory for page {laddr & -4096:#x}")

    def _signal(
        self, cpu: Processor, thread: UserThread, info: SigInfo, trap: TrapFrame, words: str
    ) -> None:
        """Send a signal that cannot be put off: blocked or ignored, it kills."""
        process = thread.process
        action = process.actions.get(info.signal)
        forced = thread.blocked & bit(info.signal) or action.handler in {SIG_DFL, 1}
        if forced:
            process.actions.reset(info.signal)
            thread.blocked &= ~bit(info.signal)
            self._explain(process, info, trap, words)
            self._analyse(cpu, trap)
        thread.pending.add(info)
        self._system.signals.kick(thread)

    def _explain(self, process: object, info: SigInfo, trap: TrapFrame, words: str) -> None:
        rip = trap["rip"]
        self._system.log.subsystem("FAULT").warn(
            f"process {process.pid} ({process.name}): {words}, at rip {rip:#x}: "  # type: ignore[attr-defined]
            f"killed by {Signal(info.signal).name}"
        )

    def _analyse(self, cpu: Processor, trap: TrapFrame) -> None:
        """Say all that the processor has said of the exception, for who asks for it (MYR-06)."""
        vector, cr2 = trap["vector"], cpu.vcpu.read_register("cr2")
        table = cpu.current.process.space.pages.table
        walk = table.walk(cr2).explain() if vector == PAGE_FAULT else ""
        log = self._system.log.subsystem("FAULT")
        for line in analyse(vector, trap["error_code"], cr2, walk):
            log.debug(line)


def _page_fault_words(error: int, laddr: int) -> str:
    """Return a page fault in words (SDM Vol. 3A, Page-Fault Exceptions: error code)."""
    what = "execution of" if error & 16 else "write to" if error & 2 else "read of"
    return f"{what} {laddr:#x}"
