"""`struct pykern_boot_info`: what our own loader tells a kernel that makes no Limine requests.

The structures are defined here and nowhere else; `c_header` writes them for C, and the loader is
compiled with that text. Pointers are linear addresses in the higher-half direct map, sizes are in
bytes. At the entry point RDI holds the address of the structure, the processor is in the state
that the Limine boot protocol describes, and the image starts at physical address 100000h.

References
----------
The Limine Boot Protocol, Machine state at entry, Memory Map Feature (numbers of the types).
"""

from __future__ import annotations

from typing import Any

from construct import Bytes, FormatField, Int8ul, Int16ul, Int32ul, Int64ul, Struct

MAGIC = b"PYKBOOT\0"
VERSION = 1
KERNEL_PADDR = 0x100000
HHDM_OFFSET = 0xFFFF800000000000

MemoryRange = "pykern_memory_range" / Struct(
    "base" / Int64ul,
    "length" / Int64ul,
    "type" / Int64ul,
)

Module = "pykern_module" / Struct(
    "address" / Int64ul,
    "size" / Int64ul,
    "path" / Int64ul,
    "command_line" / Int64ul,
)

BootInfo = "pykern_boot_info" / Struct(
    "magic" / Bytes(8),
    "version" / Int32ul,
    "size" / Int32ul,
    "hhdm_offset" / Int64ul,
    "rsdp_paddr" / Int64ul,
    "command_line" / Int64ul,
    "memory_map" / Int64ul,
    "memory_map_entries" / Int64ul,
    "modules" / Int64ul,
    "module_count" / Int64ul,
    "kernel_paddr" / Int64ul,
    "kernel_laddr" / Int64ul,
    "kernel_size" / Int64ul,
    "boot_time" / Int64ul,
    "framebuffer" / Int64ul,
    "framebuffer_width" / Int32ul,
    "framebuffer_height" / Int32ul,
    "framebuffer_pitch" / Int32ul,
    "framebuffer_bpp" / Int16ul,
    "red_mask_size" / Int8ul,
    "red_mask_shift" / Int8ul,
    "green_mask_size" / Int8ul,
    "green_mask_shift" / Int8ul,
    "blue_mask_size" / Int8ul,
    "blue_mask_shift" / Int8ul,
    "reserved" / Int32ul,
)

STRUCTURES = (MemoryRange, Module, BootInfo)

_C_TYPES = {1: "unsigned char", 2: "unsigned short", 4: "unsigned int", 8: "unsigned long long"}


def c_header() -> str:
    """Return the C header that declares the structures."""
    lines = [
        "/* Written by pykern/machine/boot/boot_info.py; do not edit. */",
        "#ifndef PYKERN_BOOT_INFO_H",
        "#define PYKERN_BOOT_INFO_H",
        "",
        f'#define PYKERN_BOOT_INFO_MAGIC "{MAGIC.rstrip(bytes(1)).decode()}"',
        f"#define PYKERN_BOOT_INFO_VERSION {VERSION}",
        "",
    ]
    for structure in STRUCTURES:
        lines += [f"struct {structure.name} {{", *map(_c_field, structure.subcon.subcons), "};", ""]
        lines += [
            f'_Static_assert(sizeof(struct {structure.name}) == {structure.sizeof()}, "layout");',
            "",
        ]
    return "\n".join([*lines, "#endif", ""])


def _c_field(field: Any) -> str:
    if isinstance(field.subcon, FormatField):
        return f"    {_C_TYPES[field.sizeof()]} {field.name};"
    return f"    char {field.name}[{field.sizeof()}];"
