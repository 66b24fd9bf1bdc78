"""I/O APIC: 24 pins, each with a redirection entry that says whom to interrupt, and how.

Register map (offsets from the base the board gives it):

    00h  IOREGSEL   index of the register behind IOWIN, 8 bits
    10h  IOWIN      32-bit accesses only
    40h  EOI        vector, write only, 32-bit accesses only (version 20h)

    index 00h  ID         bits 27:24
    index 01h  Version    20h, maximum redirection entry in bits 23:16
    index 02h  Arbitration ID: follows the ID
    index 10h-3Fh         redirection table, low and high half of each entry

    63      56 55     17  16    15     14     13     12     11     10:8    7:0
    +---------+---------+----+-----+-------+-----+--------+------+------+------+
    | dest    |    0    |mask|level|r. IRR | low | status |logic.| mode |vector|
    +---------+---------+----+-----+-------+-----+--------+------+------+------+

References
----------
82093AA I/O Advanced Programmable Interrupt Controller datasheet, Register Description; Intel I/O
Controller Hub datasheets, I/O APIC, EOI Register.
"""

from pykern_c.types cimport u32, u64
from pykern_c.apic cimport (
    DELIVERY_LOWEST, DELIVERY_RESERVED, DELIVERY_SIPI, IOAPIC_PINS, Ioapic,
)
from pykern_c.apic_bus cimport apics_deliver, apics_targets8

cdef enum:
    IOREGSEL = 0x00
    IOWIN = 0x10
    IOAPIC_EOI = 0x40
    IOAPIC_VERSION = 0x20

# Bits of a redirection entry; those that software writes.
cdef enum:
    ENTRY_LOGICAL = 1 << 11
    ENTRY_STATUS = 1 << 12
    ENTRY_ACTIVE_LOW = 1 << 13
    ENTRY_REMOTE_IRR = 1 << 14
    ENTRY_LEVEL = 1 << 15
    ENTRY_MASKED = 1 << 16
    ENTRY_WRITABLE_LOW = 0x0001AFFF


cdef inline bint ioapic_level_triggered(u64 entry) noexcept nogil:
    """Whether an entry is level-sensitive; NMI, SMI, INIT and ExtINT are edges whatever it says."""
    return (entry & ENTRY_LEVEL) != 0 and (entry >> 8) & 7 <= DELIVERY_LOWEST


cdef inline bint ioapic_active(const Ioapic* io, u32 pin) noexcept nogil:
    """Whether the level at a pin is the one that its entry's polarity calls active."""
    cdef u32 low = (io.redirection[pin] & ENTRY_ACTIVE_LOW) != 0
    return ((io.lines >> pin) & 1) != low


cdef inline bint ioapic_send(Ioapic* io, u64 entry) noexcept nogil:
    """Send the message of an entry; return whether a local APIC accepted it."""
    cdef u32 mode = (entry >> 8) & 7
    if mode == DELIVERY_RESERVED or mode == DELIVERY_SIPI:
        return False
    return apics_deliver(
        io.bus, apics_targets8(io.bus, entry >> 56, (entry & ENTRY_LOGICAL) != 0), mode,
        entry & 0xFF, ioapic_level_triggered(entry),
    )


cdef inline void ioapic_service(Ioapic* io, u32 pin) noexcept nogil:
    """Send a level-sensitive pin that is active, unmasked and not in service.

    What no local APIC accepts stays "send pending" and is tried again when one might.
    """
    cdef u64* entry = &io.redirection[pin]
    entry[0] &= ~<u64>ENTRY_STATUS
    if not ioapic_level_triggered(entry[0]):
        entry[0] &= ~<u64>ENTRY_REMOTE_IRR     # of no meaning for edges; software relies on 0
        return
    if entry[0] & (ENTRY_MASKED | ENTRY_REMOTE_IRR) or not ioapic_active(io, pin):
        return
    entry[0] |= ENTRY_REMOTE_IRR if ioapic_send(io, entry[0]) else ENTRY_STATUS


cdef inline void ioapic_retry(Ioapic* io) noexcept nogil:
    """Try again what nobody accepted; called when a local APIC became reachable."""
    cdef u32 pin
    for pin in range(<u32>IOAPIC_PINS):
        if io.redirection[pin] & ENTRY_STATUS:
            ioapic_service(io, pin)


cdef inline void ioapic_set_line(Ioapic* io, u32 pin, bint asserted) noexcept nogil:
    """Assert or release an interrupt wire; `active_low` says which level that puts on the pin.

    An edge on a masked pin is lost, as the datasheet has it.
    """
    cdef bint before = ioapic_active(io, pin)
    cdef u32 level = (asserted != 0) ^ ((io.active_low >> pin) & 1)
    cdef u64 entry = io.redirection[pin]
    io.lines = (io.lines & ~((<u32>1) << pin)) | (level << pin)
    if ioapic_level_triggered(entry):
        ioapic_service(io, pin)
        return
    if ioapic_active(io, pin) and not before and not entry & ENTRY_MASKED:
        ioapic_send(io, entry)


cdef inline void ioapic_eoi(Ioapic* io, u32 vector) noexcept nogil:
    """End of interrupt, broadcast by a local APIC or written to the EOI register.

    Every level-sensitive entry with that vector leaves service, and is sent again if its pin
    is still active.
    """
    cdef u32 pin
    for pin in range(<u32>IOAPIC_PINS):
        if io.redirection[pin] & 0xFF != vector or not io.redirection[pin] & ENTRY_REMOTE_IRR:
            continue
        io.redirection[pin] &= ~<u64>ENTRY_REMOTE_IRR
        ioapic_service(io, pin)


cdef inline u32 ioapic_read_register(const Ioapic* io) noexcept nogil:
    """Read the register that IOREGSEL selects; those that do not exist read as all ones."""
    cdef u32 index = io.select
    cdef u64 entry
    if index == 0 or index == 2:
        return io.id << 24
    if index == 1:
        return (IOAPIC_PINS - 1) << 16 | IOAPIC_VERSION
    if index < 0x10 or index >= 0x10 + 2 * IOAPIC_PINS:
        return 0xFFFFFFFF
    entry = io.redirection[(index - 0x10) >> 1]
    return <u32>(entry >> 32) if index & 1 else <u32>entry


cdef inline void ioapic_write_register(Ioapic* io, u32 value) noexcept nogil:
    """Write the register that IOREGSEL selects; delivery status and remote IRR are read-only."""
    cdef u32 index = io.select
    cdef u32 pin = (index - 0x10) >> 1
    cdef u64 entry
    if index == 0:
        io.id = (value >> 24) & 0xF
        return
    if index < 0x10 or index >= 0x10 + 2 * IOAPIC_PINS:
        return
    entry = io.redirection[pin]
    if index & 1:
        entry = (entry & 0xFFFFFFFFULL) | (<u64>(value & <u32>0xFF000000)) << 32
    else:
        entry = (entry & ~<u64>ENTRY_WRITABLE_LOW) | (value & ENTRY_WRITABLE_LOW)
    io.redirection[pin] = entry
    ioapic_service(io, pin)


cdef inline u64 ioapic_mmio_read(Ioapic* io, u32 offset, int size) noexcept nogil:
    """Read a memory-mapped register: all ones where there is none or the size is wrong."""
    if offset == IOREGSEL:
        return io.select
    if offset == IOWIN and size == 4:
        return ioapic_read_register(io)
    return ~<u64>0 >> (64 - 8 * size)


cdef inline void ioapic_mmio_write(Ioapic* io, u32 offset, int size, u64 value) noexcept nogil:
    """Write a memory-mapped register; other offsets and sizes are ignored."""
    if offset == IOREGSEL:
        io.select = value & 0xFF
    elif size != 4:
        return
    elif offset == IOWIN:
        ioapic_write_register(io, <u32>value)
    elif offset == IOAPIC_EOI:
        ioapic_eoi(io, value & 0xFF)


cdef inline void ioapic_reset(Ioapic* io) noexcept nogil:
    """Reset: every entry masked, ID 0. The levels at the pins are the devices' business."""
    cdef u32 pin
    io.id = io.select = 0
    for pin in range(<u32>IOAPIC_PINS):
        io.redirection[pin] = ENTRY_MASKED
