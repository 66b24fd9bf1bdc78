"""The interrupt controllers as Python objects: for the board, for tests and for inspection.

`ApicBus` is all of them: `local` APICs, one per CPU, and the `ioapic`. It stands alone, with
memory of its own, or wraps the structures that a machine embeds.

References
----------
SDM Vol. 3A, Advanced Programmable Interrupt Controller (APIC); 82093AA datasheet.
"""

import enum

from libc.stdlib cimport calloc, free

from pykern_c.types cimport u32, u64
from pykern_c.apic cimport (
    APIC_MAX, IOAPIC_PINS, LVT_COUNT, PENDING_EXTINT, PENDING_INIT, PENDING_INTR,
    PENDING_NMI, PENDING_SIPI, PENDING_SMI, Apics, Lapic, apic_accept, apic_acknowledge,
    apic_extint_done, apic_init_reset, apic_intr, apic_local_interrupt, apic_notice,
    apic_power_up, apic_ppr, apic_set_lint, apic_take, apic_take_sipi, apic_claims, never,
)
from pykern_c.apic_bus cimport (
    apics_fire_timers, apics_msi, apics_next_deadline, apics_set_lint, apics_targets,
)
from pykern_c.apic_registers cimport (
    APIC_OK, apic_eoi, apic_mmio_read, apic_mmio_write, apic_read_cr8, apic_read_msr,
    apic_virtual_wire, apic_write_base, apic_write_cr8, apic_write_msr,
)
from pykern_c.apic_timer cimport (
    apic_read_tsc_deadline, apic_set_tsc_offset, apic_timer_fire, apic_write_tsc_deadline,
)
from pykern_c.events cimport Events
from pykern_c.ioapic cimport (
    ioapic_mmio_read, ioapic_mmio_write, ioapic_reset, ioapic_set_line,
)

IA32_APIC_BASE = 0x1B
IA32_TSC_DEADLINE = 0x6E0


class Pending(enum.IntFlag):
    """What waits for a CPU at its local APIC."""

    INTR = PENDING_INTR
    EXTINT = PENDING_EXTINT
    NMI = PENDING_NMI
    SMI = PENDING_SMI
    INIT = PENDING_INIT
    SIPI = PENDING_SIPI


class GeneralProtectionError(Exception):
    """An access for which the CPU raises #GP(0)."""


cdef object bits_value(const u64* bits):
    """Return a 256-bit register as an integer."""
    return bits[0] | (<object>bits[1] << 64) | (<object>bits[2] << 128) | (<object>bits[3] << 192)


cdef void set_bits(u64* bits, object value) except *:
    cdef int i
    for i in range(4):
        bits[i] = (value >> (64 * i)) & 0xFFFFFFFFFFFFFFFF


cdef class Line:
    """An interrupt wire of a board: an `IrqLine`."""

    def set(self, level: bool) -> None:
        """Assert or release the wire."""
        raise NotImplementedError

    def pulse(self) -> None:
        """Assert, then release: one edge."""
        self.set(True)
        self.set(False)


cdef class IoApicLine(Line):
    """The wire at one pin of the I/O APIC."""

    def set(self, level: bool) -> None:
        """Assert or release the wire."""
        ioapic_set_line(self.io, self.pin, level)


cdef class LintLine(Line):
    """LINT0 or LINT1 of one local APIC or of all; the level is the electrical one."""

    def set(self, level: bool) -> None:
        """Drive the pin high or low."""
        if self.lapic != NULL:
            apic_set_lint(self.lapic, self.pin, level)
        else:
            apics_set_lint(self.apics, self.pin, level)


cdef class IoApic:
    """I/O APIC, version 20h, with 24 pins; a Device, its registers are in ioapic.pxd."""

    def __init__(self):
        raise TypeError("an IoApic is part of an ApicBus")

    def reset(self) -> None:
        """Mask every pin."""
        ioapic_reset(self.io)

    def read(self, offset: int, size: int) -> int:
        """Read a memory-mapped register."""
        return ioapic_mmio_read(self.io, offset, size)

    def write(self, offset: int, size: int, value: int) -> None:
        """Write a memory-mapped register."""
        ioapic_mmio_write(self.io, offset, size, value)

    def line(self, pin: int, *, active_low: bool = False) -> IoApicLine:
        """Return the wire at a pin.

        Parameters
        ----------
        pin : 0 to 23
        active_low : the wire is asserted by a low level, and the guest has to say so in the
            entry's polarity bit

        Raises
        ------
        ValueError : there is no such pin
        """
        if not 0 <= pin < IOAPIC_PINS:
            raise ValueError(f"the I/O APIC has pins 0 to {IOAPIC_PINS - 1}, not {pin}")
        cdef IoApicLine line = IoApicLine.__new__(IoApicLine)
        line.io = self.io
        line.owner = self
        line.pin = pin
        cdef u32 bit = (<u32>1) << line.pin
        if active_low != ((self.io.active_low & bit) != 0):
            self.io.active_low ^= bit
            self.io.lines ^= bit
        return line

    def entry(self, pin: int) -> int:
        """Return a redirection entry, 64 bits."""
        if not 0 <= pin < IOAPIC_PINS:
            raise ValueError(f"the I/O APIC has pins 0 to {IOAPIC_PINS - 1}, not {pin}")
        return self.io.redirection[<u32>pin]

    def save(self) -> dict:
        """Return the state as plain values."""
        return {
            "redirection": [self.io.redirection[i] for i in range(IOAPIC_PINS)],
            "id": self.io.id,
            "select": self.io.select,
            "lines": self.io.lines,
            "active_low": self.io.active_low,
        }

    def load(self, state: dict) -> None:
        """Restore what `save` returned."""
        for i, entry in enumerate(state["redirection"]):
            self.io.redirection[<u32>i] = entry
        self.io.id = state["id"]
        self.io.select = state["select"]
        self.io.lines = state["lines"]
        self.io.active_low = state["active_low"]


cdef class LocalApic:
    """Local APIC of one CPU; a Device for its xAPIC page."""

    def __init__(self):
        raise TypeError("a LocalApic is part of an ApicBus")

    cdef u64 now(self):
        return self.events.clock.now

    # ---- inspection

    @property
    def id(self) -> int:
        """The x2APIC ID; the xAPIC ID is its low byte."""
        return self.lapic.id

    @property
    def irr(self) -> int:
        """Interrupt Request Register, bit n for vector n."""
        return bits_value(self.lapic.irr)

    @property
    def isr(self) -> int:
        """In-Service Register."""
        return bits_value(self.lapic.isr)

    @property
    def tmr(self) -> int:
        """Trigger Mode Register."""
        return bits_value(self.lapic.tmr)

    @property
    def ppr(self) -> int:
        """Processor priority."""
        return apic_ppr(self.lapic)

    @property
    def cr8(self) -> int:
        """TPR[7:4], as MOV CR8 sees it."""
        return apic_read_cr8(self.lapic)

    @cr8.setter
    def cr8(self, value: int) -> None:
        apic_write_cr8(self.lapic, value)

    @property
    def pending(self) -> Pending:
        """What waits for the CPU."""
        return Pending(self.lapic.pending)

    @property
    def attention(self) -> bool:
        """Whether the CPU has been told to look; assign False as the CPU does."""
        return self.lapic.attention != NULL and self.lapic.attention[0] != 0

    @attention.setter
    def attention(self, value: bool) -> None:
        if self.lapic.attention != NULL:
            self.lapic.attention[0] = value

    @property
    def timer_deadline(self) -> int | None:
        """When the timer interrupts next, in ns; None if it will not."""
        return None if self.lapic.timer_deadline == never() else self.lapic.timer_deadline

    @property
    def smi_count(self) -> int:
        """SMIs accepted since power-up."""
        return self.lapic.smi_count

    @property
    def intr(self) -> int | None:
        """The vector that an acknowledge would deliver."""
        vector = apic_intr(self.lapic)
        return None if vector < 0 else vector

    # ---- what the CPU does

    def acknowledge(self) -> int:
        """Take the highest deliverable vector into service, or get the spurious vector."""
        return apic_acknowledge(self.lapic)

    def eoi(self) -> None:
        """End the interrupt in service."""
        apic_eoi(self.lapic)

    def extint_done(self) -> None:
        """Note that the INTA cycle of an ExtINT has run."""
        apic_extint_done(self.lapic)

    def take(self, which: Pending) -> bool:
        """Consume NMI, SMI or INIT; return whether it was pending."""
        return apic_take(self.lapic, which)

    def take_sipi(self) -> int | None:
        """Consume a start-up IPI; return its vector."""
        vector = apic_take_sipi(self.lapic)
        return None if vector < 0 else vector

    def init_reset(self) -> None:
        """Apply an INIT."""
        apic_init_reset(self.lapic)

    def fire_timer(self) -> None:
        """Bring the timer to the present."""
        apic_timer_fire(self.lapic, self.now())

    def set_tsc_offset(self, offset: int) -> None:
        """Make the TSC differ from virtual time by an offset, modulo 2**64."""
        apic_set_tsc_offset(self.lapic, offset & 0xFFFFFFFFFFFFFFFF, self.now())

    def claims(self, paddr: int) -> bool:
        """Whether a physical address of this CPU is in its register page."""
        return apic_claims(self.lapic, paddr)

    def read_msr(self, msr: int) -> int:
        """RDMSR of IA32_APIC_BASE, IA32_TSC_DEADLINE or 800H to 8FFH.

        Raises
        ------
        GeneralProtectionError : where the processor raises #GP(0)
        """
        cdef u64 value = 0
        if msr == IA32_APIC_BASE:
            return self.lapic.apic_base
        if msr == IA32_TSC_DEADLINE:
            return apic_read_tsc_deadline(self.lapic, self.now())
        if apic_read_msr(self.lapic, msr, &value, self.now()) != APIC_OK:
            raise GeneralProtectionError(f"RDMSR {msr:#x}")
        return value

    def write_msr(self, msr: int, value: int) -> None:
        """WRMSR of IA32_APIC_BASE, IA32_TSC_DEADLINE or 800H to 8FFH.

        Raises
        ------
        GeneralProtectionError : where the processor raises #GP(0)
        """
        cdef int status = APIC_OK
        if msr == IA32_TSC_DEADLINE:
            apic_write_tsc_deadline(self.lapic, value, self.now())
        elif msr == IA32_APIC_BASE:
            status = apic_write_base(self.lapic, value, self.now())
        else:
            status = apic_write_msr(self.lapic, msr, value, self.now())
        if status != APIC_OK:
            raise GeneralProtectionError(f"WRMSR {msr:#x}, value {value:#x}")

    # ---- sources

    def accept(self, vector: int, *, mode: int = 0, level: bool = False) -> bool:
        """Inject an interrupt message as if this APIC had been its destination.

        Parameters
        ----------
        mode : delivery mode, as in the ICR (0 fixed, 2 SMI, 4 NMI, 5 INIT, 6 SIPI, 7 ExtINT)
        level : level-triggered

        Returns
        -------
        Whether the APIC accepted it.
        """
        return apic_accept(self.lapic, mode, vector, level)

    def local_interrupt(self, which: int) -> None:
        """Raise a local source: index into the LVT (0 CMCI, 2 thermal, 3 performance)."""
        if not 0 <= which < LVT_COUNT:
            raise ValueError(f"the LVT has entries 0 to {LVT_COUNT - 1}, not {which}")
        apic_local_interrupt(self.lapic, which)

    def lint(self, pin: int) -> LintLine:
        """Return the wire at LINT0 or LINT1 of this APIC."""
        return lint_line(self, NULL, self.lapic, pin)

    def virtual_wire(self) -> None:
        """Set the APIC up as firmware leaves it: LINT0 ExtINT on the BSP, LINT1 NMI."""
        apic_virtual_wire(self.lapic, self.now())

    # ---- device

    def reset(self) -> None:
        """Apply a power-up reset."""
        apic_power_up(self.lapic)

    def read(self, offset: int, size: int) -> int:
        """Read from the xAPIC page."""
        return apic_mmio_read(self.lapic, offset, size, self.now())

    def write(self, offset: int, size: int, value: int) -> None:
        """Write to the xAPIC page."""
        apic_mmio_write(self.lapic, offset, size, value, self.now())

    def save(self) -> dict:
        """Return the state as plain values."""
        return {
            "irr": self.irr, "isr": self.isr, "tmr": self.tmr,
            "apic_base": self.lapic.apic_base, "icr": self.lapic.icr,
            "timer_zero": self.lapic.timer_zero, "timer_deadline": self.lapic.timer_deadline,
            "tsc_deadline": self.lapic.tsc_deadline, "tsc_offset": self.lapic.tsc_offset,
            "id": self.lapic.id, "tpr": self.lapic.tpr, "svr": self.lapic.svr,
            "ldr": self.lapic.ldr, "dfr": self.lapic.dfr,
            "esr": self.lapic.esr, "esr_logged": self.lapic.esr_logged,
            "lvt": [self.lapic.lvt[i] for i in range(LVT_COUNT)],
            "initial_count": self.lapic.initial_count, "divide": self.lapic.divide,
            "pending": self.lapic.pending, "sipi_vector": self.lapic.sipi_vector,
            "lines": self.lapic.lines, "extint_latched": self.lapic.extint_latched,
            "smi_count": self.lapic.smi_count,
        }

    def load(self, state: dict) -> None:
        """Restore what `save` returned; the CPU is told to look."""
        set_bits(self.lapic.irr, state["irr"])
        set_bits(self.lapic.isr, state["isr"])
        set_bits(self.lapic.tmr, state["tmr"])
        self.lapic.apic_base, self.lapic.icr = state["apic_base"], state["icr"]
        self.lapic.timer_zero = state["timer_zero"]
        self.lapic.timer_deadline = state["timer_deadline"]
        self.lapic.tsc_deadline, self.lapic.tsc_offset = state["tsc_deadline"], state["tsc_offset"]
        self.lapic.id, self.lapic.tpr, self.lapic.svr = state["id"], state["tpr"], state["svr"]
        self.lapic.ldr, self.lapic.dfr = state["ldr"], state["dfr"]
        self.lapic.esr, self.lapic.esr_logged = state["esr"], state["esr_logged"]
        for i, entry in enumerate(state["lvt"]):
            self.lapic.lvt[<u32>i] = entry
        self.lapic.initial_count, self.lapic.divide = state["initial_count"], state["divide"]
        self.lapic.pending, self.lapic.sipi_vector = state["pending"], state["sipi_vector"]
        self.lapic.lines, self.lapic.extint_latched = state["lines"], state["extint_latched"]
        self.lapic.smi_count = state["smi_count"]
        apic_notice(self.lapic)


cdef LintLine lint_line(object owner, Apics* apics, Lapic* lapic, object pin):
    """Make the wire of one local APIC, or of all if `lapic` is NULL."""
    if pin not in (0, 1):
        raise ValueError(f"a local APIC has LINT0 and LINT1, not LINT{pin}")
    cdef LintLine line = LintLine.__new__(LintLine)
    line.owner = owner
    line.apics = apics
    line.lapic = lapic
    line.pin = pin
    return line


cdef class ApicBus:
    """All interrupt controllers of a machine: one local APIC per CPU and the I/O APIC.

    Parameters
    ----------
    cpus : how many local APICs, 1 to 64; their IDs count from 0
    events : whose clock they follow
    physical_bits : MAXPHYADDR, which decides the reserved bits of IA32_APIC_BASE
    """

    def __cinit__(self):
        self.memory = NULL
        self.attentions = NULL

    def __init__(self, cpus: int = 1, events: Events | None = None, *, physical_bits: int = 46):
        if not 1 <= cpus <= APIC_MAX:
            raise ValueError(f"a bus has 1 to {APIC_MAX} local APICs, not {cpus}")
        if self.apics != NULL:
            raise RuntimeError("the bus has been set up already")
        cdef u32 i
        self.memory = <Lapic*>calloc(cpus, sizeof(Lapic))
        self.attentions = <u32*>calloc(cpus, sizeof(u32))
        self.ioapic = IoApic.__new__(IoApic)
        self.apics = &self.own
        if self.memory == NULL or self.attentions == NULL:
            raise MemoryError("no memory for the local APICs")
        self.own.count = cpus
        self.own.ioapic = &self.ioapic.own
        for i in range(self.own.count):
            self.own.local[i] = &self.memory[i]
            self.memory[i].index = self.memory[i].id = i
            self.memory[i].attention = &self.attentions[i]
            self.memory[i].physical_bits = physical_bits
        self.join(Events() if events is None else events, None)
        self.reset()

    @staticmethod
    cdef ApicBus wrap(Apics* apics, Events events, object owner):
        """Make the face of controllers that `owner` holds and has filled in."""
        cdef ApicBus bus = ApicBus.__new__(ApicBus)
        bus.apics = apics
        bus.ioapic = IoApic.__new__(IoApic)
        bus.join(events, owner)
        return bus

    cdef void join(self, Events events, object owner):
        """Connect the structures with each other and make a Python object for each."""
        cdef list local = []
        cdef LocalApic face
        cdef u32 i
        self.events = events
        self.owner = owner
        for i in range(self.apics.count):
            face = LocalApic.__new__(LocalApic)
            face.lapic = self.apics.local[i]
            face.lapic.bus = self.apics
            face.events = events
            face.owner = self
            local.append(face)
        self.local = tuple(local)
        self.ioapic.io = self.apics.ioapic
        self.ioapic.io.bus = self.apics
        self.ioapic.owner = self

    def __dealloc__(self):
        free(self.memory)
        free(self.attentions)

    @property
    def next_deadline(self) -> int | None:
        """When the next local APIC timer interrupts, in ns; None if none will."""
        deadline = apics_next_deadline(self.apics)
        return None if deadline == never() else deadline

    def fire_timers(self) -> None:
        """Fire every timer that is due at the present."""
        apics_fire_timers(self.apics, self.events.clock.now)

    def msi(self, address: int, data: int) -> bool:
        """Deliver a message-signalled interrupt; return whether some APIC accepted it."""
        return apics_msi(self.apics, address, data)

    def targets(self, destination: int, *, logical: bool = False) -> tuple[int, ...]:
        """Return the indices of the local APICs that a 32-bit destination names."""
        cdef u64 found = apics_targets(self.apics, destination, logical)
        return tuple([i for i in range(self.apics.count) if (found >> <u32>i) & 1])

    def lint(self, pin: int) -> LintLine:
        """Return the wire to LINT0 or LINT1 of all local APICs: the 8259's INTR, NMI."""
        return lint_line(self, self.apics, NULL, pin)

    def reset(self) -> None:
        """Reset every controller."""
        cdef u32 i
        ioapic_reset(self.apics.ioapic)
        self.apics.arbiter = self.apics.count - 1
        for i in range(self.apics.count):
            apic_power_up(self.apics.local[i])

    def save(self) -> dict:
        """Return the state of all controllers as plain values."""
        return {
            "arbiter": self.apics.arbiter,
            "ioapic": self.ioapic.save(),
            "local": [local.save() for local in self.local],
        }

    def load(self, state: dict) -> None:
        """Restore what `save` returned.

        Raises
        ------
        ValueError : the state is of a machine with another number of CPUs
        """
        if len(state["local"]) != len(self.local):
            raise ValueError(
                f"state of {len(state['local'])} local APICs, this bus has {len(self.local)}"
            )
        self.apics.arbiter = state["arbiter"]
        self.ioapic.load(state["ioapic"])
        for local, saved in zip(self.local, state["local"]):
            local.load(saved)
