"""Boot an image that follows the Linux/x86 boot protocol 2.00 or later (bzImage, zImage).

An image with XLF_KERNEL_64 is entered in long mode at 200h behind its start, any other that is
loaded high in 32-bit protected mode at code32_start; RSI (ESI) holds the physical address of
`boot_params`. A zImage, which is loaded low, is entered in real mode at its setup code; that code
expects BIOS services.

References
----------
The Linux Kernel documentation, The Linux/x86 Boot Protocol: Loading The Rest of The Kernel, 32-bit
Boot Protocol, 64-bit Boot Protocol, and Running the Kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

from pykern.machine.boot import entry_state
from pykern.machine.boot import linux_setup as setup
from pykern.machine.boot.page_tables import PageTables
from pykern.machine.boot.placement import PAGE, Placement
from pykern.machine.boot.protocol import BootError, BootMachine, BootOptions
from pykern.machine.firmware.e820 import (
    EBDA_BASE,
    EXTENDED_MEMORY_BASE,
    FOUR_GIB,
    encode,
    extended_kib,
    memory_map,
)

_SECTOR = 512
_DEFAULT_SETUP_SECTS = 4
_UNDEFINED_LOADER = 0xFF
_ENTRY_64_OFFSET = 0x200
_LOW_KERNEL, _LOW_KERNEL_END = 0x10000, 0x90000
_REAL_MODE_SEGMENT = 0x9000
_HEAP_END, _REAL_MODE_STACK = 0x9000, 0x9000
_REAL_MODE_SIZE = 0xA000  # setup code, heap and stack


@dataclass(frozen=True)
class LinuxImage:
    """A parsed image: fields of its setup header, with the defaults of older protocols."""

    name: str
    fields: dict[str, int]
    header: bytes
    setup: bytes
    kernel: bytes

    @property
    def version(self) -> int:
        """Return the boot protocol's version: major in the high byte."""
        return self.fields["version"]

    @property
    def loaded_high(self) -> bool:
        """Tell whether the protected-mode code is made for 1 MiB."""
        return bool(self.fields["loadflags"] & setup.LOADED_HIGH)

    @property
    def has_entry_64(self) -> bool:
        """Tell whether the image can be entered in long mode."""
        return bool(self.fields["xloadflags"] & setup.XLF_KERNEL_64)


class LinuxProtocol:
    """Images with the setup header of the Linux/x86 boot protocol."""

    name = "linux"
    looks_for = "48 64 72 53 (HdrS) at offset 0x202 and 55 aa at 0x1fe (Linux boot protocol)"

    def probe(self, image: bytes) -> bool:
        """Tell whether the setup header's magic numbers are there."""
        end = setup.MAGIC_OFFSET + len(setup.MAGIC)
        flag = image[setup.BOOT_FLAG_OFFSET : setup.BOOT_FLAG_OFFSET + 2]
        return image[setup.MAGIC_OFFSET : end] == setup.MAGIC and flag == b"\x55\xaa"

    def load(self, image: bytes, machine: BootMachine, options: BootOptions) -> None:
        """Load kernel, initrd and command line, and enter the kernel."""
        linux = parse(image, options.name)
        placement = Placement(machine)
        if not linux.loaded_high:
            _boot_real_mode(linux, machine, placement, options)
            return
        _boot_protected(linux, machine, placement, options)


def parse(image: bytes, name: str) -> LinuxImage:
    """Read the setup header and split the image.

    Raises
    ------
    BootError : the header is of an older protocol than 2.00, or the file is cut short
    """
    if not LinuxProtocol().probe(image):
        raise BootError(f"{name}: no HdrS at offset {setup.MAGIC_OFFSET:#x}")
    # The header ends where the jump at 200h leads; what lies behind is code.
    end = min(setup.HEADER_END_BASE + image[setup.JUMP_OFFSET], len(image))
    header = image[setup.SETUP_HEADER_OFFSET : end][: setup.SETUP_HEADER_SIZE]
    header = header.ljust(setup.SETUP_HEADER_SIZE, b"\0")
    parsed = setup.SetupHeader.parse(header)
    fields = {key: value for key, value in parsed.items() if isinstance(value, int)}
    for field, since in setup.SINCE.items():
        if fields["version"] < since:
            fields[field] = setup.DEFAULTS.get(field, 0)
    _check(fields, len(image), name)
    setup_size = ((fields["setup_sects"] or _DEFAULT_SETUP_SECTS) + 1) * _SECTOR
    return LinuxImage(name, fields, header, image[:setup_size], image[setup_size:])


def _check(fields: dict[str, int], size: int, name: str) -> None:
    version = fields["version"]
    if version < 0x200:
        raise BootError(
            f"{name}: boot protocol {version >> 8}.{version & 0xFF:02}, expected 2.00 or later"
        )
    setup_size = ((fields["setup_sects"] or _DEFAULT_SETUP_SECTS) + 1) * _SECTOR
    if size <= setup_size:
        raise BootError(
            f"{name}: setup_sects {fields['setup_sects']} makes the setup {setup_size} bytes and "
            f"leaves no protected-mode code in a file of {size} bytes"
        )
    # syssize is in paragraphs, rounded up; before 2.04 it is only 16 bits wide and unreliable.
    if version >= 0x204 and (size - setup_size) <= (fields["syssize"] - 1) * 16:
        raise BootError(
            f"{name}: syssize {fields['syssize']:#x} announces {fields['syssize'] * 16} bytes of "
            f"protected-mode code at {setup_size:#x}; the file has {size - setup_size}"
        )


def _place_kernel(linux: LinuxImage, placement: Placement) -> int:
    """Place the protected-mode code where the header asks for it; return its address."""
    fields = linux.fields
    size = max(len(linux.kernel), fields["init_size"])
    what = f"{linux.name}: kernel"
    preferred = fields["pref_address"] if linux.version >= 0x20A else EXTENDED_MEMORY_BASE
    if not fields["relocatable_kernel"]:
        placement.claim(preferred, size, what)
        return preferred
    try:
        placement.claim(preferred, size, what)
    except BootError:
        align = fields["kernel_alignment"] or PAGE
        low = EXTENDED_MEMORY_BASE
        return placement.allocate_low(size, what, align=align, low=low)
    return preferred


def _place_initrd(linux: LinuxImage, placement: Placement, options: BootOptions) -> tuple[int, int]:
    """Place the modules, concatenated, as high as the header allows; return (paddr, size)."""
    data = b"".join(module.data for module in options.modules)
    if not data:
        return 0, 0
    high = min(linux.fields["initrd_addr_max"] + 1, FOUR_GIB)
    paddr = placement.allocate_high(len(data), "initrd", low=EXTENDED_MEMORY_BASE, high=high)
    placement.write(paddr, data)
    return paddr, len(data)


def _command_line(linux: LinuxImage, options: BootOptions) -> bytes:
    text = options.command_line.encode(errors="surrogateescape")
    limit = linux.fields["cmdline_size"]
    if len(text) > limit:
        raise BootError(
            f"command line has {len(text)} bytes; {linux.name} takes at most {limit} (cmdline_size)"
        )
    return text + b"\0"


def _patched_header(linux: LinuxImage, changes: dict[str, int]) -> bytes:
    header = setup.SetupHeader.parse(linux.header)
    for field, value in changes.items():
        if linux.version >= setup.SINCE[field]:
            header[field] = value
    return bytes(setup.SetupHeader.build(header))


def _boot_protected(
    linux: LinuxImage, machine: BootMachine, placement: Placement, options: BootOptions
) -> None:
    start = _place_kernel(linux, placement)
    placement.write(start, linux.kernel)
    initrd, initrd_size = _place_initrd(linux, placement, options)
    line = _command_line(linux, options)
    line_paddr = placement.allocate_high(len(line), "command line", align=16, high=EBDA_BASE)
    placement.write(line_paddr, line)
    header = _patched_header(
        linux,
        {
            "type_of_loader": _UNDEFINED_LOADER,
            "code32_start": start,
            "ramdisk_image": initrd,
            "ramdisk_size": initrd_size,
            "cmd_line_ptr": line_paddr,
        },
    )
    params = placement.allocate_high(setup.boot_params.sizeof(), "boot_params", high=EBDA_BASE)
    placement.write(params, _boot_params(machine, options, header))
    _enter(linux, machine, placement, start, params)


def _boot_params(machine: BootMachine, options: BootOptions, header: bytes) -> bytes:
    memory = memory_map(machine.ram_ranges)[: setup.E820_MAX_ENTRIES_ZEROPAGE]
    above_1m = extended_kib(memory)
    table_size = setup.boot_params.e820_table.sizeof()
    return bytes(
        setup.boot_params.build(
            {
                "screen_info": {
                    "orig_x": 0,
                    "orig_y": 0,
                    "ext_mem_k": min(above_1m, 0xFFFF),
                    "orig_video_page": 0,
                    "orig_video_mode": 3,
                    "orig_video_cols": 80,
                    "flags": 0,
                    "orig_video_ega_bx": 3,
                    "orig_video_lines": 25,
                    "orig_video_isVGA": setup.VIDEO_TYPE_VGAC,
                    "orig_video_points": 16,
                },
                "acpi_rsdp_addr": options.rsdp,
                "ext_ramdisk_image": 0,
                "ext_ramdisk_size": 0,
                "ext_cmd_line_ptr": 0,
                "alt_mem_k": above_1m,
                "e820_entries": len(memory),
                "hdr": header,
                "e820_table": encode(memory).ljust(table_size, b"\0"),
            }
        )
    )


def _enter(
    linux: LinuxImage, machine: BootMachine, placement: Placement, start: int, params: int
) -> None:
    vcpu = machine.vcpus[0]
    long_mode = linux.has_entry_64
    gdt_paddr = placement.allocate_high(entry_state.GDT_SIZE, "GDT", align=16, high=EBDA_BASE)
    placement.write(gdt_paddr, entry_state.gdt(long_mode=long_mode))
    if not long_mode:
        entry_state.enter_protected_mode(vcpu, start, gdt_paddr)
    else:
        tables = PageTables()
        tables.map(0, 0, FOUR_GIB)
        cr3 = placement.allocate_high(tables.size, "page tables", high=EBDA_BASE)
        placement.write(cr3, tables.encode(cr3))
        entry_state.enter_long_mode(vcpu, start + _ENTRY_64_OFFSET, gdt_paddr, cr3)
    vcpu.write_register("rsi", params)


def _boot_real_mode(
    linux: LinuxImage, machine: BootMachine, placement: Placement, options: BootOptions
) -> None:
    """Load a zImage: protected-mode code at 64 KiB, setup code at 9000:0."""
    if len(linux.kernel) > _LOW_KERNEL_END - _LOW_KERNEL:
        raise BootError(
            f"{linux.name}: LOADED_HIGH is clear, so {len(linux.kernel)} bytes of code have to fit "
            f"between {_LOW_KERNEL:#x} and {_LOW_KERNEL_END:#x}"
        )
    if len(linux.setup) > _HEAP_END:
        raise BootError(
            f"{linux.name}: {len(linux.setup)} bytes of setup code (setup_sects), expected at most "
            f"{_HEAP_END}"
        )
    base = _REAL_MODE_SEGMENT << 4
    line = _command_line(linux, options)
    placement.claim(_LOW_KERNEL, len(linux.kernel), f"{linux.name}: kernel")
    placement.claim(base, _REAL_MODE_SIZE + len(line), f"{linux.name}: setup code")
    placement.write(_LOW_KERNEL, linux.kernel)
    initrd, initrd_size = _place_initrd(linux, placement, options)
    header = _patched_header(
        linux,
        {
            "type_of_loader": _UNDEFINED_LOADER,
            "loadflags": linux.fields["loadflags"] | setup.CAN_USE_HEAP,
            "heap_end_ptr": _HEAP_END - 0x200,
            "ramdisk_image": initrd,
            "ramdisk_size": initrd_size,
            "cmd_line_ptr": base + _REAL_MODE_SIZE,
        },
    )
    _write_setup(linux, placement, base, header)
    placement.write(base + _REAL_MODE_SIZE, line)
    segment = _REAL_MODE_SEGMENT
    entry_state.enter_real_mode(
        machine.vcpus[0], segment + 0x20, 0, data=segment, ss=segment, sp=_REAL_MODE_STACK
    )


def _write_setup(linux: LinuxImage, placement: Placement, base: int, header: bytes) -> None:
    code = bytearray(linux.setup)
    end = setup.HEADER_END_BASE + code[setup.JUMP_OFFSET]
    known = header[: end - setup.SETUP_HEADER_OFFSET]
    code[setup.SETUP_HEADER_OFFSET : setup.SETUP_HEADER_OFFSET + len(known)] = known
    if linux.version < 0x202:
        # Before 2.02 the command line is announced by a magic number and an offset at 20h.
        code[0x20:0x22] = (0xA33F).to_bytes(2, "little")
        code[0x22:0x24] = _REAL_MODE_SIZE.to_bytes(2, "little")
    placement.write(base, bytes(code))
