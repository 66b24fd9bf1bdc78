"""Local APIC timer: one-shot, periodic and TSC-deadline, in virtual nanoseconds.

Nothing ticks. The APIC keeps the time at which the count reaches zero, and computes the count
when it is read. The bus clock is 1 GHz and the TSC counts ns, so one tick of the undivided
timer, or of the TSC, is 1 ns.

References
----------
SDM Vol. 3A, APIC Timer; TSC-Deadline Mode.
"""

from pykern_c.types cimport u32, u64
from pykern_c.apic cimport (
    LVT_MASKED, LVT_TIMER, Lapic, apic_local_interrupt, apic_notice, never,
)

# LVT timer bits 18:17.
cdef enum:
    TIMER_ONE_SHOT = 0
    TIMER_PERIODIC = 1
    TIMER_TSC_DEADLINE = 2
    TIMER_RESERVED = 3


cdef inline u32 timer_mode(const Lapic* lapic) noexcept nogil:
    return (lapic.lvt[LVT_TIMER] >> 17) & 3


cdef inline u64 timer_divisor(const Lapic* lapic) noexcept nogil:
    """Return the divisor: 000b is 2, then powers of two up to 128, and 111b is 1.

    Source: SDM Vol. 3A, APIC Timer, Divide Configuration Register: bits 3, 1 and 0.
    """
    cdef u32 code = (lapic.divide & 3) | ((lapic.divide >> 1) & 4)
    return (<u64>1) << ((code + 1) & 7)


cdef inline void timer_publish(Lapic* lapic) noexcept nogil:
    """Derive the deadline that the CPU loop waits for: a masked timer wakes nobody."""
    cdef u64 deadline = never() if lapic.lvt[LVT_TIMER] & LVT_MASKED else lapic.timer_zero
    if deadline == lapic.timer_deadline:
        return
    lapic.timer_deadline = deadline
    apic_notice(lapic)


cdef inline void timer_stop(Lapic* lapic) noexcept nogil:
    """Disarm the timer in every mode."""
    lapic.timer_zero = never()
    lapic.tsc_deadline = 0
    timer_publish(lapic)


cdef inline void apic_timer_fire(Lapic* lapic, u64 now) noexcept nogil:
    """Bring the timer to `now`: reload or stop what has run out, and raise its interrupt once.

    Zero crossings that a masked timer went through are lost, as edges are.
    """
    cdef u64 period
    if now < lapic.timer_zero or lapic.timer_zero == never():
        return
    if timer_mode(lapic) == TIMER_PERIODIC and lapic.initial_count:
        period = lapic.initial_count * timer_divisor(lapic)
        lapic.timer_zero += ((now - lapic.timer_zero) // period + 1) * period
    else:
        lapic.timer_zero = never()
        lapic.tsc_deadline = 0
    timer_publish(lapic)
    apic_local_interrupt(lapic, LVT_TIMER)


cdef inline u32 timer_current_count(Lapic* lapic, u64 now) noexcept nogil:
    """Return the Current Count Register; 0 when stopped and in TSC-deadline mode."""
    apic_timer_fire(lapic, now)
    if lapic.timer_zero == never() or timer_mode(lapic) >= TIMER_TSC_DEADLINE:
        return 0
    return <u32>((lapic.timer_zero - now + timer_divisor(lapic) - 1) // timer_divisor(lapic))


cdef inline void timer_write_initial(Lapic* lapic, u32 count, u64 now) noexcept nogil:
    """Write the Initial Count Register: start counting, or stop with 0."""
    apic_timer_fire(lapic, now)
    if timer_mode(lapic) >= TIMER_TSC_DEADLINE:
        return
    lapic.initial_count = count
    lapic.timer_zero = now + count * timer_divisor(lapic) if count else never()
    timer_publish(lapic)


cdef inline void timer_write_divide(Lapic* lapic, u32 divide, u64 now) noexcept nogil:
    """Write the Divide Configuration Register; a running count goes on at the new rate."""
    cdef u32 count = timer_current_count(lapic, now)
    lapic.divide = divide & 0xB
    if count:
        lapic.timer_zero = now + count * timer_divisor(lapic)
    timer_publish(lapic)


cdef inline void timer_write_lvt(Lapic* lapic, u32 entry, u64 now) noexcept nogil:
    """Write the LVT timer entry; to and from TSC-deadline mode disarms the timer."""
    cdef u32 before = timer_mode(lapic)
    cdef u32 after = (entry >> 17) & 3
    apic_timer_fire(lapic, now)
    lapic.lvt[LVT_TIMER] = entry
    if before != after and (before >= TIMER_TSC_DEADLINE or after >= TIMER_TSC_DEADLINE):
        lapic.initial_count = 0
        timer_stop(lapic)
    timer_publish(lapic)


cdef inline void timer_arm_tsc(Lapic* lapic, u64 now) noexcept nogil:
    """Compute when the TSC reaches the armed deadline; at once if it has already."""
    cdef u64 tsc = now + lapic.tsc_offset
    cdef u64 wait = 0 if lapic.tsc_deadline <= tsc else lapic.tsc_deadline - tsc
    cdef u64 last = never() - 1
    lapic.timer_zero = now + wait if wait <= last - now else last
    timer_publish(lapic)
    apic_timer_fire(lapic, now)


cdef inline u64 apic_read_tsc_deadline(Lapic* lapic, u64 now) noexcept nogil:
    """RDMSR IA32_TSC_DEADLINE: 0 when disarmed, expired or in another mode."""
    apic_timer_fire(lapic, now)
    return lapic.tsc_deadline


cdef inline void apic_write_tsc_deadline(Lapic* lapic, u64 value, u64 now) noexcept nogil:
    """WRMSR IA32_TSC_DEADLINE: arm, or disarm with 0; ignored in other modes."""
    apic_timer_fire(lapic, now)
    if timer_mode(lapic) != TIMER_TSC_DEADLINE:
        return
    if value == 0:
        timer_stop(lapic)
        return
    lapic.tsc_deadline = value
    timer_arm_tsc(lapic, now)


cdef inline void apic_set_tsc_offset(Lapic* lapic, u64 offset, u64 now) noexcept nogil:
    """Follow a write to IA32_TIME_STAMP_COUNTER or IA32_TSC_ADJUST: TSC = ns + offset."""
    apic_timer_fire(lapic, now)
    lapic.tsc_offset = offset
    if lapic.tsc_deadline:
        timer_arm_tsc(lapic, now)
