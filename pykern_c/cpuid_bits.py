"""CPUID feature bits by the names that instruction rows use.

A number is ``word * 32 + bit`` where the word is one of `WORDS`: a leaf, sub-leaf and register.

References
----------
SDM Vol. 2A, CPUID; AMD64 Architecture Programmer's Manual Vol. 3, Appendix E (leaf 8000_0001).
"""

#: (leaf, sub-leaf, register) of each feature word. FPU, bit 0 of word 0, is what every CPU has.
WORDS = (
    (1, 0, "edx"),
    (1, 0, "ecx"),
    (7, 0, "ebx"),
    (7, 0, "ecx"),
    (0x80000001, 0, "edx"),
    (0x80000001, 0, "ecx"),
    (0xD, 1, "eax"),
    (7, 0, "edx"),
)

_BITS = {
    (1, 0, "edx"): {
        "FPU": 0,
        "VME": 1,
        "DE": 2,
        "PSE": 3,
        "TSC": 4,
        "MSR": 5,
        "PAE": 6,
        "MCE": 7,
        "CX8": 8,
        "APIC": 9,
        "SEP": 11,
        "MTRR": 12,
        "PGE": 13,
        "MCA": 14,
        "CMOV": 15,
        "PAT": 16,
        "PSE36": 17,
        "CLFSH": 19,
        "MMX": 23,
        "FXSR": 24,
        "SSE": 25,
        "SSE2": 26,
        "SS": 27,
        "HTT": 28,
    },
    (1, 0, "ecx"): {
        "SSE3": 0,
        "PCLMULQDQ": 1,
        "MONITOR": 3,
        "SSSE3": 9,
        "FMA": 12,
        "CX16": 13,
        "PCID": 17,
        "SSE4_1": 19,
        "SSE4_2": 20,
        "X2APIC": 21,
        "MOVBE": 22,
        "POPCNT": 23,
        "TSCDEADLINE": 24,
        "AES": 25,
        "XSAVE": 26,
        "OSXSAVE": 27,
        "AVX": 28,
        "F16C": 29,
        "RDRAND": 30,
    },
    (7, 0, "ebx"): {
        "FSGSBASE": 0,
        "BMI1": 3,
        "AVX2": 5,
        "FDP_EXCPTN_ONLY": 6,
        "SMEP": 7,
        "BMI2": 8,
        "ERMS": 9,
        "INVPCID": 10,
        "ZERO_FCS_FDS": 13,
        "RDSEED": 18,
        "ADX": 19,
        "SMAP": 20,
        "CLFLUSHOPT": 23,
        "CLWB": 24,
        "SHA": 29,
    },
    (7, 0, "ecx"): {"PREFETCHWT1": 0, "UMIP": 2, "RDPID": 22},
    (0x80000001, 0, "edx"): {"SYSCALL": 11, "NX": 20, "PDPE1GB": 26, "RDTSCP": 27, "LM": 29},
    (0x80000001, 0, "ecx"): {"LAHF64": 0, "LZCNT": 5, "PREFETCHW": 8},
    (0xD, 1, "eax"): {"XSAVEOPT": 0, "XSAVEC": 1, "XGETBV1": 2, "XSAVES": 3},
    (7, 0, "edx"): {"FSRM": 4, "ARCH_CAPABILITIES": 29},
}

#: Name of a feature → word * 32 + bit.
FEATURES = {
    name: WORDS.index(word) * 32 + bit for word, bits in _BITS.items() for name, bit in bits.items()
}
