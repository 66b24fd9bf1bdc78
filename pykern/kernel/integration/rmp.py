"""The five smoke tests of the memory and process kernel, on the running kernel (RMP-13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.core.wait import sleep_until
from pykern.kernel.integration.programs import expect, run_program, run_tests
from pykern.kernel.integration.story import STORIES, Step, Story
from pykern.kernel.mm.selftest import check_frames
from pykern.kernel.sched.policies.mlfq import SLICES_NS, Feedback
from pykern.kernel.x86 import boot_parameters
from pykern.kernel.x86.guest_call import guest_call
from pykern.kernel.x86.paging import NX, RECURSIVE_PML4, RW

if TYPE_CHECKING:
    from pykern.kernel.integration.programs import Test
    from pykern.kernel.kernel import Kernel

_PROGRAMS = b"/bin/rmp/"
_WORK = 200_000
_SETTLE_NS = 50_000_000
_LAST_ENTRY = RECURSIVE_PML4 + PAGE_SIZE - 8
_ADDRESS = 0x000F_FFFF_FFFF_F000


async def frames(kernel: Kernel) -> None:  # noqa: RUF029 - others of the table wait
    """Frames are taken and given back; local ones first, none of a hole (RMP-01, RMP-02)."""
    check_frames(kernel.frames, kernel.machine)
    usable = [
        (r.base, r.base + r.length)
        for r in kernel.boot.memory_map
        if r.type == boot_parameters.USABLE
    ]
    for node in kernel.topology.nodes:
        paddr = kernel.frames.alloc(node=node)
        expect(kernel.frames.node_of(paddr) == node, f"frame {paddr:#x} is not of node {node}")
        held = any(start <= paddr < end for start, end in usable)
        expect(held, f"frame {paddr:#x} is no usable memory")
        kernel.frames.free(paddr)


async def page_tables(kernel: Kernel) -> None:  # noqa: RUF029 - others of the table wait
    """The PML4 is seen through itself, and pages of all sizes are mapped (RMP-03, RMP-05)."""
    where, size = kernel.space.layout.heap + (1 << 38), 4 * PAGE_SIZE
    paddr = kernel.frames.alloc(4)
    kernel.table.map(where, paddr, size, RW | NX)
    kernel.acting.write_linear(where + PAGE_SIZE, b"mapped")
    expect(kernel.machine.read(paddr + PAGE_SIZE, 6) == b"mapped", "written to another frame")
    kernel.table.unmap(where, size)
    expect(kernel.table.translate(where) is None, "still mapped")
    kernel.frames.free(paddr, 4)
    last = int.from_bytes(kernel.acting.read_linear(_LAST_ENTRY, 8), "little")
    root = kernel.acting.read_register("cr3") & -PAGE_SIZE
    expect(last & _ADDRESS == root, f"the PML4 at {root:#x} shows {last:#x} as its last entry")
    sizes = {leaf.size for leaf in kernel.table.leaves(kernel.space.layout.hhdm, 1 << 40)}
    log = kernel.log.subsystem("PAGING")
    log.log(f"direct map of {', '.join(f'{size >> 10} KiB' for size in sorted(sizes))} pages")


async def processes(kernel: Kernel) -> None:
    """Processes are made, replaced, waited for; memory is mapped (RMP-07, RMP-08, RMP-11)."""
    status = await run_program(kernel, _PROGRAMS + b"processes")
    expect(status == 0, f"processes ended with wait status {status:#x}")


async def priorities(kernel: Kernel) -> None:
    """The more urgent of threads on one processor goes first (RMP-10)."""
    order: list[int] = []

    async def work(priority: int) -> None:
        await guest_call(kernel.symbols["locked_count"], 0, counter, _WORK)
        order.append(priority)

    counter = kernel.heap.kmalloc(64)
    wanted = [Feedback.REALTIME, Feedback.HIGH, Feedback.NORMAL, Feedback.LOW]
    last = kernel.cpus[-1].number
    kernel.scheduler.preempt_disable(last)
    for p in reversed(wanted):
        kernel.threads.spawn_kernel_thread(
            p.name.lower(), work(p), priority=p, cpu=last, affinity=1 << last
        )
    if kernel.scheduler.preempt_enable(last):
        kernel.reschedule_soon(last)
    await sleep_until(kernel.clock.now_ns + _SETTLE_NS)
    kernel.heap.kfree(counter, 64)
    expect(order == wanted, f"threads ended in the order of priorities {order}")
    slices = ", ".join(f"{p.name.title()} {SLICES_NS[p] // 1_000_000} ms" for p in Feedback)
    kernel.log.subsystem("SCHED").log(f"slices: {slices}")


async def threads(kernel: Kernel) -> None:
    """The threads of a process share memory, and each has an FS base (RMP-08, RMP-15)."""
    status = await run_program(kernel, _PROGRAMS + b"threads")
    expect(status == 0, f"threads ended with wait status {status:#x}")


TESTS: tuple[Test, ...] = (
    ("Frame allocation", frames),
    ("Page tables", page_tables),
    ("Process and thread creation", processes),
    ("Priority scheduling", priorities),
    ("Multi-threaded processes", threads),
)


@STORIES.register("rmp")
class RmpStory(Story):
    """The kernel runs its smoke tests, tells the result and turns the machine off."""

    def done(self, step: Step) -> None:
        """Tell what memory there is, once it is known."""
        if step is not Step.FRAMES:
            return
        kernel, log = self.kernel, self.kernel.log.subsystem("FRAMES")
        for region in kernel.frames.regions:
            size = region.frames * PAGE_SIZE >> 10
            log.log(f"region {region.base:#x}, {size} kB, node {region.node}")
        for node, row in enumerate(kernel.topology.distances):
            log.log(f"node {node}: distances {', '.join(map(str, row))}")

    async def main(self) -> None:
        """Start process 1, then run all tests; the first that fails is a panic."""
        kernel = self.kernel
        await self.start_first_program()
        await run_tests(kernel, TESTS)
        kernel.log.subsystem("TEST").log("All tests passed")
        kernel.power_off()
