"""Descriptions of x86 processors: 64-bit, 32-bit and 16-bit views of the same registers.

The order of the features lets every version of gdb from 13 on work with the description: a `g`
packet of the core and SSE registers alone has the size that gdb expects before it has read any.
System registers have the names that QEMU gives them, which other tools look for.

References
----------
Debugging with GDB, i386 Features. SDM Vol. 3A, Control Registers; Extended Feature Enable Register.
"""

from __future__ import annotations

from gdbstub.arch import Architecture, Feature, Register, flags_xml

_EFLAGS = flags_xml(
    "i386_eflags",
    4,
    {
        "CF": 0, "": 1, "PF": 2, "AF": 4, "ZF": 6, "SF": 7, "TF": 8, "IF": 9, "DF": 10, "OF": 11,
        "NT": 14, "RF": 16, "VM": 17, "AC": 18, "VIF": 19, "VIP": 20, "ID": 21,
    },
)  # fmt: skip
_MXCSR = flags_xml(
    "i386_mxcsr",
    4,
    {
        "IE": 0, "DE": 1, "ZE": 2, "OE": 3, "UE": 4, "PE": 5, "DAZ": 6, "IM": 7, "DM": 8, "ZM": 9,
        "OM": 10, "UM": 11, "PM": 12, "FZ": 15,
    },
)  # fmt: skip
_VECTORS = "".join(
    f'<vector id="{name}" type="{element}" count="{count}"/>'
    for name, element, count in (
        ("v4f", "ieee_single", 4),
        ("v2d", "ieee_double", 2),
        ("v16i8", "int8", 16),
        ("v8i16", "int16", 8),
        ("v4i32", "int32", 4),
        ("v2i64", "int64", 2),
    )
) + (
    '<union id="vec128"><field name="v4_float" type="v4f"/><field name="v2_double" type="v2d"/>'
    '<field name="v16_int8" type="v16i8"/><field name="v8_int16" type="v8i16"/>'
    '<field name="v4_int32" type="v4i32"/><field name="v2_int64" type="v2i64"/>'
    '<field name="uint128" type="uint128"/></union>'
)
_CONTROL_TYPES = (
    flags_xml(
        "x86_cr0",
        8,
        {
            "PE": 0, "MP": 1, "EM": 2, "TS": 3, "ET": 4, "NE": 5, "WP": 16, "AM": 18, "NW": 29,
            "CD": 30, "PG": 31,
        },
    )
    + flags_xml("x86_cr3", 8, {"PCID": (0, 11), "PDBR": (12, 63)})
    + flags_xml(
        "x86_cr4",
        8,
        {
            "VME": 0, "PVI": 1, "TSD": 2, "DE": 3, "PSE": 4, "PAE": 5, "MCE": 6, "PGE": 7,
            "PCE": 8, "OSFXSR": 9, "OSXMMEXCPT": 10, "UMIP": 11, "LA57": 12, "VMXE": 13,
            "SMXE": 14, "FSGSBASE": 16, "PCIDE": 17, "OSXSAVE": 18, "SMEP": 20, "SMAP": 21,
            "PKE": 22,
        },
    )
    + flags_xml("x86_efer", 8, {"SCE": 0, "LME": 8, "LMA": 10, "NXE": 11})
)  # fmt: skip
_SEGMENTS = ("cs", "ss", "ds", "es", "fs", "gs")
_X87_CONTROL = ("fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop")
_CONTROL_64 = (
    *(Register(name, 64, "int64", "system") for name in ("k_gs_base",)),
    Register("cr0", 64, "x86_cr0", "system"),
    Register("cr2", 64, "data_ptr", "system"),
    Register("cr3", 64, "x86_cr3", "system"),
    Register("cr4", 64, "x86_cr4", "system"),
    Register("cr8", 64, "int64", "system"),
    Register("efer", 64, "x86_efer", "system"),
    *(Register(f"dr{i}", 64, "int64", "system") for i in (0, 1, 2, 3, 6, 7)),
    *(Register(name, 16, "int16", "system") for name in ("tr", "ldtr")),
    *(Register(name, 64, "data_ptr", "system") for name in ("gdtr", "idtr", "apic_base")),
    *(Register(name, 16, "int16", "system") for name in ("gdtr_limit", "idtr_limit")),
    *(Register(name, 8, "int8", "system") for name in ("cpl", "mode")),
)


def _core(general: tuple[Register, ...], pc: Register) -> Feature:
    return Feature(
        "org.gnu.gdb.i386.core",
        (
            *general,
            pc,
            Register("eflags", 32, "i386_eflags"),
            *(Register(name, 32, "int32") for name in _SEGMENTS),
            *(Register(f"st{i}", 80, "i387_ext") for i in range(8)),
            *(Register(name, 32, "int", "float") for name in _X87_CONTROL),
        ),
        _EFLAGS,
    )


def _sse(count: int) -> Feature:
    registers = (*(Register(f"xmm{i}", 128, "vec128") for i in range(count)),)
    mxcsr = Register("mxcsr", 32, "i386_mxcsr", "vector")
    return Feature("org.gnu.gdb.i386.sse", (*registers, mxcsr), _VECTORS + _MXCSR)


def _avx(count: int) -> Feature:
    upper = (*(Register(f"ymm{i}h", 128, "uint128") for i in range(count)),)
    return Feature("org.gnu.gdb.i386.avx", upper)


def _general(names: str, bits: int) -> tuple[Register, ...]:
    """Return the general registers; those that address the stack are pointers."""
    pointers = {"rbp", "rsp", "ebp", "esp"}
    return tuple(
        Register(name, bits, "data_ptr" if name in pointers else f"int{bits}")
        for name in names.split()
    )


_NAMES_64 = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15"
_NAMES_32 = "eax ecx edx ebx esp ebp esi edi"

X86_64 = Architecture(
    "i386:x86-64",
    (
        _core(_general(_NAMES_64, 64), Register("rip", 64, "code_ptr")),
        _sse(16),
        Feature("org.gnu.gdb.i386.linux", (Register("orig_rax", 64, "int", "system"),)),
        Feature(
            "org.gnu.gdb.i386.segments",
            (Register("fs_base", 64), Register("gs_base", 64)),
        ),
        _avx(16),
        Feature("org.pykern.x86.control", _CONTROL_64, _CONTROL_TYPES),
    ),
    general_features=2,
    pc="rip",
    expedited=("rbp", "rsp", "rip"),
)
"""The view for 64-bit code, and for a machine that goes through all modes."""


def _narrow(name: str, *more: Register) -> Architecture:
    """Return a view of the first eight registers and 32-bit addresses."""
    return Architecture(
        name,
        (
            _core(_general(_NAMES_32, 32), Register("eip", 32, "code_ptr")),
            _sse(8),
            Feature("org.gnu.gdb.i386.linux", (Register("orig_eax", 32, "int", "system"),)),
            _avx(8),
            Feature("org.pykern.x86.control", (*_CONTROL_64, *more), _CONTROL_TYPES),
        ),
        general_features=2,
        pc="eip",
        expedited=("ebp", "esp", "eip"),
    )


I386 = _narrow("i386")
I8086 = _narrow("i8086", Register("ip", 16, "int16", "system"))
"""The view for 16-bit code; its `eip` is linear, for gdb knows no segments, and `ip` is not."""

VIEWS = {"i386:x86-64": X86_64, "x86-64": X86_64, "i386": I386, "i8086": I8086}
