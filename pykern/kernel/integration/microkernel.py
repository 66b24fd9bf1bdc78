"""What the microkernel shows of itself, with programs of its initial archive (MIC-01 to MIC-15)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.core.wait import sleep_until
from pykern.kernel.drivers import pci
from pykern.kernel.integration.programs import expect, run_program, run_tests, status_of
from pykern.kernel.integration.story import STORIES, Story
from pykern.kernel.mm.replacement import BASELINE, REPLACEMENTS
from pykern.kernel.task.sigaction import Signal

if TYPE_CHECKING:
    from collections.abc import Generator

    from pykern.kernel.integration.programs import Test
    from pykern.kernel.kernel import Kernel
    from pykern.kernel.task.process import Process

_PROGRAMS = b"/bin/microkernel/"
_TASKS, _ROUNDS = 8, 3
_YIELDS = 200
_MOST_SWITCH_NS = 10_000
_LEAST_MESSAGES_PER_S = 10_000
_NS_PER_S = 1_000_000_000
_SETTLE_NS = 1_000_000
_LEFT, _TOUCHED = 2048, 24
"""Frames, and MB."""
_PAGES, _REFERENCES, _FRAMES = 128, 8000, 100
_LEAST_REDUCTION = 37
"""Percent."""
_HHDM = b"0xffff800000100000"


async def _start(kernel: Kernel, name: bytes, *arguments: bytes) -> Process:
    return await kernel.usermode.spawn(_PROGRAMS + name, *arguments)


def _share_a_processor(kernel: Kernel, tasks: list[Process]) -> None:
    """Let tasks have one processor for all: what they do on several says nothing of turns."""
    for task in tasks:
        if task.threads:
            kernel.scheduler.set_affinity(task.threads[0], 1 << kernel.cpus[-1].number)


async def round_robin(kernel: Kernel) -> None:
    """Eight tasks, none of which gives the processor away, take turns (MIC-01, MIC-02)."""
    before = kernel.metrics.preemptions
    tasks = [
        await _start(kernel, b"hello_world", b"%d" % number, b"%d" % _ROUNDS)
        for number in range(1, _TASKS + 1)
    ]
    _share_a_processor(kernel, tasks)
    for task in tasks:
        expect(await status_of(task) == 0, f"hello_world {task.pid} ended with {task.status}")
    expect(
        kernel.metrics.preemptions - before >= _TASKS, "the timer has not taken the processor away"
    )


async def switch_overhead(kernel: Kernel) -> None:
    """Two tasks that give the processor to each other lose little time by it (MIC-03)."""
    count = b"%d" % _YIELDS
    begin, switches = kernel.clock.now_ns, kernel.metrics.ctx_switches
    tasks = [await _start(kernel, b"yielder", count) for _ in range(2)]
    _share_a_processor(kernel, tasks)
    for task in tasks:
        await status_of(task)
    switches = kernel.metrics.ctx_switches - switches
    each = (kernel.clock.now_ns - begin) // switches
    kernel.log.subsystem("SCHED").log(f"{switches} switches, {each} ns each")
    expect(each <= _MOST_SWITCH_NS, f"a switch took {each} ns, at most {_MOST_SWITCH_NS}")


async def messages(kernel: Kernel) -> None:
    """Two tasks exchange messages of 256 bytes; 257 are refused (MIC-04, MIC-09)."""
    begin, sent = kernel.clock.now_ns, kernel.metrics.ipc_sends
    expect(await run_program(kernel, _PROGRAMS + b"ping", b"1") == 0, "ping failed")
    count, ns = kernel.metrics.ipc_sends - sent, kernel.clock.now_ns - begin
    rate = count * _NS_PER_S // ns
    kernel.log.subsystem("IPC").log(f"{count} messages in {ns // 1000} us, {rate} in a second")
    expect(rate >= _LEAST_MESSAGES_PER_S, f"{rate} messages/s, at least {_LEAST_MESSAGES_PER_S}")


async def isolation(kernel: Kernel) -> None:
    """A task that writes to the kernel's memory is killed, and no other one notices (MIC-06)."""
    victim = await _start(kernel, b"victim")
    await sleep_until(kernel.clock.now_ns + _SETTLE_NS)
    hostile = await _start(kernel, b"hostile", _HHDM)
    expect(await status_of(hostile) & 0x7F == Signal.SIGSEGV, "hostile was not killed")
    kernel.mailboxes.send(victim.pid, b"look")
    expect(await status_of(victim) == 0, "the victim's memory has changed")


async def page_faults(kernel: Kernel) -> None:
    """A task writes to more memory than there is, and finds everything again (MIC-10, MIC-15)."""
    with _few_frames(kernel, _LEFT):
        left = kernel.frames.free_bytes >> 10
        kernel.log.subsystem("MM").log(f"{left} kB are left, a task writes to {_TOUCHED} MB")
        task = await _start(kernel, b"page_fault", b"%d" % _TOUCHED)
        expect(await status_of(task) == 0, "pages have lost their content")
    metrics = kernel.metrics
    log = kernel.log.subsystem("MM")
    log.log(f"{metrics.page_faults} faults, {metrics.swap_outs} pages out, {metrics.swap_ins} in")


async def replacement(kernel: Kernel) -> None:
    """With the same references LRU has far fewer faults than no replacement has (MIC-05)."""
    reclaimer = kernel.reclaimer
    assert reclaimer is not None
    faults = {}
    with _few_frames(kernel, _FRAMES):
        for name, policy in REPLACEMENTS.items():
            reclaimer.use(policy())
            before = kernel.metrics.page_faults
            task = await _start(kernel, b"working_set", b"%d" % _PAGES, b"%d" % _REFERENCES)
            expect(await status_of(task) == 0, f"{name}: pages have lost their content")
            faults[name] = kernel.metrics.page_faults - before
    reclaimer.use(REPLACEMENTS.get(kernel.profile.replacement)())
    most = faults[BASELINE]
    for name, count in faults.items():
        less = 100 * (most - count) // most
        kernel.log.subsystem("MM").log(f"{name}: {count} faults, {less} % fewer than {BASELINE}")
    less = 100 * (most - faults["lru"]) // most
    expect(less >= _LEAST_REDUCTION, f"LRU has {less} % fewer faults, at least {_LEAST_REDUCTION}")


@contextmanager
def _few_frames(kernel: Kernel, left: int) -> Generator[None]:
    """Leave few frames free."""
    taken: list[tuple[int, int]] = []
    count = 1 << 16
    while (free := kernel.frames.free_bytes // PAGE_SIZE) > left and count:
        step = min(count, free - left)
        paddr = kernel.frames.take_free(step)
        if paddr is None:
            count >>= 1
            continue
        taken.append((paddr, step))
    try:
        yield
    finally:
        for paddr, step in taken:
            kernel.frames.free(paddr, step)


TESTS: tuple[Test, ...] = (
    ("Round robin", round_robin),
    ("Switch overhead", switch_overhead),
    ("Messages", messages),
    ("Isolation", isolation),
)
SWAP_TESTS: tuple[Test, ...] = (
    ("Page faults", page_faults),
    ("Page replacement", replacement),
)
"""Those that need swap space; without any they are not run."""


@STORIES.register("microkernel")
class MicrokernelStory(Story):
    """The kernel runs the programs of its initial archive, and turns itself off."""

    async def main(self) -> None:
        """Start task 1, then run all tests; the first that fails is a panic."""
        kernel = self.kernel
        kernel.log.subsystem("BOOT").log(f"kernel at {kernel.boot.kernel[0]:#x}")
        for function in pci.enumerate_functions(kernel.acting):
            kernel.log.subsystem("PCI").log(str(function))
        await self.start_first_program()
        await run_tests(kernel, TESTS + (SWAP_TESTS if kernel.reclaimer else ()))
        kernel.log.subsystem("TEST").log("All tests passed")
        kernel.power_off()
