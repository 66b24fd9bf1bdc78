"""Local APIC: its state, interrupt priorities and the acceptance of interrupts.

The CPU reads `Lapic.pending` when `Lapic.attention` was raised, takes what it can handle, and
asks again; nothing here calls into the CPU. Registers are in apic_registers.pxd, the timer in
apic_timer.pxd, messages between APICs in apic_bus.pxd, the I/O APIC in ioapic.pxd.

References
----------
SDM Vol. 3A, Advanced Programmable Interrupt Controller (APIC).
"""

from pykern_c.types cimport u32, u64, memset

cdef extern from *:
    int clz64 "__builtin_clzll"(unsigned long long value) noexcept nogil

cdef enum:
    APIC_MAX = 64               # local APICs on one bus
    IOAPIC_PINS = 24

# What waits for the CPU: bits of Lapic.pending.
cdef enum:
    PENDING_INTR = 1            # a fixed interrupt is above PPR: apic_acknowledge
    PENDING_EXTINT = 2          # the 8259 asks: run an INTA cycle, then apic_extint_done
    PENDING_NMI = 4             # the following: apic_take
    PENDING_SMI = 8
    PENDING_INIT = 16
    PENDING_SIPI = 32           # apic_take_sipi

# Delivery modes (Interrupt Command Register (ICR); Local Vector Table).
cdef enum:
    DELIVERY_FIXED = 0
    DELIVERY_LOWEST = 1
    DELIVERY_SMI = 2
    DELIVERY_RESERVED = 3
    DELIVERY_NMI = 4
    DELIVERY_INIT = 5
    DELIVERY_SIPI = 6           # ICR only
    DELIVERY_EXTINT = 7         # LINT, I/O APIC and MSI only

# Index into Lapic.lvt.
cdef enum:
    LVT_CMCI = 0
    LVT_TIMER = 1
    LVT_THERMAL = 2
    LVT_PERFORMANCE = 3
    LVT_LINT0 = 4
    LVT_LINT1 = 5
    LVT_ERROR = 6
    LVT_COUNT = 7

# Bits of an LVT entry (Local Vector Table).
cdef enum:
    LVT_STATUS = 1 << 12
    LVT_ACTIVE_LOW = 1 << 13
    LVT_REMOTE_IRR = 1 << 14
    LVT_LEVEL = 1 << 15
    LVT_MASKED = 1 << 16

# Error Status Register (Error Handling).
cdef enum:
    ESR_SEND_ILLEGAL_VECTOR = 1 << 5
    ESR_RECEIVE_ILLEGAL_VECTOR = 1 << 6
    ESR_ILLEGAL_REGISTER = 1 << 7

# Spurious-Interrupt Vector Register.
cdef enum:
    SVR_ENABLE = 1 << 8
    SVR_NO_EOI_BROADCAST = 1 << 12

# IA32_APIC_BASE (Local APIC Status and Location).
cdef enum:
    APIC_BASE_BSP = 1 << 8
    APIC_BASE_EXTD = 1 << 10
    APIC_BASE_EN = 1 << 11
    APIC_DEFAULT_BASE = 0xFEE00000


cdef struct Lapic:
    u64 irr[4]
    u64 isr[4]
    u64 tmr[4]
    u64 apic_base               # IA32_APIC_BASE
    u64 icr
    u64 timer_deadline          # ns at which apic_timer_fire has to be called; UINT64_MAX: never
    u64 timer_zero              # ns at which the count reaches 0, even masked; UINT64_MAX: stopped
    u64 tsc_deadline            # IA32_TSC_DEADLINE
    u64 tsc_offset              # TSC - virtual ns
    u32 id                      # 32-bit x2APIC ID; the xAPIC ID is its low byte
    u32 tpr
    u32 svr
    u32 ldr                     # xAPIC; x2APIC mode derives it from the ID
    u32 dfr
    u32 esr                     # what reads return
    u32 esr_logged              # errors since the last write to ESR
    u32 lvt[LVT_COUNT]
    u32 initial_count
    u32 divide                  # Divide Configuration Register
    u32 pending                 # PENDING_*
    u32 sipi_vector
    u32 lines                   # bit n: electrical level of LINTn
    u32 extint_latched          # an ExtINT message of the I/O APIC waits
    u32 smi_count               # SMIs accepted since power-up (there is no SMM behind them)
    u32 index                   # on the bus
    u32 physical_bits           # MAXPHYADDR
    u32* attention              # set to 1 when the CPU has to look; may be NULL
    Apics* bus


cdef struct Ioapic:
    u64 redirection[IOAPIC_PINS]
    u32 id
    u32 select                  # IOREGSEL
    u32 lines                   # bit n: electrical level of pin n
    u32 active_low              # wiring: pins whose wire is asserted by a low level
    Apics* bus


cdef struct Apics:              # all controllers of one machine
    Lapic* local[APIC_MAX]
    u32 count
    u32 arbiter                 # index that won the last lowest-priority arbitration
    Ioapic* ioapic              # may be NULL


# ---- 256-bit registers

cdef inline void vector_set(u64* bits, u32 vector) noexcept nogil:
    bits[vector >> 6] |= (<u64>1) << (vector & 63)


cdef inline void vector_clear(u64* bits, u32 vector) noexcept nogil:
    bits[vector >> 6] &= ~((<u64>1) << (vector & 63))


cdef inline bint vector_test(const u64* bits, u32 vector) noexcept nogil:
    return (bits[vector >> 6] >> (vector & 63)) & 1


cdef inline int vector_highest(const u64* bits) noexcept nogil:
    """Return the highest vector whose bit is set, or -1."""
    cdef int word
    for word in range(3, -1, -1):
        if bits[word]:
            return (word << 6) + 63 - clz64(bits[word])
    return -1


# ---- modes

cdef inline u64 never() noexcept nogil:
    """Return the deadline that never comes."""
    return ~<u64>0


cdef inline bint apic_enabled(const Lapic* lapic) noexcept nogil:
    """Whether IA32_APIC_BASE.EN is set: the processor has a local APIC at all."""
    return (lapic.apic_base & APIC_BASE_EN) != 0


cdef inline bint apic_x2(const Lapic* lapic) noexcept nogil:
    """Whether the APIC is in x2APIC mode."""
    return (lapic.apic_base & APIC_BASE_EXTD) != 0


cdef inline bint apic_software_enabled(const Lapic* lapic) noexcept nogil:
    """Whether SVR bit 8 is set: fixed interrupts are accepted, LVT entries may be unmasked."""
    return (lapic.svr & SVR_ENABLE) != 0


cdef inline bint apic_claims(const Lapic* lapic, u64 paddr) noexcept nogil:
    """Whether a physical address of this CPU is in its xAPIC register page.

    In x2APIC mode and when globally disabled the page belongs to the memory behind it.
    Source: SDM Vol. 3A, Local APIC Status and Location; x2APIC Mode.
    """
    if (lapic.apic_base & (APIC_BASE_EN | APIC_BASE_EXTD)) != APIC_BASE_EN:
        return False
    return paddr >> 12 == lapic.apic_base >> 12


# ---- priorities

cdef inline u32 apic_ppr(const Lapic* lapic) noexcept nogil:
    """Return the processor priority.

    Where TPR and ISRV are in one class the SDM leaves PPR[3:0] model-specific; as most
    implementations do, it is TPR[3:0].
    Source: SDM Vol. 3A, Interrupt, Task, and Processor Priority.
    """
    cdef int in_service = vector_highest(lapic.isr)
    if in_service < 0 or (lapic.tpr & 0xF0) >= (<u32>in_service & 0xF0):
        return lapic.tpr
    return in_service & 0xF0


cdef inline int apic_intr(const Lapic* lapic) noexcept nogil:
    """Return the vector that the CPU would get from an acknowledge now, or -1.

    A software-disabled APIC accepts nothing new, but what is in IRR stays deliverable.
    Source: SDM Vol. 3A, Interrupt Acceptance for Fixed Interrupts; Local APIC State After It Has
    Been Software Disabled.
    """
    cdef int requested
    if not apic_enabled(lapic):
        return -1
    requested = vector_highest(lapic.irr)
    if requested < 0 or (<u32>requested & 0xF0) <= (apic_ppr(lapic) & 0xF0):
        return -1
    return requested


# ---- LINT pins

cdef inline bint lint_active(const Lapic* lapic, u32 pin) noexcept nogil:
    """Whether the level at a LINT pin is the one its polarity bit calls active."""
    cdef u32 level = (lapic.lines >> pin) & 1
    return level != ((lapic.lvt[LVT_LINT0 + pin] & LVT_ACTIVE_LOW) != 0)


cdef inline bint lint0_extint(const Lapic* lapic) noexcept nogil:
    """Whether the 8259 reaches the CPU through LINT0 and asks for service."""
    cdef u32 entry = lapic.lvt[LVT_LINT0]
    if entry & LVT_MASKED or (entry >> 8) & 7 != DELIVERY_EXTINT:
        return False
    return lint_active(lapic, 0)


# ---- towards the CPU

cdef inline void apic_notice(Lapic* lapic) noexcept nogil:
    """Make the CPU look at its APIC before the next instruction or deadline."""
    if lapic.attention != NULL:
        lapic.attention[0] = 1


cdef inline void apic_update(Lapic* lapic) noexcept nogil:
    """Recompute the pending bits that follow from state; called after every change of it."""
    cdef u32 derived = 0
    if not apic_enabled(lapic):
        # LINT0 is the INTR pin then.
        derived = PENDING_EXTINT if lapic.lines & 1 else 0
    else:
        if apic_intr(lapic) >= 0:
            derived = PENDING_INTR
        if lapic.extint_latched or lint0_extint(lapic):
            derived |= PENDING_EXTINT
    lapic.pending = (lapic.pending & ~<u32>(PENDING_INTR | PENDING_EXTINT)) | derived
    if lapic.pending:
        apic_notice(lapic)


cdef inline bint apic_take(Lapic* lapic, u32 which) noexcept nogil:
    """Consume PENDING_NMI, PENDING_SMI or PENDING_INIT; return whether it was pending."""
    cdef bint was = (lapic.pending & which) != 0
    lapic.pending &= ~which
    return was


cdef inline int apic_take_sipi(Lapic* lapic) noexcept nogil:
    """Consume a start-up IPI; return its vector (start address >> 12), or -1.

    A CPU that is not waiting for one takes it too, and drops it.
    Source: SDM Vol. 3A, MP Initialization Protocol Algorithm.
    """
    if not apic_take(lapic, PENDING_SIPI):
        return -1
    return lapic.sipi_vector


cdef inline int apic_acknowledge(Lapic* lapic) noexcept nogil:
    """Dispense the highest deliverable vector to the CPU: IRR to ISR.

    With nothing deliverable (TPR was raised in between) it is the spurious vector, and ISR is
    left alone: its handler sends no EOI.
    Source: SDM Vol. 3A, Interrupt Acceptance for Fixed Interrupts; Spurious Interrupt.
    """
    cdef int vector = apic_intr(lapic)
    if vector < 0:
        return lapic.svr & 0xFF
    vector_clear(lapic.irr, vector)
    vector_set(lapic.isr, vector)
    apic_update(lapic)
    return vector


cdef inline void apic_extint_done(Lapic* lapic) noexcept nogil:
    """Note that the CPU ran the INTA cycle: an ExtINT message is consumed, LINT0 is a level."""
    lapic.extint_latched = 0
    apic_update(lapic)


# ---- acceptance

cdef inline void apic_signal(Lapic* lapic, u32 which) noexcept nogil:
    """Make NMI, SMI, INIT or SIPI pending."""
    lapic.pending |= which
    apic_notice(lapic)


cdef inline void apic_accept_init(Lapic* lapic) noexcept nogil:
    """Latch INIT; a start-up IPI from before it found the CPU running and is gone."""
    lapic.pending &= ~<u32>PENDING_SIPI
    apic_signal(lapic, PENDING_INIT)


cdef inline void apic_accept_sipi(Lapic* lapic, u32 vector) noexcept nogil:
    """Latch a start-up IPI; the first one starts the CPU, later ones find it running."""
    if lapic.pending & PENDING_SIPI:
        return
    lapic.sipi_vector = vector
    apic_signal(lapic, PENDING_SIPI)


cdef inline void apic_fixed_error(Lapic* lapic) noexcept nogil:
    """Deliver the error LVT entry if unmasked; its own illegal vector is only logged."""
    cdef u32 entry = lapic.lvt[LVT_ERROR]
    if entry & LVT_MASKED:
        return
    if (entry & 0xFF) < 16:
        lapic.esr_logged |= ESR_RECEIVE_ILLEGAL_VECTOR
        return
    vector_set(lapic.irr, entry & 0xFF)
    vector_clear(lapic.tmr, entry & 0xFF)
    apic_update(lapic)


cdef inline void apic_error(Lapic* lapic, u32 bit) noexcept nogil:
    """Log an error; the first since ESR was written raises the error interrupt.

    Source: SDM Vol. 3A, Error Handling ("This write also rearms the APIC error interrupt
    triggering mechanism").
    """
    cdef bint armed = lapic.esr_logged == 0
    lapic.esr_logged |= bit
    if armed:
        apic_fixed_error(lapic)


cdef inline bint apic_accept_fixed(Lapic* lapic, u32 vector, bint level) noexcept nogil:
    """Accept a fixed interrupt into IRR and note its trigger mode in TMR.

    Returns whether it was taken from the bus; vectors 0 to 15 are, but only logged.
    Source: SDM Vol. 3A, Interrupt Acceptance for Fixed Interrupts; Valid Interrupt Vectors.
    """
    if not apic_software_enabled(lapic):
        return False
    if vector < 16:
        apic_error(lapic, ESR_RECEIVE_ILLEGAL_VECTOR)
        return True
    vector_set(lapic.irr, vector)
    if level:
        vector_set(lapic.tmr, vector)
    else:
        vector_clear(lapic.tmr, vector)
    apic_update(lapic)
    return True


cdef inline bint apic_accept(Lapic* lapic, u32 mode, u32 vector, bint level) noexcept nogil:
    """Accept a message or a local source; return whether this APIC took it.

    Source: SDM Vol. 3A, Handling Interrupts.
    """
    if mode == DELIVERY_FIXED or mode == DELIVERY_LOWEST:
        return apic_accept_fixed(lapic, vector, level)
    if mode == DELIVERY_SMI:
        lapic.smi_count += 1
        apic_signal(lapic, PENDING_SMI)
    elif mode == DELIVERY_NMI:
        apic_signal(lapic, PENDING_NMI)
    elif mode == DELIVERY_INIT:
        apic_accept_init(lapic)
    elif mode == DELIVERY_SIPI:
        apic_accept_sipi(lapic, vector)
    elif mode == DELIVERY_EXTINT:
        lapic.extint_latched = 1
        apic_update(lapic)
    else:
        return False
    return True


# ---- local sources

cdef inline void apic_local_interrupt(Lapic* lapic, u32 which) noexcept nogil:
    """Raise a local interrupt source (LVT_*) once, as an edge.

    Source: SDM Vol. 3A, Local Vector Table. Timer and error have no delivery mode: always fixed.
    """
    cdef u32 entry = lapic.lvt[which]
    cdef u32 mode = (entry >> 8) & 7
    if entry & LVT_MASKED or not apic_enabled(lapic):
        return
    if mode == DELIVERY_LOWEST or mode == DELIVERY_SIPI:
        return                          # reserved in an LVT entry
    apic_accept(lapic, mode, entry & 0xFF, False)


cdef inline bint lint_level_triggered(const Lapic* lapic, u32 pin) noexcept nogil:
    """Whether a LINT pin is level-sensitive: LINT0, fixed mode, trigger bit; never LINT1."""
    cdef u32 entry = lapic.lvt[LVT_LINT0 + pin]
    return pin == 0 and (entry >> 8) & 7 == DELIVERY_FIXED and (entry & LVT_LEVEL) != 0


cdef inline void lint_service(Lapic* lapic) noexcept nogil:
    """Deliver a level-triggered LINT0 that is active and not in service yet."""
    cdef u32* entry = &lapic.lvt[LVT_LINT0]
    if not lint_level_triggered(lapic, 0):
        entry[0] &= ~<u32>LVT_REMOTE_IRR
        return
    if entry[0] & (LVT_MASKED | LVT_REMOTE_IRR) or not apic_enabled(lapic):
        return
    if not lint_active(lapic, 0):
        return
    # A vector that is only logged is not in service, and no EOI would end it.
    if apic_accept_fixed(lapic, entry[0] & 0xFF, True) and entry[0] & 0xFF >= 16:
        entry[0] |= LVT_REMOTE_IRR


cdef inline void lint_edge(Lapic* lapic, u32 pin) noexcept nogil:
    """Handle the active edge of a LINT pin; ExtINT is a level and needs none."""
    cdef u32 mode = (lapic.lvt[LVT_LINT0 + pin] >> 8) & 7
    if not apic_enabled(lapic):
        if pin == 1:
            apic_signal(lapic, PENDING_NMI)     # LINT1 is the NMI pin then
        return
    if mode == DELIVERY_EXTINT or lint_level_triggered(lapic, pin):
        return
    apic_local_interrupt(lapic, LVT_LINT0 + pin)


cdef inline bint lint_pin_active(const Lapic* lapic, u32 pin) noexcept nogil:
    """Whether a pin is active; without a local APIC INTR and NMI are active high."""
    if apic_enabled(lapic):
        return lint_active(lapic, pin)
    return (lapic.lines >> pin) & 1


cdef inline void apic_set_lint(Lapic* lapic, u32 pin, bint level) noexcept nogil:
    """Drive LINT0 (`pin` 0: INTR of the 8259) or LINT1 (1: NMI) to an electrical level."""
    cdef bint before = lint_pin_active(lapic, pin)
    cdef bint after
    lapic.lines = (lapic.lines & ~((<u32>1) << pin)) | ((<u32>(level != 0)) << pin)
    after = lint_pin_active(lapic, pin)
    if after and not before:
        lint_edge(lapic, pin)
    lint_service(lapic)
    apic_update(lapic)


# ---- reset

cdef inline void apic_clear(Lapic* lapic) noexcept nogil:
    """Put all registers but the IDs and IA32_APIC_BASE into their reset state.

    Source: SDM Vol. 3A, Local APIC State After Power-Up or Reset.
    """
    cdef u32 i
    memset(lapic.irr, 0, sizeof(lapic.irr))
    memset(lapic.isr, 0, sizeof(lapic.isr))
    memset(lapic.tmr, 0, sizeof(lapic.tmr))
    for i in range(<u32>LVT_COUNT):
        lapic.lvt[i] = LVT_MASKED
    lapic.tpr = lapic.ldr = lapic.esr = lapic.esr_logged = 0
    lapic.icr = lapic.tsc_deadline = 0
    lapic.initial_count = lapic.divide = 0
    lapic.dfr = 0xFFFFFFFF
    lapic.svr = 0xFF
    lapic.timer_zero = lapic.timer_deadline = never()
    lapic.extint_latched = 0


cdef inline void apic_init_reset(Lapic* lapic) noexcept nogil:
    """Apply an INIT: as power-up, but the ID and IA32_APIC_BASE stay.

    The CPU calls it when it handles PENDING_INIT. A start-up IPI that came after the INIT stays.
    Source: SDM Vol. 3A, Local APIC State After It Receives an INIT-Reset.
    """
    apic_clear(lapic)
    lapic.pending &= PENDING_SIPI
    apic_update(lapic)


cdef inline void apic_power_up(Lapic* lapic) noexcept nogil:
    """Reset as RESET# does; index, ID, wiring and pin levels stay. Index 0 is the bootstrap CPU."""
    apic_clear(lapic)
    lapic.apic_base = APIC_DEFAULT_BASE | <u64>APIC_BASE_EN
    if lapic.index == 0:
        lapic.apic_base |= APIC_BASE_BSP
    lapic.tsc_offset = 0
    lapic.pending = lapic.sipi_vector = lapic.smi_count = 0
    apic_update(lapic)
