"""Myria OS's boot: 13 steps, its milestone-2 tests, and an exit status of 99 (MYR-18, MYR-20)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pykern.kernel.core.log import Level
from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.core.wait import WaitQueue
from pykern.kernel.fs import entries
from pykern.kernel.fs.buffer import BytesBuffer
from pykern.kernel.fs.context import FsContext
from pykern.kernel.fs.flags import O_CREAT, O_RDONLY, O_WRONLY
from pykern.kernel.fs.open import open_at
from pykern.kernel.integration.programs import expect, status_of
from pykern.kernel.integration.story import STORIES, Step, Story
from pykern.kernel.mm.selftest import check_frames, check_heap, check_paging
from pykern.kernel.sched import State
from pykern.kernel.x86.layout import FRAME_SIZE
from pykern.kernel.x86.pte import NX, RW, US
from pykern.kernel.x86.table_walk import TableReader

if TYPE_CHECKING:
    from pykern.kernel.abi.calls import Call
    from pykern.kernel.core.log import Subsystem
    from pykern.kernel.kernel import Kernel
    from pykern.kernel.mm.space import AddressSpace
    from pykern.kernel.task.process import Process
    from pykern.kernel.x86.processor import Processor

MARKERS = (
    *("firmware", "boot loader", "start.S", "page tables", "GDT and TSS", "IDT", "PMM", "VMM"),
    *("PML4 template", "scheduler", "system calls", "user test", "system ready"),
)
"""The 13 steps of Myria's boot, in order."""
_STEPS = {
    Step.PAGE_TABLES: (4,),
    Step.DESCRIPTORS: (5,),
    Step.INTERRUPTS: (6, 7, 8, 9),
    Step.SCHEDULER: (10,),
    Step.SYSTEM_CALLS: (11,),
}
"""Step of the way up → what has been come to when it is done."""
SUCCESS = 99
_WRITTEN, _WRITER = b"/written", b"/bin/myria/write"
_TEXT = b"Hello from ring 3\n"
_SIZES = (16, 64, 100, 4096, 65536, 1 << 20)
_THREADS, _TURNS = 4, 3
_ALWAYS_SHOWN = ("PMM", "VMM", "HEAP", "TEST", "SYSCALL", "USER", "GDT", "MYRIA")


class Marker(NamedTuple):
    """One of the 13 steps, and when it was come to."""

    number: int
    name: str
    time_ns: int


@STORIES.register("myria")
class MyriaStory(Story):
    """Tests what milestone 2 is made of, and ends the machine with the program's exit status.

    Attributes
    ----------
    markers : the steps that were come to
    """

    def __init__(self, kernel: Kernel) -> None:
        super().__init__(kernel)
        self.markers: list[Marker] = []
        self._narrated = ""
        for name in _ALWAYS_SHOWN:
            kernel.log.subsystem(name).level = Level.INFO
        # Of a program that fails all is told that the processor knows (MYR-06).
        kernel.log.subsystem("FAULT").level = Level.DEBUG
        for number, time_ns in ((1, 0), (2, kernel.attached_ns), (3, kernel.attached_ns)):
            self._mark(number, time_ns)
        self._say("X86_EARLY_INIT WORKING!")

    def _say(self, text: str) -> None:
        self.kernel.log.subsystem("MYRIA").log(text)

    def _log(self, part: str) -> Subsystem:
        return self.kernel.log.subsystem(part)

    def _mark(self, number: int, time_ns: int | None = None) -> None:
        """Note that the boot has come to one of its steps (MYR-18)."""
        kernel, name = self.kernel, MARKERS[number - 1]
        now = kernel.machine.now if time_ns is None else time_ns
        self.markers.append(Marker(number, name, now))
        kernel.log.subsystem("BOOT").debug(f"step {number} of {len(MARKERS)}: {name}")
        if kernel.timeline is not None:
            kernel.timeline.marker(f"{number}: {name}")

    # -- on the way up

    def begins(self, step: Step) -> None:
        """Say what is to come."""
        if step is Step.PAGE_TABLES:
            self._say("Setting up kernel page tables with proper R/W/X permissions")

    def done(self, step: Step) -> None:
        """Test what there is by now, and note how far the boot has come."""
        if step is Step.INTERRUPTS:
            check_frames(self.kernel.frames, self.kernel.machine)
            check_paging(self.kernel.space)
            self._check_template()
        for number in _STEPS.get(step, ()):
            self._mark(number)

    def _check_template(self) -> None:
        """See that a new address space has the kernel's half, entry by entry (MYR-09)."""
        kernel, space = self.kernel, self.kernel.processes.new_space()
        half = PAGE_SIZE // 2
        ours = kernel.machine.read(kernel.table.root + half, half)
        theirs = kernel.machine.read(space.pml4 + half, half)
        lower = kernel.machine.read(space.pml4, half)
        space.release()
        expect(ours == theirs, "a new address space has another kernel half than the template")
        expect(not any(lower), "a new address space has something mapped for the user")
        pages = check_write_xor_execute(kernel)
        self._log("VMM").info(f"W^X: none of {pages} mappings is writable and executable")

    # -- the tests of milestone 2

    async def main(self) -> None:
        """Run all tests, then the program, and end with its exit status."""
        self._test_memory()
        await self._test_threads()
        kernel = self.kernel
        kernel.watch_system_calls(self._narrate)
        with self.step(Step.USER_MODE):
            await kernel.usermode.prepare()
        await self._test_system_call()
        code = await self._test_user_mode()
        if code == SUCCESS:
            self._mark(12)
            self._tell_success()
            self._mark(13)
        kernel.end_with(code)

    def _test_memory(self) -> None:
        kernel = self.kernel
        self._say("=== Enhanced Memory Management Test ===")
        found = kernel.frames.statistics()
        expect(0 < found.free < found.total, f"the page frame allocator counts {found}")
        self._log("PMM").info("Memory statistics available")
        check_heap(kernel.heap, kernel.space)
        blocks = [(kernel.heap.kmalloc(size), size) for size in _SIZES]
        for laddr, size in blocks:
            kernel.space.write(laddr, bytes([size & 0xFF]) * size)
        for laddr, size in blocks:
            kept = kernel.space.read(laddr, size) == bytes([size & 0xFF]) * size
            expect(kept, f"the block of {size} bytes at {laddr:#x} was overwritten")
            kernel.heap.kfree(laddr, size)
        kernel.heap.check()
        self._log("HEAP").info("Multiple allocations succeeded!")

    async def _test_threads(self) -> None:
        """Threads that give way by themselves take turns, and leave nothing (MYR-16)."""
        kernel = self.kernel
        self._say("=== Enhanced Threading System Test ===")
        turns: list[int] = []
        ended = WaitQueue()

        async def work(number: int) -> None:
            for _ in range(_TURNS):
                turns.append(number)
                await kernel.threads.give_way()
            ended.wake_all()

        spawn = kernel.threads.spawn_kernel_thread
        threads = [spawn(f"thread/{n}", work(n)) for n in range(_THREADS)]
        self._log("TEST").info("All threads created successfully")
        while any(thread.state is not State.ZOMBIE for thread in threads):
            await ended.wait(deadline_ns=kernel.clock.now_ns + 1_000_000)
        order = list(range(_THREADS)) * _TURNS
        expect(turns == order, f"threads had their turns in the order {turns}")
        expect(
            all(thread.switches > _TURNS - 1 and thread.cpu_ns for thread in threads),
            f"statistics count {[(t.switches, t.cpu_ns) for t in threads]}",
        )

    def _narrate(self, _cpu: Processor, call: Call) -> None:
        """Tell of the system call that a test is about."""
        if call.name == self._narrated:
            words = f"Received syscall number: {call.number} ({call.name.upper()})"
            self._log("SYSCALL").info(words)

    async def _test_system_call(self) -> None:
        """A program writes; what it wrote is looked at, not shown."""
        kernel = self.kernel
        self._say("=== System Call Interface Test ===")
        fs = FsContext.at_root(kernel.vfs, kernel.mounts)
        (await open_at(fs, _WRITTEN, O_CREAT | O_WRONLY, 0o600)).put()
        self._narrated = "write"
        status = await self._ended_program(await kernel.usermode.spawn(_WRITER, console=_WRITTEN))
        self._narrated = ""
        file, buffer = await open_at(fs, _WRITTEN, O_RDONLY), BytesBuffer(size=PAGE_SIZE)
        while await file.read(buffer):
            pass
        file.put()
        entries.unlink(fs, _WRITTEN)
        expect(buffer.done == _TEXT, f"a program wrote {_TEXT!r}, {buffer.done!r} arrived")
        expect(status >> 8 == len(_TEXT), f"write returned {status >> 8}, expected {len(_TEXT)}")

    async def _test_user_mode(self) -> int:
        """Run the first program in an address space of its own; return its exit code."""
        kernel, log = self.kernel, self._log("USER")
        self._say("=== User Mode Test (Isolated Address Space) ===")
        path = kernel.boot.options.get("init", kernel.profile.init).encode()
        process = await kernel.usermode.spawn(path)
        space, layout = process.space, kernel.profile.user
        expect(space.pml4 != kernel.table.root, "the program has the kernel's own PML4")
        log.info("User process created with isolated address space")
        top, size = layout.stack_top, layout.stack_size
        (await space.pin(top - size, size, write=True)).release()
        check_user_page(space, layout.program, writable=False)
        log.info(f"Code mapped at {layout.program:#x} (RX, U=1)")
        for page in range(top - size, top, PAGE_SIZE):
            check_user_page(space, page, writable=True)
        tables = TableReader(kernel.machine, space.pml4)
        for guard in (top - size - PAGE_SIZE, top):
            expect(tables.lookup(guard) is None, f"guard page {guard:#x} is mapped")
        log.info(f"Stack mapped at {top - size:#x}-{top:#x} (RW, NX, U=1)")
        check_write_xor_execute(kernel, space)
        thread = process.threads[0]
        aligned = not (thread.context.rsp + FRAME_SIZE) % 16
        expect(aligned, f"the frame that IRETQ pops ends at {thread.stack.top:#x}")
        self._log("GDT").info("Stack aligned, executing IRETQ...")
        self._narrated = "exit"
        code = await self._ended_program(process) >> 8
        words = "SUCCESS!" if code == SUCCESS else "not what the test expects"
        self._log("SYSCALL").info(f"sys_exit called with code {code} - {words}")
        return code

    async def _ended_program(self, process: Process) -> int:
        """Wait for the end of a program that ends by itself; return its wait status."""
        status = await status_of(process)
        expect(not status & 0x7F, f"{process.last_name} ended by a signal")
        return status

    def _tell_success(self) -> None:
        self._say("=== M2 MILESTONE COMPLETE ===")
        for what in (
            "User/kernel separation",
            "Page table isolation",
            "IRETQ user mode entry",
            "SYSCALL/SYSRET interface",
        ):
            self._say(f"✓ {what} working")

    def first_process_ended(self, process: Process) -> None:
        """Go on: the tests wait for it."""


def check_user_page(space: AddressSpace, laddr: int, *, writable: bool) -> None:
    """See that a page is the user's at every level, and either writable or executable (MYR-10).

    Raises
    ------
    SelfTestError : it is not
    """
    walk = TableReader(space.memory, space.pml4).walk(laddr)
    expect(walk.leaf is not None, walk.explain())
    for level, paddr, entry in walk.steps:
        expect(bool(entry & US), f"{laddr:#x}: {level} at {paddr:#x} has U=0")
    rights = walk.steps[-1][2]
    expect(
        (bool(rights & RW), bool(rights & NX)) == (writable, writable),
        f"{laddr:#x}: expected {'RW, NX' if writable else 'RX'}\n{walk.explain()}",
    )


def check_write_xor_execute(kernel: Kernel, space: AddressSpace | None = None) -> int:
    """See that nothing is writable and executable (MYR-05); return the number of mappings.

    With recursive paging the tables themselves are, for the kernel alone.

    Parameters
    ----------
    space : whose tables to scan, both halves; None: the kernel's

    Raises
    ------
    SelfTestError : something is
    """
    count, root = 0, kernel.table.root if space is None else space.pml4
    reader = TableReader(kernel.machine, root)
    for laddr, size, paddr, flags in reader.mappings():
        count += 1
        expect(
            not flags & RW or bool(flags & NX) or _shows_tables(reader, laddr, paddr, size),
            f"{laddr:#x}-{laddr + size - 1:#x} is writable and executable",
        )
    return count


def _shows_tables(reader: TableReader, laddr: int, paddr: int, size: int) -> bool:
    """Return whether all that is mapped somewhere is page tables seen through their PML4 (RMP-03).

    What stands in a table's entry as a right for a page further down is one for the table itself
    there; the image lies behind the same entry of the PML4, so that cannot have NX.
    """
    if reader.window is None or laddr < reader.window:
        return False
    tables = {*reader.table_frames(), *reader.table_frames(upper=True)}
    return all(page in tables for page in range(paddr, paddr + size, PAGE_SIZE))
