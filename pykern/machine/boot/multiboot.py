"""Boot a Multiboot (version 1) kernel: ELF, or any format through the header's address fields.

Entry state: 32-bit protected mode, EAX = 2BADB002h, EBX = physical address of the information
structure, CS and data segments flat, A20 open, paging off, VM and IF clear. ESP, GDTR and IDTR are
the kernel's business, by the specification.

References
----------
Multiboot Specification 0.6.96, OS image format, Machine state, and Boot information format.
"""

from __future__ import annotations

from typing import Any

from construct import Const, Int8ul, Int32ul, Int64ul, Padding, Struct

from pykern.machine.boot import elf, elf_file, entry_state, hvm_start_info
from pykern.machine.boot.placement import Placement
from pykern.machine.boot.protocol import BootError, BootMachine, BootOptions
from pykern.machine.firmware.e820 import (
    EBDA_BASE,
    EXTENDED_MEMORY_BASE,
    FOUR_GIB,
    AddressRange,
    conventional_kib,
    extended_kib,
    memory_map,
)

HEADER_MAGIC, BOOTLOADER_MAGIC = 0x1BADB002, 0x2BADB002
SEARCH = 8192
HEADER_PAGE_ALIGN, HEADER_MEMORY_INFO, HEADER_VIDEO_MODE = 1 << 0, 1 << 1, 1 << 2
HEADER_AOUT_KLUDGE = 1 << 16
_REQUIRED_MASK = 0xFFFF
_UNDERSTOOD = HEADER_PAGE_ALIGN | HEADER_MEMORY_INFO | HEADER_VIDEO_MODE

INFO_MEMORY, INFO_CMDLINE, INFO_MODS = 1 << 0, 1 << 2, 1 << 3
INFO_MMAP, INFO_BOOT_LOADER_NAME, INFO_FRAMEBUFFER = 1 << 6, 1 << 9, 1 << 12
_FRAMEBUFFER_TYPE_EGA_TEXT = 2
_BOOT_LOADER_NAME = "pykern"

header_required = Struct("magic" / Int32ul, "flags" / Int32ul, "checksum" / Int32ul)

header_addresses = Struct(
    "header_addr" / Int32ul,
    "load_addr" / Int32ul,
    "load_end_addr" / Int32ul,
    "bss_end_addr" / Int32ul,
    "entry_addr" / Int32ul,
)

multiboot_info = Struct(
    "flags" / Int32ul,
    "mem_lower" / Int32ul,
    "mem_upper" / Int32ul,
    "boot_device" / Int32ul,
    "cmdline" / Int32ul,
    "mods_count" / Int32ul,
    "mods_addr" / Int32ul,
    "syms" / Padding(16),
    "mmap_length" / Int32ul,
    "mmap_addr" / Int32ul,
    "drives_length" / Int32ul,
    "drives_addr" / Int32ul,
    "config_table" / Int32ul,
    "boot_loader_name" / Int32ul,
    "apm_table" / Int32ul,
    "vbe" / Padding(16),
    "framebuffer_addr" / Int64ul,
    "framebuffer_pitch" / Int32ul,
    "framebuffer_width" / Int32ul,
    "framebuffer_height" / Int32ul,
    "framebuffer_bpp" / Int8ul,
    "framebuffer_type" / Int8ul,
    "color_info" / Padding(6),
)

module_structure = Struct(
    "mod_start" / Int32ul, "mod_end" / Int32ul, "string" / Int32ul, "reserved" / Int32ul
)

mmap_entry = Struct(
    # The size does not count itself.
    "size" / Const(20, Int32ul),
    "base_addr" / Int64ul,
    "length" / Int64ul,
    "type" / Int32ul,
)


class Multiboot:
    """Kernels with the Multiboot header in their first 8192 bytes."""

    name = "multiboot"
    looks_for = "02 b0 ad 1b (Multiboot header), aligned, in the first 8192 bytes"

    def probe(self, image: bytes) -> bool:
        """Tell whether there is a header with a right checksum."""
        return find_header(image) is not None

    def load(self, image: bytes, machine: BootMachine, options: BootOptions) -> None:
        """Load the kernel and its modules, and enter it as the specification says."""
        offset = find_header(image)
        if offset is None:
            raise BootError(f"{options.name}: no Multiboot header in the first {SEARCH} bytes")
        flags = header_required.parse(image[offset:]).flags
        unknown = flags & _REQUIRED_MASK & ~_UNDERSTOOD
        if unknown:
            raise BootError(
                f"{options.name}: Multiboot header at {offset:#x} requires flags {unknown:#x}; "
                f"understood are {_UNDERSTOOD:#x}"
            )
        placement = Placement(machine)
        if flags & HEADER_AOUT_KLUDGE:
            entry, end = _load_by_addresses(image, offset, placement, options.name)
        else:
            entry, end = _load_elf(image, placement, options.name)
        modules = hvm_start_info.place_modules(placement, options.modules, end)
        _enter(machine, placement, options, modules, entry)


def find_header(image: bytes) -> int | None:
    """Return the offset of the first header whose magic, flags and checksum sum up to 0."""
    magic = HEADER_MAGIC.to_bytes(4, "little")
    head = image[:SEARCH]
    offset = head.find(magic)
    while offset >= 0:
        if offset % 4 == 0 and offset + header_required.sizeof() <= len(head):
            header = header_required.parse(head[offset:])
            if (header.magic + header.flags + header.checksum) % (1 << 32) == 0:
                return offset
        offset = head.find(magic, offset + 1)
    return None


def _load_by_addresses(
    image: bytes, offset: int, placement: Placement, name: str
) -> tuple[int, int]:
    """Load a kernel by the address fields of its header; return entry and end."""
    start = offset + header_required.sizeof()
    if len(image) < start + header_addresses.sizeof():
        raise BootError(
            f"{name}: Multiboot header at {offset:#x} needs address fields up to "
            f"{start + header_addresses.sizeof():#x}, the file has {len(image)} bytes"
        )
    fields = header_addresses.parse(image[start:])
    where = f"{name}: Multiboot header at {offset:#x}"
    file_offset = offset - (fields.header_addr - fields.load_addr)
    if fields.load_addr > fields.header_addr or file_offset < 0:
        raise BootError(
            f"{where}: load_addr {fields.load_addr:#x} for header_addr {fields.header_addr:#x} "
            "starts before the file does"
        )
    data = image[file_offset:]
    if fields.load_end_addr:
        data = _cut_to_load_end(data, fields, where)
    load_end = fields.load_addr + len(data)
    if fields.bss_end_addr and fields.bss_end_addr < load_end:
        raise BootError(
            f"{where}: bss_end_addr {fields.bss_end_addr:#x} lies before the end of the loaded "
            f"data, {load_end:#x}"
        )
    end = fields.bss_end_addr or load_end
    placement.claim(fields.load_addr, end - fields.load_addr, f"{name}: kernel")
    placement.write(fields.load_addr, data, end - fields.load_addr)
    return int(fields.entry_addr), max(int(end), EXTENDED_MEMORY_BASE)


def _cut_to_load_end(data: bytes, fields: Any, where: str) -> bytes:
    size = fields.load_end_addr - fields.load_addr
    if not 0 <= size <= len(data):
        raise BootError(
            f"{where}: load_addr {fields.load_addr:#x} to load_end_addr {fields.load_end_addr:#x} "
            f"is {size} bytes; the file has {len(data)} from there on"
        )
    return data[:size]


def _load_elf(image: bytes, placement: Placement, name: str) -> tuple[int, int]:
    """Load an ELF kernel by its physical addresses; return entry and end."""
    if not elf_file.is_elf(image):
        raise BootError(
            f"{name}: starts with {image[:4].hex(' ')}; without flag 16 (address fields) in the "
            "Multiboot header the kernel has to be ELF"
        )
    parsed = elf_file.parse(image, name)
    elf.load_segments(parsed, placement)
    entry = parsed.physical(parsed.entry)
    if entry >= FOUR_GIB:
        raise BootError(f"{name}: e_entry {parsed.entry:#x} lies in no PT_LOAD segment")
    return entry, elf.image_end(parsed)


def _enter(
    machine: BootMachine,
    placement: Placement,
    options: BootOptions,
    modules: list[tuple[int, int]],
    entry: int,
) -> None:
    memory = memory_map(machine.ram_ranges)
    size = len(_encode_info(0, options, modules, memory)) + entry_state.GDT_SIZE
    gdt_paddr = placement.allocate_high(size, "Multiboot information", high=EBDA_BASE)
    info = gdt_paddr + entry_state.GDT_SIZE
    placement.write(gdt_paddr, entry_state.gdt(long_mode=False))
    placement.write(info, _encode_info(info, options, modules, memory))
    vcpu = machine.vcpus[0]
    entry_state.enter_protected_mode(vcpu, entry, gdt_paddr)
    vcpu.write_register("rax", BOOTLOADER_MAGIC)
    vcpu.write_register("rbx", info)


def command_line(options: BootOptions) -> str:
    """Return the kernel's command line: its name first, as GRUB and QEMU pass it."""
    return f"{options.name} {options.command_line}".rstrip()


def _encode_info(
    base: int,
    options: BootOptions,
    modules: list[tuple[int, int]],
    memory: tuple[AddressRange, ...],
) -> bytes:
    """Return the information structure and all it points to, as they have to lie at `base`."""
    mods_addr = base + multiboot_info.sizeof()
    mmap_addr = mods_addr + module_structure.sizeof() * len(modules)
    text_base = mmap_addr + mmap_entry.sizeof() * len(memory)
    texts = [command_line(options), _BOOT_LOADER_NAME, *(m.string for m in options.modules)]
    addresses, strings = _strings(texts, text_base)
    info = multiboot_info.build(
        {
            "flags": INFO_MEMORY
            | INFO_CMDLINE
            | INFO_MODS
            | INFO_MMAP
            | INFO_BOOT_LOADER_NAME
            | INFO_FRAMEBUFFER,
            "mem_lower": conventional_kib(memory),
            "mem_upper": extended_kib(memory),
            "boot_device": 0,
            "cmdline": addresses[0],
            "mods_count": len(modules),
            "mods_addr": mods_addr,
            "mmap_length": mmap_entry.sizeof() * len(memory),
            "mmap_addr": mmap_addr,
            "drives_length": 0,
            "drives_addr": 0,
            "config_table": 0,
            "boot_loader_name": addresses[1],
            "apm_table": 0,
            "framebuffer_addr": 0xB8000,
            "framebuffer_pitch": 160,
            "framebuffer_width": 80,
            "framebuffer_height": 25,
            "framebuffer_bpp": 16,
            "framebuffer_type": _FRAMEBUFFER_TYPE_EGA_TEXT,
        }
    )
    return bytes(info + _encode_modules(modules, addresses[2:]) + _encode_mmap(memory) + strings)


def _strings(texts: list[str], base: int) -> tuple[list[int], bytes]:
    addresses, data = [], bytearray()
    for text in texts:
        addresses.append(base + len(data))
        data += text.encode(errors="surrogateescape") + b"\0"
    return addresses, bytes(data)


def _encode_modules(modules: list[tuple[int, int]], strings: list[int]) -> bytes:
    return b"".join(
        module_structure.build(
            {"mod_start": paddr, "mod_end": paddr + size, "string": string, "reserved": 0}
        )
        for (paddr, size), string in zip(modules, strings, strict=True)
    )


def _encode_mmap(memory: tuple[AddressRange, ...]) -> bytes:
    return b"".join(
        mmap_entry.build({"base_addr": r.base, "length": r.length, "type": int(r.type)})
        for r in memory
    )
