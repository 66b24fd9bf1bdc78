"""The structures of the Limine boot protocol, with the field names of its specification.

Pointers are 64 bits wide and hold linear addresses in the higher half direct map, unless a comment
says otherwise. Every request starts with `request`, every response with its revision, whose default
is the one that is given here; other loaders may answer by another.

References
----------
The Limine Boot Protocol: Features, Requests Delimiters, Feature List.
"""

from __future__ import annotations

from construct import Array, Bytes, Default, Int8ul, Int16ul, Int32ul, Int64sl, Int64ul, Struct

COMMON_MAGIC = (0xC7B1DD30DF4C8B88, 0x0A82E883A194F07B)
BASE_REVISION_MAGIC = (0xF9562B2D5C95A6C8, 0x6A7B384944536BDC)
REQUESTS_START_MARKER = (
    0xF6B8F4B39DE7D1AE,
    0xFAB91A6940FCB9CF,
    0x785C6ED015D3E316,
    0x181E920A7852B9D9,
)
REQUESTS_END_MARKER = (0xADC0E0531BB10D03, 0x9572709F31764C62)

BOOTLOADER_INFO = (0xF55038D8E2A1202F, 0x279426FCF5F59740)
EXECUTABLE_CMDLINE = (0x4B161536E598651E, 0xB390AD4A2F1F303A)
FIRMWARE_TYPE = (0x8C2F75D90BEF28A8, 0x7045A4688EAC00C3)
STACK_SIZE = (0x224EF0460A8E8926, 0xE1CB0FC25F46EA3D)
HHDM = (0x48DCF1CB8AD2B852, 0x63984E959A98244B)
FRAMEBUFFER = (0x9D5827DCD881DD75, 0xA3148604F6FAB11B)
PAGING_MODE = (0x95C1A0EDAB0944CB, 0xA4E5CB3842F7488A)
MP = (0x95A67B819A1B857E, 0xA0B61B723B6A73E0)
MEMMAP = (0x67CF3D9D378A806F, 0xE304ACDFC50C3C62)
ENTRY_POINT = (0x13D86C035A1CD3E1, 0x2B0CAA89D8F3026A)
EXECUTABLE_FILE = (0xAD97E90E83F1ED67, 0x31EB5D1C5FF23B69)
MODULE = (0x3E7E279702BE32AF, 0xCA1C4F3BD1280CEE)
RSDP = (0xC5E77B6B397E7B43, 0x27637845ACCDCF3C)
SMBIOS = (0x9E9046F11E095391, 0xAA4A520FEFBDE5EE)
EFI_SYSTEM_TABLE = (0x5CEBA5163EAAF6D6, 0x0A6981610CF65FCC)
EFI_MEMMAP = (0x7DF62A431D6872D5, 0xA4FCDFB3E57306C8)
DATE_AT_BOOT = (0x502746E184C088AA, 0xFBC5EC83E6327893)
EXECUTABLE_ADDRESS = (0x71BA76863CC55F63, 0xB2644A48C516A487)
DTB = (0xB40DDB48FB54BAC7, 0x545081493F81FFB7)

FIRMWARE_TYPE_X86BIOS = 0
MEMORY_MODEL_RGB = 1
PAGING_MODE_4LVL = 0
MP_X2APIC = 1 << 0
INTERNAL_MODULE_REQUIRED, INTERNAL_MODULE_COMPRESSED = 1 << 0, 1 << 1

# Requests: what they all start with, and what some of them add.
request = Struct("id" / Array(4, Int64ul), "revision" / Int64ul, "response" / Int64ul)
base_revision = Struct("magic" / Array(2, Int64ul), "revision" / Int64ul)
stack_size_request = Struct("stack_size" / Int64ul)
paging_mode_request_0 = Struct("mode" / Int64ul)
paging_mode_request = Struct("mode" / Int64ul, "max_mode" / Int64ul, "min_mode" / Int64ul)
mp_request = Struct("flags" / Int64ul)
entry_point_request = Struct("entry" / Int64ul)
module_request_1 = Struct("internal_module_count" / Int64ul, "internal_modules" / Int64ul)
# Pointers of the executable's own: linear addresses within it.
internal_module = Struct("path" / Int64ul, "cmdline" / Int64ul, "flags" / Int64ul)

# Responses.
empty_response = Struct("revision" / Default(Int64ul, 0))
bootloader_info_response = Struct(
    "revision" / Default(Int64ul, 0), "name" / Int64ul, "version" / Int64ul
)
executable_cmdline_response = Struct("revision" / Default(Int64ul, 0), "cmdline" / Int64ul)
firmware_type_response = Struct("revision" / Default(Int64ul, 0), "firmware_type" / Int64ul)
hhdm_response = Struct("revision" / Default(Int64ul, 0), "offset" / Int64ul)
framebuffer_response = Struct(
    "revision" / Default(Int64ul, 1), "framebuffer_count" / Int64ul, "framebuffers" / Int64ul
)
paging_mode_response = Struct("revision" / Default(Int64ul, 0), "mode" / Int64ul)
mp_response = Struct(
    "revision" / Default(Int64ul, 0),
    "flags" / Int32ul,
    "bsp_lapic_id" / Int32ul,
    "cpu_count" / Int64ul,
    "cpus" / Int64ul,
)
memmap_response = Struct(
    "revision" / Default(Int64ul, 0), "entry_count" / Int64ul, "entries" / Int64ul
)
executable_file_response = Struct("revision" / Default(Int64ul, 0), "executable_file" / Int64ul)
module_response = Struct(
    "revision" / Default(Int64ul, 1), "module_count" / Int64ul, "modules" / Int64ul
)
# The address is a physical one for base revision 3.
rsdp_response = Struct("revision" / Default(Int64ul, 0), "address" / Int64ul)
smbios_response = Struct(
    "revision" / Default(Int64ul, 0), "entry_32" / Int64ul, "entry_64" / Int64ul
)
date_at_boot_response = Struct("revision" / Default(Int64ul, 0), "timestamp" / Int64sl)
executable_address_response = Struct(
    "revision" / Default(Int64ul, 0), "physical_base" / Int64ul, "virtual_base" / Int64ul
)

# What responses point to.
_MASKS = (
    "memory_model" / Int8ul,
    "red_mask_size" / Int8ul,
    "red_mask_shift" / Int8ul,
    "green_mask_size" / Int8ul,
    "green_mask_shift" / Int8ul,
    "blue_mask_size" / Int8ul,
    "blue_mask_shift" / Int8ul,
)
framebuffer = Struct(
    "address" / Int64ul,
    "width" / Int64ul,
    "height" / Int64ul,
    "pitch" / Int64ul,
    "bpp" / Int16ul,
    *_MASKS,
    "unused" / Default(Bytes(7), bytes(7)),
    "edid_size" / Int64ul,
    "edid" / Int64ul,
    "mode_count" / Int64ul,
    "modes" / Int64ul,
)
video_mode = Struct(
    "pitch" / Int64ul, "width" / Int64ul, "height" / Int64ul, "bpp" / Int16ul, *_MASKS
)
# RDI of a started processor points to its own.
mp_info = Struct(
    "processor_id" / Int32ul,
    "lapic_id" / Int32ul,
    "reserved" / Default(Int64ul, 0),
    "goto_address" / Default(Int64ul, 0),
    "extra_argument" / Default(Int64ul, 0),
)
GOTO_ADDRESS_OFFSET = 16
memmap_entry = Struct("base" / Int64ul, "length" / Int64ul, "type" / Int64ul)
_uuid = Bytes(16)
file = Struct(
    "revision" / Default(Int64ul, 0),
    "address" / Int64ul,
    "size" / Int64ul,
    "path" / Int64ul,
    "string" / Int64ul,
    "media_type" / Int32ul,
    "unused" / Default(Int32ul, 0),
    "tftp_ip" / Default(Int32ul, 0),
    "tftp_port" / Default(Int32ul, 0),
    "partition_index" / Default(Int32ul, 0),
    "mbr_disk_id" / Default(Int32ul, 0),
    "gpt_disk_uuid" / Default(_uuid, bytes(16)),
    "gpt_part_uuid" / Default(_uuid, bytes(16)),
    "part_uuid" / Default(_uuid, bytes(16)),
)
