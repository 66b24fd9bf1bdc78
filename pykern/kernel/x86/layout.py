"""Numbers that the kernel's real code and its hosted code share; the build writes them as a header.

This file is read at build time, before anything is compiled: it imports nothing but the standard
library. References: SDM Vol. 3A, 64-Bit Mode Task Management, Segment Descriptor Tables in IA-32e
Mode; Vol. 4, MSRs.
"""

from __future__ import annotations

HOSTCALL_PORT = 0xE4
"""An OUT of EAX to it leaves `run()`; CPL 3 gets #GP from the I/O permission bitmap."""
HOSTCALL_ATTACH = 0
"""Hostcall 0: RDI is `pykern_image`, RSI the boot information; answers in EAX."""
HOSTCALL_ATTACHED = 0x4E52454B
"""The answer of a host: "KERN"; without one OUT leaves EAX alone."""

KERNEL_BASE = 0xFFFFFFFF_80000000
HHDM_BASE = 0xFFFF8000_00000000

SELECTORS = {
    "KERNEL_CS": 0x08,
    "KERNEL_DS": 0x10,
    "USER_CS32": 0x1B,
    "USER_DS": 0x23,
    "USER_CS": 0x2B,
    "TSS_SELECTOR": 0x30,
}
"""Selectors; the order is what SYSRET asks for (STAR[63:48] + 8 is SS, + 16 is CS)."""

FRAME_FIELDS = (
    *("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx", "rdx"),
    *("rsi", "rdi", "vector", "error_code", "rip", "cs", "rflags", "rsp", "ss"),
)
"""`struct trap_frame`: 64-bit fields from the lowest address, as entry.S pushes them."""
FRAME_SIZE = 8 * len(FRAME_FIELDS)
VECTOR_SYSCALL = 0x100
"""The vector of a frame that SYSCALL made; `error_code` holds the number of the call."""

PERCPU_FIELDS = (
    ("self", 8),
    ("kernel_rsp", 8),
    ("user_rsp", 8),
    ("syscall_table", 8),
    ("syscall_count", 8),
    ("int80_table", 8),
    ("int80_count", 8),
    ("current_tid", 8),
    ("number", 4),
    ("apic_id", 4),
    ("work", 4),
    ("preempt_count", 4),
)
"""What GS points at in the kernel: (name, bytes), naturally aligned."""
PERCPU_SIZE = 128
"""Two cache lines of 64 bytes: no processor's data share a line with another's (MEL-07)."""

SETUP_FIELDS = (
    ("gdtr", 16),
    ("idtr", 16),
    ("cr0", 8),
    ("cr4", 8),
    ("mxcsr", 4),
    ("msr_count", 4),
    ("msrs", 0),
)
"""`struct cpu_setup`: what `load_cpu` loads."""

TRAMPOLINE = 0x8000
TRAMPOLINE_FIELDS = (("cr3", 8), ("stack", 8), ("number", 8), ("entry", 8))

VECTOR_STUB_SIZE = 16
BOOT_STACK_SIZE = 16384

MSR = {
    "EFER": 0xC0000080,
    "STAR": 0xC0000081,
    "LSTAR": 0xC0000082,
    "CSTAR": 0xC0000083,
    "FMASK": 0xC0000084,
    "FS_BASE": 0xC0000100,
    "GS_BASE": 0xC0000101,
    "KERNEL_GS_BASE": 0xC0000102,
    "TSC_AUX": 0xC0000103,
    "APIC_BASE": 0x1B,
}

CR0 = {"PE": 1 << 0, "MP": 1 << 1, "ET": 1 << 4, "NE": 1 << 5, "WP": 1 << 16, "PG": 1 << 31}
CR4 = {
    "PAE": 1 << 5,
    "MCE": 1 << 6,
    "PGE": 1 << 7,
    "OSFXSR": 1 << 9,
    "OSXMMEXCPT": 1 << 10,
    "UMIP": 1 << 11,
    "FSGSBASE": 1 << 16,
    "OSXSAVE": 1 << 18,
    "SMEP": 1 << 20,
}
EFER = {"SCE": 1 << 0, "LME": 1 << 8, "LMA": 1 << 10, "NXE": 1 << 11}
RFLAGS = {
    "CF": 1,
    "FIXED": 2,
    "TF": 1 << 8,
    "IF": 1 << 9,
    "DF": 1 << 10,
    "IOPL": 3 << 12,
    "NT": 1 << 14,
    "RF": 1 << 16,
    "AC": 1 << 18,
}

EXCEPTIONS = {
    0: "divide_error",
    1: "debug",
    2: "nmi",
    3: "int3",
    4: "overflow",
    5: "bounds",
    6: "invalid_op",
    7: "device_not_available",
    8: "double_fault",
    10: "invalid_tss",
    11: "segment_not_present",
    12: "stack_segment",
    13: "general_protection",
    14: "page_fault",
    16: "coprocessor_error",
    17: "alignment_check",
    18: "machine_check",
    19: "simd_error",
}
"""Vector → name of its handler without `do_` (Linux's names)."""


def offsets(fields: tuple[tuple[str, int], ...]) -> dict[str, int]:
    """Return the offset of each field of a structure without holes."""
    out, offset = {}, 0
    for name, size in fields:
        out[name] = offset
        offset += size
    return out


FRAME = {name: 8 * index for index, name in enumerate(FRAME_FIELDS)}
PERCPU = offsets(PERCPU_FIELDS)
SETUP = offsets(SETUP_FIELDS)
TRAMPOLINE_PARAMETERS = offsets(TRAMPOLINE_FIELDS)


def header() -> str:
    """Return all of it as C preprocessor definitions."""
    values = {
        "HOSTCALL_PORT": HOSTCALL_PORT,
        "HOSTCALL_ATTACH": HOSTCALL_ATTACH,
        "HOSTCALL_ATTACHED": HOSTCALL_ATTACHED,
        "FRAME_SIZE": FRAME_SIZE,
        "VECTOR_SYSCALL": VECTOR_SYSCALL,
        "VECTOR_STUB_SIZE": VECTOR_STUB_SIZE,
        "BOOT_STACK_SIZE": BOOT_STACK_SIZE,
        "TRAMPOLINE": TRAMPOLINE,
        "TRAMPOLINE_PARAMETERS_SIZE": sum(size for _, size in TRAMPOLINE_FIELDS),
        **SELECTORS,
    }
    for prefix, group in (
        ("FRAME", FRAME),
        ("PERCPU", PERCPU),
        ("SETUP", SETUP),
        ("TRAMPOLINE", TRAMPOLINE_PARAMETERS),
        ("MSR", MSR),
        ("CR0", CR0),
        ("CR4", CR4),
        ("EFER", EFER),
    ):
        values.update({f"{prefix}_{name.upper()}": value for name, value in group.items()})
    lines = [f"#define {name} {value:#x}" for name, value in values.items()]
    return "\n".join(["/* Written by pykern.kernel.x86.layout. */", *lines, ""])
