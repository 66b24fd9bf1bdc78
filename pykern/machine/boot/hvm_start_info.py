"""The start info structure of the PVH boot protocol (Xen x86/HVM direct boot ABI).

Kernels entered through their PVH note get it in EBX; plain 64-bit ELF kernels get the same
structure in RDI and RBX, so that there is one description of it.

References
----------
Xen Hypervisor, public headers, arch-x86/hvm/start_info.h, and docs/misc/pvh.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from construct import Const, Int32ul, Int64ul, Padding, Struct

if TYPE_CHECKING:
    from pykern.machine.boot.placement import Placement
    from pykern.machine.boot.protocol import BootModule, BootOptions
    from pykern.machine.firmware.e820 import AddressRange

XEN_HVM_START_MAGIC_VALUE = 0x336EC578
_VERSION = 1

hvm_start_info = Struct(
    "magic" / Const(XEN_HVM_START_MAGIC_VALUE, Int32ul),
    "version" / Int32ul,
    "flags" / Int32ul,
    "nr_modules" / Int32ul,
    "modlist_paddr" / Int64ul,
    "cmdline_paddr" / Int64ul,
    "rsdp_paddr" / Int64ul,
    "memmap_paddr" / Int64ul,
    "memmap_entries" / Int32ul,
    Padding(4),
)

hvm_modlist_entry = Struct(
    "paddr" / Int64ul,
    "size" / Int64ul,
    "cmdline_paddr" / Int64ul,
    Padding(8),
)

hvm_memmap_table_entry = Struct(
    "addr" / Int64ul,
    "size" / Int64ul,
    "type" / Int32ul,
    Padding(4),
)


def place_modules(
    placement: Placement, modules: tuple[BootModule, ...], low: int
) -> list[tuple[int, int]]:
    """Place modules page-aligned, above `low` in the order given; return their (paddr, size)."""
    places = []
    for module in modules:
        paddr = placement.allocate_low(len(module.data), f"module {module.name}", low=low)
        placement.write(paddr, module.data)
        places.append((paddr, len(module.data)))
    return places


def encode(
    base: int,
    options: BootOptions,
    modules: list[tuple[int, int]],
    memory: tuple[AddressRange, ...],
) -> bytes:
    """Return the structure and all it points to, as they have to lie at physical `base`."""
    strings, addresses = bytearray(), []
    for text in (options.command_line, *(module.string for module in options.modules)):
        addresses.append(len(strings))
        strings += text.encode(errors="surrogateescape") + b"\0"
    modlist = base + hvm_start_info.sizeof()
    memmap = modlist + hvm_modlist_entry.sizeof() * len(modules)
    text_base = memmap + hvm_memmap_table_entry.sizeof() * len(memory)
    header = hvm_start_info.build(
        {
            "version": _VERSION,
            "flags": 0,
            "nr_modules": len(modules),
            "modlist_paddr": modlist if modules else 0,
            "cmdline_paddr": text_base + addresses[0],
            "rsdp_paddr": options.rsdp,
            "memmap_paddr": memmap,
            "memmap_entries": len(memory),
        }
    )
    entries = b"".join(
        hvm_modlist_entry.build(
            {"paddr": paddr, "size": size, "cmdline_paddr": text_base + address}
        )
        for (paddr, size), address in zip(modules, addresses[1:], strict=True)
    )
    ranges = b"".join(
        hvm_memmap_table_entry.build({"addr": r.base, "size": r.length, "type": int(r.type)})
        for r in memory
    )
    return bytes(header + entries + ranges + strings)
