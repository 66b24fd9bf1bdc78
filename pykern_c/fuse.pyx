"""Handlers chosen by what stands behind an instruction: flags left out, two records at once."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.decode cimport *


cdef void elide_flags(Insn* insn, u32 n) noexcept nogil:
    """Give instructions whose flags nobody can see their quiet handlers."""
    cdef bint live = True
    cdef u32 i = n
    cdef Handlers* h
    while i > 0:
        i -= 1
        h = handlers_of(insn[i].form)
        if insn[i].fn != h.reg or insn[i].fn == NULL:
            live = True
        elif h.flow & FLOW_KILLS:
            if not live and h.quiet != NULL:
                insn[i].fn = h.quiet
            live = False
        elif not h.flow & FLOW_CLEAR:
            live = True


cdef Handler _pair(Insn* insn, Handlers* h, u32 cc) noexcept nogil:
    if h.pair != NULL and insn.fn == h.reg:
        return h.pair[cc]
    if h.pair_mem != NULL and insn.fn == h.mem:
        return h.pair_mem[cc]
    if h.pair_memx != NULL and insn.fn == h.memx:
        return h.pair_memx[cc]
    return NULL


cdef void _fuse_branches(Insn* insn, u32 n) noexcept nogil:
    """Join comparisons with the conditional branches behind them."""
    cdef u32 i
    cdef Handlers* jcc
    cdef Handler fn
    for i in range(n - 1):
        jcc = handlers_of(insn[i + 1].form)
        if not jcc.flow & FLOW_JCC or insn[i + 1].fn != jcc.reg:
            continue
        fn = _pair(&insn[i], handlers_of(insn[i].form), jcc.flow >> 8)
        if fn != NULL:
            insn[i].fn = fn


cdef u32 _hot(Insn* insn) noexcept nogil:
    """Return the number of the piece that does what a record's handler does; 0: there is none."""
    cdef Handlers* h = handlers_of(insn.form)
    if insn.fn == h.reg:
        return h.hot[HOT_REG]
    if insn.fn == h.mem:
        return h.hot[HOT_MEM]
    if insn.fn == h.memx:
        return h.hot[HOT_MEMX]
    return h.hot[HOT_QUIET] if insn.fn == h.quiet else 0


cdef void _fuse_hot(Insn* insn, u32 n) noexcept nogil:
    """Join hot instructions that follow each other, two by two."""
    cdef u32 i = 0, first, second
    while i + 1 < n:
        first, second = _hot(&insn[i]), _hot(&insn[i + 1])
        if first and second:
            insn[i].fn = fused_handler(first, second)
            i += 1
        i += 1


cdef void fuse(Insn* insn, u32 n) noexcept nogil:
    _fuse_branches(insn, n)
    _fuse_hot(insn, n)
