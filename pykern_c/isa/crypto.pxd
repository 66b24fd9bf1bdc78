"""Instructions for cryptography: AES, carry-less multiplication, SHA."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.host_sse cimport *


cdef inline xmm_t aesenc(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """One round of AES encryption.

    66 0F 38 DC /r   AESENC Vdq, Wdq   AES

    Flags: none.
    Source: SDM Vol. 2A, AESENC.
    """
    return op2(AESENC, dst, src)


cdef inline xmm_t aesenclast(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """The last round of AES encryption.

    66 0F 38 DD /r   AESENCLAST Vdq, Wdq   AES

    Flags: none.
    Source: SDM Vol. 2A, AESENCLAST.
    """
    return op2(AESENCLAST, dst, src)


cdef inline xmm_t aesdec(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """One round of AES decryption.

    66 0F 38 DE /r   AESDEC Vdq, Wdq   AES

    Flags: none.
    Source: SDM Vol. 2A, AESDEC.
    """
    return op2(AESDEC, dst, src)


cdef inline xmm_t aesdeclast(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """The last round of AES decryption.

    66 0F 38 DF /r   AESDECLAST Vdq, Wdq   AES

    Flags: none.
    Source: SDM Vol. 2A, AESDECLAST.
    """
    return op2(AESDECLAST, dst, src)


cdef inline xmm_t aesimc(Cpu* cpu, xmm_t src) noexcept nogil:
    """Inverse MixColumns, for round keys.

    66 0F 38 DB /r   AESIMC Vdq, Wdq   nodst AES

    Flags: none.
    Source: SDM Vol. 2A, AESIMC.
    """
    return op1(AESIMC, src)


cdef inline xmm_t aeskeygenassist(Cpu* cpu, xmm_t src, int imm) noexcept nogil:
    """Help to expand a key: SubWord, RotWord and the round constant.

    66 0F 3A DF /r ib   AESKEYGENASSIST Vdq, Wdq, Ib   nodst AES

    Flags: none.
    Source: SDM Vol. 2A, AESKEYGENASSIST.
    """
    cdef xmm_t key = host_aeskeygenassist(src)      # with the round constant 0
    key.d[1] ^= <u32>imm
    key.d[3] ^= <u32>imm
    return key


cdef inline xmm_t pclmulqdq(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Carry-less multiplication of the quadwords that the immediate selects.

    66 0F 3A 44 /r ib   PCLMULQDQ Vdq, Wdq, Ib   PCLMULQDQ

    Flags: none.
    Source: SDM Vol. 2B, PCLMULQDQ.
    """
    return host_pclmulqdq(from_q(dst.q[imm & 1]), from_q(src.q[imm >> 4 & 1]))


cdef inline xmm_t sha1nexte(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Calculate the state E after four rounds.

    NP 0F 38 C8 /r   SHA1NEXTE Vdq, Wdq   noalign SHA

    Flags: none.
    Source: SDM Vol. 2B, SHA1NEXTE.
    """
    return op2(SHA1NEXTE, dst, src)


cdef inline xmm_t sha1msg1(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """First step of the next four message words of SHA-1.

    NP 0F 38 C9 /r   SHA1MSG1 Vdq, Wdq   noalign SHA

    Flags: none.
    Source: SDM Vol. 2B, SHA1MSG1.
    """
    return op2(SHA1MSG1, dst, src)


cdef inline xmm_t sha1msg2(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Last step of the next four message words of SHA-1.

    NP 0F 38 CA /r   SHA1MSG2 Vdq, Wdq   noalign SHA

    Flags: none.
    Source: SDM Vol. 2B, SHA1MSG2.
    """
    return op2(SHA1MSG2, dst, src)


cdef inline xmm_t sha256msg1(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """First step of the next four message words of SHA-256.

    NP 0F 38 CC /r   SHA256MSG1 Vdq, Wdq   noalign SHA

    Flags: none.
    Source: SDM Vol. 2B, SHA256MSG1.
    """
    return op2(SHA256MSG1, dst, src)


cdef inline xmm_t sha256msg2(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Last step of the next four message words of SHA-256.

    NP 0F 38 CD /r   SHA256MSG2 Vdq, Wdq   noalign SHA

    Flags: none.
    Source: SDM Vol. 2B, SHA256MSG2.
    """
    return op2(SHA256MSG2, dst, src)


cdef inline xmm_t sha256rnds2(Cpu* cpu, xmm_t dst, xmm_t src, xmm_t words) noexcept nogil:
    """Two rounds of SHA-256 with the message words in XMM0.

    NP 0F 38 CB /r   SHA256RNDS2 Vdq, Wdq, XMM0   noalign SHA

    Flags: none.
    Source: SDM Vol. 2B, SHA256RNDS2.
    """
    return op3(SHA256RNDS2, dst, src, words)


cdef inline xmm_t sha1rnds4(Cpu* cpu, xmm_t dst, xmm_t src, int imm) noexcept nogil:
    """Four rounds of SHA-1 with the function that the immediate selects.

    NP 0F 3A CC /r ib   SHA1RNDS4 Vdq, Wdq, Ib   noalign SHA

    Flags: none.
    Source: SDM Vol. 2B, SHA1RNDS4.
    """
    return host_sha1rnds4(dst, src, imm)
