"""INT 13h: diskettes, hard disks and CDs.

References
----------
IBM Personal System/2 and Personal Computer BIOS Interface Technical Reference: Interrupt 13H;
BIOS Enhanced Disk Drive Specification 3.0; "El Torito" Bootable CD-ROM Format Specification 1.0,
INT 13 functions 4A to 4D.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from construct import Const, Int8ul, Int16ul, Int32ul, Int64ul, Struct

from pykern.machine.firmware.bios_services.drives import FIRST_CD, FIRST_HARD_DISK

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.machine.firmware.bios_services.bios import Bios
    from pykern.machine.firmware.bios_services.call import Call
    from pykern.machine.firmware.bios_services.drives import Drive

OK, BAD_COMMAND, WRITE_PROTECTED = 0x00, 0x01, 0x03
NOT_READY = 0x80
_MAGIC_IN, _MAGIC_OUT = 0x55AA, 0xAA55
_EDD_VERSION = 0x30
_FIXED_ACCESS, _EDD = 1 << 0, 1 << 2
_DISKETTE_WITHOUT_CHANGE_LINE, _HARD_DISK = 1, 3
_STATUS_FIELD = 0x74
_BUFFER_LIMIT = 127  # sectors: what the specification promises
_LAST_SECTOR_OF_TRACK = 0x3F

disk_address_packet = Struct(
    "size" / Int8ul,
    "reserved" / Int8ul,
    "count" / Int16ul,
    "offset" / Int16ul,
    "segment" / Int16ul,
    "lba" / Int64ul,
)
drive_parameters = Struct(
    "size" / Int16ul,
    "flags" / Int16ul,
    "cylinders" / Int32ul,
    "heads" / Int32ul,
    "sectors_per_track" / Int32ul,
    "sectors" / Int64ul,
    "bytes_per_sector" / Int16ul,
    "dpte" / Const(0xFFFFFFFF, Int32ul),
)
_SIZE_WITHOUT_DPTE = 0x1A
_VALID_GEOMETRY, _REMOVABLE = 1 << 1, 1 << 2
specification_packet = Struct(
    "size" / Const(0x13, Int8ul),
    "media_type" / Int8ul,
    "drive" / Int8ul,
    "controller" / Int8ul,
    "image_lba" / Int32ul,
    "device" / Int16ul,
    "buffer_segment" / Int16ul,
    "load_segment" / Int16ul,
    "sector_count" / Int16ul,
    "cylinders" / Int8ul,
    "sectors" / Int8ul,
    "heads" / Int8ul,
)
_EMULATIONS = ("none", "1.2M floppy", "1.44M floppy", "2.88M floppy", "hard disk")


def serve(bios: Bios, call: Call) -> None:
    """Do what AH asks of the drive in DL."""
    drive = bios.media.drives.get(call.dl)
    if call.ah == 0x4B:
        _emulation(bios, call)
        return
    if drive is None:
        _finish(bios, call, BAD_COMMAND if call.dl >= FIRST_HARD_DISK else NOT_READY)
        return
    if call.ah == 0x01:
        call.ah = drive.status
        call.set_carry(on=drive.status != OK)
        return
    function = _FUNCTIONS.get(call.ah)
    if function is None:
        bios.unknown[0x13, call.ax] += 1
    drive.status = function(bios, call, drive) if function else BAD_COMMAND
    if drive.status is not _ANSWERED:
        _finish(bios, call, drive.status)
    else:
        drive.status = OK
        call.set_carry(on=False)
        bios.write_bda(_STATUS_FIELD, OK, 1)


_ANSWERED = -1  # the function has set AH itself


def _finish(bios: Bios, call: Call, status: int) -> None:
    call.ah = status
    call.set_carry(on=status != OK)
    bios.write_bda(_STATUS_FIELD, status, 1)


# --- CHS -----------------------------------------------------------------------------------------


def _lba(call: Call, drive: Drive) -> int | None:
    """Return the sector that CX and DH name; None if there is none."""
    if drive.geometry is None:
        return None
    cylinder = call.ch | (call.cl & 0xC0) << 2
    sector = call.cl & _LAST_SECTOR_OF_TRACK
    cylinders, heads, sectors = drive.geometry
    if not 1 <= sector <= sectors or call.dh >= heads or cylinder >= cylinders:
        return None
    return (cylinder * heads + call.dh) * sectors + sector - 1


def _chs(call: Call, drive: Drive) -> slice | None:
    lba = _lba(call, drive)
    return None if lba is None or not call.al else drive.slice_of(lba, call.al)


def _reset(_bios: Bios, _call: Call, _drive: Drive) -> int:
    return OK


def _read(_bios: Bios, call: Call, drive: Drive) -> int:
    where = _chs(call, drive)
    if where is None:
        return BAD_COMMAND
    call.write("es", call.bx, bytes(drive.data[where]))
    return OK


def _write(_bios: Bios, call: Call, drive: Drive) -> int:
    where = _chs(call, drive)
    if not drive.writable:
        return WRITE_PROTECTED
    if where is None:
        return BAD_COMMAND
    drive.data[where] = call.read("es", call.bx, where.stop - where.start)
    return OK


def _verify(_bios: Bios, call: Call, drive: Drive) -> int:
    return OK if _chs(call, drive) is not None else BAD_COMMAND


def _parameters(bios: Bios, call: Call, drive: Drive) -> int:
    if drive.geometry is None:
        return BAD_COMMAND
    cylinders, heads, sectors = drive.geometry
    hard = drive.number >= FIRST_HARD_DISK
    # The last cylinder of a hard disk is kept for diagnostics.
    last = cylinders - (2 if hard else 1)
    call.al = 0
    call.ch, call.cl = last & 0xFF, sectors | last >> 2 & 0xC0
    call.dh = heads - 1
    call.dl = sum(
        number < FIRST_CD and (number >= FIRST_HARD_DISK) == hard for number in bios.media.drives
    )
    if not hard:
        call.bx = drive.floppy_type
    return OK


def _seek(_bios: Bios, call: Call, drive: Drive) -> int:
    return OK if drive.geometry is not None and call.dh < drive.geometry.heads else BAD_COMMAND


def _type(_bios: Bios, call: Call, drive: Drive) -> int:
    if drive.number >= FIRST_CD:
        return BAD_COMMAND
    if drive.number < FIRST_HARD_DISK:
        call.ah = _DISKETTE_WITHOUT_CHANGE_LINE
        return _ANSWERED
    # The number counts the sectors that CHS reaches.
    sectors = 0
    if drive.geometry is not None:
        cylinders, heads, per_track = drive.geometry
        sectors = (cylinders - 1) * heads * per_track
    call.cx, call.dx = sectors >> 16, sectors & 0xFFFF
    call.ah = _HARD_DISK
    return _ANSWERED


# --- extensions ----------------------------------------------------------------------------------


def _check_extensions(_bios: Bios, call: Call, drive: Drive) -> int:
    if call.bx != _MAGIC_IN or drive.number < FIRST_HARD_DISK:
        return BAD_COMMAND
    call.bx = _MAGIC_OUT
    call.cx = _FIXED_ACCESS | _EDD
    call.ah = _EDD_VERSION
    return _ANSWERED


def _packet(call: Call) -> Any:
    return disk_address_packet.parse(call.read("ds", call.si, disk_address_packet.sizeof()))


def _extended(
    call: Call, drive: Drive, move: Callable[[slice, int], None], *, transfers: bool = True
) -> int:
    """Do something with the sectors of a packet, at the linear address it gives."""
    packet = _packet(call)
    if packet.size < disk_address_packet.sizeof() or drive.number < FIRST_HARD_DISK:
        return BAD_COMMAND
    where = drive.slice_of(packet.lba, packet.count)
    if where is None or (transfers and packet.count > _BUFFER_LIMIT):
        # The count says how many have been transferred.
        call.write("ds", call.si + 2, bytes(2))
        return BAD_COMMAND
    move(where, packet.segment * 16 + packet.offset)
    return OK


def _read_extended(_bios: Bios, call: Call, drive: Drive) -> int:
    def move(where: slice, laddr: int) -> None:
        call.vcpu.write_linear(laddr, bytes(drive.data[where]))

    return _extended(call, drive, move)


def _write_extended(_bios: Bios, call: Call, drive: Drive) -> int:
    if not drive.writable:
        return WRITE_PROTECTED

    def move(where: slice, laddr: int) -> None:
        drive.data[where] = call.vcpu.read_linear(laddr, where.stop - where.start)

    return _extended(call, drive, move)


def _verify_extended(_bios: Bios, call: Call, drive: Drive) -> int:
    return _extended(call, drive, lambda _where, _laddr: None, transfers=False)


def _parameters_extended(_bios: Bios, call: Call, drive: Drive) -> int:
    size = int.from_bytes(call.read("ds", call.si, 2), "little")
    if size < _SIZE_WITHOUT_DPTE or drive.number < FIRST_HARD_DISK:
        return BAD_COMMAND
    size = drive_parameters.sizeof() if size >= drive_parameters.sizeof() else _SIZE_WITHOUT_DPTE
    geometry = drive.geometry
    fields = {
        "size": size,
        "flags": _VALID_GEOMETRY if geometry else _REMOVABLE,
        "cylinders": geometry.cylinders if geometry else 0xFFFFFFFF,
        "heads": geometry.heads if geometry else 0xFFFFFFFF,
        "sectors_per_track": geometry.sectors if geometry else 0xFFFFFFFF,
        "sectors": drive.sectors,
        "bytes_per_sector": drive.sector_size,
    }
    call.write("ds", call.si, drive_parameters.build(fields)[:size])
    return OK


# --- El Torito -----------------------------------------------------------------------------------


def _emulation(bios: Bios, call: Call) -> None:
    """AL: 0 ends the emulation and tells about it, 1 only tells."""
    image = bios.media.el_torito
    if image is None or call.al > 1:
        _finish(bios, call, BAD_COMMAND)
        return
    emulated = next((n for n in bios.media.drives if n < FIRST_CD), FIRST_CD)
    if call.dl not in {emulated, FIRST_CD, 0x7F}:
        _finish(bios, call, BAD_COMMAND)
        return
    drive = bios.media.drives[emulated]
    geometry = drive.geometry
    fields = {
        "media_type": _EMULATIONS.index(image.emulation),
        "drive": emulated,
        "controller": 0,
        "image_lba": image.sector,
        "device": 0,
        "buffer_segment": 0,
        "load_segment": image.load_segment or 0x7C0,
        "sector_count": image.sector_count,
        "cylinders": geometry.cylinders - 1 & 0xFF if geometry else 0,
        "sectors": geometry.sectors | geometry.cylinders - 1 >> 2 & 0xC0 if geometry else 0,
        "heads": geometry.heads - 1 if geometry else 0,
    }
    call.write("ds", call.si, specification_packet.build(fields))
    if call.al == 0 and emulated != FIRST_CD:
        del bios.media.drives[emulated]
    _finish(bios, call, OK)


_FUNCTIONS: dict[int, Callable[[Bios, Call, Drive], int]] = {
    0x00: _reset,
    0x02: _read,
    0x03: _write,
    0x04: _verify,
    0x08: _parameters,
    0x0C: _seek,
    0x0D: _reset,
    0x10: _reset,
    0x11: _reset,
    0x15: _type,
    0x41: _check_extensions,
    0x42: _read_extended,
    0x43: _write_extended,
    0x44: _verify_extended,
    0x47: _verify_extended,
    0x48: _parameters_extended,
}
