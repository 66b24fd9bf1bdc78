"""x87 transcendental functions: the host executes every row as it stands, last bits included."""


cdef inline void f2xm1() noexcept nogil:
    """ST = 2^ST - 1.

    D9 F0     F2XM1

    Flags: none; C1.
    Source: SDM Vol. 2A, F2XM1.
    """


cdef inline void fyl2x() noexcept nogil:
    """ST(1) = ST(1) · log2 ST, and pop.

    D9 F1     FYL2X
    D9 F9     FYL2XP1

    Flags: none; C1.
    Source: SDM Vol. 2A, FYL2X; FYL2XP1.
    """


cdef inline void fptan() noexcept nogil:
    """ST = tan ST, and push 1.

    D9 F2     FPTAN

    Flags: none; C1, C2: ST is not within ±2^63.
    Source: SDM Vol. 2A, FPTAN.
    """


cdef inline void fpatan() noexcept nogil:
    """ST(1) = the angle of (ST, ST(1)), and pop.

    D9 F3     FPATAN

    Flags: none; C1.
    Source: SDM Vol. 2A, FPATAN.
    """


cdef inline void fsin() noexcept nogil:
    """Sine and cosine.

    D9 FE     FSIN
    D9 FF     FCOS
    D9 FB     FSINCOS

    Flags: none; C1, C2: ST is not within ±2^63.
    Source: SDM Vol. 2A, FSIN; FCOS; FSINCOS.
    """
