"""x87 comparison: the host executes every row as it stands."""


cdef inline void fcom() noexcept nogil:
    """Compare; any NaN is invalid.

    D8 /2     FCOM Md
    DC /2     FCOM Mq
    D8 D0+i   FCOM ST(i)
    D8 /3     FCOMP Md
    DC /3     FCOMP Mq
    D8 D8+i   FCOMP ST(i)
    DE D9     FCOMPP
    DC D0+i   FCOM2 ST(i)      alias
    DC D8+i   FCOMP3 ST(i)     alias
    DE D0+i   FCOMP5 ST(i)     alias

    Flags: none; C3, C2, C0, C1.
    Source: SDM Vol. 2A, FCOM/FCOMP/FCOMPP.
    """


cdef inline void fucom() noexcept nogil:
    """Compare; only a signalling NaN is invalid.

    DD E0+i   FUCOM ST(i)
    DD E8+i   FUCOMP ST(i)
    DA E9     FUCOMPP

    Flags: none; C3, C2, C0, C1.
    Source: SDM Vol. 2A, FUCOM/FUCOMP/FUCOMPP.
    """


cdef inline void ficom() noexcept nogil:
    """Compare with an integer.

    DE /2     FICOM Mw
    DA /2     FICOM Md
    DE /3     FICOMP Mw
    DA /3     FICOMP Md

    Flags: none; C3, C2, C0, C1.
    Source: SDM Vol. 2A, FICOM/FICOMP.
    """


cdef inline void fcomi() noexcept nogil:
    """Compare into EFLAGS.

    DB F0+i   FCOMI ST, ST(i)     eflags=out CMOV
    DF F0+i   FCOMIP ST, ST(i)    eflags=out CMOV
    DB E8+i   FUCOMI ST, ST(i)    eflags=out CMOV
    DF E8+i   FUCOMIP ST, ST(i)   eflags=out CMOV

    Flags: ZF, PF, CF of the comparison; OF, SF, AF cleared. C1.
    Source: SDM Vol. 2A, FCOMI/FCOMIP/FUCOMI/FUCOMIP.
    """


cdef inline void ftst() noexcept nogil:
    """Compare ST with zero.

    D9 E4     FTST

    Flags: none; C3, C2, C0, C1.
    Source: SDM Vol. 2A, FTST.
    """


cdef inline void fxam() noexcept nogil:
    """Classify ST, empty ones too.

    D9 E5     FXAM

    Flags: none; C3, C2, C0 the class, C1 the sign.
    Source: SDM Vol. 2A, FXAM.
    """
