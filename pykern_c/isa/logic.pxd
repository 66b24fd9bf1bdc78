"""Bitwise logic."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport *


cdef inline u64 and_(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Logical AND.

    20 /r      AND Eb, Gb    lock undef=A
    21 /r      AND Ev, Gv    lock undef=A hot=reg64+quiet64
    22 /r      AND Gb, Eb    undef=A
    23 /r      AND Gv, Ev    undef=A
    24 ib      AND AL, Ib    undef=A
    25 iz      AND rAX, Iz   undef=A
    80 /4 ib   AND Eb, Ib    lock undef=A
    81 /4 iz   AND Ev, Iz    lock undef=A
    82 /4 ib   AND Eb, Ib    lock undef=A i64
    83 /4 ib   AND Ev, Ibs   lock undef=A

    Flags: OSZPC.
    Liveness: kills.
    Pairs: logic.
    Source: SDM Vol. 2A, AND.
    """
    set_flags_logic(cpu, w, dst & src)
    return dst & src


cdef inline u64 or_(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Logical inclusive OR.

    08 /r      OR Eb, Gb    lock undef=A
    09 /r      OR Ev, Gv    lock undef=A hot=reg64+quiet64
    0A /r      OR Gb, Eb    undef=A
    0B /r      OR Gv, Ev    undef=A
    0C ib      OR AL, Ib    undef=A
    0D iz      OR rAX, Iz   undef=A
    80 /1 ib   OR Eb, Ib    lock undef=A
    81 /1 iz   OR Ev, Iz    lock undef=A
    82 /1 ib   OR Eb, Ib    lock undef=A i64
    83 /1 ib   OR Ev, Ibs   lock undef=A

    Flags: OSZPC.
    Liveness: kills.
    Pairs: logic.
    Source: SDM Vol. 2B, OR.
    """
    set_flags_logic(cpu, w, dst | src)
    return dst | src


cdef inline u64 xor(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Logical exclusive OR.

    30 /r      XOR Eb, Gb    lock undef=A
    31 /r      XOR Ev, Gv    lock undef=A hot=reg64+quiet64
    32 /r      XOR Gb, Eb    undef=A
    33 /r      XOR Gv, Ev    undef=A hot=mem64
    34 ib      XOR AL, Ib    undef=A
    35 iz      XOR rAX, Iz   undef=A
    80 /6 ib   XOR Eb, Ib    lock undef=A
    81 /6 iz   XOR Ev, Iz    lock undef=A
    82 /6 ib   XOR Eb, Ib    lock undef=A i64
    83 /6 ib   XOR Ev, Ibs   lock undef=A hot=reg64+quiet64

    Flags: OSZPC.
    Liveness: kills.
    Pairs: logic.
    Source: SDM Vol. 2C, XOR.
    """
    set_flags_logic(cpu, w, dst ^ src)
    return dst ^ src


cdef inline u64 test(Cpu* cpu, int w, u64 dst, u64 src) noexcept nogil:
    """Logical compare: AND and keep only the flags.

    84 /r      TEST Eb, Gb    nowrite undef=A
    85 /r      TEST Ev, Gv    nowrite undef=A
    A8 ib      TEST AL, Ib    nowrite undef=A
    A9 iz      TEST rAX, Iz   nowrite undef=A
    F6 /0 ib   TEST Eb, Ib    nowrite undef=A
    F6 /1 ib   TEST Eb, Ib    nowrite undef=A
    F7 /0 iz   TEST Ev, Iz    nowrite undef=A
    F7 /1 iz   TEST Ev, Iz    nowrite undef=A

    Flags: OSZPC.
    Liveness: kills.
    Pairs: logic.
    Source: SDM Vol. 2B, TEST; /1 as AMD64 Architecture Programmer's Manual Vol. 3, Opcode Map.
    """
    set_flags_logic(cpu, w, dst & src)
    return dst & src


cdef inline u64 not_(Cpu* cpu, int w, u64 dst) noexcept nogil:
    """One's complement negation.

    F6 /2      NOT Eb    lock
    F7 /2      NOT Ev    lock

    Flags: none.
    Liveness: clear.
    Source: SDM Vol. 2B, NOT.
    """
    return ~dst
