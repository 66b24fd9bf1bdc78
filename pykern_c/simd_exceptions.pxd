"""SIMD floating-point exceptions: what happens when the guest leaves one unmasked.

The generated bodies then call `fp_begin` before and `fp_fault` after the operation, which the host
executes with all exceptions
masked. The flags it raises are those of the unmasked response, but for three things: an exception
found before the computation
keeps the others of the instruction from being looked for; a tiny result underflows even if it is
exact; and a result that over-
or underflows is inexact if its significand had to be rounded, whatever became of its exponent.

References
----------
SDM Vol. 1, SIMD Floating-Point Exception Conditions; Unmasked SIMD Floating-Point Exceptions;
Overflow, Underflow and Precision.
"""

from pykern_c.types cimport cold_int, cold_void, u32, u64, xmm_t
from pykern_c.cpu cimport *
from pykern_c.host_sse cimport *
from pykern_c.mxcsr cimport *

cdef enum:
    BEFORE_COMPUTATION = MXCSR_IE | MXCSR_DE | MXCSR_ZE

# What the result of a row is made of.
cdef enum:
    FP_NONE = 0
    FP_SS = 1
    FP_SD = 2
    FP_PS = 3
    FP_PD = 4

# The operation of a row whose result may be tiny (row attribute ``tiny=``).
cdef enum:
    FP_OTHER = 0
    FP_ADD = 1
    FP_SUB = 2
    FP_MUL = 3
    FP_DIV = 4
    FP_NARROW = 5
    FP_HADD = 6
    FP_HSUB = 7
    FP_ADDSUB = 8


cdef inline u32 _unmasked(Cpu* cpu) noexcept nogil:
    """Return the flags of the exceptions that are not masked."""
    return ~(cpu.mxcsr >> MXCSR_MASK_SHIFT) & MXCSR_FLAGS


cdef inline cold_void fp_begin(Cpu* cpu) noexcept nogil:
    """Before an operation: only its own flags shall show."""
    mxcsr_collect(cpu)
    host_ldmxcsr(host_control(cpu))


cdef inline bint _denormal(u64 bits, bint wide) noexcept nogil:
    if wide:
        return bits & 0x7FF0000000000000ULL == 0 and bits & 0xFFFFFFFFFFFFFULL != 0
    return bits & 0x7F800000 == 0 and bits & 0x7FFFFF != 0


cdef inline bint _wide(int kind) noexcept nogil:
    return kind == FP_SD or kind == FP_PD


cdef inline int _lanes(int kind) noexcept nogil:
    return 4 if kind == FP_PS else 2 if kind == FP_PD else 0 if kind == FP_NONE else 1


cdef inline u64 _lane(const xmm_t* vector, int i, bint wide) noexcept nogil:
    return vector.q[i] if wide else vector.d[i]


cdef inline bint _is_tiny(int kind, const xmm_t* result) noexcept nogil:
    """Whether an element of a result is denormal."""
    cdef int i
    for i in range(_lanes(kind)):
        if _denormal(_lane(result, i, _wide(kind)), _wide(kind)):
            return True
    return False


# ---------------------------------------------------------------------------------------------
# Whether a result would be inexact if exponents had no bounds

cdef inline u64 _unit(u64 bits, bint wide) noexcept nogil:
    """Return the significand of a number as a number in [1, 2)."""
    cdef int width = 52 if wide else 23
    cdef u64 one = <u64>1 << width
    cdef u64 fraction = bits & (one - 1)
    if bits & ~(<u64>1 << (63 if wide else 31)) == fraction:        # denormal or zero
        if fraction == 0:
            return 0
        while not fraction & one:
            fraction <<= 1
    return (<u64>(1023 if wide else 127) << width) | (fraction & (one - 1))


cdef inline u64 _quarter(u64 bits, bint wide) noexcept nogil:
    """Divide by four what is large enough; the rest is negligible beside a sum that overflows."""
    cdef int width = 52 if wide else 23
    cdef u64 exponent = bits >> width & (0x7FF if wide else 0xFF)
    return bits - (<u64>2 << width) if exponent > 2 else bits


cdef inline xmm_t _scalar(int operation, bint wide, u64 x, u64 y) noexcept nogil:
    """Do an operation on one element."""
    cdef xmm_t a = from_q(x), b = from_q(y)
    if operation == FP_NARROW:
        return op2(CVTSD2SS, b, b)
    if operation == FP_ADD:
        return op2(ADDSD, a, b) if wide else op2(ADDSS, a, b)
    if operation == FP_SUB:
        return op2(SUBSD, a, b) if wide else op2(SUBSS, a, b)
    if operation == FP_MUL:
        return op2(MULSD, a, b) if wide else op2(MULSS, a, b)
    return op2(DIVSD, a, b) if wide else op2(DIVSS, a, b)


cdef inline bint _element_inexact(Cpu* cpu, int operation, bint wide, u64 x, u64 y) noexcept nogil:
    """Whether one element raises PE, given what is unmasked."""
    cdef u32 unmasked = _unmasked(cpu), flags
    cdef bint tiny, source = wide or operation == FP_NARROW
    cdef xmm_t result
    host_ldmxcsr(host_control(cpu))
    result = _scalar(operation, wide, x, y)
    flags = host_stmxcsr()
    tiny = flags & MXCSR_UE != 0 or _denormal(result.q[0] if wide else result.d[0], wide)
    if not flags & unmasked & MXCSR_OE and not (tiny and unmasked & MXCSR_UE):
        return flags & MXCSR_PE != 0
    host_ldmxcsr(host_control(cpu))
    if operation == FP_ADD or operation == FP_SUB:
        _scalar(operation, wide, _quarter(x, wide) if not tiny else x,
                _quarter(y, wide) if not tiny else y)
    else:
        _scalar(operation, wide, _unit(x, source), _unit(y, source))
    return host_stmxcsr() & MXCSR_PE != 0


cdef inline void _align_pairs(int kind, xmm_t* a, xmm_t* b) noexcept nogil:
    """Bring the neighbours of a horizontal operation into the same place of two vectors."""
    cdef xmm_t x = a[0], y = b[0]
    if kind == FP_PD:
        a[0] = from_qq(x.q[0], y.q[0])
        b[0] = from_qq(x.q[1], y.q[1])
    else:
        a[0] = from_d(x.d[0], x.d[2], y.d[0], y.d[2])
        b[0] = from_d(x.d[1], x.d[3], y.d[1], y.d[3])


cdef inline bint _inexact(Cpu* cpu, int operation, int kind, xmm_t a, xmm_t b) noexcept nogil:
    """Whether an operation that over- or underflows raises PE."""
    cdef bint wide = _wide(kind)
    cdef bint source = wide or operation == FP_NARROW
    cdef int i, one = operation
    cdef int count = 2 if operation == FP_NARROW and kind == FP_PS else _lanes(kind)
    if operation == FP_HADD or operation == FP_HSUB:
        _align_pairs(kind, &a, &b)
        one = FP_ADD if operation == FP_HADD else FP_SUB
    for i in range(count):
        if operation == FP_ADDSUB:
            one = FP_ADD if i & 1 else FP_SUB
        if _element_inexact(cpu, one, wide, _lane(&a, i, source), _lane(&b, i, source)):
            return True
    return False


# ---------------------------------------------------------------------------------------------

cdef inline u32 _raised(Cpu* cpu, int operation, int kind, const xmm_t* result, const xmm_t* a,
                        const xmm_t* b) noexcept nogil:
    """Return the flags that an operation raises which the host has just executed."""
    cdef u32 flags = host_stmxcsr() & MXCSR_FLAGS
    cdef u32 unmasked = _unmasked(cpu)
    if flags & unmasked & BEFORE_COMPUTATION:
        return flags & BEFORE_COMPUTATION
    if operation == FP_OTHER:
        return flags
    if unmasked & MXCSR_UE and _is_tiny(kind, result):
        flags |= MXCSR_UE
    if flags & unmasked & (MXCSR_OE | MXCSR_UE):
        flags &= ~<u32>MXCSR_PE
        if _inexact(cpu, operation, kind, a[0], b[0]):
            flags |= MXCSR_PE
    return flags


cdef inline int _take(Cpu* cpu, u32 flags) noexcept nogil:
    """Enter flags into MXCSR, and raise #XM if one of them is unmasked."""
    cpu.mxcsr |= flags
    host_ldmxcsr(host_control(cpu))
    if not flags & _unmasked(cpu):
        return 0
    return raise_fault(cpu, XM if cpu.cr4 & CR4_OSXMMEXCPT else UD)


cdef inline cold_int fp_fault(Cpu* cpu, int operation, int kind, const xmm_t* result,
                              const xmm_t* a, const xmm_t* b) noexcept nogil:
    """After an operation: raise #XM if it has to."""
    return _take(cpu, _raised(cpu, operation, kind, result, a, b))


cdef inline cold_int fp_dot_fault(Cpu* cpu, int kind, const xmm_t* a, const xmm_t* b,
                                  int imm) noexcept nogil:
    """After a dot product: raise #XM if its multiplication or one of its additions has to."""
    cdef xmm_t x = a[0], y = b[0], result
    cdef int i, _i
    for i in range(4):
        if not imm >> (4 + (i >> 1 if kind == FP_PD else i)) & 1:
            x.d[i] = y.d[i] = 0
    host_ldmxcsr(host_control(cpu))
    result = op2(MULPD, x, y) if kind == FP_PD else op2(MULPS, x, y)
    if _take(cpu, _raised(cpu, FP_MUL, kind, &result, &x, &y)):
        return FAULT
    for _i in range(1 if kind == FP_PD else 2):
        x = result
        result = op2(HADDPD, x, x) if kind == FP_PD else op2(HADDPS, x, x)
        if _take(cpu, _raised(cpu, FP_HADD, kind, &result, &x, &x)):
            return FAULT
    return 0
