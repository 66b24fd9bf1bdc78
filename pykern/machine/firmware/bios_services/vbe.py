"""VESA BIOS extensions: one mode, which is the board's framebuffer.

References
----------
VESA BIOS Extension (VBE) Core Functions Standard 3.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from construct import Bytes, Const, Int8ul, Int16ul, Int32ul, Padding, Struct

if TYPE_CHECKING:
    from pykern.machine.board import FramebufferOptions
    from pykern.machine.firmware.bios_services.bios import Bios
    from pykern.machine.firmware.bios_services.call import Call

_SUPPORTED, _FAILED = 0x004F, 0x014F
_NUMBERS = {
    (640, 480): 0x142,
    (800, 600): 0x143,
    (1024, 768): 0x144,
    (1280, 1024): 0x145,
    (1600, 1200): 0x147,
}
_OTHER = 0x1F0
_LINEAR, _KEEP_MEMORY, _NUMBER = 1 << 14, 1 << 15, 0x1FF
_END_OF_LIST = 0xFFFF
_OEM_STRING = b"pykern\0"
_OEM_OFFSET, _MODES_OFFSET, _INFO_SIZE = 0x100, 0x110, 0x200
# Supported by hardware, colour, graphics; not VGA compatible, no window, linear framebuffer.
_ATTRIBUTES = 0x00BB | 0x40
_DIRECT_COLOUR = 6
_BPP = 32

VbeInfoBlock = Struct(
    "VbeSignature" / Const(b"VESA"),
    "VbeVersion" / Int16ul,
    "OemStringPtr" / Int32ul,
    "Capabilities" / Int32ul,
    "VideoModePtr" / Int32ul,
    "TotalMemory" / Int16ul,
    "OemSoftwareRev" / Int16ul,
    "OemVendorNamePtr" / Int32ul,
    "OemProductNamePtr" / Int32ul,
    "OemProductRevPtr" / Int32ul,
)
ModeInfoBlock = Struct(
    "ModeAttributes" / Int16ul,
    "Windows" / Bytes(14),
    "BytesPerScanLine" / Int16ul,
    "XResolution" / Int16ul,
    "YResolution" / Int16ul,
    "XCharSize" / Int8ul,
    "YCharSize" / Int8ul,
    "NumberOfPlanes" / Int8ul,
    "BitsPerPixel" / Int8ul,
    "NumberOfBanks" / Int8ul,
    "MemoryModel" / Int8ul,
    "BankSize" / Int8ul,
    "NumberOfImagePages" / Int8ul,
    "Reserved" / Const(1, Int8ul),
    "RedMaskSize" / Int8ul,
    "RedFieldPosition" / Int8ul,
    "GreenMaskSize" / Int8ul,
    "GreenFieldPosition" / Int8ul,
    "BlueMaskSize" / Int8ul,
    "BlueFieldPosition" / Int8ul,
    "RsvdMaskSize" / Int8ul,
    "RsvdFieldPosition" / Int8ul,
    "DirectColorModeInfo" / Int8ul,
    "PhysBasePtr" / Int32ul,
    Padding(6),
    "LinBytesPerScanLine" / Int16ul,
    "BnkNumberOfImagePages" / Int8ul,
    "LinNumberOfImagePages" / Int8ul,
    "LinMasks" / Bytes(8),
    "MaxPixelClock" / Int32ul,
    Padding(190),
)


def mode_number(picture: FramebufferOptions) -> int:
    """Return the number of the mode that is the framebuffer."""
    return _NUMBERS.get((picture.width, picture.height), _OTHER)


def serve(bios: Bios, call: Call) -> None:
    """AL: 0 what there is, 1 about a mode, 2 set a mode, 3 which is set."""
    picture = bios.board.options.framebuffer
    if picture is None:
        bios.unknown[0x10, call.ax] += 1
        return  # AL is not 4Fh: no VBE
    match call.al:
        case 0:
            _information(call, picture)
        case 1:
            _mode_information(call, picture)
        case 2:
            _set_mode(bios, call, picture)
        case 3:
            call.bx = bios.vbe_mode or bios.read_bda(0x49, 1)
            call.ax = _SUPPORTED
        case _:
            bios.unknown[0x10, call.ax] += 1
            call.ax = 0x0100


def _information(call: Call, picture: FramebufferOptions) -> None:
    segment = call.vcpu.read_register("es")
    far = segment << 16
    block = VbeInfoBlock.build(
        {
            "VbeVersion": 0x0300,
            "OemStringPtr": far | call.di + _OEM_OFFSET,
            "Capabilities": 0x01,  # the DAC has 8 bits
            "VideoModePtr": far | call.di + _MODES_OFFSET,
            "TotalMemory": -(-picture.pitch * picture.height >> 16),
            "OemSoftwareRev": 0x0100,
            **dict.fromkeys(
                ("OemVendorNamePtr", "OemProductNamePtr", "OemProductRevPtr"),
                far | call.di + _OEM_OFFSET,
            ),
        }
    )
    modes = mode_number(picture).to_bytes(2, "little") + _END_OF_LIST.to_bytes(2, "little")
    block = block.ljust(_OEM_OFFSET, b"\0") + _OEM_STRING.ljust(_MODES_OFFSET - _OEM_OFFSET, b"\0")
    # Programs of VBE 1 bring 256 bytes only.
    wants_all = call.read("es", call.di, 4) == b"VBE2"
    data = block + modes
    if not wants_all:
        data = _short_block(data, call.di, far)
    call.write("es", call.di, data.ljust(_INFO_SIZE, b"\0") if wants_all else data)
    call.ax = _SUPPORTED


def _short_block(data: bytes, offset: int, far: int) -> bytes:
    """Return the first 256 bytes with the strings and the list of modes moved into them."""
    modes, text = data[_MODES_OFFSET:], 0xE0
    block = bytearray(data[:_OEM_OFFSET])
    block[0xC0 : 0xC0 + len(modes)] = modes
    block[text : text + len(_OEM_STRING)] = _OEM_STRING
    block[6:10] = (far | offset + text).to_bytes(4, "little")
    block[14:18] = (far | offset + 0xC0).to_bytes(4, "little")
    return bytes(block)


def _mode_information(call: Call, picture: FramebufferOptions) -> None:
    if call.cx & _NUMBER != mode_number(picture):
        call.ax = _FAILED
        return
    channels = bytes((8, 16, 8, 8, 8, 0, 8, 24))
    names = ("Red", "Green", "Blue", "Rsvd")
    masks = {}
    for number, name in enumerate(names):
        masks[f"{name}MaskSize"] = channels[2 * number]
        masks[f"{name}FieldPosition"] = channels[2 * number + 1]
    block = ModeInfoBlock.build(
        {
            "ModeAttributes": _ATTRIBUTES,
            "Windows": bytes(14),
            "BytesPerScanLine": picture.pitch,
            "XResolution": picture.width,
            "YResolution": picture.height,
            "XCharSize": 8,
            "YCharSize": 16,
            "NumberOfPlanes": 1,
            "BitsPerPixel": _BPP,
            "NumberOfBanks": 1,
            "MemoryModel": _DIRECT_COLOUR,
            "BankSize": 0,
            "NumberOfImagePages": 0,
            **masks,
            "DirectColorModeInfo": 0,
            "PhysBasePtr": picture.paddr,
            "LinBytesPerScanLine": picture.pitch,
            "BnkNumberOfImagePages": 0,
            "LinNumberOfImagePages": 0,
            "LinMasks": channels,
            "MaxPixelClock": 0,
        }
    )
    call.write("es", call.di, block)
    call.ax = _SUPPORTED


def _set_mode(bios: Bios, call: Call, picture: FramebufferOptions) -> None:
    number = call.bx & _NUMBER
    if call.bx & _LINEAR and number == mode_number(picture):
        bios.vbe_mode = call.bx & ~_KEEP_MEMORY
        if not call.bx & _KEEP_MEMORY:
            bios.machine.write(picture.paddr, bytes(picture.pitch * picture.height))
        call.ax = _SUPPORTED
        return
    if number in {2, 3}:
        bios.set_text_mode(number)
        call.ax = _SUPPORTED
        return
    call.ax = _FAILED


def set_mode_13h(bios: Bios) -> None:
    """Program the adapter for 320x200 with 256 colours."""
    vga = bios.board.vga
    for index, value in enumerate(bytes.fromhex("03 01 0f 00 0e")):
        vga.write(0x14, 1, index)
        vga.write(0x15, 1, value)
    for index, value in enumerate(bytes.fromhex("00 00 00 00 00 40 05 0f ff")):
        vga.write(0x1E, 1, index)
        vga.write(0x1F, 1, value)
    crtc = bytes.fromhex(
        "5f 4f 50 82 54 80 bf 1f 00 41 00 00 00 00 00 00 9c 0e 8f 28 40 96 b9 a3 ff"
    )
    for index, value in ((0x11, 0x0E), *enumerate(crtc)):
        vga.write(0x24, 1, index)
        vga.write(0x25, 1, value)
    vga.read(0x2A, 1)  # the attribute controller expects an index next
    attributes = bytes(range(16)) + bytes.fromhex("41 00 0f 00 00")
    for index, value in enumerate(attributes):
        vga.write(0x10, 1, index)
        vga.write(0x10, 1, value)
    vga.write(0x10, 1, 0x20)
