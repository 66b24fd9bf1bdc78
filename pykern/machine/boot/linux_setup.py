"""The structures of the Linux/x86 boot protocol: real-mode setup header and boot parameters.

References
----------
The Linux Kernel documentation, The Linux/x86 Boot Protocol (The Real-Mode Kernel Header), and
Zero Page.
"""

from __future__ import annotations

from construct import Bytes, Const, Int8ul, Int16ul, Int32ul, Int64ul, Padding, Struct

from pykern.machine.firmware.e820 import AddressRangeDescriptor

SETUP_HEADER_OFFSET = 0x1F1
BOOT_FLAG, BOOT_FLAG_OFFSET = 0xAA55, 0x1FE
MAGIC, MAGIC_OFFSET = b"HdrS", 0x202
JUMP_OFFSET = 0x201  # distance of the jump at 200h: where the header ends, counted from 202h
HEADER_END_BASE = 0x202

# loadflags
LOADED_HIGH, KEEP_SEGMENTS, CAN_USE_HEAP = 1 << 0, 1 << 6, 1 << 7
# xloadflags
XLF_KERNEL_64, XLF_CAN_BE_LOADED_ABOVE_4G = 1 << 0, 1 << 1

SetupHeader = Struct(
    "setup_sects" / Int8ul,
    "root_flags" / Int16ul,
    "syssize" / Int32ul,
    "ram_size" / Int16ul,
    "vid_mode" / Int16ul,
    "root_dev" / Int16ul,
    "boot_flag" / Int16ul,
    "jump" / Int16ul,
    "header" / Bytes(4),
    "version" / Int16ul,
    "realmode_swtch" / Int32ul,
    "start_sys_seg" / Int16ul,
    "kernel_version" / Int16ul,
    "type_of_loader" / Int8ul,
    "loadflags" / Int8ul,
    "setup_move_size" / Int16ul,
    "code32_start" / Int32ul,
    "ramdisk_image" / Int32ul,
    "ramdisk_size" / Int32ul,
    "bootsect_kludge" / Int32ul,
    "heap_end_ptr" / Int16ul,
    "ext_loader_ver" / Int8ul,
    "ext_loader_type" / Int8ul,
    "cmd_line_ptr" / Int32ul,
    "initrd_addr_max" / Int32ul,
    "kernel_alignment" / Int32ul,
    "relocatable_kernel" / Int8ul,
    "min_alignment" / Int8ul,
    "xloadflags" / Int16ul,
    "cmdline_size" / Int32ul,
    "hardware_subarch" / Int32ul,
    "hardware_subarch_data" / Int64ul,
    "payload_offset" / Int32ul,
    "payload_length" / Int32ul,
    "setup_data" / Int64ul,
    "pref_address" / Int64ul,
    "init_size" / Int32ul,
    "handover_offset" / Int32ul,
    "kernel_info_offset" / Int32ul,
)
SETUP_HEADER_SIZE = SetupHeader.sizeof()

# Which protocol version a field first appeared in; before it the field holds something else.
SINCE: dict[str, int] = {
    "type_of_loader": 0x200,
    "loadflags": 0x200,
    "setup_move_size": 0x200,
    "code32_start": 0x200,
    "ramdisk_image": 0x200,
    "ramdisk_size": 0x200,
    "bootsect_kludge": 0x200,
    "heap_end_ptr": 0x201,
    "ext_loader_ver": 0x202,
    "ext_loader_type": 0x202,
    "cmd_line_ptr": 0x202,
    "initrd_addr_max": 0x203,
    "kernel_alignment": 0x205,
    "relocatable_kernel": 0x205,
    "min_alignment": 0x20A,
    "xloadflags": 0x20C,
    "cmdline_size": 0x206,
    "hardware_subarch": 0x207,
    "hardware_subarch_data": 0x207,
    "payload_offset": 0x208,
    "payload_length": 0x208,
    "setup_data": 0x209,
    "pref_address": 0x20A,
    "init_size": 0x20A,
    "handover_offset": 0x20B,
    "kernel_info_offset": 0x20F,
}

# For protocols older than the field.
DEFAULTS: dict[str, int] = {
    "initrd_addr_max": 0x37FFFFFF,
    "cmdline_size": 255,
    "kernel_alignment": 0x1000,
    "pref_address": 0x100000,
}

VIDEO_TYPE_VGAC = 1  # orig_video_isVGA: colour VGA in text mode

screen_info = Struct(
    "orig_x" / Int8ul,
    "orig_y" / Int8ul,
    "ext_mem_k" / Int16ul,
    "orig_video_page" / Int16ul,
    "orig_video_mode" / Int8ul,
    "orig_video_cols" / Int8ul,
    "flags" / Int8ul,
    Padding(1),
    "orig_video_ega_bx" / Int16ul,
    Padding(2),
    "orig_video_lines" / Int8ul,
    "orig_video_isVGA" / Int8ul,
    "orig_video_points" / Int16ul,
    Padding(0x40 - 0x12),
)

E820_MAX_ENTRIES_ZEROPAGE = 128

boot_params = Struct(
    "screen_info" / screen_info,
    "apm_bios_info" / Padding(0x14),
    Padding(0x70 - 0x54),
    "acpi_rsdp_addr" / Int64ul,
    Padding(0xC0 - 0x78),
    "ext_ramdisk_image" / Int32ul,
    "ext_ramdisk_size" / Int32ul,
    "ext_cmd_line_ptr" / Int32ul,
    Padding(0x1E0 - 0xCC),
    "alt_mem_k" / Int32ul,
    Padding(4),
    "e820_entries" / Int8ul,
    Padding(0x1EF - 0x1E9),
    "sentinel" / Const(0, Int8ul),
    Padding(1),
    "hdr" / Bytes(SETUP_HEADER_SIZE),
    Padding(0x2D0 - 0x1F1 - SETUP_HEADER_SIZE),
    "e820_table" / Bytes(E820_MAX_ENTRIES_ZEROPAGE * AddressRangeDescriptor.sizeof()),
    Padding(0x1000 - 0xCD0),
)
