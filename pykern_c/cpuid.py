"""CPU models: which features a machine of `--cpu` v1, v2 or max has.

``v1`` and ``v2`` are the micro-architecture levels of the x86-64 psABI with the system features
that every processor of that level has; ``max`` is everything that is implemented. SIMD instructions
are executed by the host's own, so ``max`` leaves out what the host does not have.

References
----------
System V ABI, AMD64 Supplement, Micro-Architecture Levels; SDM Vol. 2A, CPUID.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern_c.cpuid_bits import FEATURES, WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

#: What the baseline names, and what privileged software of that age takes for granted.
V1 = frozenset(
    "FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE "
    "SSE2 SS FDP_EXCPTN_ONLY ZERO_FCS_FDS SYSCALL NX LM RDTSCP X2APIC TSCDEADLINE "
    "ARCH_CAPABILITIES".split()
)
V2 = V1 | frozenset("SSE3 SSSE3 SSE4_1 SSE4_2 POPCNT CX16 LAHF64".split())
MAX = V2 | frozenset(
    "PCLMULQDQ PCID MOVBE AES XSAVE OSXSAVE RDRAND FSGSBASE BMI1 BMI2 SMEP ERMS FSRM INVPCID "
    "RDSEED ADX SMAP CLFLUSHOPT CLWB SHA UMIP RDPID PDPE1GB LZCNT PREFETCHW PREFETCHWT1 XSAVEOPT "
    "XGETBV1 MONITOR".split()
)

#: Features whose instructions the host executes, beyond those that every x86-64 processor has.
ON_HOST = frozenset("SSE3 SSSE3 SSE4_1 SSE4_2 PCLMULQDQ AES SHA".split())

MODELS = {"v1": V1, "v2": V2, "max": MAX}


def _host_has(name: str, host: Callable[[int, int, str], int]) -> bool:
    word, bit = divmod(FEATURES[name], 32)
    return bool(host(*WORDS[word]) >> bit & 1)


def feature_words(model: str, host: Callable[[int, int, str], int]) -> list[int]:
    """Return the CPUID words of a model, in the order of `WORDS`.

    Parameters
    ----------
    model : one of `MODELS`
    host : the host's CPUID: leaf, sub-leaf, register

    Raises
    ------
    ValueError : there is no such model, or the host lacks an instruction that it has
    """
    if model not in MODELS:
        raise ValueError(f"no CPU model named {model!r}; there are {', '.join(MODELS)}")
    names = MODELS[model]
    missing = {name for name in names & ON_HOST if not _host_has(name, host)}
    if missing and model != "max":
        raise ValueError(f"CPU model {model!r} needs a host with {', '.join(sorted(missing))}")
    words = [0] * len(WORDS)
    for name in names - missing:
        words[FEATURES[name] >> 5] |= 1 << (FEATURES[name] & 31)
    return words
