"""Translation: rights, faults, accessed and dirty flags, invalidation."""

from __future__ import annotations

import struct

import pytest

from pykern_c.exits import ExitReason
from pykern_c.machine import Machine
from tests.guest import (
    ENTRY,
    PRESENT,
    WRITABLE,
    assemble,
    long_mode,
    long_mode_machine,
    page_entry,
    page_tables,
)

DATA = 0x40_0000
NX = 1 << 63
LOOP = """
    mov rbx, 0x400000
    mov eax, [rbx]
    hlt
    {invalidate}
    mov ecx, [rbx]
    hlt
"""


def write_entry(machine: Machine, laddr: int, value: int) -> None:
    machine.write(page_entry(laddr), struct.pack("<Q", value))


def read_entry(machine: Machine, laddr: int) -> int:
    return int.from_bytes(machine.read(page_entry(laddr), 8), "little")


@pytest.mark.parametrize(
    ("source", "entry", "error"),
    [
        ("mov eax, [0x400000]", 0, 0),
        ("mov [0x400000], eax", 0, 2),
        ("mov [0x400000], eax", DATA | PRESENT, 3),
        ("mov eax, 0x400000\njmp rax", 0, 0x10),
        ("mov eax, 0x400000\njmp rax", DATA | PRESENT | NX, 0x11),
        ("mov eax, [0x400000]", DATA | PRESENT | 1 << 51, 9),
    ],
)
def test_the_error_code_of_a_page_fault(source: str, entry: int, error: int) -> None:
    machine = long_mode_machine(source)
    write_entry(machine, DATA, entry)
    end = machine.run()
    assert end.reason is ExitReason.SHUTDOWN
    fault = end.faults[0]
    assert (fault.vector, fault.error, fault.address) == (14, error, DATA)


def test_accessed_and_dirty_are_set_when_they_should_be() -> None:
    machine = long_mode_machine("mov eax, [0x400000]\nhlt\nmov [0x400000], eax\nhlt")
    assert read_entry(machine, DATA) == DATA | PRESENT | WRITABLE
    machine.run()
    assert read_entry(machine, DATA) == DATA | PRESENT | WRITABLE | 0x20
    machine.vcpus[0].activate()
    machine.run()
    assert read_entry(machine, DATA) == DATA | PRESENT | WRITABLE | 0x60


def remapped(invalidate: str, flags: int = 0, cr4: int = 0) -> tuple[int, list[int]]:
    """Read a page, map another one there, read again; return the value and stale uses."""
    machine = long_mode_machine(LOOP.format(invalidate=invalidate))
    vcpu = machine.vcpus[0]
    vcpu.write_register("cr4", vcpu.read_register("cr4") | cr4)
    stale: list[int] = []
    machine.report_stale_tlb(lambda _vcpu, laddr, _old: stale.append(laddr))
    write_entry(machine, DATA, DATA | PRESENT | WRITABLE | flags)
    machine.write(DATA, struct.pack("<I", 1))
    machine.write(DATA + 0x1000, struct.pack("<I", 2))
    machine.run()
    assert vcpu.read_register("rax") == 1
    write_entry(machine, DATA, (DATA + 0x1000) | PRESENT | WRITABLE | flags)
    vcpu.activate()
    machine.run()
    return vcpu.read_register("rcx"), stale


@pytest.mark.parametrize(
    "invalidate",
    ["invlpg [rbx]", "mov rdx, cr3\nmov cr3, rdx", "mov rdx, cr4\nxor rdx, 0x80\nmov cr4, rdx"],
)
def test_an_invalidated_entry_is_gone(invalidate: str) -> None:
    assert remapped(invalidate) == (2, [])


def test_the_use_of_a_stale_entry_is_reported() -> None:
    assert remapped("nop") == (2, [DATA])


def test_mov_to_cr3_keeps_global_pages() -> None:
    reload = "mov rdx, cr3\nmov cr3, rdx"
    assert remapped(reload, flags=0x100)[1] == [DATA]
    assert remapped("invlpg [rbx]", flags=0x100)[1] == []


@pytest.mark.parametrize("size", [0x20_0000, 0x4000_0000])
def test_large_pages(size: int) -> None:
    machine = Machine(8 << 20)
    page_tables(machine)
    machine.write(ENTRY, assemble(f"mov eax, [{DATA + size * 4:#x}]\nhlt"))
    level = 0x1_1000 if size > 1 << 21 else 0x1_2000
    index = DATA // size + 4
    machine.write(level + 8 * index, struct.pack("<Q", DATA // size * size | 0x83))
    machine.write(DATA, struct.pack("<I", 77))
    vcpu = machine.vcpus[0]
    long_mode(vcpu)
    assert vcpu.translate(DATA + size * 4).page_size == size
    assert machine.run().reason is ExitReason.HLT
    assert vcpu.read_register("rax") == 77


def test_translate_explains() -> None:
    machine = long_mode_machine("hlt")
    vcpu = machine.vcpus[0]
    good = vcpu.translate(DATA + 5)
    assert (good.paddr, good.error, len(good.entries)) == (DATA + 5, None, 4)
    write_entry(machine, DATA, 0)
    bad = vcpu.translate(DATA + 5, "w")
    assert (bad.paddr, bad.error) == (None, 2)
    assert "page not present" in bad.explain()
    with pytest.raises(ValueError, match="not mapped"):
        vcpu.read_linear(DATA - 1, 2)
    vcpu.write_linear(DATA - 2, b"ab")
    assert vcpu.read_linear(DATA - 2, 2) == b"ab"


def test_an_access_across_pages_faults_before_it_writes() -> None:
    machine = long_mode_machine("mov rax, -1\nmov [0x400ffc], rax\nhlt")
    write_entry(machine, DATA + 0x1000, DATA + 0x1000 | PRESENT)
    end = machine.run()
    assert end.faults[0].address == DATA + 0x1000
    assert machine.read(DATA + 0xFFC, 4) == bytes(4)
