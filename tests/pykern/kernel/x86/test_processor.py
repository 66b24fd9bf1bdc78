"""The per-CPU page."""

import struct

import pytest

from pykern.kernel.x86 import descriptors, layout
from pykern.kernel.x86.processor import NO_CALLS, CallTables, Processor
from pykern_c import Machine

PAGE = 0x5000


@pytest.fixture
def machine():
    return Machine(1 << 20, cpus=2)


@pytest.fixture
def cpu(machine):
    made = Processor(1, 7, machine.vcpus[1], machine)
    made.setup = made.prepare(PAGE, (0x9000, 4096), {"syscall_entry": 0xABC0}, {1: 0x8000})
    return made


def _field(machine, name, size=8):
    return int.from_bytes(machine.read(PAGE + layout.PERCPU[name], size), "little")


def test_the_page_points_to_itself_and_knows_its_number(machine, cpu):
    """MEL-07: aligned to cache lines, of no other processor."""
    assert _field(machine, "self") == cpu.base == layout.HHDM_BASE + PAGE
    assert (_field(machine, "number", 4), _field(machine, "apic_id", 4)) == (1, 7)
    assert cpu.base % 64 == 0


def test_setup_points_to_tables_in_the_page(machine, cpu):
    raw = machine.read(cpu.setup - layout.HHDM_BASE, 256)
    size, gdt = struct.unpack_from("<HQ", raw, layout.SETUP["gdtr"])
    table = machine.read(gdt - layout.HHDM_BASE, size + 1)
    low, high = struct.unpack_from("<QQ", table, layout.SELECTORS["TSS_SELECTOR"])
    tss = (low >> 16 & 0xFF_FFFF | (low >> 56) << 24 | high << 32) - layout.HHDM_BASE
    assert machine.read(tss + 36, 8) == struct.pack("<Q", 0x8000)
    assert PAGE <= tss < PAGE + 4096


def test_setup_asks_for_protection(machine, cpu):
    """MEL-27: write protection, no execution of data, no user code for the kernel."""
    raw = machine.read(cpu.setup - layout.HHDM_BASE, 256)
    (cr0,) = struct.unpack_from("<Q", raw, layout.SETUP["cr0"])
    (cr4,) = struct.unpack_from("<Q", raw, layout.SETUP["cr4"])
    (count,) = struct.unpack_from("<I", raw, layout.SETUP["msr_count"])
    pairs = struct.unpack_from(f"<{2 * count}Q", raw, layout.SETUP["msrs"])
    msrs = dict(zip(pairs[::2], pairs[1::2], strict=True))
    assert cr0 & layout.CR0["WP"]
    assert cr4 & layout.CR4["SMEP"]
    assert msrs[layout.MSR["EFER"]] & layout.EFER["NXE"]
    assert msrs[layout.MSR["LSTAR"]] == 0xABC0
    assert msrs[layout.MSR["GS_BASE"]] == cpu.base
    assert msrs[layout.MSR["FMASK"]] == 0x47700  # TF, IF, DF, IOPL, NT, AC: none is a program's


def test_entering_a_thread_moves_its_stack_into_the_tss(machine, cpu):
    """MEL-48: interrupts of user code arrive on the thread's own kernel stack."""
    tables = CallTables((0x111, 5), (0x222, 6))
    cpu.enter_thread(42, 0xFFFF_9000_0000_2000, tables)
    assert _field(machine, "kernel_rsp") == 0xFFFF_9000_0000_2000
    assert _field(machine, "current_tid") == 42
    where = PAGE + 0x100 + descriptors.RSP0
    assert machine.read(where, 8) == struct.pack("<Q", 0xFFFF_9000_0000_2000)
    names = ("syscall_table", "syscall_count", "int80_table", "int80_count")
    assert [_field(machine, name) for name in names] == [0x111, 5, 0x222, 6]
    cpu.enter_thread(43, 0xFFFF_9000_0000_4000, NO_CALLS)
    assert [_field(machine, name) for name in names] == [0, 0, 0, 0]


def test_work_is_a_flag(machine, cpu):
    cpu.set_work(True)
    assert _field(machine, "work", 4) == 1
    cpu.set_work(False)
    assert (_field(machine, "work", 4), _field(machine, "preempt_count", 4)) == (0, 0)
