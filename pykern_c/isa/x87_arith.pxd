"""x87 basic arithmetic: the host executes every row as it stands.

Precision control acts on FADD, FSUB, FMUL, FDIV and FSQRT, rounding control on all; both are in
the host's control word.
"""


cdef inline void fadd() noexcept nogil:
    """Add.

    D8 /0     FADD Md
    DC /0     FADD Mq
    DE /0     FIADD Mw
    DA /0     FIADD Md
    D8 C0+i   FADD ST, ST(i)
    DC C0+i   FADD ST(i), ST
    DE C0+i   FADDP ST(i), ST

    Flags: none; C1.
    Source: SDM Vol. 2A, FADD/FADDP/FIADD.
    """


cdef inline void fmul() noexcept nogil:
    """Multiply.

    D8 /1     FMUL Md
    DC /1     FMUL Mq
    DE /1     FIMUL Mw
    DA /1     FIMUL Md
    D8 C8+i   FMUL ST, ST(i)
    DC C8+i   FMUL ST(i), ST
    DE C8+i   FMULP ST(i), ST

    Flags: none; C1.
    Source: SDM Vol. 2A, FMUL/FMULP/FIMUL.
    """


cdef inline void fsub() noexcept nogil:
    """Subtract the source from the destination.

    D8 /4     FSUB Md
    DC /4     FSUB Mq
    DE /4     FISUB Mw
    DA /4     FISUB Md
    D8 E0+i   FSUB ST, ST(i)
    DC E8+i   FSUB ST(i), ST
    DE E8+i   FSUBP ST(i), ST

    Flags: none; C1.
    Source: SDM Vol. 2A, FSUB/FSUBP/FISUB.
    """


cdef inline void fsubr() noexcept nogil:
    """Subtract the destination from the source.

    D8 /5     FSUBR Md
    DC /5     FSUBR Mq
    DE /5     FISUBR Mw
    DA /5     FISUBR Md
    D8 E8+i   FSUBR ST, ST(i)
    DC E0+i   FSUBR ST(i), ST
    DE E0+i   FSUBRP ST(i), ST

    Flags: none; C1.
    Source: SDM Vol. 2A, FSUBR/FSUBRP/FISUBR.
    """


cdef inline void fdiv() noexcept nogil:
    """Divide the destination by the source.

    D8 /6     FDIV Md
    DC /6     FDIV Mq
    DE /6     FIDIV Mw
    DA /6     FIDIV Md
    D8 F0+i   FDIV ST, ST(i)
    DC F8+i   FDIV ST(i), ST
    DE F8+i   FDIVP ST(i), ST

    Flags: none; C1.
    Source: SDM Vol. 2A, FDIV/FDIVP/FIDIV.
    """


cdef inline void fdivr() noexcept nogil:
    """Divide the source by the destination.

    D8 /7     FDIVR Md
    DC /7     FDIVR Mq
    DE /7     FIDIVR Mw
    DA /7     FIDIVR Md
    D8 F8+i   FDIVR ST, ST(i)
    DC F0+i   FDIVR ST(i), ST
    DE F0+i   FDIVRP ST(i), ST

    Flags: none; C1.
    Source: SDM Vol. 2A, FDIVR/FDIVRP/FIDIVR.
    """


cdef inline void fsqrt() noexcept nogil:
    """Square root.

    D9 FA     FSQRT

    Flags: none; C1.
    Source: SDM Vol. 2A, FSQRT.
    """


cdef inline void fchs() noexcept nogil:
    """Change sign.

    D9 E0     FCHS

    Flags: none; C1=0.
    Source: SDM Vol. 2A, FCHS.
    """


cdef inline void fabs() noexcept nogil:
    """Absolute value.

    D9 E1     FABS

    Flags: none; C1=0.
    Source: SDM Vol. 2A, FABS.
    """


cdef inline void frndint() noexcept nogil:
    """Round to integer.

    D9 FC     FRNDINT

    Flags: none; C1.
    Source: SDM Vol. 2A, FRNDINT.
    """


cdef inline void fscale() noexcept nogil:
    """Add the integer part of ST(1) to the exponent of ST.

    D9 FD     FSCALE

    Flags: none; C1.
    Source: SDM Vol. 2A, FSCALE.
    """


cdef inline void fxtract() noexcept nogil:
    """Split ST into exponent and significand.

    D9 F4     FXTRACT

    Flags: none; C1.
    Source: SDM Vol. 2A, FXTRACT.
    """


cdef inline void fprem() noexcept nogil:
    """Partial remainder, quotient truncated; up to 63 bits of exponent at a time.

    D9 F8     FPREM

    Flags: none; C0, C3, C1 the low bits of the quotient, C2 incomplete.
    Source: SDM Vol. 2A, FPREM.
    """


cdef inline void fprem1() noexcept nogil:
    """Partial remainder of IEEE 754, quotient rounded to nearest.

    D9 F5     FPREM1

    Flags: none; C0, C3, C1 the low bits of the quotient, C2 incomplete.
    Source: SDM Vol. 2A, FPREM1.
    """
