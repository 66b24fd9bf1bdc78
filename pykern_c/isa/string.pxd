"""String instructions, once and repeated.

A repeated instruction commits every iteration: RSI, RDI and RCX are always those of the next one.
It stops between two iterations when the slice is used up or something wants attention, and is then
executed again (REPEAT). Elements in pages that the TLB holds are done in runs; whatever is not
(devices, code, watched pages, page crossings, faults) is done one by one.
"""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport *
from pykern_c.mmu cimport (
    ACCESS_READ, ACCESS_WRITE, TlbEntry, probe_slow, tlb_index,
)
from pykern_c.operands cimport *
from pykern_c.vector cimport host_read, host_write

cdef extern from "<string.h>" nogil:
    void* memchr(const void* at, int byte, size_t size) noexcept

cdef enum:
    GO_ON = -1          # beside the Status of cpu.pxd: more iterations may follow


# -------------------------------------------------------------------------------------------------
# Addresses and counts

cdef inline u64 source(Cpu* cpu, int bits) noexcept nogil:
    return trunc(cpu.regs[RSI], bits)


cdef inline u64 destination(Cpu* cpu, int bits) noexcept nogil:
    return trunc(cpu.regs[RDI], bits)


cdef inline void advance(Cpu* cpu, int bits, int size, u32 r, u64 count) noexcept nogil:
    """Move RSI or RDI by `count` elements, in the direction of DF."""
    cdef u64 distance = count * <u64>size
    if cpu.rflags & FLAG_DF:
        distance = -distance
    set_reg(cpu, bits, r, cpu.regs[r] + distance)


cdef inline bint repeated(Insn* insn) noexcept nogil:
    return insn.flags & (INSN_REP | INSN_REPNE)


cdef inline bint nothing_to_do(Cpu* cpu, int bits) noexcept nogil:
    """Whether the count is 0; not even the upper half of RCX changes then."""
    return trunc(cpu.regs[RCX], bits) == 0


cdef inline u64 room(Cpu* cpu, Insn* insn, int bits) noexcept nogil:
    """Return how many iterations may be done before the next look at the world."""
    cdef u64 count = trunc(cpu.regs[RCX], bits)
    cdef u64 most = <u64>(cpu.budget + insn.n)
    if cpu.rflags & FLAG_TF:
        return 1
    return count if count < most else most


cdef inline int paid(Cpu* cpu, Insn* insn, int bits, u64 done, bint last) noexcept nogil:
    """Count down RCX and the budget; return a Status, or GO_ON.

    The first iteration is paid by the instruction itself, which counts as executed only at its end.
    """
    cdef u64 count = trunc(cpu.regs[RCX] - done, bits)
    set_reg(cpu, bits, RCX, count)
    cpu.budget -= <i64>done
    if count == 0 or last:
        cpu.budget += 1
        return NEXT if cpu.budget >= 0 else STOP
    if cpu.budget + insn.n <= 0 or cpu.attention or cpu.rflags & FLAG_TF:
        return REPEAT
    return GO_ON


cdef inline int translate_run(Cpu* cpu, u64 laddr, int size, bint write) noexcept nogil:
    """Bring a page into the TLB, unless an access would fault.

    Both sides of a move are looked up before either is accessed: they may be one another's rivals
    for an entry.
    """
    if probe_slow(cpu, cpu.which, laddr, size, ACCESS_WRITE if write else ACCESS_READ) == 0:
        return 0
    cpu.fault.vector = NO_VECTOR
    return FAULT


cdef inline u8* string_run(Cpu* cpu, int seg, u64 offset, int bits, int size, bint write,
                           u64* count) noexcept nogil:
    """Find how many elements, of `count`, lie in the page of the first one, if that is in the TLB.

    Returns
    -------
    The host address of the first element, or NULL: it has to go the slow way.
    """
    cdef bint down = (cpu.rflags & FLAG_DF) != 0
    cdef u64 laddr = offset + (0 if in_64bit(cpu) and seg < FS else cpu.seg[seg].base)
    cdef u64 n, x, first
    cdef TlbEntry* e
    if not in_64bit(cpu):
        laddr = <u32>laddr
    n = (laddr & 0xFFF) // <u64>size + 1 if down else (4096 - (laddr & 0xFFF)) // <u64>size
    if bits < 64:
        first = offset // <u64>size + 1 if down else ((<u64>1 << bits) - offset) // <u64>size
        n = first if first < n else n
    count[0] = n if n < count[0] else count[0]
    if count[0] == 0:
        return NULL
    if not in_64bit(cpu):
        first = offset - (count[0] - 1) * <u64>size if down else offset
        if check_segment(cpu, seg, first, <int>count[0] * size, write):
            cpu.fault.vector = NO_VECTOR        # one of them is outside: find it one by one
            return NULL
    e = &cpu.tlb.entry[tlb_index(laddr)]
    x = laddr ^ (e.wtag if write else e.rtag)
    if unlikely_(x > <u64>(4096 - size)):
        if translate_run(cpu, laddr, size, write):
            return NULL
        x = laddr ^ (e.wtag if write else e.rtag)
        if x > <u64>(4096 - size):
            return NULL
    return e.page + x


cdef inline u8* single(Cpu* cpu, Insn* insn, u32 r, int size, bint write) noexcept nogil:
    """Return the host address of the one element of an instruction without REP, or NULL.

    Only for 64-bit addresses without base, in a page that the TLB holds.
    """
    cdef u64 laddr = cpu.regs[r]
    cdef TlbEntry* e = &cpu.tlb.entry[tlb_index(laddr)]
    cdef u64 x = laddr ^ (e.wtag if write else e.rtag)
    if insn.flags & (INSN_REP | INSN_REPNE | INSN_ASIZE) != 2 << INSN_ASIZE_SHIFT:
        return NULL
    if unlikely_(x > <u64>(4096 - size) or insn.seg >= FS):
        return NULL
    return e.page + x


# -------------------------------------------------------------------------------------------------
# Moves

cdef inline void copy_up(u8* to, const u8* source, u64 length, int size) noexcept nogil:
    """Copy as ascending elements would, also where they overlap."""
    cdef u64 gap = <u64>(to - source), part
    if gap >= length:                           # also if `to` is below
        memmove(to, source, length)
        return
    if gap < <u64>size:
        while length:
            host_write(to, size, host_read(source, size))
            to += size
            source += size
            length -= size
        return
    while length:               # a pattern of `gap` bytes; each part doubles what is there of it
        part = gap if gap < length else length
        memcpy(to, source, part)
        to += part
        gap += part
        length -= part


cdef inline void copy_down(u8* to, const u8* source, u64 length, int size) noexcept nogil:
    """Copy as descending elements would; `to` and `source` are behind the highest ones."""
    cdef u64 gap = <u64>(source - to), part
    if gap >= length:
        memmove(to - length, source - length, length)
        return
    if gap < <u64>size:
        while length:
            to -= size
            source -= size
            host_write(to, size, host_read(source, size))
            length -= size
        return
    while length:
        part = gap if gap < length else length
        to -= part
        memcpy(to, source - part, part)
        gap += part
        length -= part


cdef inline u64 movs_run(Cpu* cpu, Insn* insn, int size, int bits) noexcept nogil:
    """Move as many elements as one page of each side holds; return how many."""
    cdef u64 count = room(cpu, insn, bits)
    cdef u8* to
    cdef u8* from_ = string_run(cpu, insn.seg, source(cpu, bits), bits, size, False, &count)
    if from_ == NULL:
        return 0
    to = string_run(cpu, ES, destination(cpu, bits), bits, size, True, &count)
    if to == NULL:
        return 0
    if cpu.rflags & FLAG_DF:
        copy_down(to + size, from_ + size, count * size, size)
    else:
        copy_up(to, from_, count * size, size)
    advance(cpu, bits, size, RSI, count)
    advance(cpu, bits, size, RDI, count)
    return count


cdef inline int movs_once(Cpu* cpu, Insn* insn, int size, int bits) noexcept nogil:
    cdef u64 value
    if load(cpu, insn.seg, source(cpu, bits), size, &value):
        return FAULT
    if store(cpu, ES, destination(cpu, bits), size, &value):
        return FAULT
    advance(cpu, bits, size, RSI, 1)
    advance(cpu, bits, size, RDI, 1)
    return NEXT


cdef inline int movs(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Move from string to string.

    A4         MOVS Yb, Xb   rep=all fast=movs_fast
    A5         MOVS Yv, Xv   rep=all fast=movs_fast

    Flags: none.
    Source: SDM Vol. 2B, MOVS/MOVSB/MOVSW/MOVSD/MOVSQ; REP/REPE/REPZ/REPNE/REPNZ.
    """
    cdef int bits = address_bits(insn), status
    cdef u64 done
    if not repeated(insn):
        return movs_once(cpu, insn, w >> 3, bits)
    if nothing_to_do(cpu, bits):
        return NEXT
    while True:
        done = movs_run(cpu, insn, w >> 3, bits)
        if done == 0:
            if movs_once(cpu, insn, w >> 3, bits):
                return FAULT
            done = 1
        status = paid(cpu, insn, bits, done, False)
        if status != GO_ON:
            return status


cdef inline bint movs_fast(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """MOVS without REP."""
    cdef u8* from_ = single(cpu, insn, RSI, w >> 3, False)
    cdef u8* to = single(cpu, insn, RDI, w >> 3, True)
    if from_ == NULL or to == NULL:
        return False
    host_write(to, w >> 3, host_read(from_, w >> 3))
    advance(cpu, 64, w >> 3, RSI, 1)
    advance(cpu, 64, w >> 3, RDI, 1)
    return True


# -------------------------------------------------------------------------------------------------
# Stores and loads

cdef inline void fill(u8* to, u64 length, int size, u64 value) noexcept nogil:
    """Fill with elements, the lowest at `to`."""
    if size == 1:
        memset(to, <int>(value & 0xFF), length)
        return
    host_write(to, size, value)
    copy_up(to + size, to, length - size, size)


cdef inline u64 stos_run(Cpu* cpu, Insn* insn, int size, int bits) noexcept nogil:
    """Store as many elements as one page holds; return how many."""
    cdef u64 count = room(cpu, insn, bits)
    cdef u8* to = string_run(cpu, ES, destination(cpu, bits), bits, size, True, &count)
    if to == NULL:
        return 0
    if cpu.rflags & FLAG_DF:
        to -= (count - 1) * size
    fill(to, count * size, size, cpu.regs[RAX])
    advance(cpu, bits, size, RDI, count)
    return count


cdef inline int stos_once(Cpu* cpu, int size, int bits) noexcept nogil:
    if store(cpu, ES, destination(cpu, bits), size, &cpu.regs[RAX]):
        return FAULT
    advance(cpu, bits, size, RDI, 1)
    return NEXT


cdef inline int stos(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Store the accumulator to a string.

    AA         STOS Yb, AL    rep=all fast=stos_fast
    AB         STOS Yv, rAX   rep=all fast=stos_fast

    Flags: none.
    Source: SDM Vol. 2B, STOS/STOSB/STOSW/STOSD/STOSQ; REP/REPE/REPZ/REPNE/REPNZ.
    """
    cdef int bits = address_bits(insn), status
    cdef u64 done
    if not repeated(insn):
        return stos_once(cpu, w >> 3, bits)
    if nothing_to_do(cpu, bits):
        return NEXT
    while True:
        done = stos_run(cpu, insn, w >> 3, bits)
        if done == 0:
            if stos_once(cpu, w >> 3, bits):
                return FAULT
            done = 1
        status = paid(cpu, insn, bits, done, False)
        if status != GO_ON:
            return status


cdef inline bint stos_fast(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """STOS without REP."""
    cdef u8* to = single(cpu, insn, RDI, w >> 3, True)
    if to == NULL:
        return False
    host_write(to, w >> 3, cpu.regs[RAX])
    advance(cpu, 64, w >> 3, RDI, 1)
    return True


cdef inline u64 lods_run(Cpu* cpu, Insn* insn, int size, int bits) noexcept nogil:
    """Load as many elements as one page holds, which means the last of them; return how many."""
    cdef u64 count = room(cpu, insn, bits), distance
    cdef u8* at = string_run(cpu, insn.seg, source(cpu, bits), bits, size, False, &count)
    if at == NULL:
        return 0
    distance = (count - 1) * size
    at = at - distance if cpu.rflags & FLAG_DF else at + distance
    set_reg(cpu, 8 * size, RAX, host_read(at, size))
    advance(cpu, bits, size, RSI, count)
    return count


cdef inline int lods_once(Cpu* cpu, Insn* insn, int size, int bits) noexcept nogil:
    cdef u64 value
    if load(cpu, insn.seg, source(cpu, bits), size, &value):
        return FAULT
    set_reg(cpu, 8 * size, RAX, value)
    advance(cpu, bits, size, RSI, 1)
    return NEXT


cdef inline int lods(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Load the accumulator from a string.

    AC         LODS AL, Xb    rep=all fast=lods_fast
    AD         LODS rAX, Xv   rep=all fast=lods_fast

    Flags: none.
    Source: SDM Vol. 2A, LODS/LODSB/LODSW/LODSD/LODSQ; REP/REPE/REPZ/REPNE/REPNZ.
    """
    cdef int bits = address_bits(insn), status
    cdef u64 done
    if not repeated(insn):
        return lods_once(cpu, insn, w >> 3, bits)
    if nothing_to_do(cpu, bits):
        return NEXT
    while True:
        done = lods_run(cpu, insn, w >> 3, bits)
        if done == 0:
            if lods_once(cpu, insn, w >> 3, bits):
                return FAULT
            done = 1
        status = paid(cpu, insn, bits, done, False)
        if status != GO_ON:
            return status


cdef inline bint lods_fast(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """LODS without REP."""
    cdef u8* at = single(cpu, insn, RSI, w >> 3, False)
    if at == NULL:
        return False
    set_reg(cpu, w, RAX, host_read(at, w >> 3))
    advance(cpu, 64, w >> 3, RSI, 1)
    return True


# -------------------------------------------------------------------------------------------------
# Comparisons. `equal`: REPE, which goes on while the elements are equal; otherwise REPNE.

cdef inline u64 skip_equal(const u8* a, const u8* b, u64 length) noexcept nogil:
    """Return how many bytes are equal, in steps of 8 and without the last one."""
    cdef u64 done = 0
    while done + 8 < length and host_read(a + done, 8) == host_read(b + done, 8):
        done += 8
    return done


cdef inline u64 cmps_run(Cpu* cpu, Insn* insn, int size, int bits, bint equal,
                         bint* last) noexcept nogil:
    """Compare elements of one page of each side until one ends the repetition; return how many."""
    cdef u64 count = room(cpu, insn, bits), done = 0, a = 0, b = 0
    cdef i64 step = -size if cpu.rflags & FLAG_DF else size
    cdef u8* right
    cdef u8* left = string_run(cpu, insn.seg, source(cpu, bits), bits, size, False, &count)
    if left == NULL:
        return 0
    right = string_run(cpu, ES, destination(cpu, bits), bits, size, False, &count)
    if right == NULL:
        return 0
    if equal and step > 0:
        done = skip_equal(left, right, count * size) // <u64>size
        left += done * size
        right += done * size
    while done < count and not last[0]:
        a = host_read(left, size)
        b = host_read(right, size)
        left += step
        right += step
        done += 1
        last[0] = (a == b) != equal
    set_flags_sub(cpu, 8 * size, a, b, trunc(a - b, 8 * size))
    advance(cpu, bits, size, RSI, done)
    advance(cpu, bits, size, RDI, done)
    return done


cdef inline int cmps_once(Cpu* cpu, Insn* insn, int size, int bits) noexcept nogil:
    cdef u64 a = 0, b = 0
    if load(cpu, insn.seg, source(cpu, bits), size, &a):
        return FAULT
    if load(cpu, ES, destination(cpu, bits), size, &b):
        return FAULT
    set_flags_sub(cpu, 8 * size, a, b, trunc(a - b, 8 * size))
    advance(cpu, bits, size, RSI, 1)
    advance(cpu, bits, size, RDI, 1)
    return NEXT


cdef inline int cmps(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Compare strings.

    A6         CMPS Xb, Yb
    A7         CMPS Xv, Yv

    Flags: OSZAPC.
    Source: SDM Vol. 2A, CMPS/CMPSB/CMPSW/CMPSD/CMPSQ; REP/REPE/REPZ/REPNE/REPNZ.
    """
    cdef int bits = address_bits(insn), status
    cdef bint equal = (insn.flags & INSN_REP) != 0, last = False
    cdef u64 done
    if not repeated(insn):
        return cmps_once(cpu, insn, w >> 3, bits)
    if nothing_to_do(cpu, bits):
        return NEXT
    while True:
        done = cmps_run(cpu, insn, w >> 3, bits, equal, &last)
        if done == 0:
            if cmps_once(cpu, insn, w >> 3, bits):
                return FAULT
            last = flag_zf(cpu) != equal
            done = 1
        status = paid(cpu, insn, bits, done, last)
        if status != GO_ON:
            return status


cdef inline u64 scas_run(Cpu* cpu, Insn* insn, int size, int bits, bint equal,
                         bint* last) noexcept nogil:
    """Look through the elements of one page until one ends the repetition; return how many."""
    cdef u64 count = room(cpu, insn, bits), done = 0
    cdef u64 a = trunc(cpu.regs[RAX], 8 * size), b = 0
    cdef i64 step = -size if cpu.rflags & FLAG_DF else size
    cdef u8* found
    cdef u8* at = string_run(cpu, ES, destination(cpu, bits), bits, size, False, &count)
    if at == NULL:
        return 0
    if size == 1 and not equal and step > 0:
        found = <u8*>memchr(at, <int>a, count)
        done = <u64>(found - at) if found != NULL else count - 1
        at += done
    while done < count and not last[0]:
        b = host_read(at, size)
        at += step
        done += 1
        last[0] = (a == b) != equal
    set_flags_sub(cpu, 8 * size, a, b, trunc(a - b, 8 * size))
    advance(cpu, bits, size, RDI, done)
    return done


cdef inline int scas_once(Cpu* cpu, int size, int bits) noexcept nogil:
    cdef u64 a = trunc(cpu.regs[RAX], 8 * size), b = 0
    if load(cpu, ES, destination(cpu, bits), size, &b):
        return FAULT
    set_flags_sub(cpu, 8 * size, a, b, trunc(a - b, 8 * size))
    advance(cpu, bits, size, RDI, 1)
    return NEXT


cdef inline int scas(Cpu* cpu, Insn* insn, int w) noexcept nogil:
    """Compare the accumulator with a string.

    AE         SCAS AL, Yb
    AF         SCAS rAX, Yv

    Flags: OSZAPC.
    Source: SDM Vol. 2B, SCAS/SCASB/SCASW/SCASD; REP/REPE/REPZ/REPNE/REPNZ.
    """
    cdef int bits = address_bits(insn), status
    cdef bint equal = (insn.flags & INSN_REP) != 0, last = False
    cdef u64 done
    if not repeated(insn):
        return scas_once(cpu, w >> 3, bits)
    if nothing_to_do(cpu, bits):
        return NEXT
    while True:
        done = scas_run(cpu, insn, w >> 3, bits, equal, &last)
        if done == 0:
            if scas_once(cpu, w >> 3, bits):
                return FAULT
            last = flag_zf(cpu) != equal
            done = 1
        status = paid(cpu, insn, bits, done, last)
        if status != GO_ON:
            return status
