"""Conversion between integers, singles and doubles: SSE, SSE2."""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.host_sse cimport *


cdef inline xmm_t cvtpi2ps(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Convert two integers to singles; only the form with an MMX register enters MMX state.

    NP 0F 2A /r   CVTPI2PS Vps, Nq   fp SSE
    NP 0F 2A /r   CVTPI2PS Vps, Mq   fp SSE

    Flags: none.
    Source: SDM Vol. 2A, CVTPI2PS.
    """
    return op2(MOVSD, dst, op1(CVTDQ2PS, src))


cdef inline xmm_t cvtdq2pd(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert two integers to doubles.

    66 0F 2A /r   CVTPI2PD Vpd, Nq   nodst SSE2
    66 0F 2A /r   CVTPI2PD Vpd, Mq   nodst SSE2
    F3 0F E6 /r   CVTDQ2PD Vpd, Wq   nodst SSE2

    Flags: none.
    Source: SDM Vol. 2A, CVTPI2PD.
    """
    return op1(CVTDQ2PD, src)


cdef inline xmm_t cvtdq2ps(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert four integers to singles.

    NP 0F 5B /r   CVTDQ2PS Vps, Wdq   nodst fp SSE2

    Flags: none.
    Source: SDM Vol. 2A, CVTDQ2PS.
    """
    return op1(CVTDQ2PS, src)


cdef inline xmm_t cvttps2pi(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert two singles to integers, truncating.

    NP 0F 2C /r   CVTTPS2PI Pq, Wq   nodst fp SSE

    Flags: none.
    Source: SDM Vol. 2A, CVTTPS2PI.
    """
    return op1(CVTTPS2DQ, low_q(src))


cdef inline xmm_t cvttpd2dq(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert two doubles to integers, truncating.

    66 0F E6 /r   CVTTPD2DQ Vdq, Wpd   nodst fp SSE2
    66 0F 2C /r   CVTTPD2PI Pq, Wpd    nodst fp SSE2

    Flags: none.
    Source: SDM Vol. 2A, CVTTPD2DQ.
    """
    return op1(CVTTPD2DQ, src)


cdef inline xmm_t cvttps2dq(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert four singles to integers, truncating.

    F3 0F 5B /r   CVTTPS2DQ Vdq, Wps   nodst fp SSE2

    Flags: none.
    Source: SDM Vol. 2A, CVTTPS2DQ.
    """
    return op1(CVTTPS2DQ, src)


cdef inline u64 cvttss2si(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert a single to a 32-bit integer, truncating.

    F3 W0 0F 2C /r   CVTTSS2SI Gd, Wss   nodst fp SSE

    Flags: none.
    Source: SDM Vol. 2A, CVTTSS2SI.
    """
    return to_d(CVTTSS2SI, src)


cdef inline u64 cvttss2si_64(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert a single to a 64-bit integer, truncating.

    F3 REX.W 0F 2C /r   CVTTSS2SI Gq, Wss   nodst fp SSE

    Flags: none.
    Source: SDM Vol. 2A, CVTTSS2SI.
    """
    return to_q(CVTTSS2SI, src)


cdef inline u64 cvttsd2si(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert a double to a 32-bit integer, truncating.

    F2 W0 0F 2C /r   CVTTSD2SI Gd, Wsd   nodst fp SSE2

    Flags: none.
    Source: SDM Vol. 2A, CVTTSD2SI.
    """
    return to_d(CVTTSD2SI, src)


cdef inline u64 cvttsd2si_64(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert a double to a 64-bit integer, truncating.

    F2 REX.W 0F 2C /r   CVTTSD2SI Gq, Wsd   nodst fp SSE2

    Flags: none.
    Source: SDM Vol. 2A, CVTTSD2SI.
    """
    return to_q(CVTTSD2SI, src)


cdef inline xmm_t cvtps2pi(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert two singles to integers, rounding as MXCSR says.

    NP 0F 2D /r   CVTPS2PI Pq, Wq   nodst fp SSE

    Flags: none.
    Source: SDM Vol. 2A, CVTPS2PI.
    """
    return op1(CVTPS2DQ, low_q(src))


cdef inline xmm_t cvtpd2dq(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert two doubles to integers, rounding as MXCSR says.

    F2 0F E6 /r   CVTPD2DQ Vdq, Wpd   nodst fp SSE2
    66 0F 2D /r   CVTPD2PI Pq, Wpd    nodst fp SSE2

    Flags: none.
    Source: SDM Vol. 2A, CVTPD2DQ.
    """
    return op1(CVTPD2DQ, src)


cdef inline xmm_t cvtps2dq(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert four singles to integers, rounding as MXCSR says.

    66 0F 5B /r   CVTPS2DQ Vdq, Wps   nodst fp SSE2

    Flags: none.
    Source: SDM Vol. 2A, CVTPS2DQ.
    """
    return op1(CVTPS2DQ, src)


cdef inline u64 cvtss2si(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert a single to a 32-bit integer, rounding as MXCSR says.

    F3 W0 0F 2D /r   CVTSS2SI Gd, Wss   nodst fp SSE

    Flags: none.
    Source: SDM Vol. 2A, CVTSS2SI.
    """
    return to_d(CVTSS2SI, src)


cdef inline u64 cvtss2si_64(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert a single to a 64-bit integer, rounding as MXCSR says.

    F3 REX.W 0F 2D /r   CVTSS2SI Gq, Wss   nodst fp SSE

    Flags: none.
    Source: SDM Vol. 2A, CVTSS2SI.
    """
    return to_q(CVTSS2SI, src)


cdef inline u64 cvtsd2si(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert a double to a 32-bit integer, rounding as MXCSR says.

    F2 W0 0F 2D /r   CVTSD2SI Gd, Wsd   nodst fp SSE2

    Flags: none.
    Source: SDM Vol. 2A, CVTSD2SI.
    """
    return to_d(CVTSD2SI, src)


cdef inline u64 cvtsd2si_64(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert a double to a 64-bit integer, rounding as MXCSR says.

    F2 REX.W 0F 2D /r   CVTSD2SI Gq, Wsd   nodst fp SSE2

    Flags: none.
    Source: SDM Vol. 2A, CVTSD2SI.
    """
    return to_q(CVTSD2SI, src)


cdef inline xmm_t cvtsi2ss(Cpu* cpu, xmm_t dst, u64 src) noexcept nogil:
    """Convert a 32-bit integer to a single.

    F3 W0 0F 2A /r   CVTSI2SS Vss, Ed   fp SSE

    Flags: none.
    Source: SDM Vol. 2A, CVTSI2SS.
    """
    return from_gd(CVTSI2SSL, dst, src)


cdef inline xmm_t cvtsi2ss_64(Cpu* cpu, xmm_t dst, u64 src) noexcept nogil:
    """Convert a 64-bit integer to a single.

    F3 REX.W 0F 2A /r   CVTSI2SS Vss, Eq   fp SSE

    Flags: none.
    Source: SDM Vol. 2A, CVTSI2SS.
    """
    return from_gq(CVTSI2SSQ, dst, src)


cdef inline xmm_t cvtsi2sd(Cpu* cpu, xmm_t dst, u64 src) noexcept nogil:
    """Convert a 32-bit integer to a double.

    F2 W0 0F 2A /r   CVTSI2SD Vsd, Ed   SSE2

    Flags: none.
    Source: SDM Vol. 2A, CVTSI2SD.
    """
    return from_gd(CVTSI2SDL, dst, src)


cdef inline xmm_t cvtsi2sd_64(Cpu* cpu, xmm_t dst, u64 src) noexcept nogil:
    """Convert a 64-bit integer to a double.

    F2 REX.W 0F 2A /r   CVTSI2SD Vsd, Eq   fp SSE2

    Flags: none.
    Source: SDM Vol. 2A, CVTSI2SD.
    """
    return from_gq(CVTSI2SDQ, dst, src)


cdef inline xmm_t cvtps2pd(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert two singles to doubles.

    NP 0F 5A /r   CVTPS2PD Vpd, Wq   nodst fp SSE2

    Flags: none.
    Source: SDM Vol. 2A, CVTPS2PD.
    """
    return op1(CVTPS2PD, src)


cdef inline xmm_t cvtpd2ps(Cpu* cpu, xmm_t src) noexcept nogil:
    """Convert two doubles to singles.

    66 0F 5A /r   CVTPD2PS Vps, Wpd   nodst fp tiny=narrow SSE2

    Flags: none.
    Source: SDM Vol. 2A, CVTPD2PS.
    """
    return op1(CVTPD2PS, src)


cdef inline xmm_t cvtss2sd(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Convert a single to a double.

    F3 0F 5A /r   CVTSS2SD Vsd, Wss   fp SSE2

    Flags: none.
    Source: SDM Vol. 2A, CVTSS2SD.
    """
    return op2(CVTSS2SD, dst, src)


cdef inline xmm_t cvtsd2ss(Cpu* cpu, xmm_t dst, xmm_t src) noexcept nogil:
    """Convert a double to a single.

    F2 0F 5A /r   CVTSD2SS Vss, Wsd   fp tiny=narrow SSE2

    Flags: none.
    Source: SDM Vol. 2A, CVTSD2SS.
    """
    return op2(CVTSD2SS, dst, src)
