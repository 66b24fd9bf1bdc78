"""Answer the requests of the Limine boot protocol: one function per feature.

Features of UEFI firmware and of device trees are left without a response, as on any PC with a BIOS.

References
----------
The Limine Boot Protocol, Feature List.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pykern.machine.boot import limine_structs as ls
from pykern.machine.boot.limine_memory import HHDM_BASE
from pykern.machine.boot.page_tables import PAGE
from pykern.machine.boot.protocol import BootError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pykern.machine.boot.limine_memory import Entry
    from pykern.machine.boot.limine_requests import FeatureId, Requests
    from pykern.machine.boot.protocol import BootModule, BootOptions

BOOTLOADER_NAME, BOOTLOADER_VERSION = "pykern", "1"
DEFAULT_STACK_SIZE = 64 << 10
_MP_INFO_ALIGNMENT = 64  # a processor in MWAIT watches a line of this size
_BITS_PER_PIXEL = 32
_CHANNELS = {
    "red_mask_size": 8,
    "red_mask_shift": 16,
    "green_mask_size": 8,
    "green_mask_shift": 8,
    "blue_mask_size": 8,
    "blue_mask_shift": 0,
}
_PHYSICAL_RSDP_REVISION = 3


class Arena:
    """Memory for responses, filled from its start.

    Parameters
    ----------
    paddr : of its first byte, at a page boundary
    """

    def __init__(self, paddr: int) -> None:
        self.paddr = paddr
        self.data = bytearray()

    def put(self, data: bytes, align: int = 8) -> int:
        """Append something; return its linear address in the direct map."""
        self.data += bytes(-len(self.data) % align)
        laddr = HHDM_BASE + self.paddr + len(self.data)
        self.data += data
        return laddr

    def string(self, text: str) -> int:
        """Append a 0-terminated string."""
        return self.put(text.encode(errors="surrogateescape") + b"\0", 1)

    def pointers(self, laddrs: Sequence[int]) -> int:
        """Append an array of pointers."""
        return self.put(b"".join(laddr.to_bytes(8, "little") for laddr in laddrs))


@dataclass
class Handoff:
    """What the responses are made of.

    Parameters
    ----------
    options : of the boot
    requests : of the executable
    image_paddr : where the executable has been placed
    file_paddr : where its file is, if it has asked for that
    modules : what is handed over, with the physical address of each
    memmap : the memory map
    cpus : number of processors
    x2apic : whether their local APICs are in that mode
    arena : where responses go
    mp_infos : linear addresses of the limine_mp_info structures, once they are there
    """

    options: BootOptions
    requests: Requests
    image_paddr: int
    file_paddr: int
    file_size: int
    modules: tuple[tuple[BootModule, int], ...]
    memmap: Sequence[Entry]
    cpus: int
    x2apic: bool
    arena: Arena
    mp_infos: list[int] = field(default_factory=list)

    def pointer(self, paddr: int) -> int:
        """Return a physical address as a pointer; 0 stays NULL."""
        return HHDM_BASE + paddr if paddr else 0


def answer(handoff: Handoff) -> None:
    """Build a response to every request that can have one, and enter them in the image."""
    handoff.requests.accept_base_revision()
    for feature in handoff.requests.found:
        respond = _RESPONSES.get(feature)
        response = respond(handoff) if respond else None
        if response is not None:
            handoff.requests.answer(feature, response)


def stack_size(requests: Requests) -> int:
    """Return the bytes of a stack: what is asked for, at least 64 KiB, in whole pages."""
    asked = requests.fields(ls.STACK_SIZE, ls.stack_size_request)
    size = max(asked.stack_size if asked else 0, DEFAULT_STACK_SIZE)
    return int(-(-size // PAGE) * PAGE)


def check_paging_mode(requests: Requests) -> None:
    """Refuse an executable that cannot run with 4-level paging.

    Raises
    ------
    BootError : its lowest mode is a higher one
    """
    if ls.PAGING_MODE not in requests.found or not requests.revision(ls.PAGING_MODE):
        return
    asked = requests.fields(ls.PAGING_MODE, ls.paging_mode_request)
    if asked is not None and asked.min_mode > ls.PAGING_MODE_4LVL:
        raise BootError(
            f"{requests.image.name}: the paging mode request has min_mode {asked.min_mode}, "
            "expected 0: the processors have 4-level paging only"
        )


def _bootloader_info(handoff: Handoff) -> int:
    name, version = map(handoff.arena.string, (BOOTLOADER_NAME, BOOTLOADER_VERSION))
    return handoff.arena.put(ls.bootloader_info_response.build({"name": name, "version": version}))


def _executable_cmdline(handoff: Handoff) -> int:
    text = handoff.arena.string(handoff.options.command_line)
    return handoff.arena.put(ls.executable_cmdline_response.build({"cmdline": text}))


def _firmware_type(handoff: Handoff) -> int:
    fields = {"firmware_type": ls.FIRMWARE_TYPE_X86BIOS}
    return handoff.arena.put(ls.firmware_type_response.build(fields))


def _empty(handoff: Handoff) -> int:
    return handoff.arena.put(ls.empty_response.build({}))


def _hhdm(handoff: Handoff) -> int:
    return handoff.arena.put(ls.hhdm_response.build({"offset": HHDM_BASE}))


def _framebuffer(handoff: Handoff) -> int | None:
    picture = handoff.options.framebuffer
    if picture is None:
        return None
    common = {
        "width": picture.width,
        "height": picture.height,
        "pitch": picture.pitch,
        "bpp": _BITS_PER_PIXEL,
        "memory_model": ls.MEMORY_MODEL_RGB,
        **_CHANNELS,
    }
    arena = handoff.arena
    modes = arena.pointers([arena.put(ls.video_mode.build(common))])
    address = handoff.pointer(picture.paddr)
    more = {"address": address, "edid_size": 0, "edid": 0, "mode_count": 1, "modes": modes}
    pointers = arena.pointers([arena.put(ls.framebuffer.build({**common, **more}))])
    fields = {"framebuffer_count": 1, "framebuffers": pointers}
    return arena.put(ls.framebuffer_response.build(fields))


def _paging_mode(handoff: Handoff) -> int:
    return handoff.arena.put(ls.paging_mode_response.build({"mode": ls.PAGING_MODE_4LVL}))


def _mp(handoff: Handoff) -> int:
    handoff.mp_infos = [
        handoff.arena.put(
            ls.mp_info.build({"processor_id": number, "lapic_id": number}), _MP_INFO_ALIGNMENT
        )
        for number in range(handoff.cpus)
    ]
    # What comes behind the last one must not wake it up.
    handoff.arena.put(b"", _MP_INFO_ALIGNMENT)
    fields = {
        "flags": ls.MP_X2APIC if handoff.x2apic else 0,
        "bsp_lapic_id": 0,
        "cpu_count": handoff.cpus,
        "cpus": handoff.arena.pointers(handoff.mp_infos),
    }
    return handoff.arena.put(ls.mp_response.build(fields))


def _memmap(handoff: Handoff) -> int:
    pointers = [
        handoff.arena.put(
            ls.memmap_entry.build({"base": e.base, "length": e.length, "type": int(e.type)})
        )
        for e in handoff.memmap
    ]
    fields = {"entry_count": len(pointers), "entries": handoff.arena.pointers(pointers)}
    return handoff.arena.put(ls.memmap_response.build(fields))


def _file(handoff: Handoff, path: str, command_line: str, paddr: int, size: int) -> int:
    fields = {
        "address": handoff.pointer(paddr),
        "size": size,
        "path": handoff.arena.string(path),
        "string": handoff.arena.string(command_line),
        "media_type": int(handoff.options.media),
    }
    return handoff.arena.put(ls.file.build(fields))


def _executable_file(handoff: Handoff) -> int:
    options = handoff.options
    place = _file(
        handoff,
        executable_path(options),
        options.command_line,
        handoff.file_paddr,
        handoff.file_size,
    )
    return handoff.arena.put(ls.executable_file_response.build({"executable_file": place}))


def executable_path(options: BootOptions) -> str:
    """Return the path of the executable within its volume."""
    return options.path or "/" + options.name.rsplit("/", 1)[-1]


def _module(handoff: Handoff) -> int:
    files = [
        _file(handoff, _absolute(m.name), m.command_line, paddr, len(m.data))
        for m, paddr in handoff.modules
    ]
    fields = {"module_count": len(files), "modules": handoff.arena.pointers(files)}
    return handoff.arena.put(ls.module_response.build(fields))


def _absolute(path: str) -> str:
    return path if path.startswith("/") else f"/{path}"


def _rsdp(handoff: Handoff) -> int | None:
    paddr = handoff.options.rsdp
    if not paddr:
        return None
    physical = handoff.requests.base_revision == _PHYSICAL_RSDP_REVISION
    address = paddr if physical else handoff.pointer(paddr)
    return handoff.arena.put(ls.rsdp_response.build({"address": address}))


def _smbios(handoff: Handoff) -> int | None:
    entries = {"entry_32": handoff.options.smbios_32, "entry_64": handoff.options.smbios_64}
    if not any(entries.values()):
        return None
    if handoff.requests.base_revision < _PHYSICAL_RSDP_REVISION:
        entries = {name: handoff.pointer(paddr) for name, paddr in entries.items()}
    return handoff.arena.put(ls.smbios_response.build(entries))


def _date_at_boot(handoff: Handoff) -> int:
    fields = {"timestamp": handoff.options.boot_time}
    return handoff.arena.put(ls.date_at_boot_response.build(fields))


def _executable_address(handoff: Handoff) -> int:
    fields = {"physical_base": handoff.image_paddr, "virtual_base": handoff.requests.image.vbase}
    return handoff.arena.put(ls.executable_address_response.build(fields))


_RESPONSES: dict[FeatureId, Callable[[Handoff], int | None]] = {
    ls.BOOTLOADER_INFO: _bootloader_info,
    ls.EXECUTABLE_CMDLINE: _executable_cmdline,
    ls.FIRMWARE_TYPE: _firmware_type,
    ls.STACK_SIZE: _empty,
    ls.HHDM: _hhdm,
    ls.FRAMEBUFFER: _framebuffer,
    ls.PAGING_MODE: _paging_mode,
    ls.MP: _mp,
    ls.MEMMAP: _memmap,
    ls.ENTRY_POINT: _empty,
    ls.EXECUTABLE_FILE: _executable_file,
    ls.MODULE: _module,
    ls.RSDP: _rsdp,
    ls.SMBIOS: _smbios,
    ls.DATE_AT_BOOT: _date_at_boot,
    ls.EXECUTABLE_ADDRESS: _executable_address,
}
