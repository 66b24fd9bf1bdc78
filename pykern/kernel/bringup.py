"""Bring the kernel up: memory, processors, interrupts, the first threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.log import Level
from pykern.kernel.core.units import MIB, PAGE_SIZE
from pykern.kernel.core.wait import WaitQueue, sleep_until
from pykern.kernel.drivers import acpi, numa, pic8259, pit8254
from pykern.kernel.integration.story import Step
from pykern.kernel.ipc.capabilities import CapabilityTable, OpenPorts
from pykern.kernel.ipc.mailbox import Mailboxes
from pykern.kernel.ipc.message import Messages
from pykern.kernel.ipc.port import PortTable
from pykern.kernel.mm.frames import FrameAllocator
from pykern.kernel.mm.heaps import HEAPS
from pykern.kernel.mm.kernel_space import KernelSpace, Section
from pykern.kernel.sched import POLICIES, Scheduler, State
from pykern.kernel.task.kstack import KernelStacks
from pykern.kernel.task.runner import Runner
from pykern.kernel.task.thread import Thread
from pykern.kernel.x86 import (
    boot_parameters,
    calibration,
    descriptors,
    identity,
    lapic,
    layout,
    smp,
    vectors,
)
from pykern.kernel.x86.hostcall import hostcall
from pykern.kernel.x86.ioapic import Ioapic
from pykern.kernel.x86.processor import NO_CALLS, Processor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pykern.kernel.kernel import Kernel

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
            vcpu = kernel.machine.vcpus[index]
            self._early[index] = cpu = Processor(index, index, vcpu, kernel.machine)
            cpu.idle = cpu.current = self._idle_thread(index)
        return self._early[index]

    def _idle_thread(self, number: int) -> Thread:
        thread = Thread(0, f"idle/{number}", self._kernel.machine, None, NO_CALLS)
        thread.state = State.RUNNING
        thread.cpu = number
        return thread

    # -- memory

    @hostcall
    def setup_memory(self, cpu: Processor, boot_info: int) -> int:
        """Read what the loader says, and make the kernel's own page tables; return their PML4."""
        kernel = self._kernel
        del boot_info
        kernel.boot = boot_parameters.read(
            kernel.acting,
            kernel.symbols["limine_requests"],
            kernel.symbols["built_in_command_line"],
        )
        kernel.choose_profile(kernel.boot.options)
        kernel.serial.initialize()
        if kernel.boot.date is not None:
            kernel.boot_ns = kernel.boot.date * 1_000_000_000 - kernel.clock.now_ns
        kernel.open_screen()
        kernel.choose_log_level(kernel.boot.options)
        story = kernel.story
        kernel.log.subsystem("MM").log("Initializing memory management...")
        with story.step(Step.FRAMES):
            self._find_frames()
        with story.step(Step.PAGE_TABLES):
            self._map_kernel()
        with story.step(Step.HEAP):
            self._make_heap()
        total = round(kernel.boot.ram / MIB)
        kernel.log.subsystem("MM").info(f"Total memory: {total} MB")
        return kernel.table.root

    def _find_frames(self) -> None:
        """Take what the loader calls usable, as far as the direct map reaches."""
        kernel = self._kernel
        kernel.acpi = acpi.read(kernel.machine, kernel.boot.rsdp)
        kernel.topology = topology = numa.read(kernel.acpi.tables)
        usable = (r for r in kernel.boot.memory_map if r.type == boot_parameters.USABLE)
        ranges = self._within_direct_map((r.base, r.length) for r in usable)
        kernel.frames = FrameAllocator(
            kernel.machine, topology.split(ranges), distances=topology.distances
        )
        if len(topology.nodes) > 1:
            kernel.frames.home = self._local_node
        # Real mode starts there, and what firmware left below 1 MiB is not for long.
        kernel.frames.reserve(0, _LOW_MEMORY)

    def _local_node(self) -> int | None:
        """Return the node of the processor that executes."""
        kernel = self._kernel
        cpu = kernel.clock.this_cpu
        return None if cpu is None else kernel.topology.cpus.get(cpu.apic_id)

    def _within_direct_map(self, ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return ranges (base, size) of physical memory without what the direct map has not."""
        end = self._kernel.profile.layout.hhdm_size
        return [(base, min(size, end - base)) for base, size in ranges if base < end]

    def _map_kernel(self) -> None:
        """Map RAM at the HHDM and the image with the rights of its sections (MEL-25)."""
        kernel = self._kernel
        space = kernel.space = KernelSpace(
            kernel.machine,
            kernel.frames,
            kernel.profile.layout,
            largest=kernel.profile.largest_page,
            invalidate=self._invalidate_kernel,
        )
        kernel.table = space.table
        if kernel.profile.recursive_paging:
            space.table.make_recursive()
        space.map_direct(self._within_direct_map(kernel.machine.ram_ranges))
        space.map_image(self._sections())
        kernel.stacks = KernelStacks(
            kernel.table, kernel.frames, kernel.profile.kernel_stack, base=space.layout.stacks
        )
        space.seal()
        self._write_idt()

    def _make_heap(self) -> None:
        """Make the kernel's heap where the profile's layout has room for it."""
        kernel, layout = self._kernel, self._kernel.profile.layout
        initial = kernel.profile.heap_initial
        kernel.space.map_new(layout.heap, initial, zero=False)
        kernel.heap = HEAPS.get(kernel.profile.heap)(
            layout.heap, initial, kernel.space, limit=layout.heap_size, grow=self._grow_heap
        )

    def _grow_heap(self, laddr: int, size: int) -> None:
        """Map more of the heap's room, and say so (SCA-03)."""
        kernel, base = self._kernel, self._kernel.profile.layout.heap
        kernel.space.map_new(laddr, size, zero=False)
        before, after = laddr - base >> 10, laddr - base + size >> 10
        kernel.log.subsystem("HEAP").info(f"Heap expanded: {before} KB to {after} KB")

    def _sections(self) -> list[Section]:
        """Return the parts of the kernel image by their rights."""
        symbols, (physical, linear) = self._kernel.symbols, self._kernel.boot.kernel
        return [
            Section(
                name,
                symbols[f"__{name}_start"],
                symbols[f"__{name}_start"] - linear + physical,
                symbols[f"__{name}_end"] - symbols[f"__{name}_start"],
                writable=name == "data",
                executable=name == "text",
            )
            for name in ("text", "rodata", "data")
        ]

    def _invalidate_kernel(self, laddr: int, size: int) -> None:
        """Let all processors forget what they have cached of the kernel half."""
        for cpu in self._kernel.cpus:
            cpu.vcpu.invalidate(laddr, size)

    def _write_idt(self) -> None:
        kernel = self._kernel
        page = kernel.frames.alloc()
        kernel.machine.write(page, descriptors.idt(kernel.symbols["vector_stubs"]))
        self._idt = kernel.space.layout.hhdm + page

    # -- processors

    @hostcall
    def setup_cpu(self, cpu: Processor, number: int) -> int:
        """Prepare a processor's tables; return the address of what `load_cpu` loads."""
        kernel, hhdm = self._kernel, self._kernel.space.layout.hhdm
        ist = {
            stack: hhdm + kernel.frames.alloc() + _IST_SIZE
            for stack in descriptors.IST_STACKS.values()
        }
        with kernel.story.step(Step.DESCRIPTORS):
            page = kernel.frames.alloc()
            return cpu.prepare(page, (self._idt, 16 * 256), kernel.symbols, ist, hhdm)

    @hostcall
    def secondary_online(self, cpu: Processor, number: int) -> None:
        """Take a processor that has reached the kernel into the scheduler."""
        kernel = self._kernel
        lapic.enable(cpu.vcpu, spurious=vectors.SPURIOUS, error=vectors.APIC_ERROR)
        kernel.clock.add_cpu(cpu)
        kernel.cpus.append(cpu)
        kernel.log.subsystem("SMP").log(f"AP#{number} online")
        kernel.log.subsystem("APIC").log(f"core{number} timer @{kernel.clock.resolution_hz}Hz")
        self._online.wake_all()

    # -- the rest of the boot processor's way

    @hostcall
    def calibrate_begin(self, cpu: Processor) -> int:
        """Begin to measure the local APIC's timer; return how long, in clocks of the PIT."""
        return calibration.begin(cpu.vcpu)

    @hostcall
    def calibrate_end(self, cpu: Processor) -> None:
        """Take what was measured as what the timers of all processors do."""
        kernel = self._kernel
        kernel.clock.ticks_per_second = hz = calibration.end(cpu.vcpu)
        log = kernel.log.subsystem("APIC")
        log.log(f"the timer counts at {hz / 1e6:.3f} MHz, by the PIT", Level.DEBUG)

    @hostcall
    def start_kernel(self, cpu: Processor) -> None:
        """Start what everything else is started by: the kernel's first thread."""
        kernel = self._kernel
        kernel.cpus.append(cpu)
        log = kernel.log.subsystem("ACPI")
        log.log(f"RSDP found at {kernel.boot.rsdp:#x}")
        log.log(f"MADT found at {kernel.acpi.addresses['APIC']:#x}")
        self._check_cpu_count(cpu)
        with kernel.story.step(Step.INTERRUPTS):
            self._start_interrupts(cpu)
        with kernel.story.step(Step.SCHEDULER):
            self._make_scheduler()
        if kernel.profile.tick_by_pit:
            self._start_pit(cpu)
        kernel.threads.spawn_kernel_thread("kernel_init", self.kernel_init(), affinity=1)
        kernel.runner.reschedule(cpu)

    def _make_scheduler(self) -> None:
        kernel = self._kernel
        kernel.scheduler = Scheduler(
            len(self._apic_ids()),
            POLICIES.get(kernel.profile.policy),
            kernel.clock,
            kernel.metrics,
            log=kernel.log,
            online=1,
        )
        kernel.scheduler.on_resched_ipi = self.send_resched
        kernel.runner = Runner(
            kernel.scheduler,
            kernel.clock,
            kernel.machine,
            kernel.symbols["guest_call_return"],
            kernel.threads.reap,
        )
        kernel.runner.signal_pending = kernel.signals.pending
        kernel.runner.switch_ns = kernel.profile.switch_ns
        kernel.runner.charge = kernel.machine.charge
        if kernel.timeline is not None:
            kernel.runner.on_switch = kernel.timeline.switched

    def _check_cpu_count(self, cpu: Processor) -> None:
        """Refuse a machine with more processors than the profile's kernel can have (MEL-01)."""
        kernel, profile = self._kernel, self._kernel.profile
        found = len(kernel.acpi.apic_ids)
        if found > profile.max_cpus and profile.refuse_more_cpus:
            kernel.panic(
                cpu,
                f"this machine has {found} processors, the {profile.name} profile takes at most "
                f"{profile.max_cpus}: use --smp {profile.max_cpus}",
            )

    def _apic_ids(self) -> tuple[int, ...]:
        """Return the processors to use, as many as the profile takes."""
        kernel = self._kernel
        return kernel.acpi.apic_ids[: kernel.profile.max_cpus]

    def _start_interrupts(self, cpu: Processor) -> None:
        kernel = self._kernel
        lapic.enable(cpu.vcpu, spurious=vectors.SPURIOUS, error=vectors.APIC_ERROR)
        kernel.clock.add_cpu(cpu, ticks=not kernel.profile.tick_by_pit)
        pic8259.disable(cpu.vcpu, vectors.FIRST_ISA)
        for base, first in kernel.acpi.ioapics:
            Ioapic(base, first).mask_all(cpu.vcpu)

    def _start_pit(self, cpu: Processor) -> None:
        """Take the boot processor's ticks from the PIT (MEL-18, MEL-39)."""
        kernel = self._kernel
        handlers = kernel.traps.handlers
        handlers[vectors.FIRST_ISA + pit8254.IRQ] = lambda cpu: kernel.scheduler.tick(cpu.number)
        pit8254.start(cpu.vcpu, kernel.profile.tick_hz)
        self.route_isa(pit8254.IRQ)

    def route_isa(self, irq: int) -> None:
        """Send an ISA interrupt to the boot processor, at the vector that is its own."""
        self._kernel.interrupts.route_isa(irq)

    def send_resched(self, number: int) -> None:
        """Interrupt a processor so that it looks whether another thread is to run (MEL-05)."""
        kernel = self._kernel
        lapic.send_fixed(kernel.acting, kernel.cpus[number].apic_id, vectors.RESCHEDULE)

    # -- the first thread

    async def kernel_init(self) -> None:
        """Start the other processors, then user mode."""
        kernel = self._kernel
        kernel.identity = await identity.read(kernel.symbols, kernel.heap, kernel.space)
        story = kernel.story
        with story.step(Step.PROCESSORS):
            await self._start_processors()
        with story.step(Step.IPC):
            self._start_ipc()
        with story.step(Step.SYSTEM_CALLS):
            kernel.open_gates()
        kernel.log.subsystem("SCHED").info("Initializing scheduler...")
        for cpu in kernel.cpus[1:]:
            kernel.scheduler.set_online(cpu.number, online=True)
        await story.main()

    def _start_ipc(self) -> None:
        kernel, profile = self._kernel, self._kernel.profile
        kernel.ports = PortTable(profile.ports, kernel.metrics)
        kernel.messages = Messages(kernel.ports)
        kernel.capabilities = CapabilityTable() if profile.port_capabilities else OpenPorts()
        kernel.mailboxes = Mailboxes(profile.ports, kernel.metrics)
        if kernel.timeline is not None:
            kernel.ports.observer = kernel.timeline.messages("port")
            kernel.mailboxes.observer = kernel.timeline.messages("task")
        if not profile.system_ports:
            return
        log = kernel.log.subsystem("IPC")
        log.log("Initializing IPC subsystem...")
        # The others need not be created by programs either, which have no call for it.
        for number in range(profile.ports.ports):
            kernel.ports.create(number)
        log.log(f"Created {profile.system_ports} system ports (0-{profile.system_ports - 1})")

    async def _start_processors(self) -> None:
        kernel, log = self._kernel, self._kernel.log.subsystem("SMP")
        ids = self._apic_ids()
        log.log(f"CPUs detected: {len(ids)} (apic_ids={list(ids)})".replace(", ", ","))
        kernel.log.subsystem("APIC").log(
            f"BSP LAPIC initialized at {lapic.BASE:#X}".replace("X", "x")
        )
        log.log(f"BSP online (apic_id={ids[0]})")
        smp.copy_trampoline(kernel.machine, kernel.acting, kernel.symbols)
        log.log(f"Trampoline copied to {layout.TRAMPOLINE:#x}")
        kernel.table.map(layout.TRAMPOLINE, layout.TRAMPOLINE, PAGE_SIZE, 0)
        for number, apic_id in enumerate(ids[1:], 1):
            await self._start_processor(number, apic_id)
        kernel.table.unmap(layout.TRAMPOLINE, PAGE_SIZE)

    async def _start_processor(self, number: int, apic_id: int) -> None:
        kernel, log = self._kernel, self._kernel.log.subsystem("SMP")
        smp.set_parameters(
            kernel.machine,
            kernel.symbols,
            cr3=kernel.table.root,
            stack=kernel.stacks.alloc().top - 8,
            number=number,
        )
        log.log(f"Sending INIT to AP#{number} (apic_id={apic_id})")
        smp.send_init(kernel.acting, apic_id)
        await sleep_until(kernel.clock.now_ns + smp.INIT_DELAY_NS)
        log.log(f"Sending SIPI to AP#{number} (vector=0x{smp.STARTUP_VECTOR:02x})")
        smp.send_startup(kernel.acting, apic_id)
        limit = kernel.clock.now_ns + _STARTED_WITHIN_NS
        while len(kernel.cpus) <= number:
            if not await self._online.wait(deadline_ns=limit):
                log.error(f"AP#{number} (apic_id={apic_id}) did not come up")
                return
