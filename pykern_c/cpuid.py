"""CPU models: which features a machine of `--cpu` v1, v2 or max has.

``v1`` and ``v2`` are the micro-architecture levels of the x86-64 psABI with the system features
that every processor of that level has; ``max`` is everything that is implemented.

References
----------
System V ABI, AMD64 Supplement, Micro-Architecture Levels; SDM Vol. 2A, CPUID.
"""

from __future__ import annotations

from pykern_c.cpuid_bits import FEATURES, WORDS

#: What the baseline names, and what privileged software of that age takes for granted.
V1 = frozenset(
    "FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE "
    "SSE2 SS FDP_EXCPTN_ONLY ZERO_FCS_FDS SYSCALL NX LM RDTSCP X2APIC TSCDEADLINE "
    "ARCH_CAPABILITIES".split()
)
V2 = V1 | frozenset("SSE3 SSSE3 SSE4_1 SSE4_2 POPCNT CX16 LAHF64".split())
MAX = V2 | frozenset(
    "PCLMULQDQ PCID MOVBE AES XSAVE OSXSAVE RDRAND FSGSBASE BMI1 BMI2 SMEP ERMS FSRM INVPCID "
    "RDSEED ADX SMAP CLFLUSHOPT CLWB UMIP RDPID PDPE1GB LZCNT PREFETCHW PREFETCHWT1 XSAVEOPT "
    "XGETBV1 MONITOR".split()
)

MODELS = {"v1": V1, "v2": V2, "max": MAX}


def feature_words(model: str) -> list[int]:
    """Return the CPUID words of a model, in the order of `WORDS`.

    Raises
    ------
    ValueError : there is no such model
    """
    if model not in MODELS:
        raise ValueError(f"no CPU model named {model!r}; there are {', '.join(MODELS)}")
    words = [0] * len(WORDS)
    for name in MODELS[model]:
        words[FEATURES[name] >> 5] |= 1 << (FEATURES[name] & 31)
    return words
