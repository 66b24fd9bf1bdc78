"""What a profile's kernel tells of its boot, and what it does once it is up.

Bringing up is the same for all; a story hears of each step as it begins and when it is done, and
has the last word: the kernel's first thread runs its `main`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from pykern.kernel.core.errno import SysError
from pykern.kernel.core.registry import Registry
from pykern.kernel.usermode import explain

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.kernel.kernel import Kernel
    from pykern.kernel.task.process import Process


class Step(StrEnum):
    """What is brought up, in this order."""

    FRAMES = "frames"
    PAGE_TABLES = "page tables"
    HEAP = "heap"
    DESCRIPTORS = "GDT and TSS"
    INTERRUPTS = "IDT and APIC"
    SCHEDULER = "scheduler"
    PROCESSORS = "processors"
    IPC = "IPC"
    SYSTEM_CALLS = "system calls"
    USER_MODE = "user mode"


class Passed(NamedTuple):
    """A step that is done, and the virtual times between which it was."""

    step: Step
    begin_ns: int
    end_ns: int


class _Stepping:
    """A step while it lasts."""

    def __init__(self, story: Story, step: Step) -> None:
        self._story = story
        self._step = step
        self._begin_ns = story.kernel.clock.now_ns

    def __enter__(self) -> None:
        self._story.begins(self._step)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            return
        story, now_ns = self._story, self._story.kernel.clock.now_ns
        story.passed.append(Passed(self._step, self._begin_ns, now_ns))
        if story.kernel.timeline is not None:
            story.kernel.timeline.step(self._step, self._begin_ns, now_ns)
        story.done(self._step)


class Story:
    """A boot without words: the log is what the parts of the kernel say themselves.

    Parameters
    ----------
    kernel : whose

    Attributes
    ----------
    passed : the steps that are done
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.passed: list[Passed] = []

    def step(self, step: Step) -> _Stepping:
        """Have what is done in the `with` heard of as a step; one that fails is not done."""
        return _Stepping(self, step)

    def begins(self, step: Step) -> None:
        """Hear that a step begins."""

    def done(self, step: Step) -> None:
        """Hear that a step is done."""

    async def main(self) -> None:
        """Do what the kernel is for; without a word it is to run the first program."""
        await self.start_first_program()

    async def start_first_program(self) -> Process:
        """Start user mode; a kernel whose first program cannot be run panics."""
        kernel = self.kernel
        with self.step(Step.USER_MODE):
            try:
                return await kernel.usermode.start()
            except SysError as error:
                path = kernel.boot.options.get("init", kernel.profile.init)
                assert kernel.clock.this_cpu is not None
                kernel.panic(kernel.clock.this_cpu, explain(error, path))

    def first_process_ended(self, process: Process) -> None:
        """Panic: without its first process a system cannot go on."""
        cpu = self.kernel.clock.this_cpu
        assert cpu is not None
        status = process.status or 0
        how = f"signal {status & 0x7F}" if status & 0x7F else f"status {status >> 8}"
        self.kernel.panic(cpu, f"the first process, {process.last_name}, ended: {how}")


STORIES: Registry[Callable[[Kernel], Story]] = Registry("boot story")
STORIES.register("plain")(Story)
