"""Interrupt messages: which local APICs a destination names, and who gets the interrupt.

References
----------
SDM Vol. 3A, Determining IPI Destination; Lowest Priority Delivery Mode; x2APIC Mode, Logical
Destination Mode in x2APIC Mode; Message Signalled Interrupts.
"""

from pykern_c.types cimport u32, u64
from pykern_c.apic cimport (
    Apics, DELIVERY_LOWEST, DELIVERY_RESERVED, DELIVERY_SIPI,
    Lapic, apic_accept, apic_enabled, apic_ppr, apic_set_lint, apic_software_enabled, apic_x2,
    never,
)
from pykern_c.apic_timer cimport apic_timer_fire

cdef enum:
    MDA_BROADCAST = 0xFFFFFFFF


cdef inline u32 x2apic_ldr(const Lapic* lapic) noexcept nogil:
    """Return the logical x2APIC ID: cluster in bits 31:16, one bit of 15:0."""
    return ((lapic.id & 0xFFFF0) << 12) | ((<u32>1) << (lapic.id & 0xF))


cdef inline bint xapic_logical_match(const Lapic* lapic, u32 mda) noexcept nogil:
    """Match an 8-bit logical destination in the flat or the cluster model of DFR."""
    cdef u32 logical = lapic.ldr >> 24
    if mda > 0xFF:
        return False
    if lapic.dfr >> 28 == 0xF:
        return (logical & mda) != 0
    if lapic.dfr >> 28 == 0:
        return logical >> 4 == mda >> 4 and (logical & mda & 0xF) != 0
    return False


cdef inline bint apic_matches(const Lapic* lapic, u32 mda, bint logical) noexcept nogil:
    """Whether a message destination address names this local APIC.

    Source: SDM Vol. 3A, Determining IPI Destination. All ones is a broadcast in every model.
    """
    cdef u32 ldr
    if not apic_enabled(lapic):
        return False
    if mda == MDA_BROADCAST:
        return True
    if not logical:
        return mda == (lapic.id if apic_x2(lapic) else lapic.id & 0xFF)
    if not apic_x2(lapic):
        return xapic_logical_match(lapic, mda)
    ldr = x2apic_ldr(lapic)
    return ldr >> 16 == mda >> 16 and (ldr & mda & 0xFFFF) != 0


cdef inline u64 apics_targets(const Apics* bus, u32 mda, bint logical) noexcept nogil:
    """Return the set of APICs, by index, that a 32-bit destination names."""
    cdef u64 targets = 0
    cdef u32 i
    for i in range(bus.count):
        if apic_matches(bus.local[i], mda, logical):
            targets |= (<u64>1) << i
    return targets


cdef inline u64 apics_targets8(const Apics* bus, u32 mda, bint logical) noexcept nogil:
    """Return the set named by an 8-bit destination (xAPIC, I/O APIC, MSI): FFH is everyone."""
    return apics_targets(bus, <u32>MDA_BROADCAST if mda == 0xFF else mda, logical)


cdef inline u64 apics_present(const Apics* bus) noexcept nogil:
    """Return the set of APICs that are not globally disabled."""
    return apics_targets(bus, <u32>MDA_BROADCAST, False)


cdef inline u64 apics_arbitrate(Apics* bus, u64 targets) noexcept nogil:
    """Pick one APIC: the lowest processor priority, and among equals the next after the last.

    Source: SDM Vol. 3A, Lowest Priority Delivery Mode; who wins among equals is the platform's.
    """
    cdef u32 step, i, winner = 0
    cdef u32 lowest = 0x100
    for step in range(1, bus.count + 1):
        i = (bus.arbiter + step) % bus.count
        if not (targets >> i) & 1 or not apic_software_enabled(bus.local[i]):
            continue
        if apic_ppr(bus.local[i]) < lowest:
            lowest = apic_ppr(bus.local[i])
            winner = i
    if lowest == 0x100:
        return 0
    bus.arbiter = winner
    return (<u64>1) << winner


cdef inline bint apics_deliver(
    Apics* bus, u64 targets, u32 mode, u32 vector, bint level
) noexcept nogil:
    """Deliver to a set of APICs; return whether at least one accepted."""
    cdef bint accepted = False
    cdef u32 i
    if mode == DELIVERY_LOWEST:
        targets = apics_arbitrate(bus, targets)
    for i in range(bus.count):
        if (targets >> i) & 1 and apic_accept(bus.local[i], mode, vector, level):
            accepted = True
    return accepted


cdef inline bint apics_msi(Apics* bus, u64 address, u32 data) noexcept nogil:
    """Deliver a message-signalled interrupt (a write to FEExxxxxH by a device).

    The destination mode bit decides alone, as chipsets do: the redirection hint is a hint.
    Source: SDM Vol. 3A, Message Address Register Format; Message Data Register Format.
    """
    cdef u32 mode = (data >> 8) & 7
    cdef bint level = (data >> 15) & 1
    if mode == DELIVERY_RESERVED or mode == DELIVERY_SIPI:
        return False
    if level and not (data >> 14) & 1:
        return False                    # de-assert: nothing to deliver
    return apics_deliver(
        bus, apics_targets8(bus, (address >> 12) & 0xFF, (address >> 2) & 1), mode, data & 0xFF,
        level,
    )


cdef inline void apics_set_lint(Apics* bus, u32 pin, bint level) noexcept nogil:
    """Drive LINT0 or LINT1 of every local APIC: a PC wires them all together."""
    cdef u32 i
    for i in range(bus.count):
        apic_set_lint(bus.local[i], pin, level)


cdef inline u64 apics_next_deadline(const Apics* bus) noexcept nogil:
    """Return the earliest timer deadline of all local APICs, UINT64_MAX if there is none."""
    cdef u64 earliest = never()
    cdef u32 i
    for i in range(bus.count):
        if bus.local[i].timer_deadline < earliest:
            earliest = bus.local[i].timer_deadline
    return earliest


cdef inline void apics_fire_timers(Apics* bus, u64 now) noexcept nogil:
    """Fire every timer that is due."""
    cdef u32 i
    for i in range(bus.count):
        if bus.local[i].timer_deadline <= now:
            apic_timer_fire(bus.local[i], now)
