"""Boot an executable by the Limine boot protocol, base revisions 0 to 3.

Nothing is loaded at a fixed place: executable, modules, stacks, tables and responses go where there
is room between 1 MiB and 4 GiB, so that low memory is free for the kernel's own trampolines.

References
----------
The Limine Boot Protocol.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pykern.machine.boot import elf_file, limine_memory, limine_processors, limine_requests
from pykern.machine.boot import limine_structs as ls
from pykern.machine.boot.elf_file import ELFCLASS64
from pykern.machine.boot.limine_image import load as load_image
from pykern.machine.boot.limine_memory import HHDM_BASE, MemmapType
from pykern.machine.boot.limine_responses import (
    Arena,
    Handoff,
    answer,
    check_paging_mode,
    executable_path,
    stack_size,
)
from pykern.machine.boot.page_tables import PAGE
from pykern.machine.boot.placement import Placement
from pykern.machine.boot.protocol import BootError, BootMachine, BootModule, BootOptions
from pykern.machine.firmware.e820 import EXTENDED_MEMORY_BASE

if TYPE_CHECKING:
    from pykern.machine.boot.limine_image import LoadedImage
    from pykern.machine.boot.limine_requests import Requests

_MAGIC = b"".join(word.to_bytes(8, "little") for word in ls.COMMON_MAGIC)
_TAG = b"".join(word.to_bytes(8, "little") for word in ls.BASE_REVISION_MAGIC)
_MAX_INTERNAL_MODULES = 4096
_IA32_APIC_BASE, _EXTD = 0x1B, 1 << 10
_GDT_ROOM = 256  # the parking code comes behind the GDT, in the same page


class LimineProtocol:
    """64-bit ELF executables with a request of the protocol in them."""

    name = "limine"
    looks_for = "a 64-bit ELF file with 88 8b 4c df 30 dd b1 c7 7b f0 94 a1 83 e8 82 0a (request)"

    def probe(self, image: bytes) -> bool:
        """Tell whether the image is a 64-bit ELF file that has a request or a revision tag."""
        if not elf_file.is_elf(image) or image[4:5] != bytes((ELFCLASS64,)):
            return False
        return _MAGIC in image or _TAG in image

    def load(self, image: bytes, machine: BootMachine, options: BootOptions) -> None:
        """Load the executable and its modules, answer its requests, and enter it."""
        elf = elf_file.parse(image, options.name)
        if elf.elf_class != ELFCLASS64:
            raise BootError(f"{elf.name}: EI_CLASS is 1 (32-bit), expected 2 (64-bit)")
        total = sum(size for _, size in machine.ram_ranges)
        loaded = load_image(elf, total)
        requests = limine_requests.find(loaded, image)
        check_paging_mode(requests)
        _Loader(machine, options, loaded, requests, image).run()


@dataclass
class _Places:
    """Physical addresses of what the loader places."""

    image: int
    file: int
    modules: list[int]
    stacks: list[int]
    gdt: int


class _Loader:
    """One boot."""

    def __init__(
        self,
        machine: BootMachine,
        options: BootOptions,
        image: LoadedImage,
        requests: Requests,
        file: bytes,
    ) -> None:
        self.machine = machine
        self.options = options
        self.image = image
        self.requests = requests
        self.file = file
        self.placement = Placement(machine)
        self.taken: list[tuple[int, int, MemmapType]] = []
        self.cpus = len(machine.vcpus) if ls.MP in requests.found else 1

    def run(self) -> None:
        """Place, answer, write, enter."""
        modules = (*_internal_modules(self.requests, self.options), *self.options.modules)
        if ls.MODULE not in self.requests.found:
            modules = ()
        places = self._place(modules)
        tables = limine_memory.page_tables(
            self.image, places.image, self._memmap(), self.options.framebuffer,
            self.requests.base_revision,
        )  # fmt: skip
        cr3 = self._reclaimable(tables.size, "page tables")
        handoff = self._respond(places, modules)
        for (_, paddr), module in zip(handoff.modules, modules, strict=True):
            self.placement.write(paddr, module.data)
        self.placement.write(places.image, bytes(self.image.data))
        if places.file:
            self.placement.write(places.file, self.file)
        self.placement.write(cr3, tables.encode(cr3))
        self.placement.write(handoff.arena.paddr, bytes(handoff.arena.data))
        self._enter(places, cr3, handoff)

    def _place(self, modules: tuple[BootModule, ...]) -> _Places:
        image = self._kept(len(self.image.data), "executable", align=self.image.align)
        wants_file = ls.EXECUTABLE_FILE in self.requests.found
        return _Places(
            image=image,
            file=self._kept(len(self.file), "executable file") if wants_file else 0,
            modules=[self._kept(len(m.data), f"module {m.name}") for m in modules],
            stacks=[
                self._reclaimable(stack_size(self.requests), "stack") for _ in range(self.cpus)
            ],
            gdt=self._reclaimable(PAGE, "GDT"),
        )

    def _kept(self, size: int, what: str, align: int = PAGE) -> int:
        """Take memory that stays in use."""
        return self._take(size, what, align, MemmapType.EXECUTABLE_AND_MODULES)

    def _reclaimable(self, size: int, what: str) -> int:
        """Take memory that the executable may use once it has no need of the loader's data."""
        return self._take(size, what, PAGE, MemmapType.BOOTLOADER_RECLAIMABLE)

    def _take(self, size: int, what: str, align: int, kind: MemmapType) -> int:
        size = max(-(-size // PAGE), 1) * PAGE
        what = f"{self.options.name}: {what}"
        low = EXTENDED_MEMORY_BASE
        paddr = self.placement.allocate_high(size, what, align=align, low=low)
        self.taken.append((paddr, paddr + size, kind))
        return paddr

    def _memmap(self) -> list[limine_memory.Entry]:
        return limine_memory.entries(
            self.machine.ram_ranges, _joined(self.taken), self.options.framebuffer
        )

    def _respond(self, places: _Places, modules: tuple[BootModule, ...]) -> Handoff:
        """Build the responses: once to learn how much room they need, once where they go."""
        handoff = Handoff(
            options=self.options,
            requests=self.requests,
            image_paddr=places.image,
            file_paddr=places.file,
            file_size=len(self.file),
            modules=tuple(zip(modules, places.modules, strict=True)),
            memmap=self._memmap(),
            cpus=self.cpus,
            x2apic=self._wants_x2apic(),
            arena=Arena(0),
        )
        answer(handoff)
        # Taking the room splits at most one entry in three.
        room = len(handoff.arena.data) + 2 * (ls.memmap_entry.sizeof() + 8)
        handoff.arena = Arena(self._reclaimable(room, "responses"))
        handoff.memmap = self._memmap()
        answer(handoff)
        return handoff

    def _wants_x2apic(self) -> bool:
        asked = self.requests.fields(ls.MP, ls.mp_request)
        return asked is not None and bool(asked.flags & ls.MP_X2APIC)

    def _enter(self, places: _Places, cr3: int, handoff: Handoff) -> None:
        gdt = limine_processors.gdt()
        self.placement.write(places.gdt, gdt.ljust(_GDT_ROOM, b"\0") + limine_processors.PARK, PAGE)
        if handoff.x2apic:
            _enable_x2apic(self.machine)
        size = stack_size(self.requests)
        tops = [HHDM_BASE + stack + size - 8 for stack in places.stacks]
        for stack in places.stacks:
            self.placement.write(stack + size - 8, bytes(8))
        gdt_laddr = HHDM_BASE + places.gdt
        limine_processors.enter(
            self.machine.vcpus[0], rip=self._entry(), rsp=tops[0], cr3=cr3, gdt_laddr=gdt_laddr
        )
        code = gdt_laddr + _GDT_ROOM
        for number in range(1, self.cpus):
            limine_processors.park(
                self.machine.vcpus[number],
                handoff.mp_infos[number],
                code=code,
                rsp=tops[number],
                cr3=cr3,
                gdt_laddr=gdt_laddr,
            )

    def _entry(self) -> int:
        asked = self.requests.fields(ls.ENTRY_POINT, ls.entry_point_request)
        entry = asked.entry if asked is not None else self.image.entry
        self.image.linear(entry, 1, "the entry point")
        return int(entry)


def _joined(taken: list[tuple[int, int, MemmapType]]) -> list[tuple[int, int, MemmapType]]:
    """Join neighbours of one kind."""
    joined: list[tuple[int, int, MemmapType]] = []
    for first, end, kind in sorted(taken):
        if joined and joined[-1][1] == first and joined[-1][2] is kind:
            first = joined.pop()[0]
        joined.append((first, end, kind))
    return joined


def _enable_x2apic(machine: Any) -> None:
    for apic in machine.apics.local:
        apic.write_msr(_IA32_APIC_BASE, apic.read_msr(_IA32_APIC_BASE) | _EXTD)


def _internal_modules(requests: Requests, options: BootOptions) -> tuple[BootModule, ...]:
    """Return the modules that the executable itself names, from the volume it lies on."""
    if ls.MODULE not in requests.found or not requests.revision(ls.MODULE):
        return ()
    asked = requests.fields(ls.MODULE, ls.module_request_1)
    if asked is None or not asked.internal_module_count:
        return ()
    count, image = asked.internal_module_count, requests.image
    if count > _MAX_INTERNAL_MODULES:
        raise BootError(
            f"{image.name}: internal_module_count is {count}, expected at most "
            f"{_MAX_INTERNAL_MODULES}"
        )
    table = image.linear(asked.internal_modules, 8 * count, "internal_modules")
    pointers = [int.from_bytes(table[at : at + 8], "little") for at in range(0, 8 * count, 8)]
    found = [_internal_module(image, pointer, options) for pointer in pointers]
    return tuple(module for module in found if module is not None)


def _internal_module(image: LoadedImage, laddr: int, options: BootOptions) -> BootModule | None:
    size = ls.internal_module.sizeof()
    module = ls.internal_module.parse(image.linear(laddr, size, "an internal module"))
    relative = image.string(module.path, "path of an internal module")
    folder = posixpath.dirname(executable_path(options))
    path = posixpath.normpath(posixpath.join(folder, relative))
    if module.flags & ls.INTERNAL_MODULE_COMPRESSED:
        raise BootError(
            f"{image.name}: internal module {path} has flag 2 (compressed), which the protocol has "
            "deprecated; expected the plain file"
        )
    data = options.read_file(path)
    if data is not None:
        command_line = image.string(module.cmdline, "cmdline of an internal module")
        return BootModule(path, data, command_line)
    if module.flags & ls.INTERNAL_MODULE_REQUIRED:
        raise BootError(
            f"{image.name}: internal module {path} is required, and there is no such file"
        )
    return None
