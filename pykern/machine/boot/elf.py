"""Boot an ELF kernel: through its PVH note, or as a plain 64-bit executable.

PVH (XEN_ELFNOTE_PHYS32_ENTRY, as `qemu -kernel` honours it): 32-bit protected mode, flat segments,
paging off, EBX = physical address of `hvm_start_info`.

Plain 64-bit: long mode at e_entry, which is a virtual address, with

* linear 0 to 4 GiB mapped to the same physical addresses, and every PT_LOAD segment that is linked
  elsewhere mapped from its p_vaddr to its p_paddr; all of it writable and executable;
* RDI and RBX = physical address of the same `hvm_start_info`; RSI = its magic, 336EC578h;
* RSP on a 16 KiB stack, aligned as at the first instruction of a C function that returns to 0;
* CS = 10h, data segments = 18h; interrupts off, no IDT; other registers 0.

Page tables, GDT, stack and start info lie at the end of conventional memory, in a range that the
memory map of the start info calls reserved.
"""

from __future__ import annotations

from pykern.machine.boot import elf_file, entry_state, hvm_start_info
from pykern.machine.boot.elf_file import ELFCLASS64, ElfFile
from pykern.machine.boot.page_tables import PAGE, PageTables
from pykern.machine.boot.placement import Placement
from pykern.machine.boot.protocol import BootError, BootMachine, BootOptions
from pykern.machine.firmware.e820 import EBDA_BASE, EXTENDED_MEMORY_BASE, FOUR_GIB, memory_map

XEN_NAME, XEN_ELFNOTE_PHYS32_ENTRY = b"Xen", 18
_STACK_SIZE = 16 << 10
_CANONICAL_LOW, _CANONICAL_HIGH, _LINEAR_END = 1 << 47, (1 << 64) - (1 << 47), 1 << 64


class ElfProtocol:
    """ELF executables that are not Multiboot kernels."""

    name = "elf"
    looks_for = "7f 45 4c 46 (ELF) at offset 0: a 64-bit executable, or any with a PVH note"

    def probe(self, image: bytes) -> bool:
        """Tell whether the image is an ELF file."""
        return elf_file.is_elf(image)

    def load(self, image: bytes, machine: BootMachine, options: BootOptions) -> None:
        """Load the segments; enter through the PVH note if there is one, else in long mode."""
        elf = elf_file.parse(image, options.name)
        entry = pvh_entry(elf)
        if entry is None and elf.elf_class != ELFCLASS64:
            raise BootError(
                f"{elf.name}: EI_CLASS is 1 (32-bit), and there is neither a Multiboot header in "
                "the first 8192 bytes nor a Xen PHYS32_ENTRY note; a plain kernel has to be 64-bit"
            )
        placement = Placement(machine)
        load_segments(elf, placement)
        modules = hvm_start_info.place_modules(placement, options.modules, image_end(elf))
        if entry is not None:
            _enter_pvh(machine, placement, options, modules, entry)
            return
        _enter_long(machine, placement, options, modules, elf)


def pvh_entry(elf: ElfFile) -> int | None:
    """Return the physical address in the XEN_ELFNOTE_PHYS32_ENTRY note, if there is one."""
    for note in elf.notes():
        if note.name != XEN_NAME or note.type != XEN_ELFNOTE_PHYS32_ENTRY:
            continue
        if len(note.descriptor) not in {4, 8}:
            raise BootError(
                f"{elf.name}: note Xen PHYS32_ENTRY has {len(note.descriptor)} bytes, "
                "expected 4 or 8"
            )
        entry = int.from_bytes(note.descriptor, "little")
        if entry >= FOUR_GIB:
            raise BootError(
                f"{elf.name}: note Xen PHYS32_ENTRY is {entry:#x}, expected below 4 GiB"
            )
        return entry
    return None


def load_segments(elf: ElfFile, placement: Placement) -> None:
    """Place every PT_LOAD segment at its p_paddr."""
    if not elf.load_segments:
        raise BootError(f"{elf.name}: no PT_LOAD segment, expected at least one")
    for number, segment in enumerate(elf.load_segments):
        what = f"{elf.name}: PT_LOAD segment {number}"
        placement.claim(segment.p_paddr, segment.p_memsz, what)
    for segment in elf.load_segments:
        placement.write(segment.p_paddr, elf.contents(segment), segment.p_memsz)


def image_end(elf: ElfFile) -> int:
    """Return the first address behind the kernel, at least 1 MiB: modules go above it."""
    ends = [segment.p_paddr + segment.p_memsz for segment in elf.load_segments]
    return max(EXTENDED_MEMORY_BASE, *ends)


def _enter_pvh(
    machine: BootMachine,
    placement: Placement,
    options: BootOptions,
    modules: list[tuple[int, int]],
    entry: int,
) -> None:
    info, gdt_paddr, _ = _place_start_info(machine, placement, options, modules, 0)
    placement.write(gdt_paddr, entry_state.gdt(long_mode=False))
    vcpu = machine.vcpus[0]
    entry_state.enter_protected_mode(vcpu, entry, gdt_paddr)
    vcpu.write_register("rbx", info)


def _enter_long(
    machine: BootMachine,
    placement: Placement,
    options: BootOptions,
    modules: list[tuple[int, int]],
    elf: ElfFile,
) -> None:
    tables = _page_tables(elf)
    extra = tables.size + _STACK_SIZE
    info, gdt_paddr, cr3 = _place_start_info(machine, placement, options, modules, extra)
    placement.write(gdt_paddr, entry_state.gdt(long_mode=True))
    placement.write(cr3, tables.encode(cr3))
    vcpu = machine.vcpus[0]
    entry_state.enter_long_mode(vcpu, elf.entry, gdt_paddr, cr3)
    stack_top = cr3 + tables.size + _STACK_SIZE
    registers = {
        "rdi": info,
        "rbx": info,
        "rsi": hvm_start_info.XEN_HVM_START_MAGIC_VALUE,
        "rsp": stack_top - 8,
    }
    for name, value in registers.items():
        vcpu.write_register(name, value)


def _place_start_info(
    machine: BootMachine,
    placement: Placement,
    options: BootOptions,
    modules: list[tuple[int, int]],
    extra: int,
) -> tuple[int, int, int]:
    """Write the start info at the end of conventional memory.

    Returns
    -------
    Addresses of the start info, of room for the GDT, and of `extra` page-aligned bytes.
    """
    # The memory map grows by a split of one range and one new entry, whatever is reserved.
    draft = memory_map(machine.ram_ranges, [(PAGE, 2 * PAGE)])
    gdt_size = entry_state.GDT_SIZE
    info_size = len(hvm_start_info.encode(0, options, modules, draft))
    size = extra + _page_aligned(gdt_size + info_size)
    base = placement.allocate_high(size, "start info and page tables", high=EBDA_BASE)
    memory = memory_map(machine.ram_ranges, [(base, base + size)])
    gdt_paddr = base + extra
    info = gdt_paddr + gdt_size
    placement.write(info, hvm_start_info.encode(info, options, modules, memory))
    return info, gdt_paddr, base


def _page_aligned(size: int) -> int:
    return -(-size // PAGE) * PAGE


def _page_tables(elf: ElfFile) -> PageTables:
    tables = PageTables()
    tables.map(0, 0, FOUR_GIB)
    for number, segment in enumerate(elf.load_segments):
        end = segment.p_vaddr + segment.p_memsz
        if segment.p_vaddr == segment.p_paddr and end <= FOUR_GIB:
            continue
        where = f"{elf.name}: PT_LOAD segment {number}, p_vaddr {segment.p_vaddr:#x}"
        _check_mapping(segment, end, where)
        tables.map(segment.p_vaddr, segment.p_paddr, segment.p_memsz)
    if not any(s.p_vaddr <= elf.entry < s.p_vaddr + s.p_memsz for s in elf.load_segments) and (
        elf.entry >= FOUR_GIB
    ):
        raise BootError(f"{elf.name}: e_entry {elf.entry:#x} lies in no PT_LOAD segment")
    return tables


def _check_mapping(segment: elf_file.Segment, end: int, where: str) -> None:
    if segment.p_vaddr % PAGE != segment.p_paddr % PAGE:
        raise BootError(f"{where}: p_paddr {segment.p_paddr:#x} has another offset in its page")
    if segment.p_vaddr < FOUR_GIB:
        raise BootError(
            f"{where}: p_paddr is {segment.p_paddr:#x}, but below 4 GiB a kernel is entered with "
            "linear = physical; link it to run where it is loaded, or high-half"
        )
    low_half = end <= _CANONICAL_LOW
    high_half = segment.p_vaddr >= _CANONICAL_HIGH and end <= _LINEAR_END
    if not low_half and not high_half:
        raise BootError(f"{where}: p_memsz {segment.p_memsz:#x} leaves the canonical addresses")
