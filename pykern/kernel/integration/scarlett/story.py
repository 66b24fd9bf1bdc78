"""Scarlett OS's boot: each part says when it is ready, then heap and threads are tried (SCA-18)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.log import Level
from pykern.kernel.core.wait import WaitQueue
from pykern.kernel.integration.scarlett.threads import ScarlettThreads
from pykern.kernel.integration.scarlett.vmm import ScarlettVmm
from pykern.kernel.integration.selftest import SelfTestError
from pykern.kernel.integration.story import STORIES, Step, Story
from pykern.kernel.sched.policies.priority128 import Band

if TYPE_CHECKING:
    from pykern.kernel.kernel import Kernel
    from pykern.kernel.task.process import Process

_WORDS = {
    Step.PAGE_TABLES: "Virtual Memory Manager",
    Step.HEAP: "kernel heap",
    Step.SCHEDULER: "scheduler",
    Step.IPC: "IPC system",
    Step.SYSTEM_CALLS: "system calls",
}
_TESTED = 1024
_ITERATIONS = 5


@STORIES.register("scarlett")
class ScarlettStory(Story):
    """Says what is initialized, tries heap and threads, and turns off when nothing is left to do.

    Attributes
    ----------
    vmm, threads : the kernel by Scarlett's names
    """

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(kernel)
        self.log = kernel.log.subsystem("SCARLETT")
        # The console shows what Scarlett says; the rest is told when the command line asks for it.
        self.log.level = kernel.log.subsystem("HEAP").level = Level.INFO
        self.vmm = ScarlettVmm(kernel)
        self.threads = ScarlettThreads(kernel, self.log)
        self._program_ended = WaitQueue()
        self._program: Process | None = None

    def begins(self, step: Step) -> None:
        """Say what is to come."""
        if step in _WORDS:
            self.log.info(f"Initializing {_WORDS[step]}...")

    def done(self, step: Step) -> None:
        """Say what is there."""
        kernel = self.kernel
        if step is Step.PAGE_TABLES:
            self.log.info(f"VMM initialized with kernel page tables at {kernel.table.root:#x}")
        elif step is Step.HEAP:
            start, size = kernel.profile.layout.heap, kernel.heap.statistics().total
            self.log.info(f"Heap initialized: start=0x{start:X}, size={size >> 10} KB")
        elif step is Step.IPC:
            kernel.messages.ipc_create_port()  # 0 is the kernel's own
            self.log.info("IPC system initialized")
        elif step in _WORDS:
            words = _WORDS[step]
            self.log.info(f"{words[0].upper()}{words[1:]} initialized")

    async def main(self) -> None:
        """Try heap and threads, run the program that the command line names, turn off."""
        self.log.log("")
        self.log.info("Kernel initialization complete!")
        self._test_heap()
        self.log.info("Testing threading...")
        tid = self.threads.thread_create(self._test_thread, None, Band.NORMAL, "test_thread")
        self.log.info(f"Created test thread: tid={tid}")
        self.log.info("System is now running!")
        self.log.log("")
        await self.threads.thread_join(tid)
        if "init" in self.kernel.boot.options:
            await self._run_program()
        self.kernel.power_off()

    def _test_heap(self) -> None:
        heap = self.kernel.heap
        self.log.info("Testing heap...")
        laddr = heap.kmalloc(_TESTED)
        self.log.info(f"Allocated 1KB at: 0x{laddr:X}")
        heap.kfree(laddr, _TESTED)
        heap.check()
        if heap.statistics().used:
            raise SelfTestError(f"{heap.statistics().used} bytes of the heap were not given back")
        self.log.info("Freed allocation")

    async def _test_thread(self, _arg: object) -> None:
        thread = self.threads.current()

        def say(text: str) -> None:
            self.log.log(f"[TEST THREAD] {text}")

        say("Hello from test thread!")
        say(f"Thread ID: {thread.tid}")
        say(f"Thread name: {thread.name}")
        for iteration in range(_ITERATIONS):
            say(f"Iteration {iteration}")
            await self.threads.thread_yield()
        say("Test thread exiting")

    async def _run_program(self) -> None:
        self._program = await self.start_first_program()
        while self._program.status is None:
            await self._program_ended.wait()

    def first_process_ended(self, process: Process) -> None:
        """Say how it ended; there is nothing else to do."""
        status = process.status or 0
        how = f"signal {status & 0x7F}" if status & 0x7F else f"status {status >> 8}"
        self.log.info(f"Process exited: pid={process.pid}, name={process.last_name}, {how}")
        self._program_ended.wake_all()
