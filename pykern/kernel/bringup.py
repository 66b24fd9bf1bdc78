"""Bring the kernel up: memory, processors, interrupts, the first threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import SysError
from pykern.kernel.core.log import Level
from pykern.kernel.core.units import MIB, PAGE_SIZE
from pykern.kernel.core.wait import WaitQueue, sleep_until
from pykern.kernel.drivers import acpi, pic8259, pit8254
from pykern.kernel.integration import legacy as legacy_tests
from pykern.kernel.integration import selftest
from pykern.kernel.integration import smp as smp_tests
from pykern.kernel.integration.tasks import Demonstration
from pykern.kernel.ipc.port import PortTable
from pykern.kernel.mm.frames import FrameAllocator
from pykern.kernel.mm.heap import BuddyHeap
from pykern.kernel.mm.kernel_space import KernelSpace, Section
from pykern.kernel.sched import POLICIES, Scheduler, State
from pykern.kernel.task.kstack import KernelStacks
from pykern.kernel.task.runner import Runner
from pykern.kernel.task.thread import Thread
from pykern.kernel.usermode import explain
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
from pykern.kernel.x86.ioapic import ACTIVE_LOW, LEVEL, Ioapic
from pykern.kernel.x86.processor import NO_CALLS, Processor

if TYPE_CHECKING:
    from pykern.kernel.kernel import Kernel

_LOW_MEMORY = 1 << 20
_IST_SIZE = PAGE_SIZE
_SETTLE_NS = 100_000_000
"""For the first program to say hello, before tests begin."""
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
        kernel.boot = boot_parameters.read(kernel.acting, kernel.symbols["limine_requests"])
        kernel.choose_profile(kernel.boot.options.get("profile", kernel.profile.name))
        kernel.serial.initialize()
        if kernel.boot.date is not None:
            kernel.boot_ns = kernel.boot.date * 1_000_000_000 - kernel.clock.now_ns
        kernel.open_screen()
        kernel.choose_log_level(kernel.boot.options)
        kernel.log.subsystem("MM").log("Initializing memory management...")
        usable = (r for r in kernel.boot.memory_map if r.type == boot_parameters.USABLE)
        kernel.frames = FrameAllocator(kernel.machine, [(r.base, r.length) for r in usable])
        # Real mode starts there, and what firmware left below 1 MiB is not for long.
        kernel.frames.reserve(0, _LOW_MEMORY)
        self._map_kernel()
        kernel.stacks = KernelStacks(kernel.table, kernel.frames, kernel.profile.kernel_stack)
        self._write_idt()
        if kernel.profile.self_tests:
            selftest.run(kernel)
        total = round(kernel.boot.ram / MIB)
        kernel.log.subsystem("MM").info(f"Total memory: {total} MB")
        return kernel.table.root

    def _map_kernel(self) -> None:
        """Map all RAM at the HHDM, the image with the rights of its sections, the heap (MEL-25)."""
        kernel = self._kernel
        space = kernel.space = KernelSpace(
            kernel.machine, kernel.frames, invalidate=self._invalidate_kernel
        )
        kernel.table = space.table
        space.map_direct(kernel.machine.ram_ranges)
        space.map_image(self._sections())
        space.map_new(space.layout.heap, space.layout.heap_size, zero=False)
        space.seal()
        kernel.heap = BuddyHeap(space.layout.heap, space.layout.heap_size, space)

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
        self._idt = layout.HHDM_BASE + page

    # -- processors

    @hostcall
    def setup_cpu(self, cpu: Processor, number: int) -> int:
        """Prepare a processor's tables; return the address of what `load_cpu` loads."""
        kernel = self._kernel
        ist = {
            stack: layout.HHDM_BASE + kernel.frames.alloc() + _IST_SIZE
            for stack in descriptors.IST_STACKS.values()
        }
        page = kernel.frames.alloc()
        return cpu.prepare(page, (self._idt, 16 * 256), kernel.symbols, ist)

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
        kernel.acpi = acpi.read(kernel.machine, kernel.boot.rsdp)
        log = kernel.log.subsystem("ACPI")
        log.log(f"RSDP found at {kernel.boot.rsdp:#x}")
        log.log(f"MADT found at {kernel.acpi.addresses['APIC']:#x}")
        self._check_cpu_count(cpu)
        self._start_interrupts(cpu)
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
        if kernel.timeline is not None:
            kernel.runner.on_switch = kernel.timeline.switched
        if kernel.profile.tick_by_pit:
            self._start_pit(cpu)
        kernel.threads.spawn_kernel_thread("kernel_init", self.kernel_init(), affinity=1)
        kernel.runner.reschedule(cpu)

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
        kernel = self._kernel
        gsi, flags = kernel.acpi.overrides.get(irq, (irq, 0))
        polarity_low, trigger_level = flags & 3 == 3, flags >> 2 & 3 == 3
        for base, first in kernel.acpi.ioapics:
            ioapic = Ioapic(base, first)
            if first <= gsi < first + ioapic.inputs(kernel.acting):
                ioapic.route(
                    kernel.acting,
                    gsi,
                    vector=vectors.FIRST_ISA + irq,
                    apic_id=kernel.cpus[0].apic_id,
                    flags=(ACTIVE_LOW if polarity_low else 0) | (LEVEL if trigger_level else 0),
                )

    def send_resched(self, number: int) -> None:
        """Interrupt a processor so that it looks whether another thread is to run (MEL-05)."""
        kernel = self._kernel
        lapic.send_fixed(kernel.acting, kernel.cpus[number].apic_id, vectors.RESCHEDULE)

    # -- the first thread

    async def kernel_init(self) -> None:
        """Start the other processors, then user mode."""
        kernel = self._kernel
        kernel.identity = await identity.read(kernel.symbols, kernel.heap, kernel.space)
        await self._start_processors()
        self._start_ipc()
        kernel.log.subsystem("SCHED").info("Initializing scheduler...")
        for cpu in kernel.cpus[1:]:
            kernel.scheduler.set_online(cpu.number, online=True)
        if kernel.profile.self_tests:
            await self._self_tests()
        await self._start_first_program()
        if kernel.profile.self_tests:
            await self._user_tests()

    def _start_ipc(self) -> None:
        kernel, profile = self._kernel, self._kernel.profile
        kernel.ports = PortTable(profile.ports, kernel.metrics)
        kernel.ports.observer = kernel.timeline
        if not profile.system_ports:
            return
        log = kernel.log.subsystem("IPC")
        log.log("Initializing IPC subsystem...")
        # The others need not be created by programs either, which have no call for it.
        for number in range(profile.ports.ports):
            kernel.ports.create(number)
        log.log(f"Created {profile.system_ports} system ports (0-{profile.system_ports - 1})")

    async def _start_first_program(self) -> None:
        kernel = self._kernel
        try:
            await kernel.usermode.start()
        except SysError as error:
            path = kernel.boot.options.get("init", kernel.profile.init)
            assert kernel.clock.this_cpu is not None
            kernel.panic(kernel.clock.this_cpu, explain(error, path))

    async def _self_tests(self) -> None:
        """Run what MelloOS runs before its first program."""
        kernel, log = self._kernel, self._kernel.log.subsystem("KERNEL")
        for line in ("=" * 40, "Phase 5 SMP Integration Tests", "=" * 40):
            log.log(line)
        await Demonstration(kernel).start()

    async def _user_tests(self) -> None:
        """Run the tests that need programs, tell the result, and turn the machine off."""
        kernel, log = self._kernel, self._kernel.log.subsystem("KERNEL")
        await sleep_until(kernel.clock.now_ns + _SETTLE_NS)
        kernel.scheduler.narrate(switches=0, interrupts=1)
        await smp_tests.run(kernel)
        await legacy_tests.run(kernel)
        log.log("All tests passed")
        kernel.power_off()

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
