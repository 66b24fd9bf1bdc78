"""Local APIC registers as software sees them: the xAPIC page and the x2APIC MSRs.

Both number the registers alike: index n is offset n*10h of the page and MSR 800h + n.

    02h ID            0Dh LDR           20h-27h IRR     32h-37h LVT   timer, thermal,
    03h version       0Eh DFR           28h ESR                       performance, LINT0,
    08h TPR           0Fh SVR           2Fh LVT CMCI                  LINT1, error
    0Ah PPR           10h-17h ISR       30h ICR         38h initial   39h current count
    0Bh EOI           18h-1Fh TMR       31h ICR high    3Eh divide    3Fh SELF IPI (x2APIC)

References
----------
SDM Vol. 3A, Local APIC Register Address Map; x2APIC Register Address Space; Reserved Bit
Checking; x2APIC State Transitions.
"""

from pykern_c.types cimport u32, u64
from pykern_c.apic cimport (
    APIC_BASE_BSP, APIC_BASE_EN, APIC_BASE_EXTD, DELIVERY_EXTINT, DELIVERY_INIT, DELIVERY_LOWEST,
    DELIVERY_NMI, DELIVERY_RESERVED, ESR_ILLEGAL_REGISTER, ESR_SEND_ILLEGAL_VECTOR, LVT_CMCI,
    LVT_COUNT, LVT_LINT0, LVT_LINT1, LVT_MASKED, LVT_REMOTE_IRR, LVT_STATUS, LVT_TIMER, Lapic,
    SVR_ENABLE, SVR_NO_EOI_BROADCAST, apic_accept_fixed, apic_clear, apic_error, apic_ppr,
    apic_software_enabled, apic_update, apic_x2, lint_service, vector_clear, vector_highest,
    vector_test,
)
from pykern_c.apic_bus cimport (
    apics_deliver, apics_present, apics_targets, apics_targets8, x2apic_ldr,
)
from pykern_c.apic_timer cimport (
    apic_timer_fire, timer_current_count, timer_publish, timer_write_divide, timer_write_initial,
    timer_write_lvt,
)
from pykern_c.ioapic cimport ioapic_eoi, ioapic_retry

# What an access by the CPU came to.
cdef enum:
    APIC_OK = 0
    APIC_GP = 1                 # #GP(0)

cdef enum:
    REG_ID = 0x02
    REG_VERSION = 0x03
    REG_TPR = 0x08
    REG_APR = 0x09
    REG_PPR = 0x0A
    REG_EOI = 0x0B
    REG_RRD = 0x0C
    REG_LDR = 0x0D
    REG_DFR = 0x0E
    REG_SVR = 0x0F
    REG_ISR = 0x10
    REG_TMR = 0x18
    REG_IRR = 0x20
    REG_ESR = 0x28
    REG_LVT_CMCI = 0x2F
    REG_ICR = 0x30
    REG_ICR_HIGH = 0x31
    REG_LVT_TIMER = 0x32
    REG_LVT_ERROR = 0x37
    REG_INITIAL_COUNT = 0x38
    REG_CURRENT_COUNT = 0x39
    REG_DIVIDE = 0x3E
    REG_SELF_IPI = 0x3F

cdef enum:
    # Integrated APIC, 7 LVT entries (the field holds one less), EOI-broadcast suppression.
    APIC_VERSION = 0x15 | (LVT_COUNT - 1) << 16 | 1 << 24
    SVR_WRITABLE = 0x11FF
    ICR_WRITABLE = 0x000CCFFF
    DIVIDE_WRITABLE = 0xB


cdef inline u64 registers_readable_x2() noexcept nogil:
    """Return the set of x2APIC MSRs that RDMSR may name."""
    return (
        0xFFFFFFULL << REG_ISR | 1ULL << REG_ID | 1ULL << REG_VERSION | 1ULL << REG_TPR
        | 1ULL << REG_PPR | 1ULL << REG_LDR | 1ULL << REG_SVR | 1ULL << REG_ESR
        | 1ULL << REG_LVT_CMCI | 1ULL << REG_ICR | 0x3FULL << REG_LVT_TIMER
        | 1ULL << REG_INITIAL_COUNT | 1ULL << REG_CURRENT_COUNT | 1ULL << REG_DIVIDE
    )


cdef inline u64 registers_writable_x2() noexcept nogil:
    """Return the set of x2APIC MSRs that WRMSR may name."""
    return (
        1ULL << REG_TPR | 1ULL << REG_EOI | 1ULL << REG_SVR | 1ULL << REG_ESR
        | 1ULL << REG_LVT_CMCI | 1ULL << REG_ICR | 0x3FULL << REG_LVT_TIMER
        | 1ULL << REG_INITIAL_COUNT | 1ULL << REG_DIVIDE | 1ULL << REG_SELF_IPI
    )


cdef inline u64 registers_x() noexcept nogil:
    """Return the set of xAPIC registers; others are reserved and log an illegal address."""
    return (
        registers_readable_x2() | 1ULL << REG_APR | 1ULL << REG_EOI | 1ULL << REG_RRD
        | 1ULL << REG_DFR | 1ULL << REG_ICR_HIGH
    )


# ---- EOI

cdef inline void apic_eoi(Lapic* lapic) noexcept nogil:
    """End the interrupt in service with the highest vector.

    A level-triggered one is broadcast to the I/O APIC unless SVR bit 12 suppresses that.
    Source: SDM Vol. 3A, Signaling Interrupt Servicing Completion.
    """
    cdef int vector = vector_highest(lapic.isr)
    if vector < 0:
        return
    vector_clear(lapic.isr, vector)
    apic_update(lapic)
    if not vector_test(lapic.tmr, vector):
        return
    if lapic.lvt[LVT_LINT0] & LVT_REMOTE_IRR and <int>(lapic.lvt[LVT_LINT0] & 0xFF) == vector:
        lapic.lvt[LVT_LINT0] &= ~<u32>LVT_REMOTE_IRR
        lint_service(lapic)
    if lapic.svr & SVR_NO_EOI_BROADCAST or lapic.bus.ioapic == NULL:
        return
    ioapic_eoi(lapic.bus.ioapic, vector)


# ---- task priority

cdef inline u64 apic_read_cr8(const Lapic* lapic) noexcept nogil:
    """MOV from CR8: TPR[7:4]."""
    return lapic.tpr >> 4


cdef inline void apic_write_tpr(Lapic* lapic, u32 value) noexcept nogil:
    lapic.tpr = value & 0xFF
    apic_update(lapic)


cdef inline void apic_write_cr8(Lapic* lapic, u64 value) noexcept nogil:
    """MOV to CR8: TPR[7:4] = value, TPR[3:0] = 0; the CPU has checked bits 63:4.

    Source: SDM Vol. 3A, Task Priority in IA-32e Mode.
    """
    apic_write_tpr(lapic, (value & 0xF) << 4)


# ---- IPIs

cdef inline u64 ipi_targets(const Lapic* lapic, u64 icr) noexcept nogil:
    """Return the set of APICs that an ICR value addresses.

    Source: SDM Vol. 3A, Interrupt Command Register (ICR), Destination Shorthand.
    """
    cdef u64 self = (<u64>1) << lapic.index
    cdef u32 shorthand = (icr >> 18) & 3
    cdef bint logical = (icr >> 11) & 1
    if shorthand == 1:
        return self
    if shorthand == 2:
        return apics_present(lapic.bus)
    if shorthand == 3:
        return apics_present(lapic.bus) & ~self
    if apic_x2(lapic):
        return apics_targets(lapic.bus, icr >> 32, logical)
    return apics_targets8(lapic.bus, icr >> 56, logical)


cdef inline void apic_send_ipi(Lapic* lapic, u64 icr) noexcept nogil:
    """Send the interprocessor interrupt that an ICR value describes.

    IPIs are edges whatever the trigger bit says; INIT level de-assert does nothing since the
    Pentium 4. An illegal vector is logged here and again by whoever receives it.
    Source: SDM Vol. 3A, Interrupt Command Register (ICR), and its tables of valid combinations.
    """
    cdef u32 mode = (icr >> 8) & 7
    cdef u32 vector = icr & 0xFF
    cdef bint asserted = (icr >> 14) & 1
    cdef bint level = (icr >> 15) & 1
    if mode == DELIVERY_RESERVED or mode == DELIVERY_EXTINT:
        return
    if mode == DELIVERY_INIT and level and not asserted:
        return
    if mode <= DELIVERY_LOWEST and vector < 16:
        apic_error(lapic, ESR_SEND_ILLEGAL_VECTOR)
    apics_deliver(lapic.bus, ipi_targets(lapic, icr), mode, vector, False)


cdef inline void apic_self_ipi(Lapic* lapic, u32 vector) noexcept nogil:
    """Write SELF IPI: the fixed, edge-triggered self shorthand. ICR keeps its value.

    Source: SDM Vol. 3A, SELF IPI Register.
    """
    if vector < 16:
        apic_error(lapic, ESR_SEND_ILLEGAL_VECTOR)
    apic_accept_fixed(lapic, vector, False)


# ---- local vector table

cdef inline u32 lvt_of_register(u32 index) noexcept nogil:
    """Map a register index to an index of Lapic.lvt."""
    return LVT_CMCI if index == REG_LVT_CMCI else LVT_TIMER + index - REG_LVT_TIMER


cdef inline bint register_is_lvt(u32 index) noexcept nogil:
    return index == REG_LVT_CMCI or REG_LVT_TIMER <= index <= REG_LVT_ERROR


cdef inline u32 lvt_writable(u32 which) noexcept nogil:
    """Return the bits of an LVT entry that software writes (Local Vector Table, figure)."""
    if which == LVT_TIMER:
        return 0x000700FF
    if which == LVT_LINT0 or which == LVT_LINT1:
        return 0x0001A7FF
    if which == LVT_COUNT - 1:
        return 0x000100FF
    return 0x000107FF


cdef inline u32 lvt_read_only(u32 which) noexcept nogil:
    """Return the status bits of an LVT entry: neither writable nor reserved."""
    if which == LVT_LINT0 or which == LVT_LINT1:
        return LVT_STATUS | LVT_REMOTE_IRR
    return LVT_STATUS


cdef inline void apic_write_lvt(Lapic* lapic, u32 which, u32 value, u64 now) noexcept nogil:
    """Write an LVT entry; the mask bit sticks while the APIC is software-disabled."""
    cdef u32 entry = (lapic.lvt[which] & lvt_read_only(which)) | (value & lvt_writable(which))
    if not apic_software_enabled(lapic):
        entry |= LVT_MASKED
    if which == LVT_TIMER:
        timer_write_lvt(lapic, entry, now)
        return
    lapic.lvt[which] = entry
    lint_service(lapic)
    apic_update(lapic)


# ---- enabling

cdef inline void apic_reachable(Lapic* lapic) noexcept nogil:
    """Let the I/O APIC try again what nobody accepted: a destination may have appeared."""
    if lapic.bus.ioapic != NULL:
        ioapic_retry(lapic.bus.ioapic)


cdef inline void apic_write_svr(Lapic* lapic, u32 value, u64 now) noexcept nogil:
    """Write SVR; clearing bit 8 sets all LVT mask bits.

    Source: SDM Vol. 3A, Local APIC State After It Has Been Software Disabled.
    """
    cdef u32 i
    apic_timer_fire(lapic, now)
    lapic.svr = value & SVR_WRITABLE
    if lapic.svr & SVR_ENABLE:
        apic_reachable(lapic)
        return
    for i in range(<u32>LVT_COUNT):
        lapic.lvt[i] |= LVT_MASKED
    timer_publish(lapic)
    apic_update(lapic)


cdef inline u64 apic_base_reserved(const Lapic* lapic) noexcept nogil:
    """Return the reserved bits of IA32_APIC_BASE: 7:0, 9 and those above MAXPHYADDR."""
    return 0x2FF | ~<u64>0 << lapic.physical_bits


cdef inline int apic_write_base(Lapic* lapic, u64 value, u64 now) noexcept nogil:
    """WRMSR IA32_APIC_BASE; return APIC_GP for reserved bits and illegal mode transitions.

    Disabling loses the state; the ID stays. x2APIC mode is entered only from xAPIC mode and
    left only by disabling.
    Source: SDM Vol. 3A, Enabling or Disabling the Local APIC; x2APIC State Transitions.
    """
    cdef u64 mode = value & (APIC_BASE_EN | APIC_BASE_EXTD)
    cdef u64 before = lapic.apic_base & (APIC_BASE_EN | APIC_BASE_EXTD)
    if value & apic_base_reserved(lapic) or mode == APIC_BASE_EXTD:
        return APIC_GP
    if before == 0 and mode & APIC_BASE_EXTD:
        return APIC_GP
    if before & APIC_BASE_EXTD and mode == APIC_BASE_EN:
        return APIC_GP
    apic_timer_fire(lapic, now)
    lapic.apic_base = value
    if mode == before:
        return APIC_OK
    if mode == 0:
        apic_clear(lapic)
    lapic.icr &= 0xFFFFFFFFULL              # the destination field changes its place
    apic_update(lapic)
    apic_reachable(lapic)
    return APIC_OK


# ---- one register, by index

cdef inline u32 bits32(const u64* bits, u32 part) noexcept nogil:
    """Return 32-bit part 0 to 7 of a 256-bit register."""
    return <u32>(bits[part >> 1] >> (32 * (part & 1)))


cdef inline u32 apic_read_id(const Lapic* lapic) noexcept nogil:
    return lapic.id if apic_x2(lapic) else lapic.id << 24


cdef inline u32 apic_read_vector_bits(const Lapic* lapic, u32 index) noexcept nogil:
    """Read one of the 24 registers of ISR, TMR and IRR."""
    if index < REG_TMR:
        return bits32(lapic.isr, index - REG_ISR)
    if index < REG_IRR:
        return bits32(lapic.tmr, index - REG_TMR)
    return bits32(lapic.irr, index - REG_IRR)


cdef inline u32 apic_read_timer(Lapic* lapic, u32 index, u64 now) noexcept nogil:
    """Read a register of the timer block."""
    if index == REG_INITIAL_COUNT:
        return lapic.initial_count
    if index == REG_CURRENT_COUNT:
        return timer_current_count(lapic, now)
    return lapic.divide


cdef inline u32 apic_read_register(Lapic* lapic, u32 index, u64 now) noexcept nogil:
    """Read an existing register by index; write-only ones and unsupported ones are 0."""
    if REG_ISR <= index < REG_ESR:
        return apic_read_vector_bits(lapic, index)
    if register_is_lvt(index):
        return lapic.lvt[lvt_of_register(index)]
    if index >= REG_INITIAL_COUNT:
        return apic_read_timer(lapic, index, now)
    if index == REG_ID:
        return apic_read_id(lapic)
    if index == REG_VERSION:
        return APIC_VERSION
    if index == REG_TPR:
        return lapic.tpr
    if index == REG_PPR:
        return apic_ppr(lapic)
    if index == REG_LDR:
        return x2apic_ldr(lapic) if apic_x2(lapic) else lapic.ldr
    if index == REG_DFR:
        return lapic.dfr
    if index == REG_SVR:
        return lapic.svr
    if index == REG_ESR:
        return lapic.esr
    if index == REG_ICR:
        return <u32>lapic.icr
    if index == REG_ICR_HIGH:
        return <u32>(lapic.icr >> 32)
    return 0


cdef inline void apic_write_esr(Lapic* lapic) noexcept nogil:
    """Latch the errors since the last write into what reads return.

    Source: SDM Vol. 3A, Error Handling.
    """
    lapic.esr = lapic.esr_logged
    lapic.esr_logged = 0


cdef inline void apic_write_destination(Lapic* lapic, u32 index, u32 value) noexcept nogil:
    """Write LDR or DFR (xAPIC)."""
    if index == REG_LDR:
        lapic.ldr = value & <u32>0xFF000000
    else:
        lapic.dfr = value | 0x0FFFFFFF
    apic_reachable(lapic)


cdef inline void apic_write_register(Lapic* lapic, u32 index, u32 value, u64 now) noexcept nogil:
    """Write an existing register by index, ICR and SELF IPI excepted; read-only ones ignore it."""
    if register_is_lvt(index):
        apic_write_lvt(lapic, lvt_of_register(index), value, now)
    elif index == REG_TPR:
        apic_write_tpr(lapic, value)
    elif index == REG_EOI:
        apic_eoi(lapic)
    elif index == REG_LDR or index == REG_DFR:
        apic_write_destination(lapic, index, value)
    elif index == REG_SVR:
        apic_write_svr(lapic, value, now)
    elif index == REG_ESR:
        apic_write_esr(lapic)
    elif index == REG_INITIAL_COUNT:
        timer_write_initial(lapic, value, now)
    elif index == REG_DIVIDE:
        timer_write_divide(lapic, value, now)


# ---- xAPIC

cdef inline u64 apic_mmio_read(Lapic* lapic, u32 offset, int size, u64 now) noexcept nogil:
    """Read from the xAPIC page; the caller has asked apic_claims.

    The SDM defines only aligned 32-bit loads. Narrower ones get their bytes of the register,
    and bytes 4 to 15 behind a register read as zero.
    Source: SDM Vol. 3A, Local APIC Register Address Map.
    """
    cdef u32 index = (offset >> 4) & 0xFF
    cdef u32 byte = offset & 0xF
    if index >= 64 or not (registers_x() >> index) & 1:
        apic_error(lapic, ESR_ILLEGAL_REGISTER)
        return 0
    if byte >= 4:
        return 0
    return (<u64>apic_read_register(lapic, index, now) >> (8 * byte)) & (~<u64>0 >> (64 - 8 * size))


cdef inline void apic_mmio_write_icr(Lapic* lapic, u32 index, u32 value) noexcept nogil:
    """Write half of ICR; the low half sends. Delivery is immediate: the status is always idle."""
    if index == REG_ICR_HIGH:
        lapic.icr = (lapic.icr & 0xFFFFFFFFULL) | <u64>(value & <u32>0xFF000000) << 32
        return
    lapic.icr = (lapic.icr & ~<u64>0xFFFFFFFFULL) | (value & ICR_WRITABLE)
    apic_send_ipi(lapic, lapic.icr)


cdef inline void apic_mmio_write(
    Lapic* lapic, u32 offset, int size, u64 value, u64 now
) noexcept nogil:
    """Write to the xAPIC page; only aligned stores of 4 bytes or more reach a register."""
    cdef u32 index = (offset >> 4) & 0xFF
    if index >= 64 or not (registers_x() >> index) & 1:
        apic_error(lapic, ESR_ILLEGAL_REGISTER)
        return
    if offset & 0xF or size < 4:
        return
    if index == REG_ICR or index == REG_ICR_HIGH:
        apic_mmio_write_icr(lapic, index, <u32>value)
        return
    apic_write_register(lapic, index, <u32>value, now)


# ---- x2APIC

cdef inline u64 x2apic_reserved(u32 index) noexcept nogil:
    """Return the bits that a WRMSR must leave zero.

    ICR bit 12, the xAPIC's delivery status, is reserved by the SDM but ignored by processors.
    Source: SDM Vol. 3A, Reserved Bit Checking.
    """
    if index == REG_ICR:
        return 0xFFF32000
    if index == REG_TPR or index == REG_SELF_IPI:
        return ~<u64>0xFF
    if index == REG_EOI or index == REG_ESR:
        return ~<u64>0
    if index == REG_SVR:
        return ~<u64>SVR_WRITABLE
    if index == REG_DIVIDE:
        return ~<u64>DIVIDE_WRITABLE
    if register_is_lvt(index):
        return ~<u64>(lvt_writable(lvt_of_register(index)) | lvt_read_only(lvt_of_register(index)))
    return ~<u64>0 << 32


cdef inline bint is_x2apic_msr(u32 msr) noexcept nogil:
    """Whether an MSR number is in the range that belongs to the x2APIC, 800H to 8FFH."""
    return msr >> 8 == 8


cdef inline int apic_read_msr(Lapic* lapic, u32 msr, u64* value, u64 now) noexcept nogil:
    """RDMSR of 800H to 8FFH; return APIC_GP where the SDM raises #GP.

    Source: SDM Vol. 3A, x2APIC Register Address Space.
    """
    cdef u32 index = msr - 0x800
    if not apic_x2(lapic) or index >= 64 or not (registers_readable_x2() >> index) & 1:
        return APIC_GP
    value[0] = lapic.icr if index == REG_ICR else apic_read_register(lapic, index, now)
    return APIC_OK


cdef inline int apic_write_msr(Lapic* lapic, u32 msr, u64 value, u64 now) noexcept nogil:
    """WRMSR of 800H to 8FFH; return APIC_GP where the SDM raises #GP.

    Source: SDM Vol. 3A, x2APIC Register Address Space.
    """
    cdef u32 index = msr - 0x800
    if not apic_x2(lapic) or index >= 64 or not (registers_writable_x2() >> index) & 1:
        return APIC_GP
    if value & x2apic_reserved(index):
        return APIC_GP
    if index == REG_ICR:
        lapic.icr = value & (~<u64>0 << 32 | ICR_WRITABLE)
        apic_send_ipi(lapic, lapic.icr)
    elif index == REG_SELF_IPI:
        apic_self_ipi(lapic, <u32>value)
    else:
        apic_write_register(lapic, index, <u32>value, now)
    return APIC_OK


# ---- firmware

cdef inline void apic_virtual_wire(Lapic* lapic, u64 now) noexcept nogil:
    """Set up what firmware leaves behind: enabled, LINT0 ExtINT on the BSP, LINT1 NMI.

    Source: MultiProcessor Specification, Virtual Wire Mode.
    """
    apic_write_svr(lapic, SVR_ENABLE | 0xFF, now)
    if lapic.apic_base & APIC_BASE_BSP:
        apic_write_lvt(lapic, LVT_LINT0, DELIVERY_EXTINT << 8, now)
    apic_write_lvt(lapic, LVT_LINT1, DELIVERY_NMI << 8, now)
