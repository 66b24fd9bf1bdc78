"""x87 data transfer and stack registers: the host executes every row as it stands."""


cdef inline void fld() noexcept nogil:
    """Push a number.

    D9 /0     FLD Md
    DD /0     FLD Mq
    DB /5     FLD Mt
    D9 C0+i   FLD ST(i)

    Flags: none; C1.
    Source: SDM Vol. 2A, FLD.
    """


cdef inline void fst() noexcept nogil:
    """Store ST, rounded to the size of the destination.

    D9 /2     FST Md     nodst
    DD /2     FST Mq     nodst
    DD D0+i   FST ST(i)
    D9 /3     FSTP Md    nodst
    DD /3     FSTP Mq    nodst
    DB /7     FSTP Mt    nodst
    DD D8+i   FSTP ST(i)
    D9 D8+i   FSTP1 ST(i)   alias
    DF D0+i   FSTP8 ST(i)   alias
    DF D8+i   FSTP9 ST(i)   alias

    Flags: none; C1.
    Source: SDM Vol. 2A, FST/FSTP.
    """


cdef inline void fild() noexcept nogil:
    """Push an integer.

    DF /0     FILD Mw
    DB /0     FILD Md
    DF /5     FILD Mq

    Flags: none; C1.
    Source: SDM Vol. 2A, FILD.
    """


cdef inline void fist() noexcept nogil:
    """Store ST as an integer, rounded.

    DF /2     FIST Mw    nodst
    DB /2     FIST Md    nodst
    DF /3     FISTP Mw   nodst
    DB /3     FISTP Md   nodst
    DF /7     FISTP Mq   nodst

    Flags: none; C1.
    Source: SDM Vol. 2A, FIST/FISTP.
    """


cdef inline void fisttp() noexcept nogil:
    """Store ST as an integer, truncated, and pop.

    DF /1     FISTTP Mw  nodst SSE3
    DB /1     FISTTP Md  nodst SSE3
    DD /1     FISTTP Mq  nodst SSE3

    Flags: none; C1=0.
    Source: SDM Vol. 2A, FISTTP.
    """


cdef inline void fbld() noexcept nogil:
    """Push a packed decimal of 18 digits.

    DF /4     FBLD Mt

    Flags: none; C1.
    Source: SDM Vol. 2A, FBLD.
    """


cdef inline void fbstp() noexcept nogil:
    """Store ST as a packed decimal of 18 digits, and pop.

    DF /6     FBSTP Mt   nodst

    Flags: none; C1.
    Source: SDM Vol. 2A, FBSTP.
    """


cdef inline void fxch() noexcept nogil:
    """Exchange ST and another register.

    D9 C8+i   FXCH ST(i)
    DD C8+i   FXCH4 ST(i)   alias
    DF C8+i   FXCH7 ST(i)   alias

    Flags: none; C1=0.
    Source: SDM Vol. 2A, FXCH.
    """


cdef inline void fcmovcc() noexcept nogil:
    """Move to ST if a condition of CF, ZF, PF is met.

    DA C0+i   FCMOVB ST, ST(i)     eflags=in CMOV
    DA C8+i   FCMOVE ST, ST(i)     eflags=in CMOV
    DA D0+i   FCMOVBE ST, ST(i)    eflags=in CMOV
    DA D8+i   FCMOVU ST, ST(i)     eflags=in CMOV
    DB C0+i   FCMOVNB ST, ST(i)    eflags=in CMOV
    DB C8+i   FCMOVNE ST, ST(i)    eflags=in CMOV
    DB D0+i   FCMOVNBE ST, ST(i)   eflags=in CMOV
    DB D8+i   FCMOVNU ST, ST(i)    eflags=in CMOV

    Flags: none; C1.
    Source: SDM Vol. 2A, FCMOVcc.
    """


cdef inline void fld_constant() noexcept nogil:
    """Push 1, a logarithm, π or 0, rounded by RC.

    D9 E8     FLD1
    D9 E9     FLDL2T
    D9 EA     FLDL2E
    D9 EB     FLDPI
    D9 EC     FLDLG2
    D9 ED     FLDLN2
    D9 EE     FLDZ

    Flags: none; C1.
    Source: SDM Vol. 2A, FLD1/FLDL2T/FLDL2E/FLDPI/FLDLG2/FLDLN2/FLDZ.
    """


cdef inline void ffree() noexcept nogil:
    """Tag a register empty.

    DD C0+i   FFREE ST(i)

    Flags: none.
    Source: SDM Vol. 2A, FFREE.
    """


cdef inline void ffreep() noexcept nogil:
    """Tag a register empty, and pop.

    DF C0+i   FFREEP ST(i)

    Flags: none.
    Source: APM Vol. 3, Appendix A, x87 Encodings; reserved in SDM Vol. 2D, Escape Opcode
    Instructions.
    """


cdef inline void fincstp() noexcept nogil:
    """Turn the stack by one register.

    D9 F7     FINCSTP
    D9 F6     FDECSTP

    Flags: none; C1=0.
    Source: SDM Vol. 2A, FINCSTP; FDECSTP.
    """
