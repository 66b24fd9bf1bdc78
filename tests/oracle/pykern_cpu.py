"""pykern's own processor with the face of the oracles: what is to be compared with them."""

from __future__ import annotations

import struct

import numpy as np

from pykern_c import cases
from pykern_c.machine import Machine

from .state import LAYOUT, LAYOUT_16, PAGE, Instructions, Layout, States, batch

# Page-table entry bits (SDM Vol. 3A, "4-Level Paging").
_P, _W, _U = 1, 2, 4
_TABLES = 0x10_0000
# Physical addresses are not the linear ones: an access that forgets to translate must show.
_CODE, _DATA = 0x20_0000, 0x21_0000
_CODE_64, _CODE_32, _CODE_16 = 0xA0FB, 0xC0FB, 0x009B  # access rights: type, S, DPL, P, L, D, G
_DATA_3, _DATA_0 = 0xC0F3, 0x0093
_GDT = 0x7010_0000
# Linux arch/x86/include/asm/segment.h, for selectors that user code may name.
_LINUX_GDT = {
    1: 0x00CF_9B00_0000_FFFF,  # kernel code, 32-bit
    2: 0x00AF_9B00_0000_FFFF,  # kernel code
    3: 0x00CF_9300_0000_FFFF,  # kernel data
    4: 0x00CF_FB00_0000_FFFF,  # user code, 32-bit
    5: 0x00CF_F300_0000_FFFF,  # user data
    6: 0x00AF_FB00_0000_FFFF,  # user code
    8: 0x0000_8B00_0000_4087,  # TSS
    15: 0x0040_F500_0000_0000,  # processor number
}


class PykernCpu:
    """Executes single instructions on a `Machine`, with the face of `HostCpu`.

    Parameters
    ----------
    mode
        16 (real mode), 32 or 64. 32- and 64-bit code runs at CPL 3 with paging on.
    cpu
        Model of the processor.
    """

    def __init__(self, mode: int = 64, cpu: str = "max") -> None:
        self.mode = mode
        self.layout: Layout = LAYOUT_16 if mode == 16 else LAYOUT
        self._machine = Machine(4 << 20, cpu=cpu)
        self._vcpu = self._machine.vcpus[0]
        if mode == 16:
            self._real_mode()
            return
        self._page_tables()
        self._protected_mode()

    def _real_mode(self) -> None:
        for name in ("cs", "ss", "ds", "es", "fs", "gs"):
            self._set(name, 0, 0, 0xFFFF, _CODE_16 if name == "cs" else _DATA_0)

    def _protected_mode(self) -> None:
        code = _CODE_64 if self.mode == 64 else _CODE_32
        for name in ("cs", "ss", "ds", "es", "fs", "gs"):
            selector = 0x33 if name == "cs" else 0x2B if name == "ss" else 0
            self._set(name, selector, 0, 0xFFFF_FFFF, code if name == "cs" else _DATA_3)
        write = self._vcpu.write_register
        write("cr3", _TABLES)
        write("cr4", 0x5_0620)  # PAE, OSFXSR, OSXMMEXCPT, FSGSBASE, OSXSAVE
        write("xcr0", 3)  # x87, SSE
        write("efer", 0xD01)  # SCE, LME, LMA, NXE
        write("cr0", 0x8005_0033)  # PG, AM, WP, NE, ET, MP, PE
        self._tables()

    def _tables(self) -> None:
        """Set up the GDT that Linux has, and a TSS without I/O permission bit map."""
        physical, linear = _TABLES + PAGE * 5, _GDT
        for index, descriptor in _LINUX_GDT.items():
            self._machine.write(physical + 8 * index, struct.pack("<Q", descriptor))
        write = self._vcpu.write_register
        write("gdtr.base", linear)
        write("gdtr.limit", 16 * 8 - 1)
        write("tr.limit", 0x66)
        write("ldtr.attr", 0x1_0000)  # unusable

    def _set(self, name: str, selector: int, base: int, limit: int, rights: int) -> None:
        write = self._vcpu.write_register
        write(name, selector)
        write(f"{name}.base", base)
        write(f"{name}.limit", limit)
        write(f"{name}.attr", rights)

    def _page_tables(self) -> None:
        layout = self.layout
        pdpt, directory, table = (_TABLES + PAGE * i for i in (1, 2, 3))
        self._entry(_TABLES, 0, pdpt | _P | _W | _U)
        self._entry(pdpt, layout.code_base >> 30, directory | _P | _W | _U)
        for number, (linear, physical, pages, bits) in enumerate(
            (
                (layout.code_base, _CODE, layout.code_size // PAGE, _P | _U),
                (layout.data_base, _DATA, 2, _P | _W | _U),
                (layout.read_only, _DATA + 2 * PAGE, 1, _P | _U),
                (_GDT, _TABLES + PAGE * 5, 1, _P | _W),
            )
        ):
            leaf = table + PAGE * min(number, 1)  # all data shares a table
            self._entry(directory, linear >> 21 & 511, leaf | _P | _W | _U)
            for i in range(pages):
                self._entry(leaf, (linear + i * PAGE) >> 12 & 511, physical + i * PAGE | bits)

    def _entry(self, table: int, index: int, value: int) -> None:
        self._machine.write(table + 8 * index, struct.pack("<Q", value))

    def run(
        self, code: bytes | list[bytes] | Instructions, start: States, *, step: bool = False
    ) -> States:
        """Execute one instruction per state and return the states behind it.

        The parameters are those of `HostCpu.run`; with `step`, REP does one iteration.
        """
        layout = self.layout
        packed = batch(code, start, layout)
        result = np.ascontiguousarray(start).copy()
        place = (layout.code_base, layout.data_base) if self.mode == 16 else (_CODE, _DATA)
        cases.run(
            self._machine,
            packed.view(np.uint8),
            result.view(np.uint8),
            (layout.code_base, place[0], layout.code_size),
            (layout.data_base, place[1], layout.data_end - layout.data_base),
            step,
        )
        return result
