"""The host's own SSE instructions, so that results, NaNs and MXCSR flags are a processor's.

Inline assembly and not intrinsics: a compiler may swap the operands of an addition, and which NaN
comes out depends on
their order; it may fold constants, and move an operation over a change of MXCSR. Assembly also
needs no compiler flag for
AES or SSE4. An instruction is named by its mnemonic: ``op2(PADDB, a, b)``.
"""

from pykern_c.types cimport i32, u32, u64, xmm_t

cdef extern from *:
    """
    #ifndef PYKERN_HOST_SSE
    #define PYKERN_HOST_SSE
    #define PK_ASM __asm__ volatile
    /* result = OP source; result = destination OP source; the same with XMM0 as third operand */
    #define pk_op1(insn, a) ({ pk_xmm r_, a_ = (a); \\
        PK_ASM(#insn " %1, %0" : "=x"(r_.v) : "x"(a_.v)); r_; })
    #define pk_op2(insn, a, b) ({ pk_xmm a_ = (a), b_ = (b); \
        PK_ASM(#insn " %1, %0" : "+x"(a_.v) : "x"(b_.v)); a_; })
    #define pk_op3(insn, a, b, m) ({ pk_xmm a_ = (a), b_ = (b), m_ = (m); \
        PK_ASM(#insn " %%xmm0, %1, %0" : "+x"(a_.v) : "x"(b_.v), "Yz"(m_.v)); a_; })
    /* vector to general register, 32 and 64 bits; integer into a vector */
    #define pk_to_d(insn, a) ({ uint32_t r_; pk_xmm a_ = (a); \
        PK_ASM(#insn " %1, %0" : "=r"(r_) : "x"(a_.v)); (uint64_t)r_; })
    #define pk_to_q(insn, a) ({ uint64_t r_; pk_xmm a_ = (a); \
        PK_ASM(#insn " %1, %0" : "=r"(r_) : "x"(a_.v)); r_; })
    #define pk_from_gd(insn, a, g) ({ pk_xmm a_ = (a); \
        PK_ASM(#insn " %1, %0" : "+x"(a_.v) : "r"((uint32_t)(g))); a_; })
    #define pk_from_gq(insn, a, g) ({ pk_xmm a_ = (a); \
        PK_ASM(#insn " %1, %0" : "+x"(a_.v) : "r"((uint64_t)(g))); a_; })
    /* COMISS and its kin: ZF | PF << 1 | CF << 2 */
    #define pk_compare(insn, a, b) ({ pk_xmm a_ = (a), b_ = (b); int z_, p_, c_; \
        PK_ASM(#insn " %4, %3" : "=@ccz"(z_), "=@ccp"(p_), "=@ccc"(c_) : "x"(a_.v), "x"(b_.v)); \
        (uint32_t)(z_ | p_ << 1 | c_ << 2); })

    static inline pk_xmm pk_from_qq(uint64_t low, uint64_t high) {
        pk_xmm x; x.v = (pk_vector){(long long)low, (long long)high}; return x;
    }
    static inline pk_xmm pk_from_d(uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
        return pk_from_qq(a | (uint64_t)b << 32, c | (uint64_t)d << 32);
    }
    static inline pk_xmm pk_from_q(uint64_t low) { return pk_from_qq(low, 0); }
    static inline pk_xmm pk_low_q(pk_xmm a) { PK_ASM("movq %0, %0" : "+x"(a.v)); return a; }
    static inline pk_xmm pk_high_q(pk_xmm a) { PK_ASM("psrldq $8, %0" : "+x"(a.v)); return a; }
    static inline pk_xmm pk_join(pk_xmm a, pk_xmm b) { return pk_op2(punpcklqdq, a, b); }
    /* sixteen bytes of low:high from a byte on, 0 to 16 */
    static inline pk_xmm pk_window(pk_xmm low, pk_xmm high, int from) {
        uint8_t both[32]; pk_xmm r;
        __builtin_memcpy(both, &low, 16); __builtin_memcpy(both + 16, &high, 16);
        __builtin_memcpy(&r, both + from, 16);
        return r;
    }

    /* Immediates are part of the host's instruction too: one case for each. */
    #define PK_4(C, i) C(i) C((i) + 1) C((i) + 2) C((i) + 3)
    #define PK_16(C, i) PK_4(C, i) PK_4(C, (i) + 4) PK_4(C, (i) + 8) PK_4(C, (i) + 12)
    #define PK_64(C, i) PK_16(C, i) PK_16(C, (i) + 16) PK_16(C, (i) + 32) PK_16(C, (i) + 48)
    #define PK_8(C) PK_4(C, 0) PK_4(C, 4)
    #define PK_128(C) PK_64(C, 0) PK_64(C, 64)
    #define PK_256(C) PK_128(C) PK_64(C, 128) PK_64(C, 192)
    #define PK_CASE(i) case i: PK_ASM(PK_INSN " %2, %1, %0" : "+x"(a.v) : "x"(b.v), "i"(i)); break;
    #define PK_BY_IMM static __attribute__((noinline)) pk_xmm

    #define PK_INSN "cmpps"
    PK_BY_IMM pk_cmpps(pk_xmm a, pk_xmm b, int imm)
    { switch (imm & 7) { PK_8(PK_CASE) } return a; }
    #undef PK_INSN
    #define PK_INSN "cmppd"
    PK_BY_IMM pk_cmppd(pk_xmm a, pk_xmm b, int imm)
    { switch (imm & 7) { PK_8(PK_CASE) } return a; }
    #undef PK_INSN
    #define PK_INSN "cmpss"
    PK_BY_IMM pk_cmpss(pk_xmm a, pk_xmm b, int imm)
    { switch (imm & 7) { PK_8(PK_CASE) } return a; }
    #undef PK_INSN
    #define PK_INSN "cmpsd"
    PK_BY_IMM pk_cmpsd(pk_xmm a, pk_xmm b, int imm)
    { switch (imm & 7) { PK_8(PK_CASE) } return a; }
    #undef PK_INSN
    #define PK_INSN "roundps"
    PK_BY_IMM pk_roundps(pk_xmm a, pk_xmm b, int imm)
    { switch (imm & 15) { PK_16(PK_CASE, 0) } return a; }
    #undef PK_INSN
    #define PK_INSN "roundpd"
    PK_BY_IMM pk_roundpd(pk_xmm a, pk_xmm b, int imm)
    { switch (imm & 15) { PK_16(PK_CASE, 0) } return a; }
    #undef PK_INSN
    #define PK_INSN "roundss"
    PK_BY_IMM pk_roundss(pk_xmm a, pk_xmm b, int imm)
    { switch (imm & 15) { PK_16(PK_CASE, 0) } return a; }
    #undef PK_INSN
    #define PK_INSN "roundsd"
    PK_BY_IMM pk_roundsd(pk_xmm a, pk_xmm b, int imm)
    { switch (imm & 15) { PK_16(PK_CASE, 0) } return a; }
    #undef PK_INSN
    #define PK_INSN "dpps"
    PK_BY_IMM pk_dpps(pk_xmm a, pk_xmm b, int imm)
    { switch (imm & 255) { PK_256(PK_CASE) } return a; }
    #undef PK_INSN
    #define PK_INSN "dppd"
    PK_BY_IMM pk_dppd(pk_xmm a, pk_xmm b, int imm)
    { switch (imm & 255) { PK_256(PK_CASE) } return a; }
    #undef PK_INSN
    #define PK_INSN "mpsadbw"
    PK_BY_IMM pk_mpsadbw(pk_xmm a, pk_xmm b, int imm)
    { switch (imm & 7) { PK_8(PK_CASE) } return a; }
    #undef PK_INSN
    #define PK_INSN "sha1rnds4"
    PK_BY_IMM pk_sha1rnds4(pk_xmm a, pk_xmm b, int imm)
    { switch (imm & 3) { PK_4(PK_CASE, 0) } return a; }
    #undef PK_INSN
    static inline pk_xmm pk_pclmulqdq(pk_xmm a, pk_xmm b) {
        PK_ASM("pclmulqdq $0, %1, %0" : "+x"(a.v) : "x"(b.v)); return a;
    }
    static inline pk_xmm pk_aeskeygenassist(pk_xmm a) {
        pk_xmm r; PK_ASM("aeskeygenassist $0, %1, %0" : "=x"(r.v) : "x"(a.v)); return r;
    }

    /* Strings. Flags come back as LAHF and SETO left them in AX. */
    #define PK_TAKE "; lahf; seto %%al"
    #define PK_ISTRI(i) case i: PK_ASM("pcmpistri %4, %3, %2" PK_TAKE \
        : "=c"(index), "=a"(*flags) : "x"(a.v), "x"(b.v), "i"(i) : "cc"); break;
    static __attribute__((noinline)) uint64_t pk_pcmpistri(pk_xmm a, pk_xmm b, int imm, uint32_t
    *flags) {
        uint32_t index = 0;
        switch (imm & 127) { PK_128(PK_ISTRI) }
        return index;
    }
    #define PK_ISTRM(i) case i: PK_ASM("pcmpistrm %4, %3, %2" PK_TAKE \
        : "=Yz"(mask.v), "=a"(*flags) : "x"(a.v), "x"(b.v), "i"(i) : "cc"); break;
    PK_BY_IMM pk_pcmpistrm(pk_xmm a, pk_xmm b, int imm, uint32_t *flags) {
        pk_xmm mask = a;
        switch (imm & 127) { PK_128(PK_ISTRM) }
        return mask;
    }
    #define PK_ESTRI(i) case i: PK_ASM("pcmpestri %6, %3, %2" PK_TAKE \
        : "=c"(index), "=a"(*flags) : "x"(a.v), "x"(b.v), "a"(la), "d"(lb), "i"(i) : "cc"); break;
    static __attribute__((noinline)) uint64_t pk_pcmpestri(
            pk_xmm a, int32_t la, pk_xmm b, int32_t lb, int imm, uint32_t *flags) {
        uint32_t index = 0;
        switch (imm & 127) { PK_128(PK_ESTRI) }
        return index;
    }
    #define PK_ESTRM(i) case i: PK_ASM("pcmpestrm %6, %3, %2" PK_TAKE \
        : "=Yz"(mask.v), "=a"(*flags) : "x"(a.v), "x"(b.v), "a"(la), "d"(lb), "i"(i) : "cc"); break;
    PK_BY_IMM pk_pcmpestrm(pk_xmm a, int32_t la, pk_xmm b, int32_t lb, int imm, uint32_t *flags) {
        pk_xmm mask = a;
        switch (imm & 127) { PK_128(PK_ESTRM) }
        return mask;
    }
    #endif
    """
    enum:
        ADDPD "addpd", ADDPS "addps", ADDSD "addsd", ADDSS "addss", ADDSUBPD "addsubpd",
        ADDSUBPS "addsubps", AESDEC "aesdec", AESDECLAST "aesdeclast", AESENC "aesenc",
        AESENCLAST "aesenclast", AESIMC "aesimc", ANDNPS "andnps", ANDPS "andps",
        BLENDVPD "blendvpd", BLENDVPS "blendvps", COMISD "comisd", COMISS "comiss",
        CVTDQ2PD "cvtdq2pd", CVTDQ2PS "cvtdq2ps", CVTPD2DQ "cvtpd2dq", CVTPD2PS "cvtpd2ps",
        CVTPS2DQ "cvtps2dq", CVTPS2PD "cvtps2pd", CVTSD2SI "cvtsd2si", CVTSD2SS "cvtsd2ss",
        CVTSI2SDL "cvtsi2sdl", CVTSI2SDQ "cvtsi2sdq", CVTSI2SSL "cvtsi2ssl", CVTSI2SSQ "cvtsi2ssq",
        CVTSS2SD "cvtss2sd", CVTSS2SI "cvtss2si", CVTTPD2DQ "cvttpd2dq", CVTTPS2DQ "cvttps2dq",
        CVTTSD2SI "cvttsd2si", CVTTSS2SI "cvttss2si", DIVPD "divpd", DIVPS "divps", DIVSD "divsd",
        DIVSS "divss", HADDPD "haddpd", HADDPS "haddps", HSUBPD "hsubpd", HSUBPS "hsubps",
        MAXPD "maxpd", MAXPS "maxps", MAXSD "maxsd", MAXSS "maxss", MINPD "minpd", MINPS "minps",
        MINSD "minsd", MINSS "minss", MOVDDUP "movddup", MOVHLPS "movhlps", MOVLHPS "movlhps",
        MOVMSKPD "movmskpd", MOVMSKPS "movmskps", MOVSD "movsd", MOVSHDUP "movshdup",
        MOVSLDUP "movsldup", MOVSS "movss", MULPD "mulpd", MULPS "mulps", MULSD "mulsd",
        MULSS "mulss", ORPS "orps", PABSB "pabsb", PABSD "pabsd", PABSW "pabsw",
        PACKSSDW "packssdw", PACKSSWB "packsswb", PACKUSDW "packusdw", PACKUSWB "packuswb",
        PADDB "paddb", PADDD "paddd", PADDQ "paddq", PADDSB "paddsb", PADDSW "paddsw",
        PADDUSB "paddusb", PADDUSW "paddusw", PADDW "paddw", PAND "pand", PANDN "pandn",
        PAVGB "pavgb", PAVGW "pavgw", PBLENDVB "pblendvb", PCMPEQB "pcmpeqb", PCMPEQD "pcmpeqd",
        PCMPEQQ "pcmpeqq", PCMPEQW "pcmpeqw", PCMPGTB "pcmpgtb", PCMPGTD "pcmpgtd",
        PCMPGTQ "pcmpgtq", PCMPGTW "pcmpgtw", PHADDD "phaddd", PHADDSW "phaddsw", PHADDW "phaddw",
        PHMINPOSUW "phminposuw", PHSUBD "phsubd", PHSUBSW "phsubsw", PHSUBW "phsubw",
        PMADDUBSW "pmaddubsw", PMADDWD "pmaddwd", PMAXSB "pmaxsb", PMAXSD "pmaxsd", PMAXSW "pmaxsw",
        PMAXUB "pmaxub", PMAXUD "pmaxud", PMAXUW "pmaxuw", PMINSB "pminsb", PMINSD "pminsd",
        PMINSW "pminsw", PMINUB "pminub", PMINUD "pminud", PMINUW "pminuw", PMOVMSKB "pmovmskb",
        PMOVSXBD "pmovsxbd", PMOVSXBQ "pmovsxbq", PMOVSXBW "pmovsxbw", PMOVSXDQ "pmovsxdq",
        PMOVSXWD "pmovsxwd", PMOVSXWQ "pmovsxwq", PMOVZXBD "pmovzxbd", PMOVZXBQ "pmovzxbq",
        PMOVZXBW "pmovzxbw", PMOVZXDQ "pmovzxdq", PMOVZXWD "pmovzxwd", PMOVZXWQ "pmovzxwq",
        PMULDQ "pmuldq", PMULHRSW "pmulhrsw", PMULHUW "pmulhuw", PMULHW "pmulhw", PMULLD "pmulld",
        PMULLW "pmullw", PMULUDQ "pmuludq", POR "por", PSADBW "psadbw", PSHUFB "pshufb",
        PSIGNB "psignb", PSIGND "psignd", PSIGNW "psignw", PSLLD "pslld", PSLLQ "psllq",
        PSLLW "psllw", PSRAD "psrad", PSRAW "psraw", PSRLD "psrld", PSRLQ "psrlq", PSRLW "psrlw",
        PSUBB "psubb", PSUBD "psubd", PSUBQ "psubq", PSUBSB "psubsb", PSUBSW "psubsw",
        PSUBUSB "psubusb", PSUBUSW "psubusw", PSUBW "psubw", PUNPCKHBW "punpckhbw",
        PUNPCKHDQ "punpckhdq", PUNPCKHQDQ "punpckhqdq", PUNPCKHWD "punpckhwd",
        PUNPCKLBW "punpcklbw", PUNPCKLDQ "punpckldq", PUNPCKLQDQ "punpcklqdq",
        PUNPCKLWD "punpcklwd", PXOR "pxor", RCPPS "rcpps", RCPSS "rcpss", RSQRTPS "rsqrtps",
        RSQRTSS "rsqrtss", SHA1MSG1 "sha1msg1", SHA1MSG2 "sha1msg2", SHA1NEXTE "sha1nexte",
        SHA256MSG1 "sha256msg1", SHA256MSG2 "sha256msg2", SHA256RNDS2 "sha256rnds2",
        SQRTPD "sqrtpd", SQRTPS "sqrtps", SQRTSD "sqrtsd", SQRTSS "sqrtss", SUBPD "subpd",
        SUBPS "subps", SUBSD "subsd", SUBSS "subss", UCOMISD "ucomisd", UCOMISS "ucomiss",
        UNPCKHPD "unpckhpd", UNPCKHPS "unpckhps", UNPCKLPD "unpcklpd", UNPCKLPS "unpcklps",
        XORPS "xorps"

    xmm_t op1 "pk_op1"(int insn, xmm_t a) nogil
    xmm_t op2 "pk_op2"(int insn, xmm_t a, xmm_t b) nogil
    xmm_t op3 "pk_op3"(int insn, xmm_t a, xmm_t b, xmm_t xmm0) nogil
    u64 to_d "pk_to_d"(int insn, xmm_t a) nogil
    u64 to_q "pk_to_q"(int insn, xmm_t a) nogil
    xmm_t from_gd "pk_from_gd"(int insn, xmm_t a, u64 value) nogil
    xmm_t from_gq "pk_from_gq"(int insn, xmm_t a, u64 value) nogil
    u32 compare "pk_compare"(int insn, xmm_t a, xmm_t b) nogil
    xmm_t from_q "pk_from_q"(u64 low) nogil
    xmm_t from_qq "pk_from_qq"(u64 low, u64 high) nogil
    xmm_t from_d "pk_from_d"(u32 a, u32 b, u32 c, u32 d) nogil
    xmm_t low_q "pk_low_q"(xmm_t a) nogil               # the high half zero
    xmm_t high_q "pk_high_q"(xmm_t a) nogil             # the high half moved to the low one
    xmm_t join "pk_join"(xmm_t low, xmm_t high) nogil   # the low halves of two
    xmm_t window "pk_window"(xmm_t low, xmm_t high, int start) nogil
    xmm_t host_cmpps "pk_cmpps"(xmm_t a, xmm_t b, int imm) nogil
    xmm_t host_cmppd "pk_cmppd"(xmm_t a, xmm_t b, int imm) nogil
    xmm_t host_cmpss "pk_cmpss"(xmm_t a, xmm_t b, int imm) nogil
    xmm_t host_cmpsd "pk_cmpsd"(xmm_t a, xmm_t b, int imm) nogil
    xmm_t host_roundps "pk_roundps"(xmm_t a, xmm_t b, int imm) nogil
    xmm_t host_roundpd "pk_roundpd"(xmm_t a, xmm_t b, int imm) nogil
    xmm_t host_roundss "pk_roundss"(xmm_t a, xmm_t b, int imm) nogil
    xmm_t host_roundsd "pk_roundsd"(xmm_t a, xmm_t b, int imm) nogil
    xmm_t host_dpps "pk_dpps"(xmm_t a, xmm_t b, int imm) nogil
    xmm_t host_dppd "pk_dppd"(xmm_t a, xmm_t b, int imm) nogil
    xmm_t host_mpsadbw "pk_mpsadbw"(xmm_t a, xmm_t b, int imm) nogil
    xmm_t host_sha1rnds4 "pk_sha1rnds4"(xmm_t a, xmm_t b, int imm) nogil
    xmm_t host_pclmulqdq "pk_pclmulqdq"(xmm_t a, xmm_t b) nogil
    xmm_t host_aeskeygenassist "pk_aeskeygenassist"(xmm_t a) nogil
    u64 host_pcmpistri "pk_pcmpistri"(xmm_t a, xmm_t b, int imm, u32* flags) nogil
    xmm_t host_pcmpistrm "pk_pcmpistrm"(xmm_t a, xmm_t b, int imm, u32* flags) nogil
    u64 host_pcmpestri "pk_pcmpestri"(xmm_t a, i32 la, xmm_t b, i32 lb, int imm, u32* flags) nogil
    xmm_t host_pcmpestrm "pk_pcmpestrm"(xmm_t a, i32 la, xmm_t b, i32 lb, int imm,
                                        u32* flags) nogil
